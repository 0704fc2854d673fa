"""A delivery is tried until the CRM has it, by the schedule and not before; and it always ends, with a reason."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from app.store import connected
from app.webhooks.outbox import RedisOutbox
from tests.crm import Crm, answering
from tests.driver import Clock, Gateway, running
from tests.ledger import balanced, says
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("books")


@pytest.fixture
async def impatient(redis_url: str, clock: Clock) -> AsyncIterator[Gateway]:
    """A gateway that tries three times."""
    async with running(redis_url, clock, webhook_retry_seconds="0,5,30") as opened:
        yield opened


async def test_a_webhook_that_is_down_is_tried_again(gateway: Gateway, crm: Crm) -> None:
    """A failed attempt waits for its turn, then goes out again: the same bytes under the same id, signed anew."""
    webhook = await gateway.webhook(crm.url)
    crm.answers(500)

    await gateway.event(id="first")
    await attempts_of(gateway, webhook["id"], 1)
    [waits] = await gateway.deliveries(webhook["id"])
    gateway.later(seconds=4.9)
    await gateway.event(id="second")
    in_the_meantime = [one.id for one in await crm.got(2)]
    gateway.later(seconds=0.7)
    first, second, again = await crm.got(3)

    assert waits["status"] == "pending"
    assert waits["next_attempt_at"] > "2026-11-22T12:00:05"
    assert in_the_meantime == [first.id, second.id]
    assert (again.id, again.raw) == (first.id, first.raw)
    assert int(again.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 5
    assert again.headers["webhook-signature"] != first.headers["webhook-signature"]


async def test_a_retry_comes_in_time_by_itself(redis_url: str, crm: Crm) -> None:
    """Nothing else happens meanwhile that could wake anybody."""
    async with running(redis_url, webhook_retry_seconds="0,1,1") as gateway:
        await gateway.webhook(crm.url)
        crm.answers(500)

        await gateway.event()
        async with asyncio.timeout(3):
            await crm.got(2)


async def test_a_delivery_that_always_fails_dies_with_a_reason(impatient: Gateway, crm: Crm, redis: Redis) -> None:
    webhook = await impatient.webhook(crm.url)
    crm.mood = answering(500, "out of order")

    await impatient.event()
    for number in (1, 2):
        await crm.got(number)
        await attempts_of(impatient, webhook["id"], number)
        impatient.later(minutes=1)
    dead = await impatient.delivery(webhook["id"], "dead")

    assert [one["status"] for one in dead["attempts"]] == [500, 500, 500]
    assert dead["attempts"][0] | {"duration_ms": 0} == {
        "at": "2026-11-22T12:00:00Z", "duration_ms": 0, "status": 500, "error": "status 500", "body": "out of order"
    }  # fmt: skip
    assert (dead["reason"], dead["next_attempt_at"]) == ("status 500", None)
    assert await balanced(redis) == {"accepted": 1, "delivered": 0, "pending": 0, "dead": 1, "unmatched": 0}
    assert (await impatient.ask("GET", f"/webhooks/{webhook['id']}")).json()["enabled"] is True


@pytest.mark.parametrize(
    ("mood", "reason", "status"),
    [
        (answering(410), "status 410", "dead"),
        (answering(404, webhook_delivery="disable"), "answer header webhook-delivery: disable", "dead"),
        (answering(200, webhook_delivery="disable"), "answer header webhook-delivery: disable", "delivered"),
    ],
)
async def test_a_crm_that_wants_no_more_is_left_alone(
    gateway: Gateway, crm: Crm, mood: object, reason: str, status: str
) -> None:
    webhook = await gateway.webhook(f"{crm.url}/old")
    crm.moods = [mood]  # type: ignore[list-item]

    await gateway.event()
    await gateway.delivery(webhook["id"], status)
    told = (await gateway.ask("GET", f"/webhooks/{webhook['id']}")).json()
    await gateway.webhook(f"{crm.url}/new")
    after = await gateway.event()
    received = await crm.got(2)

    assert (told["enabled"], told["disabled_reason"]) == (False, reason)
    assert told["disabled_at"] == "2026-11-22T12:00:00Z"
    assert after.json()["deliveries"] == 1
    assert received[1].path.endswith("/new")


async def test_a_webhook_that_only_failed_for_five_days_is_disabled(redis_url: str, clock: Clock, crm: Crm) -> None:
    async with running(redis_url, clock, webhook_retry_seconds="0") as gateway:
        webhook = await gateway.webhook(crm.url)
        crm.mood = answering(500)
        enabled = []
        for days in (0, 4.6, 0.6):
            gateway.later(days=days)
            await gateway.event()
            await gateway.delivery(webhook["id"], "dead")
            enabled.append((await gateway.ask("GET", f"/webhooks/{webhook['id']}")).json())

        assert [one["enabled"] for one in enabled] == [True, True, False]
        assert enabled[-1]["disabled_reason"] == "it only failed for five days"


async def test_a_webhook_that_hangs_delays_no_other(gateway: Gateway, crm: Crm, redis: Redis) -> None:
    await gateway.webhook(f"{crm.url}/hangs")
    await gateway.webhook(f"{crm.url}/well")
    crm.held, crm.holds = asyncio.Event(), "/hangs"

    for _ in range(40):
        await gateway.event()
    await crm.got(40, at="/well")
    under_way = len(crm.at("/hangs"))
    crm.held.set()
    await crm.got(40, at="/hangs")

    assert under_way == 16


@pytest.mark.parametrize(
    ("method", "change", "reason"),
    [("DELETE", None, "the webhook was deleted"), ("PATCH", {"enabled": False}, "the webhook was disabled")],
)
async def test_what_is_pending_for_a_webhook_that_is_gone_dies(
    gateway: Gateway, crm: Crm, redis: Redis, method: str, change: object, reason: str
) -> None:
    """At once, and not only when its next attempt would have come."""
    gone, other = await gateway.webhook(f"{crm.url}/gone"), await gateway.webhook(f"{crm.url}/other")
    crm.mood = lambda received: answering(500 if received.path.endswith("/gone") else 200)(received)
    for _ in range(3):
        await gateway.event()
    await gateway.delivery(other["id"], "delivered")
    await crm.got(6)
    await attempts_of(gateway, gone["id"], 1)

    answer = await gateway.ask(method, f"/webhooks/{gone['id']}", change)
    await says(redis, "dead", 3)

    assert answer.status_code in {200, 204}
    assert await balanced(redis) == {"accepted": 6, "delivered": 3, "pending": 0, "dead": 3, "unmatched": 0}
    if method == "PATCH":
        assert {one["reason"] for one in await gateway.deliveries(gone["id"])} == {reason}
    assert len(crm.received) == 6


async def test_a_gateway_that_ends_lets_an_attempt_end(redis_url: str, redis: Redis, clock: Clock, crm: Crm) -> None:
    async with running(redis_url, clock) as gateway:
        await gateway.webhook(crm.url)
        crm.held = asyncio.Event()
        await gateway.event()
        await crm.got(1)

        ending = asyncio.create_task(gateway.app.state.house.rest())
        await gateway.ask("GET", "/health/live")
        crm.held.set()
        await ending

        assert (await balanced(redis))["delivered"] == 1


async def test_events_that_come_while_nobody_delivers_are_delivered_later(
    redis_url: str, clock: Clock, crm: Crm
) -> None:
    async with running(redis_url, clock, delivers=False) as gateway:
        await gateway.webhook(crm.url)
        accepted = [(await gateway.event()).json()["id"] for _ in range(3)]
        assert crm.received == []

    async with running(redis_url, clock):
        assert {one.id for one in await crm.got(3)} == set(accepted)


async def test_what_a_killed_worker_had_begun_is_delivered_when_its_lease_ends(
    redis_url: str, clock: Clock, crm: Crm
) -> None:
    """It was claimed, and nobody ever said what became of it."""
    async with running(redis_url, clock, delivers=False) as gateway, connected(redis_url, clock) as store:
        await gateway.webhook(crm.url)
        begun = (await gateway.event()).json()["id"]
        span = timedelta(days=1)
        dying = RedisOutbox(store, clock, "default", kept=span, longest=span, first_wait=timedelta(0))
        await dying.claim(lease=timedelta(seconds=30), most=64, cap=16, held={})

    async with running(redis_url, clock) as gateway:
        gateway.later(seconds=29)
        other = (await gateway.event()).json()["id"]
        before = [one.id for one in await crm.got(1)]
        gateway.later(seconds=2)

        assert before == [other]
        assert [one.id for one in await crm.got(2)] == [other, begun]


async def attempts_of(gateway: Gateway, webhook_id: str, number: int) -> None:
    """Returns when so many attempts of every delivery are noted."""

    async def are_noted() -> bool:
        return all(len(one["attempts"]) >= number for one in await gateway.deliveries(webhook_id))

    await eventually(are_noted)
