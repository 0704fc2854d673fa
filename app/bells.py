"""What rings: short messages between processes. They may be lost, so nobody lives by them alone."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from redis.asyncio import Redis
from redis.exceptions import RedisError

# Seconds between two attempts to listen again.
PAUSE = 0.5

Heard = Callable[[str], None]


@dataclass(frozen=True)
class Bells:
    """Listens on `channels` for as long as `run` runs. After a break each hears "": something may have been missed."""

    client: Redis
    channels: Mapping[str, Heard] = field(repr=False)

    async def run(self) -> None:
        """Listens until cancelled; a store that is away is tried until it is back."""
        while True:
            with suppress(RedisError, OSError):
                await self._listen()
            await asyncio.sleep(PAUSE)

    async def _listen(self) -> None:
        async with self.client.pubsub() as listening:
            await listening.subscribe(*self.channels)
            async for message in listening.listen():
                # The client mends a broken connection by itself; that it subscribes again is how we learn of it.
                missed = message["type"] != "message"
                self.channels[message["channel"].decode()]("" if missed else message["data"].decode())
