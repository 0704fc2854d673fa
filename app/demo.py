"""A door: the whole of it on one machine, with nothing but Python. Gateway, simulated Wazzup, embedded store.

Only on 127.0.0.1, and only when asked for by `python -m app demo`: `serve` never falls back to the simulation.
"""

import asyncio
import secrets
import signal
import socket
from pathlib import Path

import typer

from app.keepsake import kept
from app.main import create_app
from app.serving import PortTaken, Server, give_back_memory, listen, run, stop_on_signal
from app.settings import Settings
from app.simulator.options import Options
from app.simulator.server import create_simulator

HOST = "127.0.0.1"

BANNER = """
  The Wazzup Gateway is running, with a simulated Wazzup. Ctrl-C ends it.

    Gateway           {gateway}
    API, to try out   {gateway}/docs
    Simulated Wazzup  {wazzup}
    Demo API key      {key}

  Ask for the link of a chat window: paste this into another terminal.

curl -s {gateway}/links -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{question}'

  Open the "link" of the answer in a browser. Ask again, and the answer is "cached": true.
"""

QUESTION = '{"user_id": "crm-user-1", "contact": {"name": "Anthony Stone", "phone": "+371 11 234 567"}}'


def demo(*, port: int, data_dir: Path) -> None:
    """Runs until Ctrl-C.

    Raises:
        PortTaken: `port` is taken.
        DataDirTaken: another demo runs on `data_dir`.
    """
    with listen(HOST, port) as front, _beside(front) as back:
        run(_demo(front, back, data_dir))


async def _demo(front: socket.socket, back: socket.socket, data_dir: Path) -> None:
    gateway, wazzup = _url(front), _url(back)
    access_token = secrets.token_hex(16)
    # Kept, so that a curl line from the shell's history still works tomorrow.
    key = kept(data_dir / "api_key", lambda: f"demo_{secrets.token_hex(12)}")
    app = create_app(
        Settings.given(
            data_dir=data_dir,
            api_keys=key,
            allowed_origins=gateway,
            wazzup_base_url=wazzup,
            wazzup_link_hosts=HOST,
            wazzup_access_token=access_token,
        )
    )
    simulator = create_simulator(public_url=wazzup, options=Options(access_tokens=frozenset({access_token})))
    servers = Server(app), Server(simulator)
    # With its terminal, the demo ends in order too, and its store with it.
    stop_on_signal(*servers, signals=(signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    async with app.router.lifespan_context(app):
        give_back_memory()
        typer.echo(BANNER.format(gateway=gateway, wazzup=wazzup, key=key, question=QUESTION))
        await asyncio.gather(servers[0].serve([front]), servers[1].serve([back]))


def _beside(front: socket.socket) -> socket.socket:
    """The next port, or any free one: where the simulated Wazzup lives matters to nobody."""
    try:
        return listen(HOST, front.getsockname()[1] + 1)
    except PortTaken:
        return listen(HOST, 0)


def _url(sock: socket.socket) -> str:
    return f"http://{HOST}:{sock.getsockname()[1]}"
