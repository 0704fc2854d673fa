"""A door: the whole of it on one machine, with nothing but Python. Gateway, simulated Wazzup, small CRM, own store.

Only on 127.0.0.1, and only when asked for by `python -m app demo`: `serve` never falls back to the simulation, and has
no `/demo`. The CRM's page lives on the gateway's port, its own server on another, which its page can close.
"""

import asyncio
import logging
import secrets
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import structlog
import typer
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import EventDict, WrappedLogger

from app.clock import SystemClock
from app.crm.feed import Feed
from app.crm.gateway import GatewayRefused
from app.crm.page import PATH, Element, Unswitched
from app.crm.server import Crm, CrmOptions, open_crm
from app.keepsake import kept
from app.main import create_app
from app.serving import PortTaken, Server, give_back_memory, listen, run, stop_on_signal
from app.settings import Settings
from app.simulator.options import Options
from app.simulator.server import create_simulator
from app.telemetry import configure
from app.web.files import load
from app.webhooks.signing import new_secret

HOST: Final = "127.0.0.1"
# Short, so that whoever takes the CRM's server down sees retries and recovery; and for two hours, so that nothing is
# given up while somebody has a coffee.
RETRY_SECONDS: Final = (0, 2, 4, 8, *([10] * 720))

BANNER = """
  The Wazzup Gateway is running, with a simulated Wazzup and a small demo CRM. Ctrl-C ends it.

    Open              {gateway}/demo

    Gateway           {gateway}
    API, to try out   {gateway}/docs
    Simulated Wazzup  {wazzup}
    Demo API key      {key}

  Ask for the link of a chat window: paste this into another terminal.

curl -s {gateway}/links -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{question}'

  Open the "link" of the answer in a browser. Ask again, and the answer is "cached": true.

  The chat on a page of your own. Not with this demo, which lets in its own page only: your gateway names the page's
  origin in ALLOWED_ORIGINS, and your back end gives it a token.

<script type="module" src="{gateway}{element}" integrity="{integrity}" crossorigin></script>
<wazzup-chat phone="+371 11 234 567" contact-name="Anthony Stone"></wazzup-chat>
<script type="module">
  document.querySelector("wazzup-chat").getToken = async () => (await fetch("/your/token")).text();
</script>
"""

QUESTION = '{"user_id": "crm-user-1", "contact": {"name": "Anthony Stone", "phone": "+371 11 234 567"}}'


@dataclass(frozen=True)
class Console:
    """What is printed beside the banner: nothing below `level`, since the page tells of the rest."""

    level: str
    form: str | None


def demo(*, port: int, data_dir: Path, console: Console) -> None:
    """Runs until Ctrl-C.

    Raises:
        PortTaken: `port` is taken.
        DataDirTaken: another demo runs on `data_dir`.
    """
    with listen(HOST, port) as front, _beside(front, 1) as back, _beside(front, 2) as door:
        run(_demo(front, back, door, data_dir, console))


async def _demo(
    front: socket.socket, back: socket.socket, door: socket.socket, data_dir: Path, console: Console
) -> None:
    gateway, wazzup, keys = _url(front), _url(back), Keys.of(data_dir)
    options = _crm_options(gateway, wazzup, f"{_url(door)}/wazzup", keys, data_dir / "crm")
    async with httpx.AsyncClient(base_url=gateway, trust_env=False) as http, open_crm(options, http) as crm:
        listen_in(crm.feed, console)
        app = create_app(_settings(gateway, wazzup, keys, data_dir))
        simulator = create_simulator(
            public_url=wazzup,
            # Then users whom an earlier simulation knew are introduced to this one too.
            options=Options(access_tokens=frozenset({keys.access_token}), unknown_users_refused=True),
        )
        reception = Reception(crm.receiver, door)
        servers = Server(Beside(app, PATH, crm.page(reception))), Server(simulator)

        def stopping() -> None:
            crm.feed.close()  # Or its readers would hold up the end.
            reception.stop()

        # With its terminal, the demo ends in order too, and its store with it.
        stop_on_signal(*servers, signals=(signal.SIGTERM, signal.SIGINT, signal.SIGHUP), also=stopping)
        async with app.router.lifespan_context(app):
            give_back_memory()
            await reception.turn(True)
            greeting = asyncio.create_task(_greet(crm, keys.server))
            await asyncio.gather(servers[0].serve([front]), servers[1].serve([back]))
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)
            await reception.close()


@dataclass(frozen=True, repr=False)
class Keys:
    """What opens what: made for this demo, and good for nothing else."""

    server: str
    admin: str
    jwt_secret: str
    access_token: str
    webhook_secret: str

    @classmethod
    def of(cls, data_dir: Path) -> "Keys":
        """Those that the last demo in this directory had, as far as they must outlive it; the others are new."""
        return cls(
            # So that a curl line from the shell's history still works tomorrow.
            server=kept(data_dir / "api_key", lambda: f"demo_{secrets.token_hex(12)}"),
            admin=secrets.token_hex(32),
            jwt_secret=secrets.token_hex(32),
            access_token=secrets.token_hex(16),
            # So that what still waited when the demo ended is believed when it comes.
            webhook_secret=kept(data_dir / "crm" / "webhook_secret", new_secret),
        )


