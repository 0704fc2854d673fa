"""Where the grants of an account lie, for all replicas: sealed, and one for each of the operator's credentials.

So a newer refresh token in the environment begins anew, while a replica that still has the older one goes on.
"""

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

# A value starts with the number of its grant, so that one that comes late never lies over its own successor.
_KEEP = Script("""
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known or tonumber(string.sub(known, 1, 10)) < tonumber(string.sub(ARGV[2], 1, 10)) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
""")


@dataclass(frozen=True, slots=True)
class Grant:
    """What Wazzup granted. `refresh_token` is None where the operator's own is still good.

    `number` counts from the operator's own refresh token: clocks of replicas may differ, and the highest is the newest.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    granted_at: datetime
    expires_at: datetime
    number: int

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
        """The newest grant that descends from the operator's credentials.

        Raises:
            StoreUnavailable: nobody knows.
        """
        names = self.ring.hashes(self.identity.encode())
        *sealed, others = await self.store.run(_FIND, keys=(self._key,), args=names)
        # During a rotation of SECRET_KEY some replicas write under the old name, and some under the new one.
        found = [grant for name, one in zip(names, sealed, strict=True) if one and (grant := self._opened(name, one))]
        if not found:
            self._tell_of(others)
            return None
        newest = max(found, key=lambda grant: grant.number)
        if not sealed[0]:
            self.assure(newest)  # Sealed before a rotation: it must outlive the secret that goes.
        return newest

    async def keep(self, grant: Grant) -> None:
        """Remembers `grant`, unless its successor is remembered.

        Raises:
            StoreUnavailable: it may not be remembered.
        """
        await self.store.run(_KEEP, keys=(self._key,), args=self._written(grant))

    def assure(self, grant: Grant) -> None:
        """The same, without waiting: for what lies there already, unless the store was emptied."""
        self.store.tell(_KEEP, keys=(self._key,), args=self._written(grant))

    def _written(self, grant: Grant) -> tuple[str, bytes, int]:
        name = self.ring.hashed(self.identity.encode())
        span = grant.granted_at.timestamp(), grant.expires_at.timestamp()
        says = orjson.dumps([grant.access_token, grant.refresh_token, *span, grant.number])
        value = f"{grant.number:010d}".encode() + self.ring.seal(says, name=f"{self._key}:{name}")
        return name, value, KEPT_FOR // timedelta(milliseconds=1)

    def _opened(self, name: str, value: bytes) -> Grant | None:
        try:
            access, refresh, *span, number = orjson.loads(self.ring.open(value[10:], name=f"{self._key}:{name}"))
        except (Unsealable, ValueError):
            return None
        granted_at, expires_at = (datetime.fromtimestamp(instant, UTC) for instant in span)
        return Grant(access, refresh, granted_at, expires_at, number)

    def _tell_of(self, others: int) -> None:
        if others and not self._told:
            self._told = True
            self.journal.note(
                "token.superseded",
                account=self.account,
                hint="There is a stored grant that is not used any more: it descends from other credentials than those "
                "of the environment, or was sealed by a SECRET_KEY that is gone.",
            )

    @property
    def _key(self) -> str:
        return f"wg:{{{self.account}}}:wazzup:token"
