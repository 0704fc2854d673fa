"""What the relay makes of an event, and how it waits for answers: on a fake outbox."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.errors import OtherUser, StoreUnavailable
from app.events.models import PostedEvent
from app.events.relay import Answer, EventRelay, Poster
from app.events.waiting import Waiting
from app.webhooks.outbox import Put
from tests.driver import Clock
from tests.notes import Notes
from tests.waiting import wait_until

SERVER, ANNA = Poster(None, from_browser=False), Poster("anna", from_browser=True)
TRIED = Answer("wh_a", "delivered", tried=True, status=200, body="made")
UNTRIED = Answer("wh_a", "pending", tried=False, status=None, body="")


@dataclass
class FakeOutbox:
    told: list[Sequence[Answer]] = field(default_factory=lambda: [[TRIED]])
    put_with: dict[str, Any] = field(default_factory=dict)
    looks: int = 0
    away: bool = False

    async def put(self, event_id: str, kind: str, body: bytes, *, once: str, waiter: str) -> Put:
        self.put_with = {"kind": kind, "body": body, "once": once, "waiter": waiter}
        return Put(event_id, 1, duplicate=False)

    async def answers(self, event_id: str) -> Sequence[Answer]:
        self.looks += 1
        if self.away:
            raise StoreUnavailable
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]


def relay_on(outbox: FakeOutbox, waiting: Waiting | None = None) -> EventRelay:
    return EventRelay(outbox, waiting or Waiting("here"), "default", Clock(), Notes())


def event(data: Any = None, **more: Any) -> PostedEvent:
    return PostedEvent.model_validate({"type": "WZ_A", "data": data or {}} | more)


async def once_of(**more: Any) -> Any:
    outbox, key = FakeOutbox(), more.pop("key", None)
    await relay_on(outbox).accept(event(**more), SERVER, key=key, waits=False)
    return outbox.put_with["once"]


async def test_what_a_page_calls_its_event_does_not_stand_in_the_store() -> None:
    """However long it is, and whatever it says."""
    name = await once_of(id="phone-37129876543")

    assert "371" not in name[:3] or "37129876543" not in name
    assert len(name) == len(await once_of(key="x" * 5000)) == 32


async def test_an_id_and_a_key_are_one_name_and_the_id_comes_first() -> None:
    assert await once_of(id="click-1") == await once_of(key="click-1") == await once_of(id="click-1", key="other")
    assert await once_of() == await once_of(key="") == ""


async def test_nobody_is_told_of_answers_that_nobody_waits_for() -> None:
    outbox = FakeOutbox()

    await relay_on(outbox).accept(event(), SERVER, key=None, waits=False)
    unwanted = outbox.put_with["waiter"]
    await relay_on(outbox).accept(event(), SERVER, key=None, waits=True)

    assert (unwanted, outbox.put_with["waiter"]) == ("", "here")


@pytest.mark.parametrize("user", ["bert", "", 0, False, 1.5, [], {}])
async def test_a_token_speaks_for_its_user_only(user: Any) -> None:
    outbox = FakeOutbox()

    with pytest.raises(OtherUser):
        await relay_on(outbox).accept(event({"userId": user}), ANNA, key=None, waits=False)

    assert outbox.put_with == {}


async def test_an_event_that_is_accepted_is_noted_without_what_it_says() -> None:
    relay = relay_on(FakeOutbox())

    stored = await relay.accept(event({"chatId": "37129876543"}), ANNA, key="click-1", waits=False)

    assert isinstance(relay.journal, Notes)
    assert relay.journal.of("event.accepted") == [
        {"account": "default", "event_id": stored.event_id, "type": "WZ_A", "deliveries": 1, "outcome": "accepted"}
    ]


# --- waiting --------------------------------------------------------------------------------------


async def test_answers_that_are_there_are_told_at_once() -> None:
    assert await relay_on(FakeOutbox()).answers("evt_a", within=5) == [TRIED]


async def test_who_waits_is_woken_by_the_bell() -> None:
    outbox, waiting = FakeOutbox([[UNTRIED], [UNTRIED], [TRIED]]), Waiting("here")
    asking = asyncio.create_task(relay_on(outbox, waiting).answers("evt_a", within=5))

    await wait_until(lambda: outbox.looks == 1)
    waiting.heard("evt_other")
    waiting.heard("evt_a")
    await wait_until(lambda: outbox.looks == 2)
    waiting.heard("")

    assert await asking == [TRIED]
    assert outbox.looks == 3


async def test_a_bell_that_rings_while_we_look_is_heard() -> None:
    """Between the look and the waiting nothing may be missed, or the page would wait a second for nothing."""
    waiting = Waiting("here")

    class Rings(FakeOutbox):
        async def answers(self, event_id: str) -> Sequence[Answer]:
            waiting.heard(event_id)
            return await super().answers(event_id)

    async with asyncio.timeout(0.5):
        assert await relay_on(Rings([[UNTRIED], [TRIED]]), waiting).answers("evt_a", within=5) == [TRIED]


async def test_who_waited_long_enough_is_told_nothing_and_leaves_nothing_behind() -> None:
    waiting = Waiting("here")

    assert await relay_on(FakeOutbox([[UNTRIED]]), waiting).answers("evt_a", within=0.01) is None

    assert waiting._watchers == {}


async def test_a_store_that_goes_away_is_no_reason_to_post_the_event_again() -> None:
    """It is stored. A page that was told of a failure, and had given no id, would post a second one."""
    assert await relay_on(FakeOutbox(away=True)).answers("evt_a", within=5) is None
