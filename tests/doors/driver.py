"""Commands in processes of their own, with what they tell, and a Wazzup that answers when it is told to."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from tests.driver import ACCESS_TOKEN, CARD, SERVER_KEY
from tests.ports import free_port

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
