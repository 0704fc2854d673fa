"""Claims what is due, sends it, judges the outcome, settles it. Fair between webhooks; idle while nothing is due.

If we die anywhere here, what we had claimed comes due again when its lease ends.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from app.clock import Clock
from app.errors import StoreUnavailable
from app.ids import made_at
from app.telemetry import Journal
from app.webhooks.attempt import (
    Delivered,
    Disable,
    Done,
    Failed,
    GiveUp,
    Hindered,
    Outcome,
    Parcel,
    Postpone,
    Refused,
    Target,
    TryAgain,
    Verdict,
)
from app.webhooks.models import Webhook
from app.webhooks.outbox import Claimed, Claims, Follows, Settled, attempt_entry
from app.webhooks.retry import judge

# Deliveries under way at once, for an account and for one webhook of it.
MOST: Final = 256
CAP: Final = 16
# So many must have ended before it is worth asking for more.
REFILL: Final = 4
# How long a lease outlives the time-out of the attempt that it covers.
GRACE: Final = timedelta(seconds=15)
# Seconds. Nobody is told of a delivery that another worker lost, or of a bell that was missed.
LONGEST_SLEEP: Final = 15.0
# Seconds between two attempts to reach a store that is away.
STORE_PAUSE: Final = 1.0
# Seconds for attempts under way when we are asked to end; what is not done by then is handed back.
LAST_PATIENCE: Final = 7.0
_REDIRECTS: Final = 300
# A record that cannot be opened is the operator's to mend: until then its deliveries wait.
SEALED_PAUSE: Final = timedelta(minutes=1)


class Outbox(Protocol):
    """The promises of one account. Every method may raise `StoreUnavailable`."""

    async def claim(self, *, lease: timedelta, most: int, cap: int, held: Mapping[str, int]) -> Claims: ...
    async def settle(self, claimed: Claimed, settled: Settled, *, accepted_at: datetime) -> bool: ...
    async def hand_back(self, claimed: Sequence[Claimed]) -> None: ...


class Sender(Protocol):
    """Makes one attempt; what goes wrong is its outcome."""

    async def send(self, target: Target, parcel: Parcel) -> Outcome: ...


@dataclass(frozen=True)
class Desk:
    """What the deliveries of one account are made with. `waits` are the pauses before each attempt."""

    account: str
    outbox: Outbox
    sender: Sender
    open_record: Callable[[str, bytes], Webhook | None]
    waits: Sequence[timedelta]
    patience: timedelta


@dataclass
class Dispatcher:
    """Delivers for one account, in one process."""

    desk: Desk
    clock: Clock
    journal: Journal
    last_patience: float = LAST_PATIENCE
    _tasks: dict[asyncio.Task[None], Claimed] = field(default_factory=dict, repr=False)
    _held: Counter[str] = field(default_factory=Counter, repr=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _claiming: asyncio.Task[Claims] | None = field(default=None, repr=False)
    _more: bool = False
    _ended: int = 0

    def ring(self) -> None:
        """Something may be due."""
        self._wake.set()

    async def run(self) -> None:
        """Delivers until cancelled; then ends what is under way, or hands it back."""
        try:
            while True:
                self._wake.clear()
                await self._woken(await self._begun_somehow())
        finally:
            await self._finish()

    async def _begun_somehow(self) -> float:
        try:
            return await self._begun()
        except Exception as error:  # whatever it is: deliveries must not wait until somebody restarts us
            self.journal.trouble("dispatcher.failed", error, account=self.desk.account)
            return STORE_PAUSE

    async def _begun(self) -> float:
        """Begins what is due, and says in how many seconds there is more."""
        most, self._ended = MOST - len(self._tasks), 0
        claim = self.desk.outbox.claim(lease=self.desk.patience + GRACE, most=most, cap=CAP, held=+self._held)
        self._claiming = asyncio.create_task(claim)
        try:
            claims = await asyncio.shield(self._claiming)
        except StoreUnavailable:
            return STORE_PAUSE
        self._claiming = None
        opened = {name: self.desk.open_record(name, record) for name, record in claims.records.items()}
        for claimed in claims.deliveries:
            self._begin(claimed, opened[claimed.webhook_id])
        self._more = claims.more or len(claims.deliveries) == most
        if self._has_room_for_more():
            return 0
        return LONGEST_SLEEP if claims.next_in is None else min(claims.next_in.total_seconds(), LONGEST_SLEEP)

    async def _woken(self, within: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._wake.wait()

    def _begin(self, claimed: Claimed, webhook: Webhook | None) -> None:
        self._held[claimed.webhook_id] += 1
        task = asyncio.create_task(self._deliver(claimed, webhook))
        self._tasks[task] = claimed
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        claimed = self._tasks.pop(task)
        self._held[claimed.webhook_id] -= 1
        self._ended += 1
        if self._has_room_for_more():
            self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            self.journal.trouble("delivery.failed", error, account=self.desk.account)

    def _has_room_for_more(self) -> bool:
        """Whether enough has ended since we last claimed for another claim to be worth it."""
        return self._more and (self._ended >= REFILL or not self._tasks)

    async def _deliver(self, claimed: Claimed, webhook: Webhook | None) -> None:
        started, began = self.clock.monotonic(), self.clock.now()
        if webhook is None:
            outcome: Outcome = Hindered("the webhook's record cannot be opened: its SECRET_KEY is gone")
            verdict: Verdict = Postpone(SEALED_PAUSE)
        else:
            outcome = await self.desk.sender.send(webhook.target(began), Parcel(claimed.event_id, claimed.body))
            verdict = judge(outcome, claimed.attempt, self.desk.waits, random.random())  # noqa: S311 - spreads
        took = timedelta(seconds=self.clock.monotonic() - started)
        settled = _settled(outcome, verdict, began, took)
        await self._settle(claimed, settled)
        self.journal.note(
            "delivery.attempted",
            account=self.desk.account,
            webhook_id=claimed.webhook_id,
            event_id=claimed.event_id,
            attempt=claimed.attempt,
            outcome=settled.outcome,
            follows=settled.follows,
            duration_ms=round(took.total_seconds() * 1000, 2),
            **_told(outcome),
        )

    async def _settle(self, claimed: Claimed, settled: Settled) -> None:
        """However long the store is away: an attempt that is not recorded is an attempt that is repeated."""
        while True:
            try:
                await self.desk.outbox.settle(claimed, settled, accepted_at=made_at(claimed.event_id))
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE)
            else:
                if settled.follows == "again" and settled.wait.total_seconds() < LONGEST_SLEEP:
                    self._wake.set()  # It is due before we would look again.
                return

    async def _finish(self) -> None:
        await self._hand_back(await self._claimed_too_late())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.last_patience)
        unfinished = dict(self._tasks)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._hand_back(list(unfinished.values()))

    async def _claimed_too_late(self) -> Sequence[Claimed]:
        """What a claim brings that was under way when we were asked to end: Redis may have carried it out."""
        if self._claiming:
            with suppress(Exception):  # then it brought nothing, and who asked for it has told why
                return (await self._claiming).deliveries
        return ()

    async def _hand_back(self, claimed: Sequence[Claimed]) -> None:
        if claimed:
            with suppress(StoreUnavailable):
                await self.desk.outbox.hand_back(claimed)


def _settled(outcome: Outcome, verdict: Verdict, began: datetime, took: timedelta) -> Settled:
    entry, name = _entry(outcome, began, took), type(outcome).__name__.lower()
    match verdict:
        case Done():
            return Settled(follows="done", outcome=name, entry=entry)
        case TryAgain(wait):
            return Settled(follows="again", outcome=name, entry=entry, wait=wait)
        case GiveUp(reason):
            return Settled(follows="dead", outcome=name, entry=entry, dead_because=reason)
        case Disable(reason):
            # A CRM that says stop in a good answer has this one.
            has_it = isinstance(outcome, Refused) and outcome.status < _REDIRECTS
            follows: Follows = "done" if has_it else "dead"
            return Settled(follows=follows, outcome=name, entry=entry, dead_because=reason, disabled_because=reason)
        case Postpone(wait):
            # Ours, not the CRM's: the log of its attempts says nothing of it.
            return Settled(follows="postponed", outcome=name, entry=b"", wait=wait)


def _entry(outcome: Outcome, began: datetime, took: timedelta) -> bytes:
    match outcome:
        case Delivered(status, body):
            return attempt_entry(began, took, status=status, body=body)
        case Failed(reason, status, body, _):
            return attempt_entry(began, took, status=status, error=reason, body=body)
        case Refused(reason, status, body):
            return attempt_entry(began, took, status=status, error=reason, body=body)
        case Hindered(reason):
            return attempt_entry(began, took, error=reason)


def _told(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Delivered(status, _):
            return {"status": status}
        case Failed(reason, status, _, _):
            return {"status": status, "hint": reason}
        case Refused(reason, status, _):
            return {"status": status, "hint": reason}
        case Hindered(reason):
            return {"hint": reason}
