"""The README's receivers, as its readers paste them: each in a process of its own."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
import pytest

README = Path(__file__).parent.parent.parent / "README.md"
# Where Debian's packages put their modules; `require` looks there only when told.
NODE_PATH = os.pathsep.join(filter(None, (os.environ.get("NODE_PATH"), "/usr/share/nodejs")))
# Seconds until a receiver listens, or has ended, on a machine that is busy with other tests.
PATIENCE = 20.0
COMMANDS = {
    "receiver.py": (sys.executable, "-m", "uvicorn", "receiver:app", "--port", "{port}", "--no-access-log"),
    "receiver.js": ("node", "receiver.js"),
}


def sample(marker: str) -> str:
    """The README's only code block that begins with this; without its fences."""
    [block] = re.findall(rf"^```\w+\n({re.escape(marker)}.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    return str(block)


def receiver(name: str) -> str:
    """The receiver of this file name, which stands in its first line."""
    return sample({".py": "# ", ".js": "// "}[Path(name).suffix] + name)


def need_node(*modules: str) -> None:
    """Skips the test where there is no node, or where it has not got these modules."""
    if missing := _missing(modules):
        pytest.skip(missing)


@cache
def _missing(modules: tuple[str, ...]) -> str:
    wanted = "".join(f"require('{module}');" for module in modules)
    try:
        status, _ = _ran("-e", wanted)
    except FileNotFoundError:
        return "There is no node. On Debian and Ubuntu: apt-get install nodejs node-express"
    if status:
        return f"node does not find {', '.join(modules)}. On Debian and Ubuntu: apt-get install node-express"
    return ""


def _ran(*words: str) -> tuple[int, str]:
    environment = os.environ | {"NODE_PATH": NODE_PATH}
    ended = subprocess.run(
        ["node", *words], env=environment, check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    return ended.returncode, ended.stdout + ended.stderr


@dataclass(frozen=True)
class Receiver:
    """One that listens. `said` holds what it printed."""

    url: str
    process: subprocess.Popen[bytes] = field(repr=False)
    said: Path

    @property
    def handled(self) -> list[str]:
        """The events that it worked on, in turn, by id."""
        return re.findall(r"^handled (\S+)$", self.said.read_text(), re.MULTILINE)


@asynccontextmanager
async def receiving(home: Path, name: str, secret: str, port: int) -> AsyncIterator[Receiver]:
    """The receiver of this file name, which knows `secret`, once it listens at `port`."""
    opened = _started(home, name, secret, port)
    try:
        await _until_it_listens(opened)
        yield opened
    finally:
        opened.process.kill()
        await asyncio.to_thread(opened.process.wait, PATIENCE)


def _started(home: Path, name: str, secret: str, port: int) -> Receiver:
    (home / name).write_text(receiver(name))
    environment = {"PATH": os.environ["PATH"], "NODE_PATH": NODE_PATH, "PYTHONUNBUFFERED": "1"}
    with (home / "said").open("wb") as said:
        process = subprocess.Popen(
            [word.format(port=port) for word in COMMANDS[name]],
            cwd=home,
            env=environment | {"WEBHOOK_SECRET": secret, "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    return Receiver(url_at(port), process, home / "said")


def url_at(port: int) -> str:
    return f"http://127.0.0.1:{port}/wazzup"


async def _until_it_listens(opened: Receiver) -> None:
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as http:
        while True:
            try:
                await http.get(opened.url)
            except httpx.TransportError:
                assert opened.process.poll() is None, opened.said.read_text()
                await asyncio.sleep(0.02)
            else:
                return
