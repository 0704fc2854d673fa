"""A page may wait for what the CRM answers, and open the deal that it made (`Prefer: wait`)."""

import asyncio

import pytest

from tests.crm import Crm, answering
from tests.driver import Gateway, running, simulated

pytestmark = pytest.mark.usefixtures("books")


async def test_a_page_gets_what_the_crm_answered(gateway: Gateway, crm: Crm) -> None:
    webhook = await gateway.webhook(crm.url)
    crm.mood = answering(201, '{"url": "https://crm.example/d/78"}')

    answer = await gateway.event(wait=5)

    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=5"
    assert answer.json() == {
        "id": crm.received[0].id,
        "results": [
            {
                "webhook_id": webhook["id"],
                "status": "delivered",
                "response": {"status": 201, "body": '{"url": "https://crm.example/d/78"}'},
            }
        ],
    }


async def test_a_page_gets_the_answers_of_all_webhooks(gateway: Gateway, crm: Crm) -> None:
    """One that fails was tried, and is tried again: the page need not wait for that."""
    paths = {(await gateway.webhook(crm.url + path))["id"]: path for path in ("/one", "/two", "/down")}
    crm.mood = lambda received: answering(503 if received.path.endswith("/down") else 200, received.path)(received)

    results = (await gateway.event(wait=5)).json()["results"]

    assert {paths[one["webhook_id"]]: (one["status"], one["response"]["status"]) for one in results} == {
        "/one": ("delivered", 200),
        "/two": ("delivered", 200),
        "/down": ("pending", 503),
    }


async def test_nobody_answers_where_nobody_listens(gateway: Gateway, crm: Crm) -> None:
    await gateway.webhook(crm.url, "WZ_OPEN_ENTITY")

    answer = await gateway.event(wait=5)

    assert (answer.status_code, answer.json()["results"]) == (200, [])


async def test_a_webhook_that_cannot_be_reached_has_no_answer(gateway: Gateway) -> None:
    await gateway.webhook("http://127.0.0.1:1/nobody")

    [result] = (await gateway.event(wait=5)).json()["results"]

    assert (result["status"], result["response"]) == ("pending", None)


async def test_a_page_that_waited_long_enough_is_told_that_the_event_is_stored(gateway: Gateway, crm: Crm) -> None:
    """The CRM has it all the same."""
    webhook = await gateway.webhook(crm.url)
    crm.held = asyncio.Event()

    answer = await gateway.event(wait=1)
    crm.held.set()
    await gateway.delivery(webhook["id"], "delivered")

    assert answer.status_code == 202
    assert answer.json() == {"id": crm.received[0].id, "duplicate": False, "deliveries": 1}
    assert len(crm.received) == 1


async def test_a_page_may_wait_at_one_replica_for_what_another_delivers(redis_url: str, crm: Crm) -> None:
    """And it is told at once: it does not look every second."""
    wazzup = simulated()
    async with (
        running(redis_url, wazzup=wazzup, delivers=False) as asked,
        running(redis_url, wazzup=wazzup) as delivers,
    ):
        await delivers.webhook(crm.url)
        crm.mood = answering(200, "made")
        await asked.event(wait=5)  # Both are surely listening to each other now.

        async with asyncio.timeout(0.8):
            answer = await asked.event(wait=5)

        assert [one["response"]["body"] for one in answer.json()["results"]] == ["made"]


async def test_an_event_that_is_posted_again_has_the_same_answers(gateway: Gateway, crm: Crm) -> None:
    await gateway.webhook(crm.url)
    crm.mood = answering(200, "made")

    first = await gateway.event(id="click-1", wait=5)
    again = await gateway.event(id="click-1", wait=5)

    assert again.json() == first.json()
    assert len(crm.received) == 1


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=5", "wait=5"),
        ('respond-async, wait="7"', "wait=7"),
        ("WAIT = 3; foo=bar", "wait=3"),
        ("wait=600", "wait=30"),
        ("wait=0", None),
        ("wait", None),
        ("wait=-5", None),
        ("wait=5.5", None),
        ("await=5", None),
        ("wait=99999999999", None),
        ("respond-async", None),
    ],
)
async def test_only_a_preference_that_is_understood_is_applied(gateway: Gateway, prefer: str, applied: str) -> None:
    answer = await gateway.ask("POST", "/events", {"type": "WZ_X", "data": {}}, headers={"Prefer": prefer})

    assert answer.status_code == (200 if applied else 202)
    assert answer.headers.get("preference-applied") == applied
