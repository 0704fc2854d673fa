"""What died, what came too early, or whatever is asked for, can be sent again; its id stays the same."""

import asyncio
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from tests.crm import Crm, answering
from tests.driver import Clock, Gateway
from tests.ledger import balanced, says
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("books")

SINCE = "2026-11-22T00:00:00Z"


async def replay(gateway: Gateway, webhook: Any, status: str = "dead", **span: str) -> httpx.Response:
    asked = {"since": SINCE, "status": status} | span
    return await gateway.ask("POST", f"/webhooks/{webhook['id']}/replay", asked)


async def buried(gateway: Gateway, crm: Crm, *kinds: str) -> tuple[Any, list[str]]:
    """A webhook whose deliveries died, and the events of them."""
    webhook = await gateway.webhook(crm.url)
    crm.mood = answering(410)
    ids = [(await gateway.event(kind)).json()["id"] for kind in kinds]
    await gateway.delivery(webhook["id"], "dead")
    await gateway.ask("PATCH", f"/webhooks/{webhook['id']}", {"enabled": False})

    async def are_dead() -> bool:
        return len(await gateway.deliveries(webhook["id"], status="dead")) == len(ids)

    await eventually(are_dead)
    crm.mood = answering(200)
    crm.received.clear()
    return webhook, ids


async def test_an_event_that_nobody_wanted_waits_for_a_webhook(gateway: Gateway, crm: Crm, redis: Redis) -> None:
    accepted = (await gateway.event()).json()
    await gateway.event("WZ_OPEN_ENTITY")
    webhook = await gateway.webhook(crm.url, "WZ_CREATE_ENTITY")

    first, second = await replay(gateway, webhook, "missed"), await replay(gateway, webhook, "missed")
    [received] = await crm.got(1)
    await gateway.delivery(webhook["id"], "delivered")

    assert accepted["deliveries"] == 0
    assert (first.json(), second.json()) == ({"deliveries": 1}, {"deliveries": 0})
    assert received.id == accepted["id"]
    assert await balanced(redis) == {"accepted": 3, "delivered": 1, "pending": 0, "dead": 0, "unmatched": 2}


async def test_what_came_while_a_webhook_was_disabled_is_missed_too(gateway: Gateway, crm: Crm) -> None:
    webhook = await gateway.webhook(crm.url)
    await gateway.event()
    await gateway.delivery(webhook["id"], "delivered")
    await gateway.ask("PATCH", f"/webhooks/{webhook['id']}", {"enabled": False})
    missed = (await gateway.event()).json()

    refused = await replay(gateway, webhook, "missed")
    enabled = await gateway.ask("PATCH", f"/webhooks/{webhook['id']}", {"enabled": True})
    answer = await replay(gateway, webhook, "missed")
    received = await crm.got(2)

    assert (refused.status_code, refused.json()["code"]) == (409, "WEBHOOK_DISABLED")
    assert (enabled.json()["enabled"], enabled.json()["disabled_reason"]) == (True, None)
    assert answer.json() == {"deliveries": 1}
    assert received[1].id == missed["id"]


async def test_what_died_is_sent_again_and_nothing_else(gateway: Gateway, crm: Crm, redis: Redis) -> None:
    webhook, ids = await buried(gateway, crm, "WZ_A", "WZ_B")
    await gateway.ask("PATCH", f"/webhooks/{webhook['id']}", {"enabled": True})
    well = (await gateway.event("WZ_C")).json()["id"]
    await crm.got(1)

    answer = await replay(gateway, webhook)
    received = await crm.got(3)
    again = await gateway.delivery(webhook["id"], "delivered")

    assert answer.json() == {"deliveries": 2}
    assert [one.id for one in received][:1] == [well]
    assert {one.id for one in received[1:]} == set(ids)
    assert again["reason"] is None
    await says(redis, "delivered", 3)


async def test_everything_of_a_span_can_be_sent_again(gateway: Gateway, crm: Crm, clock: Clock) -> None:
    """To the millisecond: from `since` on, and before `until`."""
    webhook = await gateway.webhook(crm.url, "WZ_A")
    ids = []
    for _ in range(4):
        ids.append((await gateway.event("WZ_A")).json()["id"])
        await gateway.event("WZ_UNWANTED")
        await gateway.delivery(webhook["id"], "delivered")
        clock.advance(minutes=1)

    answer = await replay(gateway, webhook, "all", since="2026-11-22T12:01:00Z", until="2026-11-22T12:03:00Z")
    received = await crm.got(6)

    assert answer.json() == {"deliveries": 2}
    assert {one.id for one in received[4:]} == set(ids[1:3])


