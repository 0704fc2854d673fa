"""Stores of a test's own, set up as it likes, and every form of URL that leads to one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError

from app.embedded import server_binary
from tests.ports import free_port
from tests.waiting import eventually

FORMS = [
    "redis://127.0.0.1:{port}/0",
    "rediss://:secret@127.0.0.1:{port}",
    "redis+sentinel://127.0.0.1:{port},127.0.0.1:{port}/mymaster/0?sentinel_password=secret",
    "redis+cluster://127.0.0.1:{port}",
    "unix:///nobody/listens/here.sock",
]


@asynccontextmanager
async def valkey_server(home: Path, *options: str, port: int | None = None) -> AsyncIterator[int]:
    """A Valkey of our own on a TCP port, set up by `options`; gives its port."""
    home.mkdir(exist_ok=True)
    port = port or free_port()
    server = await asyncio.create_subprocess_exec(
        server_binary(),
        *options,
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with Redis(port=port, retry=Retry(NoBackoff(), 0)) as redis:
            await eventually(lambda: _answers(redis))
        yield port
    finally:
        server.terminate()
        await server.wait()


async def _answers(redis: Redis) -> bool:
    try:
        return bool(await redis.execute_command("PING"))  # type: ignore[no-untyped-call]
    except AuthenticationError:
        return True
    except (RedisError, OSError):
        return False
