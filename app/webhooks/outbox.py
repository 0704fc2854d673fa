"""The promises kept in Redis: put, claim, settle. Each is one atomic step, and so is what the ledger says of it.

If we die before `settle`, the lease ends and the delivery comes due again: nothing is lost, and the CRM may get it
twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import orjson

from app.clock import Clock
from app.ids import oldest_since
from app.store import Store
from app.webhooks.scripts import CLAIM, HAND_BACK, PUT, SETTLE

# For so long the same id posted again is the same event.
ONCE_FOR: Final = timedelta(hours=24)
# Longer than any page waits for answers.
WAITED_FOR: Final = timedelta(seconds=70)
# Seconds; the upper ends of the latency histogram's buckets.
LATENCIES: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600, 86400)

Follows = Literal["done", "again", "dead", "postponed"]


@dataclass(frozen=True, slots=True)
class Put:
    """What became of an event: its id (that of the first, for a repeat), and how many webhooks want it."""

    event_id: str
    deliveries: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery that is ours until the lease ends. `attempt` counts from 1."""

    webhook_id: str
    event_id: str
    body: bytes = field(repr=False)
    attempt: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What was claimed, the sealed records of its webhooks, and when there is more (None: when the bell rings).

    `more`: as much was claimed as may be under way, so there may be more once some of it has ended.
    """

    deliveries: list[Claimed]
    records: dict[str, bytes]
    next_in: timedelta | None
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An attempt and what follows from it. `entry` is what its log says; `wait` is until the next attempt."""

    follows: Follows
    outcome: str
    entry: bytes
    wait: timedelta = timedelta(0)
    dead_because: str = ""
    disabled_because: str = ""


@dataclass(frozen=True)
class RedisOutbox:
    """The outbox of one account. `kept` is how long an event outlives its last attempt; `longest` all its waits."""

    store: Store
    clock: Clock
    account: str
    kept: timedelta
    longest: timedelta
    first_wait: timedelta

    async def put(self, event_id: str, kind: str, body: bytes, *, once: str = "", waiter: str = "") -> Put:
        """Stores an event with one delivery for each interested webhook, all or none.

        Raises:
            StoreUnavailable: it may not be stored; posting it again with the same `once` stores it once.
        """
        now = self.clock.now()
        answer = await self.store.run(
            PUT,
            keys=(self._next,),
            args=(
                *(self._prefix, event_id, kind, body, _ms(self._life), _instant(now + self.first_wait), _instant(now)),
                *(oldest_since(now - self._life), once, _ms(ONCE_FOR), waiter, _ms(WAITED_FOR), self.account),
            ),
        )
        if isinstance(answer, bytes):
            first, _, deliveries = answer.decode().partition("|")
            return Put(first, int(deliveries), duplicate=True)
        return Put(event_id, answer[1], duplicate=False)

    async def claim(self, *, lease: timedelta, most: int, cap: int, held: Mapping[str, int]) -> Claims:
        """Claims up to `most` deliveries that are due, in turns of the webhooks, each with at most `cap` under way.

        Raises:
            StoreUnavailable: what was claimed by it comes due again when its lease ends.
        """
        now = self.clock.now()
        holding = [part for hook, count in held.items() for part in (hook, count)]
        sleep, records, claims, more = await self.store.run(
            CLAIM,
            keys=(self._next,),
            args=(self._prefix, _instant(now), _instant(now + lease), most, cap, _ms(self._life), *holding),
        )
        return Claims(
            [
                Claimed(claims[i].decode(), claims[i + 1].decode(), claims[i + 2], int(claims[i + 3]) + 1)
                for i in range(0, len(claims), 4)
            ],
            {records[i].decode(): records[i + 1] for i in range(0, len(records), 2)},
            None if sleep < 0 else timedelta(milliseconds=sleep),
            bool(more),
        )

    async def settle(self, claimed: Claimed, settled: Settled, *, accepted_at: datetime) -> bool:
        """Records an attempt and what follows, at once. False: it was settled by somebody else, or is gone.

        Raises:
            StoreUnavailable: it may not be recorded; to settle it again is right.
        """
        now = self.clock.now()
        latency = max(0.0, (now - accepted_at).total_seconds())
        bucket = next((str(bound) for bound in LATENCIES if latency <= bound), "+Inf")
        answer = await self.store.run(
            SETTLE,
            keys=(self._next,),
            args=(
                *(self._prefix, claimed.webhook_id, claimed.event_id, settled.follows, _instant(now + settled.wait)),
                *(settled.entry, settled.dead_because, _ms(self._life), _instant(now), oldest_since(now - self._life)),
                *(settled.outcome, bucket, f"{latency:.3f}", settled.disabled_because),
            ),
        )
        return bool(answer)

    async def hand_back(self, claimed: Sequence[Claimed]) -> None:
        """Makes deliveries due at once that were claimed and not attempted.

        Raises:
            StoreUnavailable: they come due when their leases end.
        """
        pairs = [part for one in claimed for part in (one.webhook_id, one.event_id)]
        await self.store.run(HAND_BACK, keys=(self._next,), args=(self._prefix, _instant(self.clock.now()), *pairs))

    @property
    def _life(self) -> timedelta:
        # An event must not vanish while an attempt is still to come.
        return self.kept + self.longest

    @property
    def _prefix(self) -> str:
        return f"wg:{{{self.account}}}:"

    @property
    def _next(self) -> str:
        return f"{self._prefix}hooks:next"


def attempt_entry(
    at: datetime, duration: timedelta, *, status: int | None = None, error: str | None = None, body: str = ""
) -> bytes:
    """What the log of a delivery says of one attempt."""
    return orjson.dumps({"at": _instant(at), "ms": _ms(duration), "status": status, "error": error, "body": body})


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _instant(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
