"""What a CRM tells is read as Wazzup takes it, or refused item by item before Wazzup hears of it."""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from app.deals.models import ContactCard, Deal, DealsQuestion
from app.deals.question import MOST_FAULTS, Settled, Terms, settle
from app.errors import Invalid
from app.links.models import Chat, ChatType
from app.problems import faults

V2 = Terms(phone_chat_types=(ChatType.WHATSAPP,), country=None, longest_user_id=64, takes_usernames=True)
V3 = Terms(phone_chat_types=(ChatType.WHATSAPP,), country=None, longest_user_id=200, takes_usernames=False)

CONTACT: dict[str, Any] = {"id": "C-5", "user_id": "crm-user-1", "name": "Anthony Stone", "phone": "+371 20 234 567"}
DEAL: dict[str, Any] = {"id": "D-77", "user_id": "crm-user-1", "name": "Chairs", "contact_ids": ["C-5"]}
CHAT = Chat(chat_type=ChatType.WHATSAPP, chat_id="37120234567", contact_name="Anthony Stone")


def settled(*, contacts: Any = (), deals: Any = (), terms: Terms = V2) -> Settled:
    body = orjson.dumps({"contacts": contacts, "deals": deals})
    return settle(DealsQuestion.model_validate_json(body), terms)


def refused(*, contacts: Any = (), deals: Any = (), terms: Terms = V2) -> dict[str, str]:
    """The sentence at each pointer, whether the shape or the sense of the body is wrong."""
    try:
        settled(contacts=contacts, deals=deals, terms=terms)
    except ValidationError as error:
        return {fault.pointer: fault.detail for fault in faults(error.errors())}
    except Invalid as error:
        return {fault.pointer: fault.detail for fault in error.faults}
    raise AssertionError("nothing was refused")


def listed(kind: str, items: list[Any]) -> dict[str, Any]:
    """Contacts or deals, by the name of their list."""
    return {kind: items}


def test_a_contact_and_a_deal_become_what_wazzup_takes() -> None:
    told = settled(
        contacts=[CONTACT | {"url": "https://crm.example/c/5"}],
        deals=[DEAL | {"url": "https://crm.example/d/77", "closed": True}],
    )

    assert told == Settled(
        contacts=(
            ContactCard(
                place="#/contacts/0",
                id="C-5",
                user_id="crm-user-1",
                name="Anthony Stone",
                chats=(CHAT,),
                url="https://crm.example/c/5",
            ),
        ),
        deals=(
            Deal(
                place="#/deals/0",
                id="D-77",
                user_id="crm-user-1",
                name="Chairs",
                contact_ids=("C-5",),
                url="https://crm.example/d/77",
                closed=True,
            ),
        ),
    )


def test_what_is_left_out_is_absent_and_a_deal_is_open() -> None:
    told = settled(contacts=[CONTACT | {"url": ""}], deals=[DEAL | {"url": None}])

    assert (told.contacts[0].url, told.deals[0].url, told.deals[0].closed) == (None, None, False)


@pytest.mark.parametrize("lists", [{"contacts": [CONTACT]}, {"deals": [DEAL]}])
def test_either_list_may_be_left_out(lists: dict[str, Any]) -> None:
    told = settle(DealsQuestion.model_validate(lists), V2)

    assert len(told.contacts) + len(told.deals) == 1


@pytest.mark.parametrize("body", [{}, {"contacts": []}, {"deals": []}, {"contacts": [], "deals": []}])
def test_nothing_to_tell_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="send contacts, deals, or both") as caught:
        settle(DealsQuestion.model_validate(body), V2)

    assert [fault.pointer for fault in caught.value.faults] == ["#"]


def test_a_contact_takes_the_fields_that_a_link_takes() -> None:
    [card] = settled(contacts=[CONTACT | {"telegram": "@My_TG_User", "instagram": "@shop", "phones": []}]).contacts

    assert [(chat.chat_type, chat.chat_id, chat.username) for chat in card.chats] == [
        ("whatsapp", "37120234567", None),
        ("telegram", None, "my_tg_user"),
        ("instagram", "shop", None),
    ]


def test_a_phone_number_is_read_as_the_account_reads_it() -> None:
    latvian = Terms(
        phone_chat_types=(ChatType.WHATSAPP, ChatType.VIBER), country="LV", longest_user_id=64, takes_usernames=True
    )

    [card] = settled(contacts=[CONTACT | {"phone": "20 234 567"}], terms=latvian).contacts

    assert [(chat.chat_type, chat.chat_id) for chat in card.chats] == [
        ("whatsapp", "37120234567"),
        ("viber", "37120234567"),
    ]


