"""The account's calls to Wazzup, counted over all replicas: never more than allowed, and everybody's turn comes.

A call takes its place in the window when it is granted, and leaves it one window after its *answer*: Wazzup saw it
somewhere in between, so however long the network takes, Wazzup never sees more than the rate in any window.

While calls are short, users wait in line, each with one place however many questions they have; who came first, or was
sent away first, is first. A user who is granted a call goes to the end. Redis tells the time, so replicas agree on it.

Each replica also counts its own calls, by its own clock, and never passes the rate by that count: neither while the
store is gone, nor when it goes, comes back or comes back empty. Without a store N replicas know nothing of each other,
and make up to N times the rate together.
"""

import asyncio
import math
import secrets
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
# How long somebody who was sent away is remembered as having come first; at least two windows more than they were told
# to stay away, or those who do as they are told would always be newcomers.
MEMORY: Final = timedelta(minutes=2)

# KEYS: calls in the window, by the millisecond when they ended, or will have ended at the latest; the line, by the
# microsecond since when; its places, by when they lapse; since when those who were sent away wait; until when that is
# remembered; the pause that Wazzup asked for.
_TURN = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local instant = time[1] * 1000000 + time[2]
local call, party = ARGV[1], ARGV[2]
local most, window, longest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local place, memory = tonumber(ARGV[6]), tonumber(ARGV[7])

local function lapse(members, times)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', times, '-inf', now)) do
    redis.call('ZREM', members, gone)
    redis.call('ZREM', times, gone)
  end
end

local function granted()
  redis.call('ZADD', KEYS[1], now + longest, call)
  redis.call('PEXPIRE', KEYS[1], longest + window)
  return 0
end

if redis.call('ZSCORE', KEYS[1], call) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
-- No call ends later than this: the clock was put back, and these would stand until it is there again.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now + longest, '+inf')
local pause = math.max(redis.call('PTTL', KEYS[6]), 0)
local room = most - redis.call('ZCARD', KEYS[1])
local free = pause > 0 and 0 or room
if free > 0 and redis.call('EXISTS', KEYS[2]) == 0 then return granted() end

lapse(KEYS[2], KEYS[3])
lapse(KEYS[4], KEYS[5])
local since = math.min(tonumber(redis.call('ZSCORE', KEYS[4], party) or instant), instant)
redis.call('ZADD', KEYS[2], 'NX', since, party)
local ahead = redis.call('ZRANK', KEYS[2], party) - free
if ahead < 0 then
  for i = 2, 5 do redis.call('ZREM', KEYS[i], party) end
  return granted()
end

local rounds = math.floor(ahead / most)
local oldest = redis.call('ZRANGE', KEYS[1], ahead % most, ahead % most, 'WITHSCORES')
local ended = oldest[2] and math.min(tonumber(oldest[2]), now) or now - window
-- Where only the pause is in the way, its end is waited for, and no call's.
if ahead + free < room then ended = now - window end
local wait = math.max(ended + window - now + rounds * window, pause, 1)

memory = math.max(memory, wait + 2 * window)
redis.call('ZADD', KEYS[3], now + place, party)
redis.call('ZADD', KEYS[4], 'NX', since, party)
redis.call('ZADD', KEYS[5], now + memory, party)
for i = 2, 5 do
  local life = i < 4 and place or memory
  if redis.call('PTTL', KEYS[i]) < life then redis.call('PEXPIRE', KEYS[i], life) end
end
return wait
""")

# The millisecond after: what is rounded down would leave the window up to one too early.
_ENDED = Script("""
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'XX', time[1] * 1000 + math.floor(time[2] / 1000) + 1, ARGV[1])
""")

_LEAVE = Script("""
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[2])
""")

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
    memory: timedelta = MEMORY
    # The calls of this replica, by this process' clock: when each ended, or will have ended at the latest.
    _own: dict[str, float] = field(default_factory=dict, repr=False)

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
            if wait := self._noted(call):
                raise _spent(wait) from None
        try:
            yield
        finally:
            self._own[call] = self.clock.monotonic()
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
                self.store.tell(_LEAVE, keys=self._keys("line", "places", "calls"), args=(party, call))
                raise _spent(wait)
            await asyncio.sleep(min(wait, LOOK))

    async def _asked(self, call: str, party: str) -> float:
        """0 when the call is granted; else the seconds after which it may be."""
        wait: int = await self.store.run(
            _TURN,
            keys=self._keys("calls", "line", "places", "since", "until", "pause"),
            args=(
                *(call, party, self.rate.calls, self.rate.seconds * 1000),
                *(_milliseconds(self.longest), PLACE_MS, _milliseconds(self.memory)),
            ),
        )
        # A call that Redis granted keeps its place there while it waits here; asked once more, it is granted once more.
        return wait / 1000 or self._noted(call)

    def _noted(self, call: str) -> float:
        """0 when this replica may make the call, by its own count; else the seconds after which it may."""
        now, window = self.clock.monotonic(), self.rate.seconds
        for gone in [own for own, ended in self._own.items() if ended <= now - window]:
            del self._own[gone]
        if len(self._own) >= self.rate.calls:
            return min(now, *self._own.values()) + window - now
        self._own[call] = now + self.longest.total_seconds()
        return 0.0

    def _keys(self, *kinds: str) -> list[str]:
        return [f"wg:{{{self.account}}}:wazzup:{kind}" for kind in kinds]


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _spent(wait: float) -> BudgetSpent:
    return BudgetSpent(
        "All calls to Wazzup are taken for now. Wait as long as Retry-After says.", retry_after=timedelta(seconds=wait)
    )
