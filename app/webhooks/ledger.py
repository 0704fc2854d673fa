"""The ledger: accepted = delivered + pending + dead + unmatched. Read in one step, it balances at every moment.

What is pending is counted where it waits, and not taken from the ledger's own word for it: a delivery that was lost, or
that nobody would ever find, shows as a balance that is not 0.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from app.store import Script, Store
from app.webhooks.attempt import Outcome
from app.webhooks.outbox import LATENCIES

# Every outcome that an attempt can have, as the ledger calls it.
OUTCOMES = tuple(sorted(one.__name__.lower() for one in get_args(Outcome)))

# ARGV: prefix. Answers {the ledger, pending, when the first is due or '', enabled, disabled, registered webhooks and
# how many of theirs are pending}. `hooks:next` names those with something pending, the deleted ones too.
_READ = Script("""
local P = ARGV[1]
local first, pending, depths, hooks = redis.call('ZRANGE', P .. 'hooks:next', 0, -1, 'WITHSCORES'), 0, {}, {}
local oldest = ''
for i = 1, #first, 2 do
  -- 0 stands for a webhook that was disabled or deleted, whose deliveries are to be buried at once.
  if oldest == '' and tonumber(first[i + 1]) > 0 then oldest = first[i + 1] end
  depths[first[i]] = redis.call('ZCARD', P .. 'hooks:due:' .. first[i])
  pending = pending + depths[first[i]]
end
for _, hook in ipairs(redis.call('HKEYS', P .. 'hooks:all')) do
  table.insert(hooks, hook)
  table.insert(hooks, depths[hook] or 0)
end
return {redis.call('HGETALL', P .. 'ledger'), pending, oldest,
  redis.call('HLEN', P .. 'hooks:wants'), redis.call('HLEN', P .. 'hooks:off'), hooks}
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one account's ledger says. All processes that share the store write it, and read the same."""

    accepted: int
    delivered: int
    pending: int
    dead: int
    unmatched: int
    overdue: timedelta
    """For how long the oldest delivery that is due has been due."""
    depths: Mapping[str, int]
    """Registered webhook → how many of its deliveries are pending."""
    enabled: int
    disabled: int
    attempts: Mapping[str, int]
    latencies: Sequence[int]
    """Deliveries by how long they took: one number for each of `LATENCIES`, and one for all that took longer."""
    latency: timedelta
    """Of all deliveries together."""

    @property
    def balance(self) -> int:
        """0, or something was lost or counted twice."""
        return self.accepted - self.delivered - self.pending - self.dead - self.unmatched


async def ledgers_of(accounts: Iterable[str], store: Store, now: datetime) -> dict[str, Figures]:
    """The ledgers of these accounts.

    Raises:
        StoreUnavailable: they cannot be read.
    """
    names = list(accounts)
    return dict(zip(names, await asyncio.gather(*(ledger_of(name, store, now) for name in names)), strict=True))


async def ledger_of(account: str, store: Store, now: datetime) -> Figures:
    """The ledger of one account, of one moment.

    Raises:
        StoreUnavailable: it cannot be read.
    """
    prefix = f"wg:{{{account}}}:"
    flat, pending, first, enabled, disabled, depths = await store.run(
        _READ, keys=(f"{prefix}hooks:next",), args=(prefix,)
    )
    ledger = {name: float(count) for name, count in _pairs(flat).items()}

    def count(name: object) -> int:
        return int(ledger.get(str(name), 0))

    return Figures(
        accepted=count("accepted"),
        delivered=count("delivered"),
        pending=pending,
        dead=count("dead"),
        unmatched=count("unmatched"),
        overdue=max(timedelta(0), now - _instant(first, now)) if first else timedelta(0),
        depths=_pairs(depths),
        enabled=enabled,
        disabled=disabled,
        attempts={outcome: count(f"attempts:{outcome}") for outcome in OUTCOMES},
        latencies=[count(f"latency:{bound}") for bound in (*LATENCIES, "+Inf")],
        latency=timedelta(seconds=ledger.get("latency", 0)),
    )


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


def _instant(milliseconds: bytes, now: datetime) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, now.tzinfo)
