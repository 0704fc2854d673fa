"""Wazzup refuses links for users whom it does not know. WAZZUP_SYNC_USERS lets the gateway introduce them."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from app.simulator.faults import Fault
from tests.driver import CARD, Clock, running, simulated, user_token
from tests.vendor_contract import check_request

SYNC = {"wazzup_sync_users": "true"}
API_KEY = "v3-api-key-of-the-tests"
V3: dict[str, Any] = {"wazzup_api": "v3", "wazzup_api_key": API_KEY, "wazzup_access_token": None}
GENERATIONS = pytest.mark.parametrize("api", [{}, V3], ids=["v2", "v3"])
NAMED = {"user": {"id": "crm-user-1", "name": "John Smith"}, "chats": CARD["chats"]}


def strict(clock: Clock) -> Any:
    return simulated(clock, unknown_users_refused=True, api_keys=frozenset({API_KEY}))


@GENERATIONS
async def test_a_user_is_introduced_before_the_first_link(redis_url: str, clock: Clock, api: dict[str, Any]) -> None:
    async with running(redis_url, clock, wazzup=strict(clock), **SYNC, **api) as gateway:
        answer = await gateway.link(NAMED)

        assert answer.status_code == 200
        assert [call.operation for call in gateway.wazzup.calls] == ["users", "links"]
        assert gateway.wazzup.users == {"crm-user-1": {"id": "crm-user-1", "name": "John Smith"}}
        introduction = gateway.wazzup.calls[0]
        check_request("v3" if api else "v2", "POST", introduction.path, introduction.body)


async def test_the_users_own_name_is_told_and_not_the_one_that_contacts_see(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, **SYNC) as gateway:
        await gateway.link({**NAMED, "author_name": "Support"})

        assert gateway.wazzup.users["crm-user-1"]["name"] == "John Smith"
        assert gateway.wazzup.calls_to("links")[0].body["author_name"] == "Support"


async def test_the_name_in_a_user_token_is_enough(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, wazzup=strict(clock), **SYNC) as gateway:
        answer = await gateway.link({"scope": "global"}, key=user_token(name="John Smith"))

        assert answer.status_code == 200


async def test_for_a_day_nobody_is_introduced_again(redis_url: str, clock: Clock, redis: Redis) -> None:
    async with running(redis_url, clock, **SYNC) as gateway:
        await gateway.link(NAMED)
        await gateway.link({**NAMED, "scope": "global", "chats": []})

        assert len(gateway.wazzup.calls_to("users")) == 1
        [name] = await redis.keys("wg:*:user:*")
        assert 86_000 < await redis.ttl(name) <= 86_400


async def test_a_new_name_is_told_at_once(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, **SYNC) as gateway:
        await gateway.link(NAMED)
        await gateway.link({**NAMED, "user": {"id": "crm-user-1", "name": "John Jones"}})

        assert gateway.wazzup.users["crm-user-1"]["name"] == "John Jones"


async def test_many_questions_of_a_user_at_once_on_two_replicas_introduce_the_user_once(
    redis_url: str, clock: Clock
) -> None:
    wazzup = strict(clock)
    async with (
        running(redis_url, clock, wazzup=wazzup, **SYNC) as one,
        running(redis_url, clock, wazzup=wazzup, **SYNC) as two,
    ):
        one.wazzup.faults.add(Fault(on="users", delay_seconds=0.1))
        cards = [
            {**NAMED, "chats": [{"chat_type": "whatsapp", "chat_id": f"3711123456{number}"}]} for number in range(10)
        ]

        answers = await asyncio.gather(*(replica.link(card) for card in cards for replica in (one, two)))

        assert {answer.status_code for answer in answers} == {200}
        assert len(one.wazzup.calls_to("users")) == 1


async def test_a_user_without_a_name_is_skipped_and_logged(
    redis_url: str, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(redis_url, clock, **SYNC) as gateway:
        answer = await gateway.link()

        assert answer.status_code == 200
        assert gateway.wazzup.calls_to("users") == []
        assert "user.skipped" in capsys.readouterr().out


@GENERATIONS
async def test_an_unknown_user_is_refused_with_the_name_of_the_variable(
    redis_url: str, clock: Clock, api: dict[str, Any]
) -> None:
    async with running(redis_url, clock, wazzup=strict(clock), **api) as gateway:
        answer = await gateway.link(NAMED)

        assert (answer.status_code, answer.json()["code"]) == (422, "WAZZUP_USER_UNKNOWN")
        assert "WAZZUP_SYNC_USERS" in answer.json()["detail"]
        assert answer.json()["wazzup"]["status"] == 400


async def test_an_unknown_user_without_a_name_is_told_what_to_send(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, wazzup=strict(clock), **SYNC) as gateway:
        answer = await gateway.link()

        assert (answer.status_code, answer.json()["code"]) == (422, "WAZZUP_USER_UNKNOWN")
        assert "user.name" in answer.json()["detail"]


@pytest.mark.parametrize(
    "said",
    [
        "property user should not exist",
        "user_id should not be empty",
        "user_id must be shorter than or equal to 64 characters",
        "chats must be known",
    ],
)
async def test_other_complaints_about_a_user_are_not_taken_for_an_unknown_one(
    redis_url: str, clock: Clock, said: str
) -> None:
    async with running(redis_url, clock) as gateway:
        gateway.wazzup.faults.add(Fault(on="links", status=400, errors=(said,)))

        assert (await gateway.link()).json()["code"] == "WAZZUP_REFUSED"


async def test_a_user_whom_wazzup_forgot_is_introduced_again(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, wazzup=strict(clock), **SYNC) as gateway:
        await gateway.link(NAMED)
        gateway.wazzup.users.clear()

        answer = await gateway.link({**NAMED, "max_age": 0})

        assert answer.status_code == 200
        assert len(gateway.wazzup.calls_to("users")) == 2


def cards(number: int, **other: Any) -> list[dict[str, Any]]:
    """So many different cards of one user."""
    chats = [[{"chat_type": "whatsapp", "chat_id": f"371111234{card:04}"}] for card in range(number)]
    return [{**NAMED, "chats": one, **other} for one in chats]


async def test_many_cards_of_a_user_whom_wazzup_forgot_introduce_the_user_once(redis_url: str, clock: Clock) -> None:
    wazzup = strict(clock)
    async with (
        running(redis_url, clock, wazzup=wazzup, **SYNC) as one,
        running(redis_url, clock, wazzup=wazzup, **SYNC) as two,
    ):
        await one.link(NAMED)
        one.wazzup.users.clear()

        answers = await asyncio.gather(*(replica.link(card) for card in cards(10) for replica in (one, two)))

        assert {answer.status_code for answer in answers} == {200}
        assert len(one.wazzup.calls_to("users")) == 2


async def test_cards_that_wait_for_an_introduction_take_its_failure(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, wazzup=strict(clock), wazzup_timeout_seconds="0.3", **SYNC) as gateway:
        gateway.wazzup.faults.add(Fault(on="users", delay_seconds=30, times=None))

        answers = await asyncio.gather(*(gateway.link(card) for card in cards(10)))

        assert {answer.json()["code"] for answer in answers} == {"WAZZUP_TIMEOUT"}
        assert len(gateway.wazzup.calls_to("users")) == 1


async def test_nobody_waits_for_a_sibling_longer_than_for_wazzup_itself(
    redis_url: str, clock: Clock, redis: Redis
) -> None:
    async with running(redis_url, clock, wazzup=strict(clock), wazzup_timeout_seconds="0.1", **SYNC) as gateway:
        await gateway.link(NAMED)
        [mark] = [name async for name in redis.scan_iter("wg:*:wazzup:user:*")]
        await redis.delete(mark)
        await redis.set(f"{mark.decode()}:lock", "a sibling whose introduction hangs")

        async with asyncio.timeout(2):
            answer = await gateway.link(cards(1)[0])

        assert (answer.status_code, answer.json()["code"]) == (504, "WAZZUP_TIMEOUT")
        assert "WAZZUP_TIMEOUT_SECONDS" in answer.json()["detail"]
        assert len(gateway.wazzup.calls_to("users")) == 1


async def test_an_introduction_that_fails_is_tried_again_with_the_next_link(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, wazzup=strict(clock), **SYNC) as gateway:
        gateway.wazzup.faults.add(Fault(on="users", status=500, times=2))

        first, second = await gateway.link(NAMED), await gateway.link(NAMED)

        assert [first.status_code, second.status_code] == [502, 200]


async def test_without_the_store_users_are_introduced_all_the_same(clock: Clock) -> None:
    async with running("unix:///nowhere/valkey.sock", clock, wazzup=strict(clock), **SYNC) as gateway:
        assert (await gateway.link(NAMED)).status_code == 200


async def test_whether_users_are_introduced_does_not_change_what_is_an_equal_question(
    redis_url: str, clock: Clock
) -> None:
    """By default a name shapes a link only as the sender's."""
    async with running(redis_url, clock) as gateway:
        await gateway.link(NAMED)

        answer = await gateway.link({**CARD, "author_name": "John Smith"})

        assert answer.json()["cached"] is True
