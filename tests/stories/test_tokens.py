"""Wazzup's tokens are renewed by one replica for all, early, and never lost."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from app.simulator.faults import Fault
from tests.driver import CARD, Clock, Gateway, running, simulated
from tests.waiting import wait_until

HOUR = 3600
LABEL: dict[str, Any] = {
    "wazzup_access_token": None,
    "wazzup_client_id": "demo-client",
    "wazzup_refresh_token": "demo-refresh-token",
}
WHITE_LABEL: dict[str, Any] = {
    "wazzup_access_token": None,
    "wazzup_partner_email": "partner@example.com",
    "wazzup_partner_password": "demo-partner-password",
    "wazzup_account_id": "1234-1234",
}
WAYS = pytest.mark.parametrize(("way", "calls"), [(LABEL, 1), (WHITE_LABEL, 2)], ids=["label", "white-label"])


def grants(gateway: Gateway) -> list[str]:
    """How Wazzup was asked for tokens, in order."""
    return [call.body["grant_type"].rpartition(":")[2] for call in gateway.wazzup.calls_to("tokens")]


def card(number: int) -> dict[str, Any]:
    return {**CARD, "user_id": f"crm-user-{number}"}


@pytest.mark.parametrize(
    ("way", "asked"),
    [(LABEL, ["refresh_token"]), (WHITE_LABEL, ["client_credentials", "token-exchange"])],
    ids=["label", "white-label"],
)
async def test_a_link_is_asked_for_with_a_token_that_was_granted(
    redis_url: str, clock: Clock, way: dict[str, Any], asked: list[str]
) -> None:
    async with running(redis_url, clock, **way) as gateway:
        first = await gateway.link(card(1))
        second = await gateway.link(card(2))

        assert [first.status_code, second.status_code] == [200, 200]
        assert grants(gateway) == asked


@WAYS
async def test_two_hundred_requests_on_three_replicas_renew_an_expired_token_once(
    redis_url: str, clock: Clock, way: dict[str, Any], calls: int
) -> None:
    wazzup = simulated(clock)
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(running(redis_url, clock, wazzup=wazzup, **way)) for _ in range(3)]
        await asyncio.gather(*(replica.link() for replica in replicas))
        clock.advance(seconds=2 * HOUR)
        before = len(grants(replicas[0]))

        answers = await asyncio.gather(*(replicas[number % 3].link(card(number)) for number in range(200)))

        assert {answer.status_code for answer in answers} == {200}
        assert len(grants(replicas[0])) - before == calls


@WAYS
async def test_two_hundred_requests_whose_token_was_revoked_renew_it_once(
    redis_url: str, clock: Clock, way: dict[str, Any], calls: int
) -> None:
    """Nobody knows before Wazzup says 401; then each tries once more with the same new token."""
    wazzup = simulated(clock, calls_kept=10_000)
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(running(redis_url, clock, wazzup=wazzup, **way)) for _ in range(3)]
        await asyncio.gather(*(replica.link() for replica in replicas))
        replicas[0].wazzup.tokens.revoke_access()
        before = len(grants(replicas[0]))

        answers = await asyncio.gather(*(replicas[number % 3].link(card(number)) for number in range(200)))

        assert {answer.status_code for answer in answers} == {200}
        assert len(grants(replicas[0])) - before == calls


async def test_a_restart_goes_on_with_the_rotated_refresh_token(redis_url: str, clock: Clock) -> None:
    """The one in the environment was used up by the first start."""
    wazzup = simulated(clock)
    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        await gateway.link()
    clock.advance(seconds=2 * HOUR)

    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        answer = await gateway.link(card(2))

        assert answer.status_code == 200
        used = [call.body["refresh_token_data"]["refresh_token"] for call in gateway.wazzup.calls_to("tokens")]
        assert used[0] == "demo-refresh-token"
        assert used[1] not in used[:1]


async def test_a_restart_needs_no_new_token_while_the_old_one_lives(redis_url: str, clock: Clock) -> None:
    wazzup = simulated(clock)
    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        await gateway.link()

    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        await gateway.link(card(2))

        assert grants(gateway) == ["refresh_token"]


async def test_a_token_is_renewed_before_it_ends_and_nobody_waits_for_that(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, **LABEL) as gateway:
        await gateway.link()
        clock.advance(seconds=0.9 * HOUR)
        gateway.wazzup.faults.add(Fault(on="tokens", delay_seconds=0.3))

        answer = await gateway.link(card(2))

        assert answer.status_code == 200
        assert len(gateway.wazzup.calls_to("links")) == 2
        await wait_until(lambda: len(grants(gateway)) == 2)


async def test_while_an_early_renewal_fails_the_old_token_does(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, **LABEL) as gateway:
        await gateway.link()
        clock.advance(seconds=0.9 * HOUR)
        gateway.wazzup.faults.add(Fault(on="tokens", status=500, times=None))

        answers = [await gateway.link(card(number)) for number in range(2, 5)]

        assert {answer.status_code for answer in answers} == {200}


@WAYS
async def test_a_renewal_that_cannot_be_had_is_the_callers_503_or_502(
    redis_url: str, clock: Clock, way: dict[str, Any], calls: int
) -> None:
    async with running(redis_url, clock, **way) as gateway:
        gateway.wazzup.faults.add(Fault(on="tokens", status=500, times=None))

        answer = await gateway.link()

        assert (answer.status_code, answer.json()["code"]) == (502, "WAZZUP_UNAVAILABLE")
        gateway.wazzup.faults.clear()
        assert (await gateway.link()).status_code == 200


async def test_a_refresh_token_that_is_used_up_names_the_variable_and_is_not_tried_by_every_request(
    redis_url: str, clock: Clock
) -> None:
    settings = LABEL | {"wazzup_refresh_token": "used-up"}
    async with running(redis_url, clock, **settings) as gateway:
        answers = await asyncio.gather(*(gateway.link(card(number)) for number in range(20)))

        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(502, "WAZZUP_FORBIDDEN")}
        assert "WAZZUP_REFRESH_TOKEN" in answers[0].json()["detail"]
        assert grants(gateway) == ["refresh_token"]


async def test_a_newer_refresh_token_in_the_environment_wins_over_the_stored_grant(
    redis_url: str, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    wazzup = simulated(clock)
    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        await gateway.link()
    authorised = wazzup.state.world.tokens.authorise()

    async with running(redis_url, clock, wazzup=wazzup, **(LABEL | {"wazzup_refresh_token": authorised})) as gateway:
        answer = await gateway.link(card(2))

        assert answer.status_code == 200
        [_, second] = gateway.wazzup.calls_to("tokens")
        assert second.body["refresh_token_data"]["refresh_token"] == authorised
        assert "token.superseded" in capsys.readouterr().out


async def test_during_a_rollout_the_replica_with_the_older_refresh_token_goes_on(redis_url: str, clock: Clock) -> None:
    wazzup = simulated(clock)
    authorised = wazzup.state.world.tokens.authorise()
    newer = LABEL | {"wazzup_refresh_token": authorised}
    async with (
        running(redis_url, clock, wazzup=wazzup, **LABEL) as old,
        running(redis_url, clock, wazzup=wazzup, **newer) as new,
    ):
        await asyncio.gather(old.link(), new.link(card(2)))
        clock.advance(seconds=2 * HOUR)

        answers = await asyncio.gather(old.link(card(3)), new.link(card(4)))

        assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_secret_key_that_is_rotated_loses_no_grant(redis_url: str, clock: Clock) -> None:
    wazzup = simulated(clock)
    older, newer = "o" * 40, "n" * 40
    async with running(redis_url, clock, wazzup=wazzup, secret_key=older, **LABEL) as gateway:
        await gateway.link()
    async with running(redis_url, clock, wazzup=wazzup, secret_key=f"{newer},{older}", **LABEL) as gateway:
        assert (await gateway.link(card(2))).status_code == 200

    clock.advance(seconds=2 * HOUR)
    async with running(redis_url, clock, wazzup=wazzup, secret_key=newer, **LABEL) as gateway:
        assert (await gateway.link(card(3))).status_code == 200
        assert grants(gateway) == ["refresh_token", "refresh_token"]


async def test_a_replica_that_dies_while_it_renews_holds_nobody_up_for_long(
    redis_url: str, clock: Clock, redis: Redis
) -> None:
    """Its lease lapses within three seconds (here at once), and another replica renews."""
    wazzup = simulated(clock)
    async with (
        running(redis_url, clock, wazzup=wazzup, **LABEL) as dying,
        running(redis_url, clock, wazzup=wazzup, **LABEL) as alive,
    ):
        dying.wazzup.faults.add(Fault(on="tokens", delay_seconds=60))
        lost = asyncio.create_task(dying.link())
        await wait_until(lambda: len(grants(dying)) == 1)
        waiting = asyncio.create_task(alive.link())
        assert 0 < await redis.pttl("wg:{default}:wazzup:token:lock") <= 3000

        await redis.delete("wg:{default}:wazzup:token:lock")

        assert (await waiting).status_code == 200
        lost.cancel()


async def test_a_caller_that_goes_away_does_not_take_the_new_grant_along(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, **LABEL) as gateway:
        gateway.wazzup.faults.add(Fault(on="tokens", delay_seconds=0.2))
        impatient = asyncio.create_task(gateway.link())
        await wait_until(lambda: len(grants(gateway)) == 1)

        impatient.cancel()

        assert (await gateway.link(card(2))).status_code == 200
        assert grants(gateway) == ["refresh_token"]


async def test_a_new_token_that_is_refused_too_is_not_followed_by_another(redis_url: str, clock: Clock) -> None:
    """401 says that the token is at fault; when a new one changes nothing, something else is."""
    async with running(redis_url, clock, **LABEL) as gateway:
        gateway.wazzup.faults.add(Fault(on="links", status=401, times=None))

        answers = [await gateway.link(card(number)) for number in range(5)]

        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(502, "WAZZUP_FORBIDDEN")}
        assert grants(gateway) == ["refresh_token", "refresh_token"]
        clock.advance(seconds=11)
        gateway.wazzup.faults.clear()
        assert (await gateway.link()).status_code == 200


async def test_a_token_that_the_operator_set_is_not_tried_twice(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=401))

    answer = await gateway.link()

    assert (answer.status_code, gateway.questions) == (502, 1)
    assert "WAZZUP_ACCESS_TOKEN" in answer.json()["detail"]


async def test_without_the_store_the_token_that_is_known_goes_on_working(clock: Clock) -> None:
    nowhere = "unix:///nowhere/valkey.sock"
    async with running(nowhere, clock, **WHITE_LABEL) as gateway:
        answers = [await gateway.link(card(number)) for number in range(2)]

        assert {answer.status_code for answer in answers} == {200}
        assert grants(gateway) == ["client_credentials", "token-exchange"]


async def test_without_the_store_a_refresh_token_is_not_used_up(clock: Clock) -> None:
    """What Wazzup gave for it could not be kept: after a restart the operator would be locked out."""
    async with running("unix:///nowhere/valkey.sock", clock, **LABEL) as gateway:
        answer = await gateway.link()

        assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        assert grants(gateway) == []


async def test_an_answer_without_a_new_refresh_token_leaves_the_old_one_in_use(redis_url: str, clock: Clock) -> None:
    """RFC 6749, section 6: a server may issue a new one; if it does not, the old one stays good."""
    answer = '{"data": {"access_token": "granted-by-hand", "expires_in": 60}}'
    async with running(redis_url, clock, **LABEL) as gateway:
        gateway.wazzup.faults.add(Fault(on="tokens", status=200, body=answer))
        await gateway.link()

        used = [call.body["refresh_token_data"]["refresh_token"] for call in gateway.wazzup.calls_to("tokens")]
        assert used == ["demo-refresh-token", "demo-refresh-token"]


async def test_nothing_of_a_grant_can_be_read_in_redis(redis_url: str, clock: Clock, redis: Redis) -> None:
    async with running(redis_url, clock, **LABEL) as gateway:
        await gateway.link()

        lying = repr(await redis.hgetall("wg:{default}:wazzup:token"))
        for secret in (*gateway.wazzup.tokens.given(), "demo-client"):
            assert secret not in lying
        assert await redis.pttl("wg:{default}:wazzup:token") > 300 * 24 * HOUR * 1000


async def test_the_calls_for_tokens_are_within_the_budget_too(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, wazzup_rate_limit="2/60", **WHITE_LABEL) as gateway:
        answer = await gateway.link()

        assert (answer.status_code, answer.json()["code"]) == (503, "WAZZUP_BUDGET_SPENT")
        assert len(gateway.wazzup.calls) == 2
