"""What cannot work is refused with a sentence that says what to do; what means the same becomes equal."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.errors import Invalid
from app.links.models import ChatType, LinkQuestion, LinkRequest, UseEvents
from app.links.question import Asker, Manners, settle

SERVER = Asker("default")
WHATSAPP = {"chat_type": "whatsapp", "chat_id": "37111234567"}
MANNERS = Manners(
    default_events=UseEvents(deals=True),
    phone_chat_types=(ChatType.WHATSAPP,),
    country=None,
    client_type="",
    longest_user_id=64,
    channel_required=False,
)


def settled(asked: dict[str, Any], asker: Asker = SERVER, manners: Manners = MANNERS) -> LinkRequest:
    return settle(LinkQuestion.model_validate({"user_id": "u1"} | asked), asker, manners).request


def refusal(asked: dict[str, Any], asker: Asker = SERVER) -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        settle(LinkQuestion.model_validate(asked), asker, MANNERS)
    (fault,) = caught.value.faults
    return fault.pointer, fault.detail


@pytest.mark.parametrize(
    ("asked", "pointer", "advice"),
    [
        ({"scope": "global", "chats": [WHATSAPP]}, "#/chats", "leave chats out"),
        ({"scope": "global", "contact": {"phone": "+37111234567"}}, "#/contact", "leave contact out"),
        ({"scope": "card"}, "#/chats", "send chats or contact"),
        ({"chats": [{"chat_type": "whatsapp"}]}, "#/chats/0/chat_id", "chat_id is missing"),
        ({"chats": [{"chat_type": "telegram"}]}, "#/chats/0/chat_id", "chat_id or username is missing"),
        ({"chats": [WHATSAPP, {"chat_type": "vk", "username": "x"}]}, "#/chats/1/username", "Only Telegram"),
        ({"chats": [WHATSAPP], "contact": {"phone": "+37111234567"}}, "#/contact", "either chats or contact"),
        ({"contact": {"phone": "11 234 567"}}, "#/contact/phone", "DEFAULT_COUNTRY"),
        ({"active_chat": {"chat_type": "whatsapp"}}, "#/active_chat/chat_id", "chat_id is missing"),
        ({"user": {"id": "u2"}}, "#/user_id", "different users"),
        ({"user_id": "x" * 65}, "#/user_id", "64 characters"),
    ],
)
def test_what_cannot_work_is_refused_with_advice(asked: dict[str, Any], pointer: str, advice: str) -> None:
    found_pointer, detail = refusal({"user_id": "u1"} | asked)

    assert found_pointer == pointer
    assert advice in detail


def test_a_server_key_must_name_the_user() -> None:
    assert refusal({"scope": "global"}) == (
        "#/user_id",
        "A server key speaks for no user: say which one in user_id.",
    )


def test_all_bad_chats_are_told_at_once() -> None:
    asked = {"user_id": "u1", "chats": [{"chat_type": "whatsapp"}, WHATSAPP, {"chat_type": "viber", "chat_id": "x"}]}

    with pytest.raises(Invalid) as caught:
        settle(LinkQuestion.model_validate(asked), Asker("default"), MANNERS)

    assert [fault.pointer for fault in caught.value.faults] == ["#/chats/0/chat_id", "#/chats/2/chat_id"]


@pytest.mark.parametrize(
    "asked",
    [
        {"user_id": 7},
        {"use_events": {"deals": "true"}},
        {"max_age": -1},
        {"max_age": 1.5},
        {"chats": [{**WHATSAPP, "phone": "1"}]},
        {"filter": []},
        {"chats": [WHATSAPP] * 51},
        {"user_id": "a\nb"},
        {"author_name": "\x00"},
    ],
)
def test_a_body_that_breaks_the_contract_is_not_read(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LinkQuestion.model_validate(asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"chats": [{"chat_type": "whatsapp", "chat_id": "+371 11 234-567"}]},
        {"chats": [{"chat_type": "whatsapp", "chat_id": "0037111234567", "username": ""}]},
        {"chats": [WHATSAPP, WHATSAPP], "scope": "card"},
        {"contact": {"phone": "+371 11 234 567"}},
        {"user_id": " u1 ", "chats": [WHATSAPP], "client_type": "", "author_name": ""},
        {"user": {"id": "u1"}, "user_id": "", "chats": [WHATSAPP], "use_events": {}},
        {"chats": [WHATSAPP], "max_age": 0},
    ],
)
def test_what_means_the_same_is_the_same_request(asked: dict[str, Any]) -> None:
    assert settled(asked) == settled({"chats": [WHATSAPP]})


def test_chats_open_a_card_and_no_chats_all_of_them() -> None:
    assert settled({"chats": [WHATSAPP]}).scope == "card"
    assert settled({}).scope == "global"


def test_a_telegram_chat_with_both_ids_is_sent_by_its_id() -> None:
    asked = {"chats": [{"chat_type": "telegram", "chat_id": "1670185", "username": "@My_tg_user"}]}

    (chat,) = settled(asked).chats

    assert (chat.chat_id, chat.username) == ("1670185", None)


def test_the_sender_is_the_author_else_the_user_else_the_tokens_name() -> None:
    token = Asker("default", "u1", "Of Token")

    names = [
        settled({"author_name": "Of Author", "user": {"id": "u1", "name": "Of User"}}, token).author_name,
        settled({"user": {"id": "u1", "name": "Of User"}}, token).author_name,
        settled({}, token).author_name,
        settled({}).author_name,
    ]

    assert names == ["Of Author", "Of User", "Of Token", None]


def test_events_that_are_not_mentioned_follow_the_gateway() -> None:
    assert settled({}).use_events == UseEvents(deals=True, messages=False)
    assert settled({"use_events": {"messages": True}}).use_events == UseEvents(deals=True, messages=True)
    assert settled({"use_events": {"deals": False}}).use_events == UseEvents(deals=False, messages=False)


def test_an_active_chat_without_a_channel_is_left_out_where_it_would_open_a_blank_window() -> None:
    asked = LinkQuestion.model_validate({"user_id": "u1", "active_chat": WHATSAPP})
    strict = Manners(**{**vars(MANNERS), "channel_required": True})

    lenient, careful = settle(asked, Asker("default"), MANNERS), settle(asked, Asker("default"), strict)

    assert lenient.request.active_chat is not None
    assert lenient.warnings == ()
    assert careful.request.active_chat is None
    assert "blank window" in careful.warnings[0]
