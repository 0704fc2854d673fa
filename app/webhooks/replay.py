"""Sends once more what died, what came before the webhook was there, or whatever was accepted in some span of time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from app.clock import Clock
from app.errors import Conflict, DeliveryUnknown
from app.ids import oldest_since
from app.store import Script, Store
from app.webhooks.scripts import SHARED

# Events that one step of a replay looks at: short enough that nobody else waits for it.
STEP: Final = 500

_AGAIN = """
local function again(hook, event, now, life)
  if redis.call('PEXPIRE', P .. 'events:e:' .. event, life) == 0 then return 0 end
  if redis.call('ZSCORE', P .. 'hooks:due:' .. hook, event) then return 0 end
  if redis.call('ZREM', P .. 'hooks:dead:' .. hook, event) == 1 then count('dead', -1) else count('accepted', 1) end
  count('pending', 1)
  redis.call('ZADD', P .. 'hooks:due:' .. hook, now, event)
  redis.call('ZADD', P .. 'hooks:log:' .. hook, 0, event)
  redis.call('ZADD', P .. 'hooks:next', 'LT', now, hook)
  return 1
end
local function wanted(hook, kind)
  local wants = redis.call('HGET', P .. 'hooks:wants', hook)
  return wants and (wants == '*' or string.find(',' .. wants .. ',', ',' .. kind .. ',', 1, true))
end
"""

# ARGV: prefix, webhook, which (dead, missed, all), from, until, now, life, step, account. Answers how many are sent
# again, and where to go on ('' at the end).
_REPLAY = Script(
    SHARED
    + _AGAIN
    + """
local hook, which, now, life = ARGV[2], ARGV[3], ARGV[6], ARGV[7]
local name = P .. (which == 'dead' and 'hooks:dead:' .. hook or 'events:log')
local members = redis.call('ZRANGEBYLEX', name, ARGV[4], ARGV[5], 'LIMIT', 0, ARGV[8])
local sent = 0
for _, member in ipairs(members) do
  local event, kind = string.match(member, '^([^|]+)|?(.*)$')
  local fits = which == 'dead' or wanted(hook, kind)
  if which == 'missed' and redis.call('ZSCORE', P .. 'hooks:log:' .. hook, event) then fits = false end
  if fits then sent = sent + again(hook, event, now, life) end
end
if sent > 0 then redis.call('PUBLISH', 'wg:bell', ARGV[9]) end
return {sent, #members == tonumber(ARGV[8]) and '(' .. members[#members] or ''}
"""
)

# ARGV: prefix, event, type, now, life, account: to every webhook that wants it.
_REPLAY_EVENT = Script(
    SHARED
    + _AGAIN
    + """
local sent = 0
for _, hook in ipairs(redis.call('HKEYS', P .. 'hooks:wants')) do
  if wanted(hook, ARGV[3]) then sent = sent + again(hook, ARGV[2], ARGV[4], ARGV[5]) end
end
if sent > 0 then redis.call('PUBLISH', 'wg:bell', ARGV[6]) end
return sent
"""
)

# ARGV: prefix, webhook, event, now, life, account.
_RETRY = Script(
    SHARED
    + _AGAIN
    + """
local hook, event = ARGV[2], ARGV[3]
if not redis.call('ZSCORE', P .. 'hooks:log:' .. hook, event) then return 'unknown' end
if redis.call('HEXISTS', P .. 'hooks:all', hook) == 0 then return 'unknown' end
if redis.call('HEXISTS', P .. 'hooks:wants', hook) == 0 then return 'disabled' end
if redis.call('ZSCORE', P .. 'hooks:due:' .. hook, event) then
  redis.call('ZADD', P .. 'hooks:due:' .. hook, 'XX', ARGV[4], event)
  indexed(hook)
elseif not redis.call('ZSCORE', P .. 'hooks:dead:' .. hook, event) then
  return 'delivered'
elseif again(hook, event, ARGV[4], ARGV[5]) == 0 then
  return 'unknown'
end
redis.call('PUBLISH', 'wg:bell', ARGV[6])
return 'pending'
"""
)

Which = Literal["dead", "missed", "all"]


@dataclass(frozen=True)
class Replayer:
    """Sends again, for one account. `life`: how long an event is kept from now on. May raise `StoreUnavailable`."""

    store: Store
    clock: Clock
    account: str
    life: timedelta

    async def replay(self, webhook_id: str, which: Which, *, since: datetime, until: datetime) -> int:
        """Sends again to one webhook what was accepted in this span; how many."""
        start, end, sent = f"[{oldest_since(since)}", f"({oldest_since(until)}", 0
        while start:
            step, after = await self._run(
                _REPLAY, webhook_id, which, start, end, self._now, self._life, STEP, self.account
            )
            sent += step
            start = after.decode()
        return sent

    async def replay_event(self, event_id: str, kind: str) -> int:
        """Sends one event, of this type, again to every webhook that wants it; how many."""
        sent: int = await self._run(_REPLAY_EVENT, event_id, kind, self._now, self._life, self.account)
        return sent

    async def retry(self, delivery_id: str) -> None:
        """Sends a delivery again, at once.

        Raises:
            DeliveryUnknown: there is none of this id, or its event is kept no more.
            Conflict: it was delivered, or its webhook is disabled.
        """
        event_id, _, webhook_id = delivery_id.partition(":")
        answer = await self._run(_RETRY, webhook_id, event_id, self._now, self._life, self.account)
        match answer.decode():
            case "unknown":
                raise DeliveryUnknown("There is no delivery of this id, or it is older than deliveries are kept.")
            case "delivered":
                raise Conflict("It was delivered. POST /events/{id}/replay sends its event again.")
            case "disabled":
                raise Conflict("Its webhook is disabled: enable it first.")

    async def _run(self, script: Script, *args: str | int) -> Any:
        prefix = f"wg:{{{self.account}}}:"
        return await self.store.run(script, keys=(f"{prefix}hooks:next",), args=(prefix, *args))

    @property
    def _now(self) -> int:
        return int(self.clock.now().timestamp() * 1000)

    @property
    def _life(self) -> int:
        return self.life // timedelta(milliseconds=1)
