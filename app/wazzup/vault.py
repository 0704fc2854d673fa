"""Where the grants of an account lie, for all replicas: sealed, and one for each of the operator's credentials.

So a newer refresh token in the environment begins anew, while a replica that still has the older one goes on.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from app.leases import Lease
from app.sealing import KeyRing, Unsealable
from app.store import Script, Store
from app.telemetry import Journal

# The share of its life after which a token is renewed, while it still works: nobody waits for that.
RENEW_AFTER: Final = 0.8
# A token that ends this soon, or within a twentieth of its life, may end on its way to Wazzup.
MARGIN: Final = timedelta(seconds=10)
# Longer than any pause between two renewals; each of them starts it anew.
KEPT_FOR: Final = timedelta(days=365)

_FIND = Script("""
local found = redis.call('HMGET', KEYS[1], unpack(ARGV))
table.insert(found, redis.call('HLEN', KEYS[1]))
return found
""")

_KEEP = Script("""
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
""")

# Only where nothing newer lies: a sibling may have renewed meanwhile.
_MOVE = Script("redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])")


@dataclass(frozen=True, slots=True)
class Grant:
    """What Wazzup granted. `refresh_token` is None where the operator's own is still good."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    granted_at: datetime
    expires_at: datetime

    @property
    def renew_at(self) -> datetime:
        """From when on it should be renewed."""
        return self.granted_at + (self.expires_at - self.granted_at) * RENEW_AFTER

    @property
    def good_until(self) -> datetime:
        """Until when it may be sent."""
        return self.expires_at - min(MARGIN, (self.expires_at - self.granted_at) / 20)


@dataclass
class TokenVault:
    """The vault of one account. `identity` is what the operator set."""

    store: Store
    ring: KeyRing
    account: str
    identity: str = field(repr=False)
    journal: Journal
    _told: bool = False

    def lease(self) -> Lease:
        """The right to renew what lies here."""
        return Lease(self.store, f"{self._key}:lock")

    async def find(self) -> Grant | None:
        """The grant that descends from the operator's credentials.

        Raises:
            StoreUnavailable: nobody knows.
        """
        names = self.ring.hashes(self.identity.encode())
        *found, others = await self.store.run(_FIND, keys=(self._key,), args=names)
        for name, sealed in zip(names, found, strict=True):
            if sealed is not None:
                with suppress(Unsealable, ValueError):
                    grant = self._opened(name, sealed)
                    if name != names[0]:  # Sealed before a rotation: it must outlive the secret that goes.
                        self.store.tell(_MOVE, keys=(self._key,), args=(names[0], self._sealed(grant, names[0])))
                    return grant
        if others and not self._told:
            self._told = True
            self.journal.note(
                "token.superseded",
                account=self.account,
                hint="The credentials of the environment are newer than the stored grant, which is not used any more.",
            )
        return None

    async def keep(self, grant: Grant) -> None:
        """Remembers `grant` in place of its predecessor.

        Raises:
            StoreUnavailable: it may not be remembered.
        """
        name = self.ring.hashed(self.identity.encode())
        await self.store.run(
            _KEEP, keys=(self._key,), args=(name, self._sealed(grant, name), KEPT_FOR // timedelta(milliseconds=1))
        )

    def _sealed(self, grant: Grant, name: str) -> bytes:
        span = grant.granted_at.timestamp(), grant.expires_at.timestamp()
        says = [grant.access_token, grant.refresh_token, *span]
        return self.ring.seal(orjson.dumps(says), name=f"{self._key}:{name}")

    def _opened(self, name: str, sealed: bytes) -> Grant:
        access, refresh, granted_at, expires_at = orjson.loads(self.ring.open(sealed, name=f"{self._key}:{name}"))
        return Grant(access, refresh, datetime.fromtimestamp(granted_at, UTC), datetime.fromtimestamp(expires_at, UTC))

    @property
    def _key(self) -> str:
        return f"wg:{{{self.account}}}:wazzup:token"
