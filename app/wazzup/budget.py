"""The account's calls to Wazzup, counted over all replicas: never more than allowed, and everybody's turn comes.

A call takes its place in the window when it is granted, and leaves it one window after its *answer*: Wazzup saw it
somewhere in between, so however long the network takes, Wazzup never sees more than the rate in any window.

While calls are short, users wait in line, each with one place however many questions they have; who came first, or was
sent away first, is first. A user who is granted a call goes to the end. Redis tells the time, so replicas agree on it.
"""

import asyncio
import math
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from app.clock import Clock
from app.errors import BudgetSpent, StoreUnavailable
from app.limits import Rate
from app.sealing import KeyRing
from app.store import Script, Store

# Seconds between two looks of somebody who waits: whoever stopped waiting leaves a gap that others close.
LOOK: Final = 0.2
# How long the place of somebody who died stays in line.
PLACE_MS: Final = 1_000
# How long somebody who was sent away is remembered as having come first.
MEMORY_MS: Final = 120_000

# KEYS: calls in the window, by the millisecond when they ended, or will have ended at the latest; the line, by the
# microsecond since when; its places, by when they lapse; since when those who were sent away wait; the pause that
# Wazzup asked for.
_TURN = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local instant = time[1] * 1000000 + time[2]
local call, party = ARGV[1], ARGV[2]
local most, window, longest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local place, memory = tonumber(ARGV[6]), tonumber(ARGV[7])

local function granted()
  redis.call('ZADD', KEYS[1], now + longest, call)
  redis.call('PEXPIRE', KEYS[1], longest + window)
  return 0
end

if redis.call('ZSCORE', KEYS[1], call) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local pause = math.max(redis.call('PTTL', KEYS[5]), 0)
local free = most - redis.call('ZCARD', KEYS[1])
if pause > 0 then free = 0 end
if free > 0 and redis.call('EXISTS', KEYS[2]) == 0 then return granted() end

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
  redis.call('ZREM', KEYS[2], gone)
  redis.call('ZREM', KEYS[3], gone)
end
redis.call('ZADD', KEYS[2], 'NX', redis.call('ZSCORE', KEYS[4], party) or instant, party)
local ahead = redis.call('ZRANK', KEYS[2], party) - free
if ahead < 0 then
  redis.call('ZREM', KEYS[2], party)
  redis.call('ZREM', KEYS[3], party)
  redis.call('ZREM', KEYS[4], party)
  return granted()
end

redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', instant - memory * 1000)
redis.call('ZADD', KEYS[4], 'NX', instant, party)
redis.call('ZADD', KEYS[3], now + place, party)
for i = 2, 4 do redis.call('PEXPIRE', KEYS[i], i == 4 and memory or place) end
local rounds = math.floor(ahead / most)
local oldest = redis.call('ZRANGE', KEYS[1], ahead % most, ahead % most, 'WITHSCORES')
local ended = oldest[2] and math.min(tonumber(oldest[2]), now) or now - window
return math.max(ended + window - now + rounds * window, pause, 1)
""")

_ENDED = Script("""
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'XX', time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
""")

_LEAVE = Script("redis.call('ZREM', KEYS[1], ARGV[1]) redis.call('ZREM', KEYS[2], ARGV[1])")

_PAUSE = Script("""
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) end
""")


@dataclass(frozen=True)
class Budget:
    """The calls of one account. `longest` is how long a call may take: after that it has ended, whatever happened."""

    store: Store
    ring: KeyRing
    clock: Clock
    account: str
    rate: Rate
    longest: timedelta
    # When the store does not answer: each replica for itself, by this process' clock.
    _own: deque[float] = field(default_factory=deque, repr=False)

    @asynccontextmanager
    async def turn(self, party: str, *, within: float) -> AsyncIterator[None]:
        """Surrounds one call for the user `party`, which waits up to `within` seconds for its turn.

        Raises:
            BudgetSpent: its turn would come later; says when.
        """
        call = secrets.token_hex(8)
        try:
            await self._granted(call, self.ring.hashed(party.encode()), within)
        except StoreUnavailable:
            self._granted_here()
        try:
            yield
        finally:
            # Not waited for: should it be lost, the call's place is only free a little later.
            self.store.tell(_ENDED, keys=self._keys("calls"), args=(call,))

    def pause(self, span: timedelta) -> None:
        """Lets no replica call for as long as Wazzup asked, and at least as long as it asked before."""
        if milliseconds := math.ceil(span.total_seconds() * 1000):
            self.store.tell(_PAUSE, keys=self._keys("pause"), args=(milliseconds,))

    async def _granted(self, call: str, party: str, within: float) -> None:
        time = asyncio.get_running_loop().time
        give_up_at = time() + within
        while wait := await self._asked(call, party):
            if time() + wait > give_up_at:
                self.store.tell(_LEAVE, keys=self._keys("line", "places"), args=(party,))
                raise _spent(wait)
            await asyncio.sleep(min(wait, LOOK))

    async def _asked(self, call: str, party: str) -> float:
        """0 when the call is granted; else the seconds after which it may be."""
        wait: int = await self.store.run(
            _TURN,
            keys=self._keys("calls", "line", "places", "since", "pause"),
            args=(
                *(call, party, self.rate.calls, self.rate.seconds * 1000),
                *(self.longest // timedelta(milliseconds=1), PLACE_MS, MEMORY_MS),
            ),
        )
        return wait / 1000

    def _granted_here(self) -> None:
        now = self.clock.monotonic()
        while self._own and self._own[0] <= now - self.rate.seconds:
            self._own.popleft()
        if len(self._own) >= self.rate.calls:
            raise _spent(self._own[0] + self.rate.seconds - now)
        self._own.append(now)

    def _keys(self, *kinds: str) -> list[str]:
        return [f"wg:{{{self.account}}}:wazzup:{kind}" for kind in kinds]


def _spent(wait: float) -> BudgetSpent:
    return BudgetSpent(
        "All calls to Wazzup are taken for now. Wait as long as Retry-After says.", retry_after=timedelta(seconds=wait)
    )
