"""Whatever a page may ask, the body that goes to Wazzup is one that its contract allows."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import respx
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.errors import Invalid, WazzupUnreadable
from app.links.models import ChatType, LinkQuestion, LinkRequest, UseEvents
from app.links.question import Asker, Manners, settle
from app.telemetry import Telemetry
from app.wazzup.v2 import WazzupV2, link_question
from tests.driver import CARD
from tests.vendor_contract import check_request
from tests.wazzup_client import client_on

PATH = "/v2/iframe-links/chats"
WAZZUP = "https://wazzup.test"
LINK = "https://app.wazzup24.com/1234-1234/chat/telegram/1670185301/123?token=token"
MANNERS = Manners(
    default_events=UseEvents(deals=True),
    phone_chat_types=(ChatType.WHATSAPP, ChatType.VIBER),
    country="LV",
    client_type="",
    longest_user_id=64,
    channel_required=False,
)


def settled(asked: dict[str, Any], asker: Asker | None = None) -> LinkRequest:
    return settle(LinkQuestion.model_validate(asked), asker or Asker("default"), MANNERS).request


@pytest.fixture
async def wazzup() -> AsyncIterator[tuple[WazzupV2, respx.Route]]:
    router = respx.MockRouter(assert_all_called=False)
    route = router.post(WAZZUP + PATH).respond(json={"data": {"link": LINK}, "meta": {"timestamp": 1764849838}})
    async with httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler)) as http:
        client = client_on(http, WAZZUP, "token", journal=Telemetry())
        yield WazzupV2(client, ("*.wazzup24.com",)), route


async def test_the_vendors_own_example_is_asked_word_for_word(wazzup: tuple[WazzupV2, respx.Route]) -> None:
    vendor, route = wazzup
    example = {
        "user_id": "crm-user-id-123",
        "author_name": "John Smith",
        "scope": "card",
        "chats": [
            {"contact_name": "Anthony Stone", "chat_type": "whatsapp", "chat_id": "37111234567"},
            {"contact_name": "Anthony Stone", "chat_type": "telegram", "username": "my_tg_user"},
            {"contact_name": "Anthony Stone", "chat_type": "telegram", "chat_id": "1670185"},
        ],
        "active_chat": {"channel_id": "string", "chat_type": "whatsapp", "chat_id": "37111234567"},
        "use_events": {"deals": False, "messages": False},
    }

    link = await vendor.create_link(settled(example))

    [sent] = route.calls
    assert link == LINK
    assert orjson.loads(sent.request.content) == example
    check_request("v2", "POST", PATH, example)


def test_the_smallest_question_is_the_vendors_smallest_with_our_own_events() -> None:
    body = link_question(settled({"user_id": "crm-user-1", "scope": "global"}))

    assert body == {"user_id": "crm-user-1", "scope": "global", "use_events": {"deals": True, "messages": False}}


def test_the_vendors_nested_user_is_sent_flat() -> None:
    asked = {"user": {"id": "crm-user-id-123", "name": "John Smith"}, "scope": "global"}

    body = link_question(settled(asked))

    assert (body["user_id"], body["author_name"]) == ("crm-user-id-123", "John Smith")
    assert "user" not in body


def test_a_contact_becomes_chats() -> None:
    contact = {"name": "Anthony Stone", "phone": "+371 11 234 567", "telegram": "@my_tg_user"}

    body = link_question(settled({"user_id": "u", "contact": contact}))

    assert "contact" not in body
    assert {"chat_type": "telegram", "username": "my_tg_user", "contact_name": "Anthony Stone"} in body["chats"]
    check_request("v2", "POST", PATH, body)


def test_an_active_chat_without_its_channel_goes_as_it_is() -> None:
    active = {"chat_type": "whatsapp", "chat_id": "+371 11 234 567", "channel_id": ""}

    body = link_question(settled(CARD | {"active_chat": active}))

    assert body["active_chat"] == {"chat_type": "whatsapp", "chat_id": "37111234567"}


def test_nothing_empty_is_sent() -> None:
    asked = {"user_id": "u", "author_name": "", "scope": "global", "chats": [], "client_type": ""}

    body = link_question(settled(asked))

    assert set(body) == {"user_id", "scope", "use_events"}


LETTERS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
WORDS = st.one_of(
    LETTERS,
    st.sampled_from(["", " ", "@my_tg_user", "37111234567", "+371 11 234 567", "https://t.me/me", "a b", "@"]),
    st.integers(1, 10**12).map(str),
    st.sampled_from([64, 65, 100, 149, 150, 151, 199, 200, 256]).map("x".__mul__),
)
FLAGS = st.none() | st.booleans()


def objects(needed: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(needed, optional=optional)


ADDRESS = {"chat_id": WORDS, "username": WORDS}
TYPES = {"chat_type": st.sampled_from([str(one) for one in ChatType])}
CHATS = st.lists(objects(TYPES, **ADDRESS, contact_name=WORDS), max_size=3)
CONTACTS = objects(
    {},
    name=WORDS,
    phone=st.sampled_from(["+371 20 234 567", "20234567", ""]),
    phones=st.lists(st.sampled_from(["+371 20 234 567", "+447700900123"]), max_size=2),
    **dict.fromkeys(("telegram", "telegram_id", "instagram", "vk", "avito", "max", "whatsgroup", "viber"), WORDS),
)
QUESTIONS = objects(
    {"user_id": WORDS},
    author_name=WORDS,
    scope=st.sampled_from(["card", "global"]),
    chats=CHATS,
    contact=CONTACTS,
    active_chat=objects(TYPES, **ADDRESS, channel_id=WORDS),
    use_events=objects({}, deals=FLAGS, messages=FLAGS),
    client_type=WORDS,
)
# As a verified user token gives them: stripped, and cut to what Wazzup takes.
TOKEN_NAMES = WORDS.map(lambda name: name.strip()[:150] or None)
ASKERS = st.builds(Asker, st.just("default"), st.none() | st.just("token-user"), st.none() | TOKEN_NAMES)


@given(asked=st.one_of(QUESTIONS, st.builds(CARD.__or__, objects({}, chats=CHATS, author_name=WORDS))), asker=ASKERS)
@settings(max_examples=300, deadline=None, database=None, derandomize=True)
def test_whatever_is_settled_goes_out_as_the_contract_says(asked: dict[str, Any], asker: Asker) -> None:
    try:
        request = settled(asked, asker)
    except (Invalid, ValidationError):
        reject()

    check_request("v2", "POST", PATH, orjson.loads(orjson.dumps(link_question(request))))


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "link",
        7,
        True,
        {},
        {"data": None},
        {"data": []},
        {"data": "link"},
        {"data": {}},
        {"data": {"link": None}},
        {"data": {"link": 7}},
        {"data": {"link": [LINK]}},
        {"data": {"link": ""}},
        {"data": {"url": LINK}},
        {"url": LINK},
        {"link": LINK},
        {"data": {"link": "https://elsewhere.example/?token=s3cret"}},
        {"data": {"link": "http://app.wazzup24.com/?token=s3cret"}},
    ],
)
async def test_an_answer_without_a_link_that_we_trust_is_unreadable(
    wazzup: tuple[WazzupV2, respx.Route], answer: Any
) -> None:
    vendor, route = wazzup
    route.respond(json=answer)

    with pytest.raises(WazzupUnreadable) as caught:
        await vendor.create_link(settled(CARD))

    assert "s3cret" not in caught.value.detail
