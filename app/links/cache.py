"""Where issued links are remembered, for all replicas. A cache may forget; it may not fail.

Names in Redis are keyed hashes and values are sealed for their name, so that nobody who reads Redis learns a link,
a phone number or a name, and a value that is moved under another name is a miss.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import orjson

from app.clock import Clock
from app.errors import StoreUnavailable
from app.limits import Quota, Rate
from app.links.issuer import Recalled
from app.links.models import Link, LinkRequest
from app.sealing import KeyRing, Unsealable
from app.store import Script, Store

# How long a claim outlives a holder that died. A living one renews it three times in this span.
LEASE = timedelta(seconds=3)
# How long a claim stands among its user's names. No question to Wazzup takes as long.
LONGEST_CLAIM = timedelta(minutes=2)


# One round trip for a hit: counts the request, and looks. The window starts with its first request.
@cache
def _recall(rate: Rate) -> Script:
    return Script(f"""
local used = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = {rate.seconds} * 1000
  redis.call('PEXPIRE', KEYS[1], left)
end
if used > {rate.calls} then return {{used, left, false}} end
return {{used, left, redis.call('GET', KEYS[2])}}
""")


# A value starts with the millisecond of its issue, so that this script can tell whether it is new enough; the same
# instant stands inside the seal, and only that one is believed. A claim stands among its user's names, so that it is
# forgotten with them: see _KEEP. Asked once more by a client that lost the answer, it is granted once more.
_CLAIM = Script("""
local value = redis.call('GET', KEYS[1])
if value and tonumber(string.sub(value, 1, 13)) >= tonumber(ARGV[3]) then return value end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[4] + ARGV[5], KEYS[2])
if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[3], ARGV[5]) end
return 1
""")

# Without its claim a link is not kept: its lease ended, or its user was forgotten while Wazzup was asked.
_KEEP = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[4] + ARGV[3], KEYS[1])
if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[3], ARGV[3]) end
redis.call('ZREM', KEYS[3], KEYS[2])
redis.call('DEL', KEYS[2])
""")

_RENEW = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end")

_RELEASE = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end")

_FORGET = Script("""
local names = redis.call('ZRANGE', KEYS[1], 0, -1)
local forgotten = 0
for _, name in ipairs(names) do
  local gone = redis.call('DEL', name)
  if not string.find(name, ':links:lock:', 1, true) then forgotten = forgotten + gone end
end
redis.call('DEL', KEYS[1])
return forgotten
""")


@dataclass(frozen=True)
class RedisLinkCache:
    """The link memory of one account. `vendor` is what, besides a request, shapes a link: API and credentials."""

    store: Store
    ring: KeyRing
    clock: Clock
    rate: Rate
    vendor: Sequence[str]

    async def recall(self, request: LinkRequest) -> Recalled:
        """The link of an equal request, if one is remembered, and the user's quota with this request counted."""
        link_key = self._link_key(request)
        rate_key = _key(request.account, "rate", self.ring.hashed(request.user_id.encode()))
        used, left, value = await self.store.run(_recall(self.rate), keys=(rate_key, link_key))
        quota = Quota("links", self.rate, used, timedelta(milliseconds=left))
        return Recalled(self._opened(value, link_key), quota)

    async def claim(self, request: LinkRequest, *, not_before: datetime) -> "RedisClaim | Link | None":
        """The right to ask; or the link, if a sibling has it by now; or None, while a sibling is asking."""
        link_key = self._link_key(request)
        lock_key = link_key.replace(":link:", ":lock:")
        token = secrets.token_hex(8)
        of_key = _key(request.account, "of", self.ring.hashed(request.user_id.encode()))
        answer = await self.store.run(
            _CLAIM,
            keys=(link_key, lock_key, of_key),
            args=(
                *(token, _milliseconds(LEASE), _instant(not_before)),
                *(_instant(self.clock.now()), _milliseconds(LONGEST_CLAIM)),
            ),
        )
        if isinstance(answer, bytes) and (link := self._opened(answer, link_key)):
            return link
        if answer == 0:
            return None
        return RedisClaim(self, link_key, lock_key, of_key, token)

    async def forget(self, account: str, user_id: str) -> int:
        """Forgets a user's links, those named before a rotation of `SECRET_KEY` included."""
        return sum(
            [
                await self.store.run(_FORGET, keys=(_key(account, "of", name),))
                for name in self.ring.hashes(user_id.encode())
            ]
        )

    def _link_key(self, request: LinkRequest) -> str:
        # A dataclass is written field by field, in order: equal requests, and only those, give equal bytes.
        return _key(request.account, "link", self.ring.hashed(orjson.dumps((self.vendor, request))))

    def _opened(self, value: bytes | None, name: str) -> Link | None:
        if value is None:
            return None
        try:
            url, issued_at, expires_at = orjson.loads(self.ring.open(value[13:], name=name))
        except (Unsealable, ValueError):
            return None
        link = Link(url=url, issued_at=_at(issued_at), expires_at=_at(expires_at))
        return link if link.expires_at > self.clock.now() else None


@dataclass(frozen=True)
class RedisClaim:
    """The right to ask one question for all replicas."""

    cache: RedisLinkCache
    link_key: str
    lock_key: str
    of_key: str
    token: str

    async def keep(self, link: Link) -> None:
        """Remembers the link, and gives up the claim in the same step."""
        issued_at, expires_at = _instant(link.issued_at), _instant(link.expires_at)
        sealed = self.cache.ring.seal(orjson.dumps([link.url, issued_at, expires_at]), name=self.link_key)
        value = f"{issued_at:013d}".encode() + sealed
        await self.cache.store.run(
            _KEEP,
            keys=(self.link_key, self.lock_key, self.of_key),
            args=(self.token, value, max(1, expires_at - issued_at), issued_at),
        )

    async def renew(self) -> None:
        """Keeps the claim alive until cancelled."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            try:
                await self.cache.store.run(_RENEW, keys=(self.lock_key,), args=(self.token, _milliseconds(LEASE)))
            except StoreUnavailable:
                continue  # Without the store there is no claim to lose.

    async def release(self) -> None:
        """Gives up the claim, so that a waiting sibling asks at once."""
        await self.cache.store.run(_RELEASE, keys=(self.lock_key,), args=(self.token,))


def _key(account: str, kind: str, name: str) -> str:
    return f"wg:{{{account}}}:links:{kind}:{name}"


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _instant(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
