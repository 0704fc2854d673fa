"""Whatever goes wrong while Wazzup's tokens are renewed, the grant is not lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from app.clock import SystemClock
from app.sealing import KeyRing
from app.simulator.faults import Fault
from app.store import Store, connected
from app.wazzup.vault import Grant, TokenVault
from tests.driver import CARD, NOON, SECRET_KEY, Clock, Gateway, running, simulated
from tests.notes import Notes
from tests.waiting import wait_until

HOUR = 3600
OLD, NEW = "o" * 40, "n" * 40
LABEL: dict[str, Any] = {
    "wazzup_access_token": None,
    "wazzup_client_id": "demo-client",
    "wazzup_refresh_token": "demo-refresh-token",
}


def grants(gateway: Gateway) -> int:
    return len(gateway.wazzup.calls_to("tokens"))


def card(number: int) -> dict[str, Any]:
    return {**CARD, "user_id": f"crm-user-{number}"}


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    async with connected(redis_url, SystemClock()) as opened:
        yield opened


def vault(store: Store, *secrets: str) -> TokenVault:
    return TokenVault(store, KeyRing.of(secrets or [SECRET_KEY]), "default", "identity", Notes())


def grant(number: int) -> Grant:
    return Grant(f"access-{number}", f"refresh-{number}", NOON, NOON + timedelta(hours=1), number)


async def test_a_slow_answer_is_taken_home_although_its_callers_have_stopped_waiting(
    redis_url: str, clock: Clock
) -> None:
    async with running(redis_url, clock, wazzup_timeout_seconds="0.2", **LABEL) as gateway:
        gateway.wazzup.faults.add(Fault(on="tokens", delay_seconds=0.5))
        late = await gateway.link()
        house = gateway.app.state.house

        await wait_until(lambda: house.services.links["default"].issuer.wazzup.client.tokens.grant is not None)

        assert (late.status_code, late.json()["code"]) == (504, "WAZZUP_TIMEOUT")
        assert (await gateway.link(card(2))).status_code == 200
        assert grants(gateway) == 1


async def test_a_replica_that_is_asked_to_end_takes_a_slow_answer_home(redis_url: str, clock: Clock) -> None:
    wazzup = simulated(clock)
    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        await gateway.link()
        clock.advance(seconds=0.9 * HOUR)
        gateway.wazzup.faults.add(Fault(on="tokens", delay_seconds=1.8))
        await gateway.link(card(2))  # with the token that still works, while a new one is asked for
        await wait_until(lambda: grants(gateway) == 2)
        gateway.app.stopping()

    clock.advance(seconds=2 * HOUR)
    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        assert (await gateway.link(card(3))).status_code == 200


async def test_while_secret_key_is_rotated_replicas_with_the_old_and_the_new_one_share_the_grant(
    redis_url: str, clock: Clock
) -> None:
    wazzup = simulated(clock)
    async with running(redis_url, clock, wazzup=wazzup, secret_key=OLD, **LABEL) as old:
        await old.link()
        async with running(redis_url, clock, wazzup=wazzup, secret_key=f"{NEW},{OLD}", **LABEL) as new:
            await new.link(card(2))
            for number in range(3, 9, 2):
                clock.advance(seconds=2 * HOUR)
                answers = [await old.link(card(number)), await new.link(card(number + 1))]

                # The one with only the old secret cannot read what the new one writes; it has its own copy.
                assert answers[0].status_code == 200 or answers[1].status_code == 200
                assert answers[1].status_code == 200


async def test_a_store_that_was_emptied_has_the_grant_again_within_a_minute(
    redis_url: str, clock: Clock, redis: Redis
) -> None:
    wazzup = simulated(clock)
    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        await gateway.link()
        await redis.flushall()
        clock.advance(seconds=61)
        await gateway.link(card(2))

    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as restarted:
        assert (await restarted.link(card(3))).status_code == 200
        assert grants(restarted) == 1


async def test_a_store_that_was_emptied_does_not_make_a_replica_forget_the_living_refresh_token(
    redis_url: str, clock: Clock, redis: Redis
) -> None:
    async with running(redis_url, clock, **LABEL) as gateway:
        await gateway.link()
        await redis.flushall()
        clock.advance(seconds=2 * HOUR)

        assert (await gateway.link(card(2))).status_code == 200


async def test_a_grant_that_is_saved_late_does_not_lie_over_its_successor(store: Store) -> None:
    await vault(store).keep(grant(2))

    await vault(store).keep(grant(1))

    assert await vault(store).find() == grant(2)


async def test_of_grants_under_several_secrets_the_newest_is_found(store: Store) -> None:
    await vault(store, OLD).keep(grant(3))
    await vault(store, NEW).keep(grant(2))

    assert await vault(store, NEW, OLD).find() == grant(3)


async def test_an_error_that_is_remembered_does_not_gather_what_was_said_to_others(
    redis_url: str, clock: Clock
) -> None:
    deal = {"id": "D-1", "user_id": "u", "name": "Chairs", "contact_ids": ["C-1"]}
    async with running(redis_url, clock, **(LABEL | {"wazzup_refresh_token": "used-up"})) as gateway:
        told = [await gateway.tell({"deals": [deal]}) for _ in range(3)]
        link = await gateway.link()

        assert len({answer.json()["detail"] for answer in told}) == 1
        assert "stored" not in link.json()["detail"]


async def test_while_nothing_is_renewed_an_end_waits_for_nothing(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, **LABEL) as gateway:
        await gateway.link()
        gateway.app.stopping()
        started = asyncio.get_running_loop().time()

    assert asyncio.get_running_loop().time() - started < 1
