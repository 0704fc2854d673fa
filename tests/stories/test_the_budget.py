"""Wazzup is never called more often than WAZZUP_RATE_LIMIT allows, and everybody's turn comes."""

import asyncio
from typing import Any

import httpx

from app.simulator.faults import Fault
from tests.crowd import Crowd, Turnstile
from tests.driver import CARD, Gateway, running, simulated


async def test_a_crowd_on_two_replicas_never_passes_the_rate_and_nobody_starves(redis_url: str) -> None:
    """The short form; `make bench` has the long one: 500 users over 10 s at 50 calls in 5 s."""
    wazzup = simulated()
    turnstile = Turnstile(wazzup)
    crowd = Crowd()
    settings: dict[str, Any] = {"wazzup_rate_limit": "10/1", "wazzup_timeout_seconds": "2"}
    async with (
        running(redis_url, wazzup=wazzup, through=turnstile, **settings) as one,
        running(redis_url, wazzup=wazzup, through=turnstile, **settings) as two,
        asyncio.timeout(30),
    ):
        await crowd.come([one, two], users=80, over=1)

    assert turnstile.most_within(1) <= 10
    assert len(crowd.waits) == 80
    assert crowd.refusals
    assert len(crowd.late) <= 10  # one window's, if the machine stalled just then
    assert {(refusal.status_code, refusal.json()["code"]) for refusal in crowd.refusals} == {
        (503, "WAZZUP_BUDGET_SPENT")
    }
    # At ten in a second the last of eighty is served after eight, and a margin for the calls' own time.
    assert max(crowd.waits) < 16


async def test_a_call_that_fits_the_timeout_waits_for_its_turn(redis_url: str) -> None:
    async with running(redis_url, wazzup_rate_limit="1/1") as gateway:
        first = await gateway.link()
        second = await gateway.link({**CARD, "user_id": "another"})

        assert [first.status_code, second.status_code] == [200, 200]


async def test_a_call_that_does_not_fit_is_refused_at_once_and_told_when_to_come_back(redis_url: str) -> None:
    async with running(redis_url, wazzup_rate_limit="1/60") as gateway:
        await gateway.link()

        async with asyncio.timeout(5):
            answer = await gateway.link({**CARD, "user_id": "another"})

        assert (answer.status_code, answer.json()["code"]) == (503, "WAZZUP_BUDGET_SPENT")
        assert 58 <= int(answer.headers["retry-after"]) <= 61


async def test_a_remembered_link_costs_no_call(redis_url: str) -> None:
    async with running(redis_url, wazzup_rate_limit="1/60") as gateway:
        answers = [await gateway.link() for _ in range(3)]

        assert {answer.status_code for answer in answers} == {200}


async def test_with_the_budget_spent_a_link_that_is_still_good_is_given_even_against_max_age(redis_url: str) -> None:
    async with running(redis_url, wazzup_rate_limit="1/60") as gateway:
        await gateway.link()

        answer = await gateway.link({**CARD, "max_age": 0})

        assert answer.status_code == 200
        assert answer.headers["cache-status"] == "wazzup-gateway; fwd=stale; detail=stale-if-error"


async def test_when_wazzup_asks_for_a_pause_all_replicas_keep_it(redis_url: str) -> None:
    wazzup = simulated()
    async with running(redis_url, wazzup=wazzup) as one, running(redis_url, wazzup=wazzup) as two:
        one.wazzup.faults.add(Fault(on="links", status=429, retry_after="30"))
        busy = await one.link()

        other = await two.link({**CARD, "user_id": "another"})

        assert (busy.status_code, busy.json()["code"], busy.headers["retry-after"]) == (503, "WAZZUP_BUSY", "30")
        assert (other.status_code, other.json()["code"]) == (503, "WAZZUP_BUDGET_SPENT")
        assert 25 <= int(other.headers["retry-after"]) <= 30
        assert one.questions == 1


async def test_a_wazzup_that_is_busy_for_a_moment_costs_the_caller_only_that(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=429))

    answer: httpx.Response = await gateway.link()

    assert answer.status_code == 200
    assert gateway.questions == 2
