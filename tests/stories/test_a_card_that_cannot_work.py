"""What Wazzup refuses is refused again for some seconds, so that a broken card does not use up the calls of others."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from app.simulator.faults import Fault
from tests.driver import CARD, Clock, Gateway, running, simulated
from tests.waiting import wait_until

REFUSED = pytest.mark.parametrize(("status", "code"), [(400, "WAZZUP_REFUSED"), (403, "WAZZUP_FORBIDDEN")])


@REFUSED
async def test_the_same_question_is_not_asked_again(gateway: Gateway, status: int, code: str) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=status, errors=("chats must be good",)))

    first, *others = [await gateway.link() for _ in range(5)]

    assert gateway.questions == 1
    assert first.json()["code"] == code
    for other in others:
        assert other.status_code == first.status_code
        assert {**other.json(), "request_id": None} == {**first.json(), "request_id": None}


@REFUSED
async def test_another_replica_knows_it_too(redis_url: str, clock: Clock, status: int, code: str) -> None:
    wazzup = simulated(clock)
    async with running(redis_url, clock, wazzup=wazzup) as one, running(redis_url, clock, wazzup=wazzup) as two:
        one.wazzup.faults.add(Fault(on="links", status=status))
        await one.link()

        answer = await two.link()

        assert answer.json()["code"] == code
        assert one.questions == 1


async def test_whoever_waits_on_another_replica_gets_the_same_no(redis_url: str) -> None:
    wazzup = simulated()
    async with running(redis_url, wazzup=wazzup) as one, running(redis_url, wazzup=wazzup) as two:
        one.wazzup.faults.add(Fault(on="links", status=400, delay_seconds=0.1))
        first = asyncio.create_task(one.link())
        await wait_until(lambda: one.questions == 1)

        second = await two.link()

        assert (await first).status_code == second.status_code == 422
        assert one.questions == 1


async def test_after_some_seconds_it_is_asked_again(gateway: Gateway, redis: Redis) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=400))
    await gateway.link()
    [name] = await redis.keys("wg:*:refused:*")
    assert 3000 < await redis.pttl(name) <= 5000

    await redis.delete(name)

    assert (await gateway.link()).status_code == 200


INSISTING = pytest.mark.parametrize(
    "insists", [{"question": {**CARD, "max_age": 0}}, {"Cache-Control": "no-cache"}], ids=["max_age", "no-cache"]
)


@INSISTING
async def test_who_insists_is_refused_too(gateway: Gateway, clock: Clock, insists: dict[str, Any]) -> None:
    """Whoever wants a newer link wants one that works; a page that always insists costs no more calls than others."""
    gateway.wazzup.faults.add(Fault(on="links", status=400))
    await gateway.link(**insists)
    clock.advance(seconds=1)

    assert (await gateway.link(**insists)).status_code == 422
    assert gateway.questions == 1


@INSISTING
async def test_who_insists_with_a_good_link_at_hand_is_refused_too(gateway: Gateway, insists: dict[str, Any]) -> None:
    await gateway.link()
    gateway.wazzup.faults.add(Fault(on="links", status=400))

    answers = [await gateway.link(**insists) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {422}
    assert gateway.questions == 2


async def test_with_the_cache_off_a_no_is_remembered_and_a_link_is_not(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, link_cache_ttl_seconds="0") as gateway:
        gateway.wazzup.faults.add(Fault(on="links", status=400))

        answers = [await gateway.link() for _ in range(3)]

        assert {answer.status_code for answer in answers} == {422}
        assert gateway.questions == 1
        others = [await gateway.link({**CARD, "user_id": "another"}) for _ in range(2)]
        assert {other.json()["cached"] for other in others} == {False}


async def test_another_question_of_the_same_user_is_asked(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=400))
    await gateway.link()

    assert (await gateway.link({"user_id": "crm-user-1", "scope": "global"})).status_code == 200


@pytest.mark.parametrize("fault", [Fault(on="links", status=401), Fault(on="links", status=500, times=2)])
async def test_what_may_be_otherwise_in_a_moment_is_not_remembered(gateway: Gateway, fault: Fault) -> None:
    gateway.wazzup.faults.add(fault)
    await gateway.link()

    assert (await gateway.link()).status_code == 200


async def test_a_link_that_is_still_good_outlives_a_no(gateway: Gateway) -> None:
    await gateway.link()
    gateway.wazzup.faults.add(Fault(on="links", status=400))
    refused = await gateway.link({**CARD, "max_age": 0})

    assert refused.status_code == 422
    assert (await gateway.link()).json()["cached"] is True


async def test_nothing_of_a_no_can_be_read_in_redis(gateway: Gateway, redis: Redis) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=400, errors=("chats must be good",)))
    await gateway.link()

    [name] = await redis.keys("wg:*:refused:*")
    assert b"chats must be good" not in (await redis.get(name) or b"")
