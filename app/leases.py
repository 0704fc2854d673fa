"""One at a time over all replicas. Who holds a lease acts; a holder that dies holds nobody up for long."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from app.errors import StoreUnavailable
from app.store import Script, Store

# How long a lease outlives a holder that died. A living one renews it three times in this span.
LEASE: Final = timedelta(seconds=3)
LEASE_MS: Final = LEASE // timedelta(milliseconds=1)

# Asked once more by a client that lost the answer, it is granted once more.
_TAKE = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")

_RENEW = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end")

_RELEASE = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end")


@dataclass(frozen=True)
class Lease:
    """The right to do what `key` stands for, while nobody else does. `token` tells holders apart."""

    store: Store
    key: str
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    async def take(self) -> bool:
        """Takes it, unless somebody else holds it.

        Raises:
            StoreUnavailable: nobody knows who holds it.
        """
        return bool(await self.store.run(_TAKE, keys=(self.key,), args=(self.token, LEASE_MS)))

    async def renew(self) -> None:
        """Keeps it until cancelled."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with suppress(StoreUnavailable):  # Without the store there is no lease to lose.
                await self.store.run(_RENEW, keys=(self.key,), args=(self.token, LEASE_MS))

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renews it for as long as the context lasts, and does not release it."""
        renewing = asyncio.create_task(self.renew())
        try:
            yield
        finally:
            renewing.cancel()

    async def release(self) -> None:
        """Gives it up, so that whoever waits goes on at once. Lapses by itself where the store does not answer."""
        with suppress(StoreUnavailable):
            await self.store.run(_RELEASE, keys=(self.key,), args=(self.token,))