def test_the_same_contact_of_a_deal_is_named_once() -> None:
    [deal] = settled(deals=[DEAL | {"contact_ids": ["C-6", "C-5", "C-6"]}]).deals

    assert deal.contact_ids == ("C-6", "C-5")


def test_a_field_that_opens_no_chat_is_left_out_with_a_warning_that_names_the_item() -> None:
    told = settled(contacts=[CONTACT, CONTACT | {"id": "C-6", "vk": "a", "phone": "12"}])

    assert [chat.chat_type for chat in told.contacts[1].chats] == ["vk"]
    assert len(told.warnings) == 1
    assert told.warnings[0].startswith("#/contacts/1/phone was left out: ")


def test_a_telegram_username_is_left_out_where_wazzup_knows_contacts_by_id_only() -> None:
    told = settled(contacts=[CONTACT | {"telegram": "@my_tg_user"}], terms=V3)

    assert told.contacts[0].chats == (CHAT,)
    assert told.warnings == (
        "#/contacts/0/telegram was left out: This Wazzup API knows Telegram contacts by id only: send telegram_id.",
    )


def test_a_contact_of_whom_only_the_username_is_known_is_refused_there() -> None:
    contact = CONTACT | {"telegram": "@my_tg_user", "phone": "12"}

    found = refused(contacts=[contact], terms=V3)

    assert found.keys() == {"#/contacts/0/telegram"}
    assert "send telegram_id" in found["#/contacts/0/telegram"]
    assert "phone was left out" in found["#/contacts/0/telegram"]


@pytest.mark.parametrize(
    ("given", "pointer", "sentence"),
    [
        ({"id": 5}, "id", "valid string"),
        ({"id": ""}, "id", "must not be empty"),
        ({"id": " \t "}, "id", "must not be empty"),
        ({"id": "\u2003"}, "id", "must not be empty"),
        ({"id": "x" * 201}, "id", "at most 200 characters"),
        ({"user_id": "x" * 65}, "user_id", "longer than 64 characters"),
        ({"user_id": "x" * 201}, "user_id", "at most 200 characters"),
        ({"user_id": None}, "user_id", "valid string"),
        ({"name": "Š" * 201}, "name", "at most 200 characters"),
        ({"name": None}, "name", "valid string"),
        ({"name": "a\u0000b"}, "name", "control characters"),
        ({"name": "a\nb"}, "name", "control characters"),
        ({"url": "https://crm.example/" + "x" * 181}, "url", "at most 200 characters"),
        ({"url": "javascript:alert(1)"}, "url", "begins with https://"),
        ({"url": "java\tscript:alert(1)"}, "url", "control characters"),
        ({"url": "data:text/html,x"}, "url", "begins with https://"),
        ({"url": "ftp://crm.example/"}, "url", "begins with https://"),
        ({"url": "//crm.example/"}, "url", "begins with https://"),
        ({"url": "/c/5"}, "url", "begins with https://"),
        ({"url": "https://"}, "url", "begins with https://"),
        ({"url": "https:///c/5"}, "url", "begins with https://"),
        ({"url": "https:\\\\crm.example"}, "url", "begins with https://"),
        ({"url": "https://crm.example/a b"}, "url", "begins with https://"),
        ({"url": 5}, "url", "valid string"),
        ({"surname": "Stone"}, "surname", "not known"),
    ],
)
@pytest.mark.parametrize(("kind", "good"), [("contacts", CONTACT), ("deals", DEAL)])
def test_what_wazzup_would_not_take_is_refused_where_it_stands(
    kind: str, good: dict[str, Any], given: dict[str, Any], pointer: str, sentence: str
) -> None:
    found = refused(**listed(kind, [good, good | {"id": "another"} | given]))

    assert list(found) == [f"#/{kind}/1/{pointer}"]
    assert sentence in found[f"#/{kind}/1/{pointer}"]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"contact_ids": []}, "contact_ids"),
        ({"contact_ids": None}, "contact_ids"),
        ({"contact_ids": "C-5"}, "contact_ids"),
        ({"contact_ids": ["C-5", ""]}, "contact_ids/1"),
        ({"contact_ids": [5]}, "contact_ids/0"),
        ({"contact_ids": ["x" * 201]}, "contact_ids/0"),
        ({"closed": "no"}, "closed"),
        ({"closed": 0}, "closed"),
        ({"closed": None}, "closed"),
    ],
)
def test_a_deal_names_its_contacts_and_is_closed_or_not(given: dict[str, Any], pointer: str) -> None:
    assert list(refused(deals=[DEAL | given])) == [f"#/deals/0/{pointer}"]


