"""Equal questions that meet are asked once, on one replica or several, whatever happens to those who asked."""

import asyncio
from collections import Counter

import httpx
from redis.asyncio import Redis

from app.simulator.faults import Fault
from tests.driver import CARD, SERVER_KEY, Clock, Gateway, running, simulated
from tests.waiting import wait_until


async def test_forty_equal_questions_over_two_replicas_are_asked_once(redis_url: str) -> None:
    wazzup = simulated()
    async with running(redis_url, wazzup=wazzup) as one, running(redis_url, wazzup=wazzup) as two:
        one.wazzup.faults.add(Fault(on="links", delay_seconds=0.1))

        answers = await asyncio.gather(*(replica.link() for replica in (one, two) for _ in range(20)))

        assert one.questions == 1
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["link"] for answer in answers}) == 1
        outcomes = Counter(answer.headers["cache-status"].partition("; ")[2] for answer in answers)
        assert outcomes == {"fwd=miss; stored": 1, "fwd=miss; collapsed": 39}


async def test_different_questions_do_not_wait_for_each_other(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="links", delay_seconds=5))
    slow = asyncio.create_task(gateway.link())
    await wait_until(lambda: gateway.questions == 1)

    quick = await gateway.link({**CARD, "user_id": "another"})

    assert quick.status_code == 200
    assert not slow.done()
    slow.cancel()


async def test_who_waits_gets_the_link_although_the_first_who_asked_went_away(gateway: Gateway) -> None:
    """A page that is closed takes nobody's answer along."""
    gateway.wazzup.faults.add(Fault(on="links", delay_seconds=0.2))
    first = asyncio.create_task(gateway.link())
    await wait_until(lambda: gateway.questions == 1)
    second = asyncio.create_task(gateway.link())

    first.cancel()
    answer = await second

    assert answer.status_code == 200
    assert gateway.questions == 1


async def test_a_replica_that_died_while_it_asked_holds_nobody_up_for_long(redis_url: str, redis: Redis) -> None:
    """Its claim lapses, as if its lease had ended, and the other replica asks."""
    async with running(redis_url) as alive, running(redis_url) as dying:
        dying.wazzup.faults.add(Fault(on="links", delay_seconds=60))
        lost = asyncio.create_task(dying.link())
        await wait_until(lambda: dying.questions == 1)
        waiting = asyncio.create_task(alive.link())
        [lock] = [name async for name in redis.scan_iter("wg:*:lock:*")]

        await redis.delete(lock)

        assert (await waiting).status_code == 200
        assert alive.questions == 1
        lost.cancel()


async def test_when_the_one_who_asks_fails_the_next_in_line_asks_at_once(redis_url: str) -> None:
    wazzup = simulated()
    async with running(redis_url, wazzup=wazzup) as one, running(redis_url, wazzup=wazzup) as two:
        one.wazzup.faults.add(Fault(on="links", status=500, delay_seconds=0.1, times=2))
        failing = asyncio.create_task(one.link())
        await wait_until(lambda: one.questions == 1)

        answer = await two.link()

        assert answer.status_code == 200
        assert (await failing).status_code == 502


async def test_a_link_that_must_be_new_is_not_the_one_that_is_remembered(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock) as one, running(redis_url, clock) as two:
        await one.link()
        clock.advance(seconds=30)

        fresh_enough = await two.link({**CARD, "max_age": 30})
        too_old = await two.link({**CARD, "max_age": 29})

        assert fresh_enough.headers["cache-status"].startswith("wazzup-gateway; hit")
        assert too_old.headers["cache-status"] == "wazzup-gateway; fwd=request"


async def test_a_user_who_asks_too_often_waits_and_others_do_not(redis_url: str) -> None:
    async with running(redis_url, link_rate_limit="2/60") as gateway:
        answers = [await gateway.link() for _ in range(3)]
        other = await gateway.link({**CARD, "user_id": "another"})

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert other.status_code == 200
        refused = answers[-1]
        assert refused.json()["code"] == "RATE_LIMITED"
        assert refused.headers["ratelimit-policy"] == '"links";q=2;w=60'
        assert refused.headers["ratelimit"].startswith('"links";r=0;t=')
        assert 58 <= int(refused.headers["retry-after"]) <= 60


async def test_with_the_cache_off_every_question_is_asked(redis_url: str) -> None:
    async with running(redis_url, link_cache_ttl_seconds="0") as gateway:
        answers = [await gateway.link() for _ in range(2)]

        assert gateway.questions == 2
        assert {answer.headers["cache-status"] for answer in answers} == {
            "wazzup-gateway; fwd=bypass; detail=cache-off"
        }
        assert all(answer.json()["expires_in"] > 0 for answer in answers)


async def test_keys_that_browsers_hold_are_not_enough_to_ask_for_links(gateway: Gateway) -> None:
    relay = (await gateway.link()).json()["relay"]["token"]

    answer = await gateway.link(key=relay)

    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_only_an_admin_makes_it_forget(gateway: Gateway) -> None:
    answer: httpx.Response = await gateway.forget("crm-user-1", key=SERVER_KEY)

    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_a_link_that_was_being_made_while_its_user_was_forgotten_is_not_kept(gateway: Gateway) -> None:
    """Else the next page would get a link from before the admin's word."""
    gateway.wazzup.faults.add(Fault(on="links", delay_seconds=0.2))
    being_made = asyncio.create_task(gateway.link())
    await wait_until(lambda: gateway.questions == 1)

    await gateway.forget("crm-user-1")
    await being_made

    assert (await gateway.link()).json()["cached"] is False


async def test_no_cache_is_heard_wherever_it_stands(gateway: Gateway) -> None:
    """A proxy may add a Cache-Control header of its own before the page's."""
    await gateway.link()
    both = [
        ("Authorization", f"Bearer {SERVER_KEY}"),
        ("Cache-Control", "max-age=5"),
        ("Cache-Control", "private, No-Cache"),
    ]

    answer = await gateway.http.post("/links", json=CARD, headers=both)

    assert answer.headers["cache-status"] == "wazzup-gateway; fwd=request"
