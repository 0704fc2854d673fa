"""The commands, as an operator meets them: real processes, real signals, real sockets."""

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from app.auth import Authenticator, Keys, Role
from app.clock import SystemClock
from app.sealing import KeyRing
from app.user_tokens import FixedKey, JwtUserTokens
from tests.driver import ACCESS_TOKEN, CARD, JWT_SECRET, SECRET_KEY, SERVER_KEY
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
# Seconds until a command that starts, ends or refuses must have done so, on a machine that is busy with other tests.
PATIENCE = 20.0
LINK = "http://127.0.0.1:9001/1234-1234/chat/whatsapp/37111234567?token=opaque"


class Process:
    """One command that runs. Threads read what it says, so that it never has to wait for us."""

    def __init__(self, cwd: Path, words: tuple[str, ...], environment: dict[str, str]) -> None:
        # Not asyncio's: under uvloop a grandchild would inherit these pipes, and hold them open.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", *words],
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(cwd)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._out: list[bytes] = []
        self._err: list[bytes] = []
        self._readers = [
            threading.Thread(target=_read, args=(self.process.stdout, self._out), daemon=True),
            threading.Thread(target=_read, args=(self.process.stderr, self._err), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def told(self) -> str:
        return b"".join(self._out).decode()

    @property
    def complained(self) -> str:
        return b"".join(self._err).decode()

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def status(self) -> int:
        """The exit status, once it has ended."""
        return await asyncio.to_thread(self._ended)

    def _ended(self) -> int:
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status


def _read(stream: IO[bytes], into: list[bytes]) -> None:
    with stream:
        into.extend(stream)


@asynccontextmanager
async def command(cwd: Path, *words: str, **environment: str) -> AsyncIterator[Process]:
    """`python -m app …` in a directory of its own, with nothing in its environment but what is given."""
    running = Process(cwd, words, environment)
    try:
        yield running
    finally:
        if not running.has_ended:
            running.process.terminate()
            await running.status()


async def ended(cwd: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """Status, output and complaints of a command that ends by itself."""
    async with command(cwd, *words, **environment) as process:
        return await process.status(), process.told, process.complained


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def settings(wazzup: str, **others: str) -> dict[str, str]:
    given = {
        "PORT": str(free_port()),
        "DATA_DIR": "data",
        "API_KEYS": SERVER_KEY,
        "WAZZUP_ACCESS_TOKEN": ACCESS_TOKEN,
        "WAZZUP_BASE_URL": wazzup,
        "WAZZUP_LINK_HOSTS": "127.0.0.1",
    }
    return given | others


@dataclass
class Gateway:
    """A gateway in a process of its own."""

    process: Process
    http: httpx.AsyncClient

    async def link(self) -> httpx.Response:
        return await self.http.post("/links", json=CARD, headers={"Authorization": f"Bearer {SERVER_KEY}"})


@asynccontextmanager
async def serving(cwd: Path, given: dict[str, str], *words: str) -> AsyncIterator[Gateway]:
    """A gateway that takes requests."""
    url = f"http://127.0.0.1:{given['PORT']}"
    async with command(cwd, *(words or ("serve",)), **given) as process, httpx.AsyncClient(base_url=url) as http:
        await _until_live(process, http)
        yield Gateway(process, http)


async def _until_live(process: Process, http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await http.get("/health/live")
            except httpx.TransportError:
                assert not process.has_ended, process.complained
                await asyncio.sleep(0.02)
            else:
                return


@dataclass
class SlowWazzup:
    """Answers each link request once it is told to."""

    url: str = ""
    asked: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await self.answers.wait()
        body = json.dumps({"data": {"link": LINK}, "meta": {"timestamp": 1764849838}}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()


@pytest.fixture
async def wazzup() -> AsyncIterator[SlowWazzup]:
    slow = SlowWazzup()
    async with await asyncio.start_server(slow.talk, "127.0.0.1") as server:
        slow.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield slow


def stores_in(cwd: Path) -> list[int]:
    """The Valkey processes that live below this directory."""
    names = [process.name for process in Path("/proc").iterdir()]
    return [int(name) for name in names if name.isdecimal() and _lives_in(cwd, int(name))]


def _lives_in(cwd: Path, pid: int) -> bool:
    process = Path("/proc", str(pid))
    try:
        return b"valkey-server" in (process / "cmdline").read_bytes() and (process / "cwd").readlink().is_relative_to(
            cwd
        )
    except OSError:
        return False  # It has ended meanwhile, or is not ours to look at.


@pytest.fixture(autouse=True)
def _nothing_lives_on(tmp_path: Path) -> Iterator[None]:
    """Where a test failed half-way, its store must not outlive it."""
    yield
    for pid in stores_in(tmp_path):
        os.kill(pid, signal.SIGKILL)


async def test_serve_without_credentials_names_the_variable_that_is_missing(tmp_path: Path) -> None:
    status, told, complaint = await ended(tmp_path, "serve", PORT=str(free_port()))

    assert (status, told) == (2, "")
    assert "WAZZUP_ACCESS_TOKEN" in complaint
    assert "Traceback" not in complaint
    assert list(tmp_path.iterdir()) == []


async def test_serve_with_a_wrong_variable_names_it_and_does_not_repeat_it(tmp_path: Path) -> None:
    status, _, complaint = await ended(tmp_path, "serve", SECRET_KEY="too-short", PORT="many")

    assert status == 2
    assert "PORT" in complaint
    assert "Traceback" not in complaint
    assert "too-short" not in complaint


async def test_serve_on_a_port_that_is_taken_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        status, _, complaint = await ended(tmp_path, "serve", **settings("http://127.0.0.1:9", PORT=port))

    assert status == 2
    assert f"127.0.0.1:{port}" in complaint
    assert "PORT=" in complaint
    assert "Traceback" not in complaint


async def test_a_second_gateway_on_the_same_directory_says_so_and_the_first_goes_on(
    tmp_path: Path, wazzup: SlowWazzup
) -> None:
    wazzup.answers.set()
    async with serving(tmp_path, settings(wazzup.url)) as first:
        status, _, complaint = await ended(tmp_path, "serve", **settings(wazzup.url))
        answer = await first.link()

    assert status == 2
    assert "DATA_DIR" in complaint
    assert "Traceback" not in complaint
    assert answer.status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_gateway_that_is_asked_to_end_answers_first_and_leaves_nothing_behind(
    tmp_path: Path, wazzup: SlowWazzup, number: signal.Signals
) -> None:
    async with serving(tmp_path, settings(wazzup.url)) as gateway:
        asking = asyncio.create_task(gateway.link())
        await wait_until(lambda: wazzup.asked == 1)
        assert len(stores_in(tmp_path)) == 1

        gateway.process.signal(number)
        wazzup.answers.set()

        answer = await asking
        status = await gateway.process.status()

    assert (answer.status_code, answer.json()["link"]) == (200, LINK)
    assert status == 0
    assert "Traceback" not in gateway.process.complained
    assert stores_in(tmp_path) == []


async def test_a_gateway_that_is_ending_takes_no_new_connection(tmp_path: Path, wazzup: SlowWazzup) -> None:
    given = settings(wazzup.url)
    async with serving(tmp_path, given) as gateway:
        asking = asyncio.create_task(gateway.link())
        await wait_until(lambda: wazzup.asked == 1)

        gateway.process.signal(signal.SIGTERM)
        await wait_until(lambda: not _listens(int(given["PORT"])))

        wazzup.answers.set()
        assert (await asking).status_code == 200


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_a_gateway_that_is_killed_finds_its_links_again(tmp_path: Path, wazzup: SlowWazzup) -> None:
    wazzup.answers.set()
    given = settings(wazzup.url, LINK_CACHE_TTL_SECONDS="3600")
    async with serving(tmp_path, given) as gateway:
        first = await gateway.link()
        remembered = await gateway.link()
        gateway.process.signal(signal.SIGKILL)
        await gateway.process.status()

    async with serving(tmp_path, given) as again:
        answer = await again.link()

    assert [first.json()["cached"], remembered.json()["cached"], answer.json()["cached"]] == [False, True, True]
    assert answer.json()["link"] == first.json()["link"]
    assert wazzup.asked == 1
    assert stores_in(tmp_path) == []


async def test_every_line_of_a_log_that_goes_to_a_pipe_is_json(tmp_path: Path, wazzup: SlowWazzup) -> None:
    wazzup.answers.set()
    async with serving(tmp_path, settings(wazzup.url)) as gateway:
        await gateway.link()
        await gateway.http.get("/nothing")
        await gateway.http.post("/links", content=b"{", headers={"Authorization": f"Bearer {SERVER_KEY}"})
        gateway.process.signal(signal.SIGTERM)
        await gateway.process.status()

    events = [json.loads(line)["event"] for line in gateway.process.told.splitlines()]
    assert events[0] == "gateway.started"
    assert events[-1] == "gateway.stopped"
    assert {"wazzup.called", "link.issued", "http.request"} <= set(events)
    assert gateway.process.complained == ""


async def test_bytes_that_are_no_http_are_survived(tmp_path: Path, wazzup: SlowWazzup) -> None:
    wazzup.answers.set()
    given = settings(wazzup.url)
    async with serving(tmp_path, given) as gateway:
        for noise in (b"\x00" * 99 + b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /links HTTP/1.1\r\nHost: x\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(given["PORT"]))
            writer.write(noise)
            writer.write_eof()
            said = await asyncio.wait_for(reader.read(), PATIENCE)
            writer.close()
            assert b"<html" not in said.lower()
            assert b" 500 " not in said
        answer = await gateway.link()

    assert answer.status_code == 200
    assert "Traceback" not in gateway.process.complained + gateway.process.told


async def test_a_token_for_trying_things_out_is_one_that_the_gateway_accepts(tmp_path: Path) -> None:
    status, told, _ = await ended(tmp_path, "token", "--user", "anna", "--name", "Anna Berg", JWT_SECRET=JWT_SECRET)

    clock = SystemClock()
    users = JwtUserTokens(FixedKey.secret(JWT_SECRET), "wazzup-gateway", None, clock)
    keys = Keys.of("default", server=[], admin=[], users=users)
    caller = await Authenticator([keys], KeyRing.of([SECRET_KEY]), clock).identify(f"Bearer {told.strip()}")
    assert status == 0
    assert (caller.role, caller.user_id, caller.user_name) == (Role.USER, "anna", "Anna Berg")


async def test_a_token_needs_the_secret_that_signs_it(tmp_path: Path) -> None:
    status, told, complaint = await ended(tmp_path, "token", "--user", "anna")

    assert (status, told) == (2, "")
    assert "JWT_SECRET" in complaint
    assert "Traceback" not in complaint


async def test_the_contract_is_printed_without_any_configuration(tmp_path: Path) -> None:
    status, told, complaint = await ended(tmp_path, "openapi")

    document: dict[str, Any] = json.loads(told)
    assert (status, complaint) == (0, "")
    assert document["openapi"].startswith("3.1")
    assert "/links" in document["paths"]
    assert list(tmp_path.iterdir()) == []


async def test_help_lists_the_commands(tmp_path: Path) -> None:
    status, told, _ = await ended(tmp_path, "--help")

    assert status == 0
    assert all(name in told for name in ("serve", "demo", "token", "openapi"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_demos_curl_line_works_when_it_is_pasted(tmp_path: Path, number: signal.Signals) -> None:
    given = {"PORT": str(free_port())}
    async with serving(tmp_path, given, "demo") as demo:
        await wait_until(lambda: "curl " in demo.process.told)
        first = await pasted(demo.process.told)
        second = await pasted(demo.process.told)
        async with httpx.AsyncClient() as browser:
            window = await browser.get(first.json()["link"])
        demo.process.signal(number)
        status = await demo.process.status()

    assert (first.status_code, first.json()["cached"]) == (200, False)
    assert (second.status_code, second.json()["cached"]) == (200, True)
    assert window.status_code == 200
    assert status == 0
    assert "Traceback" not in demo.process.told + demo.process.complained
    assert stores_in(tmp_path) == []


async def test_the_demo_on_a_port_that_is_taken_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        status, _, complaint = await ended(tmp_path, "demo", PORT=port)

    assert status == 2
    assert f"127.0.0.1:{port}" in complaint
    assert "Traceback" not in complaint


async def pasted(banner: str) -> httpx.Response:
    """What the shell and curl make of the line that the demo prints."""
    [line] = [line for line in banner.splitlines() if line.startswith("curl ")]
    _, silent, url, *options = shlex.split(line)
    assert silent == "-s"
    headers = [value.split(": ", 1) for flag, value in zip(options[::2], options[1::2], strict=True) if flag == "-H"]
    [body] = [value for flag, value in zip(options[::2], options[1::2], strict=True) if flag == "-d"]
    async with httpx.AsyncClient() as http:
        return await http.post(url, content=body, headers=dict(headers))