def _settings(gateway: str, wazzup: str, keys: Keys, data_dir: Path) -> Settings:
    return Settings.given(
        data_dir=data_dir,
        api_keys=keys.server,
        admin_api_keys=keys.admin,
        jwt_secret=keys.jwt_secret,
        allowed_origins=gateway,
        wazzup_base_url=wazzup,
        wazzup_link_hosts=HOST,
        wazzup_access_token=keys.access_token,
        wazzup_sync_users="true",
        webhook_retry_seconds=",".join(map(str, RETRY_SECONDS)),
        webhook_allow_networks=f"{HOST}/32",
    )


def _crm_options(gateway: str, wazzup: str, receiver: str, keys: Keys, folder: Path) -> CrmOptions:
    element, clock = load().element, SystemClock()
    return CrmOptions(
        gateway_url=gateway,
        receiver_url=receiver,
        wazzup_url=wazzup,
        element=Element(element.versioned, element.integrity),
        server_key=keys.server,
        admin_key=keys.admin,
        jwt_secret=keys.jwt_secret,
        webhook_secret=keys.webhook_secret,
        retry_seconds=RETRY_SECONDS,
        folder=folder,
        now=clock.now,
        monotonic=clock.monotonic,
    )


async def _greet(crm: Crm, key: str) -> None:
    """Only once what the banner promises works."""
    try:
        await crm.begin()
    except GatewayRefused as error:
        structlog.get_logger().warning("demo.incomplete", code=error.code)
    where = crm.options
    typer.echo(
        BANNER.format(
            gateway=where.gateway_url,
            wazzup=where.wazzup_url,
            key=key,
            question=QUESTION,
            element=where.element.path,
            integrity=where.element.integrity,
        )
    )


class Beside:
    """An ASGI app, with another one below one of its paths."""

    def __init__(self, app: ASGIApp, path: str, other: ASGIApp) -> None:
        self.app, self.path, self.other = app, path, other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        is_theirs = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{self.path}/")
        await (self.other if is_theirs else self.app)(scope, receive, send)


class Reception:
    """A server that can really be away: while it is off, whoever connects to its port is refused.

    The port stays ours meanwhile, bound but without a listener, so that nobody else comes to sit on it.
    """

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        self._app, self._sock, self._address = app, sock, sock.getsockname()
        self._serving: tuple[Server, asyncio.Task[None]] | None = None
        self._turning = asyncio.Lock()

    @property
    def is_on(self) -> bool:
        """Whether it can be reached."""
        return self._serving is not None

    async def turn(self, on: bool) -> None:
        """Opens it, or closes it once what is under way is answered.

        Raises:
            Unswitched: it stays off.
        """
        async with self._turning:
            if on and not self.is_on:
                self._open()
            elif self._serving and not on:
                await self._close(*self._serving)

    def stop(self) -> None:
        """The process is to end."""
        if self._serving:
            self._serving[0].should_exit = True

    async def close(self) -> None:
        """It is off for good."""
        await self.turn(False)
        self._sock.close()

    def _open(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._sock.listen(128)
        except OSError as error:
            raise Unswitched(f"The port cannot be opened: {error.strerror}.") from error
        server = Server(self._app)
        self._serving = server, asyncio.create_task(server.serve([self._sock]))

    async def _close(self, server: Server, serving: asyncio.Task[None]) -> None:
        server.should_exit = True
        await serving
        self._serving = None
        self._sock = _bound(self._address)


def listen_in(feed: Feed, console: Console) -> None:
    """Logs as every command does, and shows the page what is told; the console prints what `console` lets through."""
    shown = logging.getLevelNamesMapping()[console.level.upper()]
    configure(level="debug" if shown < logging.INFO else "info", form=console.form)
    assembled, written = structlog.get_config()["processors"]
    structlog.configure(processors=[assembled, partial(_shared, feed, shown), written])


def _shared(feed: Feed, shown: int, _logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    feed.overhear(line)
    if logging.getLevelNamesMapping().get(method.upper(), shown) < shown:
        raise structlog.DropEvent
    return line


def _bound(address: tuple[str, int]) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):  # Somebody was quicker: to listen will say so.
        sock.bind(address)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # From here on the address is nobody else's.
    return sock


def _beside(front: socket.socket, places: int) -> socket.socket:
    """A port close by, or any free one: where what the browser does not ask by itself lives matters to nobody."""
    try:
        return listen(HOST, front.getsockname()[1] + places)
    except (PortTaken, OverflowError):
        return listen(HOST, 0)


def _url(sock: socket.socket) -> str:
    return f"http://{HOST}:{sock.getsockname()[1]}"
