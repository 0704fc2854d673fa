"""202 is a promise: what cannot be stored is not accepted, and the page is told to keep it."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.embedded import embedded_valkey
from tests.crm import Crm
from tests.driver import Clock, Gateway, running
from tests.ledger import says


async def test_without_a_store_no_event_is_accepted(clock: Clock) -> None:
    async with running("unix:///nobody/listens/here", clock) as gateway:
        answer = await gateway.event()

        assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/webhooks", None),
        ("POST", "/webhooks", {"url": "http://127.0.0.1:1/"}),
        ("GET", "/events", None),
        ("POST", "/deliveries/evt_0:wh_0/retry", None),
        ("GET", "/webhooks/wh_0000000000000000000000", None),
    ],
)
async def test_nothing_is_said_of_webhooks_without_a_store(clock: Clock, method: str, path: str, body: object) -> None:
    """Not even that there is none: nobody knows."""
    async with running("unix:///nobody/listens/here", clock) as gateway:
        answer = await gateway.ask(method, path, body)

        assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")


async def test_an_event_that_was_refused_is_posted_again_and_nothing_is_lost(tmp_path: Path, crm: Crm) -> None:
    """The store is away for a while: what was accepted before is there again, and who delivers goes on by himself."""
    clock = Clock()
    async with embedded_valkey(tmp_path) as url, running(url, clock, delivers=False) as gateway:
        await gateway.webhook(crm.url)
        kept = (await gateway.event(id="click-1")).json()["id"]
    async with running(url, clock) as gateway:
        refused = await gateway.event(id="click-2")
        async with embedded_valkey(tmp_path), Redis.from_url(url) as redis:
            clock.advance(seconds=2)
            again = await gateway.event(id="click-2")
            repeated = await gateway.event(id="click-1")
            received = await crm.got(2)

            assert refused.status_code == 503
            assert (again.status_code, again.json()["duplicate"]) == (202, False)
            assert (repeated.json()["id"], repeated.json()["duplicate"]) == (kept, True)
            assert {one.id for one in received} == {kept, again.json()["id"]}
            await says(redis, "delivered", 2)


async def test_a_store_that_was_emptied_holds_nobody_up(gateway: Gateway, redis: Redis, crm: Crm) -> None:
    await gateway.webhook(crm.url)
    await gateway.event()
    await crm.got(1)
    await redis.flushall()
    await redis.script_flush()

    await gateway.webhook(crm.url)
    await gateway.event()

    assert len(await crm.got(2)) == 2
    await says(redis, "delivered", 1)
