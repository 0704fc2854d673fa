"""Where issued links are remembered, for all replicas. A cache may forget; it may not fail.

Names in Redis are keyed hashes and values are sealed for their name, so that nobody who reads Redis learns a link,
a phone number or a name, and a value that is moved under another name is a miss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import orjson

from app.clock import Clock
from app.errors import UserUnknown, VendorSaid, WazzupError, WazzupForbidden, WazzupRefused
from app.leases import LEASE_MS, Lease
from app.limits import Quota, Rate
from app.links.issuer import Recalled, Refusal
from app.links.models import Link, LinkRequest
from app.sealing import KeyRing, Unsealable
from app.store import Script, Store

# What Wazzup's no may be.
REFUSALS: Final = {error.code: error for error in (WazzupRefused, UserUnknown, WazzupForbidden)}
# How long Wazzup's no to a question stands: a card that cannot work shall not use up the calls of those that can.
REFUSED_FOR = timedelta(seconds=5)
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
if used > {rate.calls} then return {{used, left, false, false}} end
local link = redis.call('GET', KEYS[2])
return {{used, left, link, redis.call('GET', KEYS[3])}}
""")


# A value starts with the millisecond of its issue, so that this script can tell whether a link is new enough; the same
# instant stands inside the seal, and only that one is believed. ARGV[6] and ARGV[7] are values that are no answer to
# this replica: to its clock the link has expired, or it has not the key that opens them. A claim stands among its
# user's names, so that it is forgotten with them: see _KEEP. Asked once more by a client that lost the answer, it is
# granted once more.
_CLAIM = Script("""
local link, refused = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[4])
if link == ARGV[6] or (tonumber(string.sub(link or '', 1, 13)) or 0) < tonumber(ARGV[3]) then link = false end
if refused == ARGV[7] then refused = false end
if link or refused then return {link, refused} end
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

_REFUSE = Script("""
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
""")

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
        """What is remembered of an equal request, and the user's quota with this request counted."""
        names = self._names(request)
        keys = names.rate, names.link, names.refused
        used, left, link, refused = await self.store.run(_recall(self.rate), keys=keys)
        quota = Quota("links", self.rate, used, timedelta(milliseconds=left))
        return Recalled(self._link(link, names), self._refusal(refused, names), quota)

    async def claim(self, request: LinkRequest, *, not_before: datetime) -> "RedisClaim | Link | Refusal | None":
        """The right to ask; or what a sibling was answered by now; or None, while a sibling is asking."""
        names = self._names(request)
        lease = Lease(self.store, names.lock)
        asked = (lease.token, LEASE_MS, _instant(not_before), _instant(self.clock.now()), _milliseconds(LONGEST_CLAIM))
        no_link, no_refusal = b"", b""
        while True:
            found: Any = await self.store.run(
                _CLAIM,
                keys=(names.link, names.lock, names.of, names.refused),
                args=(*asked, no_link, no_refusal),
            )
            if not isinstance(found, list):
                return RedisClaim(self, names, lease) if found else None
            if known := self._link(found[0], names) or self._refusal(found[1], names):
                return known
            no_link, no_refusal = found[0] or no_link, found[1] or no_refusal

    async def refuse(self, request: LinkRequest, error: WazzupError) -> None:
        """Remembers Wazzup's no for some seconds, for whoever asks."""
        await self.refuse_by(self._names(request), error)

    async def forget(self, account: str, user_id: str) -> int:
        """Forgets a user's links, those named before a rotation of `SECRET_KEY` included."""
        return sum(
            [
                await self.store.run(_FORGET, keys=(_key(account, "of", name),))
                for name in self.ring.hashes(user_id.encode())
            ]
        )

    async def refuse_by(self, names: "_Names", error: WazzupError, *, token: str = "") -> None:
        """Remembers a no, and gives up the claim that has this token, if there is one."""
        said = error.vendor or VendorSaid()
        says = [error.code, error.detail, [said.status, said.code, said.detail, said.errors]]
        value = self.sealed(says, _instant(self.clock.now()), names.refused)
        await self.store.run(_REFUSE, keys=(names.refused, names.lock), args=(token, value, _milliseconds(REFUSED_FOR)))

    def _names(self, request: LinkRequest) -> "_Names":
        # A dataclass is written field by field, in order: equal requests, and only those, give equal bytes.
        question = self.ring.hashed(orjson.dumps((self.vendor, request)))
        user = self.ring.hashed(request.user_id.encode())
        room = f"wg:{{{request.account}}}:links"
        return _Names(
            link=f"{room}:link:{question}",
            lock=f"{room}:lock:{question}",
            refused=f"{room}:refused:{question}",
            of=f"{room}:of:{user}",
            rate=f"{room}:rate:{user}",
        )

    def _link(self, value: bytes | None, names: "_Names") -> Link | None:
        if (found := self._opened(value, names.link)) is None:
            return None
        url, issued_at, expires_at = found
        link = Link(url=url, issued_at=_at(issued_at), expires_at=_at(expires_at))
        return link if link.expires_at > self.clock.now() else None

    def _refusal(self, value: bytes | None, names: "_Names") -> Refusal | None:
        if (found := self._opened(value, names.refused)) is None:
            return None
        code, detail, (status, vendor_code, vendor_detail, errors) = found
        said = VendorSaid(status, vendor_code, vendor_detail, tuple(errors))
        return Refusal(REFUSALS[code](detail, vendor=said))

    def _opened(self, value: bytes | None, name: str) -> Any:
        if value is None:
            return None
        try:
            return orjson.loads(self.ring.open(value[13:], name=name))
        except (Unsealable, ValueError):
            return None

    def sealed(self, says: Any, issued_at: int, name: str) -> bytes:
        """A value for `name` that tells when it was issued."""
        return f"{issued_at:013d}".encode() + self.ring.seal(orjson.dumps(says), name=name)


@dataclass(frozen=True, slots=True)
class _Names:
    """Where everything about one question stands; `of` and `rate` are its user's."""

    link: str
    lock: str
    refused: str
    of: str
    rate: str


@dataclass(frozen=True)
class RedisClaim:
    """The right to ask one question for all replicas."""

    cache: RedisLinkCache
    names: _Names
    lease: Lease

    async def keep(self, link: Link) -> None:
        """Remembers the link, and gives up the claim in the same step."""
        issued_at, expires_at = _instant(link.issued_at), _instant(link.expires_at)
        value = self.cache.sealed([link.url, issued_at, expires_at], issued_at, self.names.link)
        await self.cache.store.run(
            _KEEP,
            keys=(self.names.link, self.names.lock, self.names.of),
            args=(self.lease.token, value, max(1, expires_at - issued_at), issued_at),
        )

    async def refuse(self, error: WazzupError) -> None:
        """Remembers Wazzup's no for some seconds, and gives up the claim in the same step."""
        await self.cache.refuse_by(self.names, error, token=self.lease.token)

    async def renew(self) -> None:
        """Keeps the claim alive until cancelled."""
        await self.lease.renew()

    async def release(self) -> None:
        """Gives up the claim, so that a waiting sibling asks at once."""
        await self.lease.release()


def _key(account: str, kind: str, name: str) -> str:
    return f"wg:{{{account}}}:links:{kind}:{name}"


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _instant(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
