"""What became of events and deliveries. Pages go from new to old, by event id."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from app.errors import EventUnknown
from app.ids import made_at
from app.store import Script, Store
from app.webhooks.models import Status
from app.webhooks.scripts import SHARED

_LOOKED = """
local function state(hook, event)
  local due = redis.call('ZSCORE', P .. 'hooks:due:' .. hook, event)
  if due then return 'pending', due end
  if redis.call('ZSCORE', P .. 'hooks:dead:' .. hook, event) then return 'dead', '' end
  return 'delivered', ''
end
local function seen(hook, event)
  local how, due = state(hook, event)
  return {hook, event, how, due, redis.call('GETRANGE', P .. 'events:e:' .. event, 0, 160),
    redis.call('LRANGE', P .. 'hooks:d:' .. hook .. ':' .. event, 0, -1)}
end
"""

# ARGV: prefix, webhook, status or '', cursor or '', limit. A page may be short: it ends after a thousand looks.
_DELIVERIES = Script(
    SHARED
    + _LOOKED
    + """
local hook, wanted, cursor, limit = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local name = P .. (wanted == 'dead' and 'hooks:dead:' or 'hooks:log:') .. hook
local found, looked = {}, 0
local from = cursor == '' and '+' or '(' .. cursor
while true do
  local events = redis.call('ZREVRANGEBYLEX', name, from, '-', 'LIMIT', 0, 100)
  if #events == 0 then return {found, ''} end
  for _, event in ipairs(events) do
    if #found == limit or looked == 1000 then return {found, string.sub(from, 2)} end
    looked = looked + 1
    from = '(' .. event
    if wanted == '' or state(hook, event) == wanted then table.insert(found, seen(hook, event)) end
  end
end
"""
)

# ARGV: prefix, event: its deliveries, one for each webhook that still exists.
_DELIVERIES_OF = Script(
    SHARED
    + _LOOKED
    + """
local found = {}
for _, hook in ipairs(redis.call('HKEYS', P .. 'hooks:all')) do
  if redis.call('ZSCORE', P .. 'hooks:log:' .. hook, ARGV[2]) then table.insert(found, seen(hook, ARGV[2])) end
end
return found
"""
)


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt, as it was noted."""

    at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook, and how far it is."""

    webhook_id: str
    event_id: str
    type: str
    status: Status
    next_attempt_at: datetime | None
    reason: str | None
    attempts: tuple[Attempted, ...]

    @property
    def id(self) -> str:
        """The same event for the same webhook is the same delivery, however often it is posted or sent."""
        return f"{self.event_id}:{self.webhook_id}"


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that is kept."""

    id: str
    type: str

    @property
    def received_at(self) -> datetime:
        """When it was accepted."""
        return made_at(self.id)


@dataclass(frozen=True)
class Archive:
    """The events and deliveries of one account. Every method may raise `StoreUnavailable`."""

    store: Store
    account: str

    async def deliveries(
        self, webhook_id: str, *, status: Status | None, cursor: str | None, limit: int
    ) -> tuple[list[Delivery], str | None]:
        """Deliveries of a webhook, newest first, and where to go on."""
        found, after = await self._run(_DELIVERIES, webhook_id, status or "", cursor or "", limit)
        return [_delivery(one) for one in found], after.decode() or None

    async def deliveries_of(self, event_id: str) -> list[Delivery]:
        """The deliveries of one event."""
        return [_delivery(one) for one in await self._run(_DELIVERIES_OF, event_id)]

    async def events(self, *, cursor: str | None, limit: int) -> tuple[list[Kept], str | None]:
        """Events, newest first, and where to go on."""
        start = f"({cursor}" if cursor else "+"
        members = await self.store.do("ZREVRANGEBYLEX", f"{self._prefix}events:log", start, "-", "LIMIT", 0, limit + 1)
        kept = [Kept(*member.decode().split("|", 1)) for member in members[:limit]]
        return kept, kept[-1].id if len(members) > limit else None

    async def event(self, event_id: str) -> dict[str, Any]:
        """The message that is sent for an event.

        Raises:
            EventUnknown: there is none of this id, or it is kept no more.
        """
        body = await self.store.do("GET", f"{self._prefix}events:e:{event_id}")
        if body is None:
            raise EventUnknown("There is no event of this id, or it is older than events are kept.")
        # Not orjson: to it, a whole number beyond 64 bits is a fraction, and a longer one a fault.
        return json.loads(body)  # type: ignore[no-any-return]

    async def _run(self, script: Script, *args: str | int) -> Any:
        return await self.store.run(script, keys=(f"{self._prefix}hooks:next",), args=(self._prefix, *args))

    @property
    def _prefix(self) -> str:
        return f"wg:{{{self.account}}}:"


def _delivery(found: Sequence[Any]) -> Delivery:
    webhook_id, event_id, status, due, head, log = found
    entries = [orjson.loads(entry) for entry in log]
    reasons = [entry["dead"] for entry in entries if "dead" in entry]
    return Delivery(
        webhook_id=webhook_id.decode(),
        event_id=event_id.decode(),
        type=_type(head),
        status=status.decode(),
        next_attempt_at=_at(float(due)) if due else None,
        reason=reasons[-1] if status == b"dead" and reasons else None,
        attempts=tuple(
            Attempted(_at(one["at"]), one["ms"], one["status"], one["error"], one["body"])
            for one in entries
            if "dead" not in one
        ),
    )


def _type(head: bytes) -> str:
    # A message begins with its id and its type: the rest of it need not be read.
    return head.partition(b'"type":"')[2].partition(b'"')[0].decode()


def _at(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