async def test_a_replay_of_thousands_is_done_in_steps(gateway: Gateway, crm: Crm, redis: Redis) -> None:
    for _ in range(11):
        await asyncio.gather(*(gateway.event("WZ_A") for _ in range(100)))
    webhook = await gateway.webhook(crm.url, "WZ_A")
    crm.held = asyncio.Event()

    answer = await replay(gateway, webhook, "missed")

    assert answer.json() == {"deliveries": 1100}
    assert (await balanced(redis))["pending"] == 1100
    await gateway.ask("DELETE", f"/webhooks/{webhook['id']}")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"since": SINCE, "until": SINCE}, "#/until"),
        ({"since": "2026-11-22"}, "#/since"),
        ({"since": SINCE, "status": "delivered"}, "#/status"),
        ({}, "#/since"),
    ],
)
async def test_a_span_that_says_nothing_is_refused(gateway: Gateway, crm: Crm, asked: Any, pointer: str) -> None:
    webhook = await gateway.webhook(crm.url)

    answer = await gateway.ask("POST", f"/webhooks/{webhook['id']}/replay", asked)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_one_event_can_be_sent_again_to_everybody_who_wants_it(gateway: Gateway, crm: Crm) -> None:
    await gateway.webhook(crm.url + "/all")
    event_id = (await gateway.event()).json()["id"]
    await crm.got(1)
    await gateway.webhook(crm.url + "/new", "WZ_CREATE_ENTITY")
    await gateway.webhook(crm.url + "/other", "WZ_OTHER")
    await settled(gateway, event_id)

    answer = await gateway.ask("POST", f"/events/{event_id}/replay")
    received = await crm.got(3)

    assert answer.json() == {"deliveries": 2}
    assert {one.path.rpartition("/")[2] for one in received[1:]} == {"all", "new"}
    assert {(one.id, one.raw) for one in received} == {(event_id, received[0].raw)}


async def test_one_delivery_can_be_sent_again(gateway: Gateway, crm: Crm) -> None:
    webhook, [event_id] = await buried(gateway, crm, "WZ_A")
    delivery = f"/deliveries/{event_id}:{webhook['id']}/retry"

    disabled = await gateway.ask("POST", delivery)
    await gateway.ask("PATCH", f"/webhooks/{webhook['id']}", {"enabled": True})
    sent = await gateway.ask("POST", delivery)
    [received] = await crm.got(1)
    await gateway.delivery(webhook["id"], "delivered")
    delivered = await gateway.ask("POST", delivery)
    await gateway.ask("DELETE", f"/webhooks/{webhook['id']}")
    deleted = await gateway.ask("POST", delivery)

    assert [(one.status_code, one.json()["code"]) for one in (disabled, delivered, deleted)] == [
        (409, "CONFLICT"), (409, "CONFLICT"), (404, "DELIVERY_NOT_FOUND")
    ]  # fmt: skip
    assert (sent.status_code, sent.content, received.id) == (202, b"", event_id)


async def test_a_delivery_that_waits_can_be_hurried(gateway: Gateway, crm: Crm) -> None:
    webhook = await gateway.webhook(crm.url)
    crm.answers(500)
    event_id = (await gateway.event()).json()["id"]
    await settled(gateway, event_id)

    answer = await gateway.ask("POST", f"/deliveries/{event_id}:{webhook['id']}/retry")
    await crm.got(2)

    assert answer.status_code == 202
    assert len((await gateway.delivery(webhook["id"], "delivered"))["attempts"]) == 2


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/events/evt_00000000000000000000000", "EVENT_NOT_FOUND"),
        ("GET", "/events/a|b%00%ff", "EVENT_NOT_FOUND"),
        ("POST", "/events/evt_0/replay", "EVENT_NOT_FOUND"),
        ("POST", "/deliveries/evt_0:wh_0/retry", "DELIVERY_NOT_FOUND"),
        ("POST", "/deliveries/nonsense/retry", "DELIVERY_NOT_FOUND"),
        ("POST", "/deliveries/:/retry", "DELIVERY_NOT_FOUND"),
        ("GET", "/webhooks/wh_0", "WEBHOOK_NOT_FOUND"),
        ("GET", "/webhooks/wh_0/deliveries", "WEBHOOK_NOT_FOUND"),
        ("DELETE", "/webhooks/wh_0000000000000000000000", "WEBHOOK_NOT_FOUND"),
        ("POST", "/webhooks/x/test", "WEBHOOK_NOT_FOUND"),
        ("POST", "/webhooks/x/rotate-secret", "WEBHOOK_NOT_FOUND"),
    ],
)
async def test_what_is_not_there_is_not_found(gateway: Gateway, method: str, path: str, code: str) -> None:
    answer = await gateway.ask(method, path)

    assert (answer.status_code, answer.json()["code"]) == (404, code)


async def settled(gateway: Gateway, event_id: str) -> None:
    """Returns when every delivery of the event was tried."""

    async def are_tried() -> bool:
        return all(one["attempts"] for one in (await gateway.ask("GET", f"/events/{event_id}")).json()["deliveries"])

    await eventually(are_tried)