@pytest.mark.parametrize("missing", ["id", "user_id", "name"])
@pytest.mark.parametrize(("kind", "good"), [("contacts", CONTACT), ("deals", DEAL)])
def test_whatever_wazzup_requires_is_required(kind: str, good: dict[str, Any], missing: str) -> None:
    without = {field: value for field, value in good.items() if field != missing}

    assert refused(**listed(kind, [without])) == {f"#/{kind}/0/{missing}": "This field is required."}


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"phone": "20 234 567"}, "/phone"),
        ({"phone": None}, ""),
        ({"phone": ""}, ""),
        ({"phone": "", "phones": ["12"]}, "/phones/0"),
        ({"phone": "12", "vk": "\u200b"}, ""),
    ],
)
def test_a_contact_that_opens_no_chat_is_refused_where_it_can_be_mended(given: dict[str, Any], pointer: str) -> None:
    assert list(refused(contacts=[CONTACT | given])) == [f"#/contacts/0{pointer}"]


@pytest.mark.parametrize("longest", ["x" * 64, "Š" * 64, "🪑" * 64])
def test_lengths_are_counted_in_characters(longest: str) -> None:
    told = settled(deals=[DEAL | {"user_id": longest, "id": "x" * 200, "name": "🪑" * 200, "contact_ids": ["y" * 200]}])

    assert told.deals[0].user_id == longest


def test_the_longer_user_ids_of_v3_are_taken_there() -> None:
    assert settled(deals=[DEAL | {"user_id": "x" * 200}], terms=V3).deals[0].user_id == "x" * 200


@pytest.mark.parametrize(
    "url", ["http://crm.example", "HTTPS://CRM.example/c?a=b#c", "https://crm.example/клиент/5", "https://[::1]:8000/"]
)
def test_any_address_of_the_web_is_taken(url: str) -> None:
    assert settled(deals=[DEAL | {"url": f" {url} "}]).deals[0].url == url


@pytest.mark.parametrize(("kind", "good"), [("contacts", CONTACT), ("deals", DEAL)])
def test_an_id_that_stands_twice_is_refused_with_where_it_stood_first(kind: str, good: dict[str, Any]) -> None:
    found = refused(**listed(kind, [good, good | {"id": "another"}, good | {"id": " " + good["id"]}]))

    assert found == {f"#/{kind}/2/id": f"#/{kind}/0 has the same id: send each of the {kind} once."}


def test_a_contact_and_a_deal_may_have_the_same_id() -> None:
    told = settled(contacts=[CONTACT | {"id": "5"}], deals=[DEAL | {"id": "5"}])

    assert told.contacts[0].id == told.deals[0].id == "5"


def test_all_faults_are_told_at_once() -> None:
    found = refused(
        contacts=[CONTACT | {"user_id": "x" * 65}, CONTACT | {"phone": "12"}],
        deals=[DEAL | {"user_id": "x" * 65}, DEAL],
    )

    assert found.keys() == {
        "#/contacts/0/user_id",
        "#/contacts/1/id",
        "#/contacts/1/phone",
        "#/deals/0/user_id",
        "#/deals/1/id",
    }


@pytest.mark.parametrize("given", [{"user_id": "x" * 65}, {"phone": "12"}])
def test_more_faults_than_a_reader_can_use_are_not_told(given: dict[str, Any]) -> None:
    found = refused(contacts=[CONTACT | {"id": str(index)} | given for index in range(120)])

    assert len(found) == MOST_FAULTS


def test_no_sentence_repeats_what_was_sent() -> None:
    secret = "zebulon-quackenbush"

    found = refused(
        contacts=[CONTACT | {"id": secret, "user_id": secret * 4}, CONTACT | {"id": secret, "phone": secret}],
        deals=[DEAL | {"name": secret, "user_id": secret * 4}],
    )

    assert len(found) == 4
    assert secret not in "".join(found.values())
