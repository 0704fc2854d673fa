"""The public API is asked in its own words, and understood in all the ways in which it says no."""

from typing import Any

import orjson
import pytest

from app.links.models import ActiveChat, Chat, ChatType, LinkRequest, UseEvents
from app.simulator.faults import Fault
from app.wazzup.v3 import link_question
from tests.driver import CARD, running, simulated
from tests.vendor_contract import check_request

API_KEY = "v3-api-key-of-the-tests"
V3: dict[str, Any] = {"wazzup_api": "v3", "wazzup_api_key": API_KEY, "wazzup_access_token": None}


def test_everything_that_can_be_asked_is_asked_in_its_words() -> None:
    request = LinkRequest(
        account="default",
        user_id="crm-user-1",
        author_name="John Smith",
        scope="card",
        chats=(
            Chat(chat_type=ChatType.WHATSAPP, chat_id="37111234567", contact_name="Anthony Stone"),
            Chat(chat_type=ChatType.TELEGRAM, username="my_tg_user"),
        ),
        active_chat=ActiveChat(chat_type=ChatType.WHATSAPP, chat_id="37111234567", channel_id="channel"),
        use_events=UseEvents(deals=True),
        client_type="bitrix",
    )

    body = orjson.loads(orjson.dumps(link_question(request)))

    assert body == {
        "user": {"id": "crm-user-1", "name": "John Smith"},
        "scope": "card",
        "filter": [
            {"name": "Anthony Stone", "chatType": "whatsapp", "chatId": "37111234567"},
            {"chatType": "telegram", "username": "my_tg_user"},
        ],
        "activeChat": {"channelId": "channel", "chatType": "whatsapp", "chatId": "37111234567"},
        "options": {"useDealsEvents": True, "useMessageEvents": False, "clientType": "bitrix"},
    }
    check_request("v3", "POST", "/v3/iframe", body)


def test_the_smallest_question_is_small() -> None:
    body = link_question(LinkRequest(account="default", user_id="u", scope="global"))

    assert body == {
        "user": {"id": "u"},
        "scope": "global",
        "options": {"useDealsEvents": False, "useMessageEvents": False},
    }
    check_request("v3", "POST", "/v3/iframe", body)


async def test_a_link_comes_from_the_public_api_too(redis_url: str) -> None:
    async with running(redis_url, wazzup=simulated(api_keys=frozenset({API_KEY})), **V3) as gateway:
        answer = await gateway.link()

        assert answer.status_code == 200
        assert [call.path for call in gateway.wazzup.calls_to("links")] == ["/v3/iframe"]


async def test_an_active_chat_that_would_open_a_blank_window_is_left_out_with_a_warning(redis_url: str) -> None:
    async with running(redis_url, wazzup=simulated(api_keys=frozenset({API_KEY})), **V3) as gateway:
        answer = await gateway.link({**CARD, "active_chat": CARD["chats"][0]})

        assert "blank window" in answer.json()["warnings"][0]
        assert "activeChat" not in gateway.wazzup.calls_to("links")[0].body


@pytest.mark.parametrize(
    ("fault", "status", "code", "vendor_code"),
    [
        (Fault(on="links", status=400, code="INVALID_USER"), 422, "WAZZUP_USER_UNKNOWN", "INVALID_USER"),
        (Fault(on="links", status=200, code="INVALID_USER"), 422, "WAZZUP_USER_UNKNOWN", "INVALID_USER"),
        (Fault(on="links", status=403, code="FORBIDDEN"), 502, "WAZZUP_FORBIDDEN", "FORBIDDEN"),
        (Fault(on="links", status=200, body='{"error": "NO_LINK"}'), 422, "WAZZUP_REFUSED", "NO_LINK"),
        (Fault(on="links", status=200, body="{}"), 502, "WAZZUP_UNREADABLE", None),
    ],
)
async def test_every_way_of_saying_no_is_understood(
    redis_url: str, fault: Fault, status: int, code: str, vendor_code: str | None
) -> None:
    async with running(redis_url, wazzup=simulated(api_keys=frozenset({API_KEY})), **V3) as gateway:
        gateway.wazzup.faults.add(fault)

        answer = await gateway.link()

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code)
        assert (problem.get("wazzup") or {}).get("code") == vendor_code


async def test_the_keys_of_the_two_apis_are_not_taken_for_each_other(redis_url: str) -> None:
    async with running(redis_url, wazzup=simulated(api_keys=frozenset({"another"})), **V3) as gateway:
        answer = await gateway.link()

        assert (answer.status_code, answer.json()["code"]) == (502, "WAZZUP_FORBIDDEN")


async def test_private_words_of_the_vendor_are_masked(redis_url: str) -> None:
    """An error may quote what was asked; a link or a phone number in it goes no further."""
    said = '{"error": "BAD", "description": "37111234567 at https://app.wazzup24.com/x?token=t is wrong"}'
    async with running(redis_url, wazzup=simulated(api_keys=frozenset({API_KEY})), **V3) as gateway:
        gateway.wazzup.faults.add(Fault(on="links", status=400, body=said))

        answer = await gateway.link()

        assert answer.json()["wazzup"]["detail"] == "*** at *** is wrong"
