"""Who delivers: fair, idle while nothing is due, and losing nothing when it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from app.errors import StoreUnavailable
from app.ids import new_id
from app.webhooks.attempt import Delivered, Failed, Outcome, Parcel, Target
from app.webhooks.dispatcher import CAP, MOST, Desk, Dispatcher
from app.webhooks.models import Secret, Webhook
from app.webhooks.outbox import Claimed, Claims, Settled
from app.webhooks.signing import new_secret
from tests.driver import NOON, Clock
from tests.notes import Notes
from tests.waiting import wait_until

WEBHOOK = Webhook(
    id="wh_a",
    url="http://127.0.0.1:1/",
    events=("*",),
    description="",
    headers=(),
    secrets=(Secret(value=new_secret()),),
    created_at=NOON,
)


@dataclass
class FakeOutbox:
    """What is due, claimed as often as there is room."""

    due: list[Claimed] = field(default_factory=list)
    asked: list[tuple[int, timedelta]] = field(default_factory=list)
    settled: list[tuple[str, Settled]] = field(default_factory=list)
    back: list[Claimed] = field(default_factory=list)
    away: int = 0
    claims_at_once: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.claims_at_once.set()

    def _answers(self) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable

    async def claim(self, *, lease: timedelta, most: int, cap: int, held: Mapping[str, int]) -> Claims:
        self.asked.append((most, lease))
        self._answers()
        room = max(0, min(most, cap - held.get("wh_a", 0)))
        claimed, self.due = self.due[:room], self.due[room:]
        await self.claims_at_once.wait()
        return Claims(claimed, {"wh_a": b"record"} if claimed else {}, None, bool(self.due))

    async def settle(self, claimed: Claimed, settled: Settled, *, accepted_at: datetime) -> bool:
        self._answers()
        self.settled.append((claimed.event_id, settled))
        return True

    async def hand_back(self, claimed: Sequence[Claimed]) -> None:
        self.back += claimed


@dataclass
class FakeSender:
    """Holds every attempt until it is let go."""

    outcome: Outcome = field(default_factory=lambda: Delivered(200, ""))
    under_way: int = 0
    most: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, target: Target, parcel: Parcel) -> Outcome:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
        finally:
            self.under_way -= 1
        return self.outcome


def due(number: int) -> list[Claimed]:
    return [Claimed("wh_a", new_id("evt", NOON), b"{}", 1) for _ in range(number)]


def opened(name: str, record: bytes) -> Webhook | None:
    return replace(WEBHOOK, id=name)


@asynccontextmanager
async def at_work(
    outbox: FakeOutbox, sender: FakeSender, open_record: Callable[[str, bytes], Webhook | None] = opened
) -> AsyncIterator[tuple[Dispatcher, Notes]]:
    waits = [timedelta(0), timedelta(seconds=5)]
    desk = Desk("default", outbox, sender, open_record, waits, timedelta(seconds=15))
    notes = Notes()
    dispatcher = Dispatcher(desk, Clock(), notes, last_patience=0.02)
    task = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher, notes
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_who_is_asked_to_end_hands_back_what_takes_too_long() -> None:
    outbox, sender = FakeOutbox(given := due(3)), FakeSender()

    async with at_work(outbox, sender):
        await wait_until(lambda: sender.under_way == 3)

    assert outbox.back == given
    assert (outbox.settled, sender.under_way) == ([], 0)


async def test_who_is_asked_to_end_while_it_claims_hands_back_what_it_is_given() -> None:
    outbox, sender = FakeOutbox(given := due(3)), FakeSender()
    outbox.claims_at_once.clear()

    async with at_work(outbox, sender):
        await wait_until(lambda: not outbox.due)
        asyncio.get_running_loop().call_later(0.001, outbox.claims_at_once.set)

    assert outbox.back == given
    assert (outbox.settled, sender.most) == ([], 0)


async def test_who_is_asked_to_end_while_the_store_is_away_ends() -> None:
    outbox, sender = FakeOutbox(due(3), away=1), FakeSender()

    async with at_work(outbox, sender):
        await wait_until(lambda: not outbox.away)

    assert (outbox.back, sender.most) == ([], 0)


async def test_who_is_asked_to_end_ends_what_can_be_ended() -> None:
    outbox, sender = FakeOutbox(due(3)), FakeSender()

    async with at_work(outbox, sender):
        await wait_until(lambda: sender.under_way == 3)
        asyncio.get_running_loop().call_later(0.001, sender.go.set)

    assert (len(outbox.settled), outbox.back) == (3, [])


async def test_one_webhook_has_no_more_under_way_than_its_cap_and_everything_comes_in_time() -> None:
    outbox, sender = FakeOutbox(due(100)), FakeSender()

    async with at_work(outbox, sender):
        await wait_until(lambda: sender.under_way == CAP)
        sender.go.set()
        await wait_until(lambda: len(outbox.settled) == 100)

    assert sender.most == CAP < MOST


async def test_who_has_nothing_to_do_asks_nobody() -> None:
    """Until the bell rings."""
    outbox, sender = FakeOutbox(), FakeSender()
    sender.go.set()

    async with at_work(outbox, sender) as (dispatcher, _):
        await wait_until(lambda: len(outbox.asked) == 1)
        for _ in range(100):
            await asyncio.sleep(0)
        idle = len(outbox.asked)
        outbox.due += due(1)
        dispatcher.ring()
        await wait_until(lambda: len(outbox.settled) == 1)

    assert idle == 1


async def test_a_lease_outlives_the_attempt_that_it_covers() -> None:
    outbox = FakeOutbox()

    async with at_work(outbox, FakeSender()):
        await wait_until(lambda: len(outbox.asked) == 1)

    assert outbox.asked[0] == (MOST, timedelta(seconds=30))


async def test_an_attempt_that_cannot_be_noted_is_noted_later_and_not_made_again() -> None:
    outbox, sender = FakeOutbox(due(1)), FakeSender()
    sender.go.set()

    async with at_work(outbox, sender):
        await wait_until(lambda: sender.most == 1)
        outbox.away = 1
        await wait_until(lambda: len(outbox.settled) == 1)

    assert sender.most == 1


async def test_a_short_wait_is_not_slept_through() -> None:
    """Who delivers looks again before a retry is due, although no bell rings for it."""
    outbox, sender = FakeOutbox(due(1)), FakeSender(Failed("status 500", 500))
    sender.go.set()

    async with at_work(outbox, sender):
        await wait_until(lambda: len(outbox.asked) == 2)

    assert outbox.settled[0][1].follows == "again"


async def test_a_webhook_whose_record_cannot_be_opened_costs_the_crm_no_attempt() -> None:
    outbox, sender = FakeOutbox(due(1)), FakeSender()

    async with at_work(outbox, sender, lambda *_: None) as (_, notes):
        await wait_until(lambda: len(notes.of("delivery.attempted")) == 1)

    [(_, settled)] = outbox.settled
    assert (settled.follows, settled.wait, settled.entry) == ("postponed", timedelta(minutes=1), b"")
    assert "SECRET_KEY" in notes.of("delivery.attempted")[0]["hint"]
    assert sender.most == 0


async def test_after_what_nobody_foresaw_deliveries_go_on() -> None:
    """A worker has no health check that would have it restarted."""
    outbox, sender = FakeOutbox(due(1)), FakeSender()
    sender.go.set()
    faults = [KeyError("odd")]

    def sometimes(name: str, record: bytes) -> Webhook | None:
        if faults:
            outbox.due = due(1)
            raise faults.pop()
        return opened(name, record)

    async with at_work(outbox, sender, sometimes) as (dispatcher, notes):
        await wait_until(lambda: bool(notes.of("dispatcher.failed")))
        dispatcher.ring()
        await wait_until(lambda: len(outbox.settled) == 1)
