"""Whatever a CRM tells, the batches that go to Wazzup are as its contract says, and its complaints find their item."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.deals.models import ContactCard, Deal, DealsQuestion
from app.deals.question import Settled, Terms, settle
from app.errors import Fault, Invalid, VendorSaid, WazzupRefused
from app.links.models import Chat, ChatType
from app.wazzup import v2, v3
from app.wazzup.v2 import WazzupV2
from app.wazzup.v3 import WazzupV3
from tests.vendor_contract import Generation, check_request

CARD = ContactCard(
    place="#/contacts/0",
    id="C-5",
    user_id="crm-user-1",
    name="Anthony Stone",
    chats=(
        Chat(chat_type=ChatType.WHATSAPP, chat_id="37111234567", contact_name="Anthony Stone"),
        Chat(chat_type=ChatType.TELEGRAM, chat_id="1670185", contact_name="Anthony Stone"),
    ),
    url="https://crm.example/c/5",
)
DEAL = Deal(
    place="#/deals/0",
    id="D-77",
    user_id="crm-user-1",
    name="Chairs",
    contact_ids=("C-5",),
    url="https://crm.example/d/77",
    closed=True,
)


@dataclass
class Client:
    """Takes what is asked, or refuses it in the vendor's words."""

    refusal: WazzupRefused | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def post(self, path: str, question: Any, *, read: Any, **facts: Any) -> Any:
        self.asked.append({"path": path, "body": orjson.loads(orjson.dumps(question))} | facts)
        if self.refusal:
            raise self.refusal
        return read({})


def dialect(generation: Generation, client: Any) -> WazzupV2 | WazzupV3:
    return WazzupV2(client, ()) if generation == "v2" else WazzupV3(client, ())


async def test_the_partner_api_is_told_in_its_words() -> None:
    client = Client()
    by_name = Chat(chat_type=ChatType.TELEGRAM, username="my_tg_user", contact_name="Anthony Stone")

    await dialect("v2", client).put_contacts(
        [CARD, ContactCard(place="", id="6", user_id="2", name="B", chats=(by_name,))]
    )
    await dialect("v2", client).put_deals([DEAL])

    assert client.asked == [
        {
            "path": "/v2/contacts",
            "operation": "contacts",
            "party": "crm-user-1",
            "body": {
                "contacts": [
                    {
                        "id": "C-5",
                        "responsible_user_id": "crm-user-1",
                        "name": "Anthony Stone",
                        "contact_data": [
                            {"chat_type": "whatsapp", "chat_id": "37111234567"},
                            {"chat_type": "telegram", "chat_id": "1670185"},
                        ],
                        "uri": "https://crm.example/c/5",
                    },
                    {
                        "id": "6",
                        "responsible_user_id": "2",
                        "name": "B",
                        "contact_data": [{"chat_type": "telegram", "username": "my_tg_user"}],
                    },
                ]
            },
        },
        {
            "path": "/v2/deals",
            "operation": "deals",
            "party": "crm-user-1",
            "body": {
                "deals": [
                    {
                        "id": "D-77",
                        "responsible_user_id": "crm-user-1",
                        "name": "Chairs",
                        "uri": "https://crm.example/d/77",
                        "contacts": ["C-5"],
                        "closed": True,
                    }
                ]
            },
        },
    ]


async def test_the_public_api_is_told_in_its_words() -> None:
    client = Client()

    await dialect("v3", client).put_contacts([CARD])
    await dialect("v3", client).put_deals([DEAL])

    assert [(one["path"], one["operation"], one["party"]) for one in client.asked] == [
        ("/v3/contacts", "contacts", "crm-user-1"),
        ("/v3/deals", "deals", "crm-user-1"),
    ]
    assert client.asked[0]["body"] == [
        {
            "id": "C-5",
            "responsibleUserId": "crm-user-1",
            "name": "Anthony Stone",
            "contactData": [
                {"chatType": "whatsapp", "chatId": "37111234567"},
                {"chatType": "telegram", "chatId": "1670185"},
            ],
            "uri": "https://crm.example/c/5",
        }
    ]
    assert client.asked[1]["body"] == [
        {
            "id": "D-77",
            "responsibleUserId": "crm-user-1",
            "name": "Chairs",
            "uri": "https://crm.example/d/77",
            "contacts": ["C-5"],
            "closed": True,
        }
    ]


def test_an_open_deal_says_that_it_is_open() -> None:
    """Left out, it might stay closed at Wazzup: a deal can be opened again."""
    reopened = Deal(place="", id="D", user_id="u", name="n", contact_ids=("C",))

    assert v2.deal_entry(reopened)["closed"] is False
    assert v3.deal_entry(reopened)["closed"] is False


# --- complaints -----------------------------------------------------------------------------------


def deals(count: int) -> list[Deal]:
    """As a second batch would be: what Wazzup calls the first one is the hundredth of the caller's."""
    return [
        Deal(place=f"#/deals/{100 + index}", id=str(index), user_id="u", name="n", contact_ids=("C",))
        for index in range(count)
    ]


async def complained(generation: Generation, *complaints: str) -> WazzupRefused:
    refusal = WazzupRefused("Wazzup refused the request.", vendor=VendorSaid(status=400, errors=complaints))
    with pytest.raises(WazzupRefused) as caught:
        await dialect(generation, Client(refusal)).put_deals(deals(20))
    assert caught.value.vendor == VendorSaid(status=400, errors=complaints)
    return caught.value


@pytest.mark.parametrize(
    ("generation", "complaint", "pointer", "said"),
    [
        ("v2", "deals.3.contacts must be known contacts", "103/contact_ids", "contacts must be known contacts"),
        ("v2", "deals.0.responsible_user_id must be a known user", "100/user_id", "responsible_user_id must be"),
        ("v2", "deals.19.uri must be a URL.", "119/url", "uri must be a URL"),
        ("v2", "deals[3].name is bad", "103/name", "name is bad"),
        ("v2", "deals.[3].closed is bad", "103/closed", "closed is bad"),
        ("v2", "deals.12.contacts.0 is bad", "112/contact_ids", "contacts.0 is bad"),
        ("v2", "deals.3.property foo should not exist", "103", "property foo should not exist"),
        ("v2", "deals.3.must be an object", "103", "must be an object"),
        ("v3", "3.contacts must be known contacts", "103/contact_ids", "contacts must be known contacts"),
        ("v3", "11.responsibleUserId must be a known user", "111/user_id", "responsibleUserId must be"),
        ("v3", "[3].id is bad", "103/id", "id is bad"),
        ("v3", "3.name is\nbad", "103/name", "name is\nbad"),
    ],
)
async def test_a_complaint_about_an_item_is_said_of_its_place_in_the_callers_body(
    generation: Generation, complaint: str, pointer: str, said: str
) -> None:
    refusal = await complained(generation, complaint)

    [fault] = refusal.faults
    assert fault.pointer == f"#/deals/{pointer}"
    assert fault.detail.startswith(f"Wazzup says: {said}")
    assert fault.detail.endswith(".")
    assert not fault.detail.endswith("..")
    assert refusal.detail == "Wazzup refused some of the deals; see errors."


@pytest.mark.parametrize("generation", ["v2", "v3"])
@pytest.mark.parametrize(
    "complaint",
    [
        "deals must be an array",
        "body must be JSON",
        "deals.20.name is bad",
        "99.name is bad",
        "deals.99999999999.name is bad",
        "deals.-1.name is bad",
        "deals.٣.name is bad",
        "3 of them are bad",
        "users.3.name is bad",
        "D-3.name is bad",
        "",
    ],
)
async def test_a_complaint_that_names_no_item_of_the_batch_blames_none(generation: Generation, complaint: str) -> None:
    refusal = await complained(generation, complaint)

    assert refusal.faults == ()
    assert refusal.detail == "Wazzup refused the request."


async def test_every_item_that_is_named_is_told_of_and_the_rest_stays_in_the_vendors_words() -> None:
    refusal = await complained("v2", "deals.1.name is bad", "something else", "deals.2.name is bad")

    assert refusal.faults == (
        Fault("Wazzup says: name is bad.", "#/deals/101/name"),
        Fault("Wazzup says: name is bad.", "#/deals/102/name"),
    )


async def test_a_refused_contact_is_named_too() -> None:
    said = VendorSaid(status=400, errors=("contacts.0.contact_data.0.chat_id is bad",))

    with pytest.raises(WazzupRefused) as caught:
        await dialect("v2", Client(WazzupRefused("No.", vendor=said))).put_contacts([CARD])

    assert [fault.pointer for fault in caught.value.faults] == ["#/contacts/0"]


# --- whatever is told -----------------------------------------------------------------------------

WORDS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8),
    st.sampled_from(["", " ", "@my_tg_user", "37111234567", "+371 20 234 567", "a b", "@", "\u200b"]),
    st.sampled_from([64, 65, 200, 201]).map("x".__mul__),
)
URLS = st.sampled_from(["https://crm.example/c/5", "", "javascript:1", "https://crm.example/" + "x" * 180]) | WORDS
CHATS = dict.fromkeys(("telegram", "telegram_id", "instagram", "vk", "whatsapp", "viber", "max"), WORDS)
COMMON = {"id": WORDS, "user_id": WORDS, "name": WORDS, "url": URLS}
PHONES = st.sampled_from(["+371 20 234 567", "20234567", ""])
CONTACT = {"id": "C-5", "user_id": "crm-user-1", "name": "Anthony Stone", "phone": "+37120234567"}
ENTRY = {"id": "D-77", "user_id": "crm-user-1", "name": "Chairs", "contact_ids": ["C-5"]}


def varied(good: dict[str, Any], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Good ones but for two fields: were all of them made up, hardly any would get as far as Wazzup."""
    one = st.one_of(*(st.fixed_dictionaries({name: values}) for name, values in fields.items()))
    return st.builds(lambda first, second: good | first | second, one, one)


CONTACTS = varied(CONTACT, COMMON | CHATS | {"phone": PHONES})
DEALS = varied(ENTRY, COMMON | {"contact_ids": st.lists(WORDS, max_size=3), "closed": st.booleans()})


def terms(generation: Generation) -> Terms:
    return Terms(
        phone_chat_types=(ChatType.WHATSAPP, ChatType.VIBER),
        country="LV",
        longest_user_id={"v2": 64, "v3": 200}[generation],
        takes_usernames=generation == "v2",
    )


def settled(asked: Any, generation: Generation) -> Settled:
    try:
        return settle(DealsQuestion.model_validate(asked), terms(generation))
    except (Invalid, ValidationError):
        reject()


@given(asked=CONTACTS.map(lambda one: {"contacts": [one]}) | DEALS.map(lambda one: {"deals": [one]}))
@settings(max_examples=400, deadline=None, database=None, derandomize=True)
@pytest.mark.parametrize("generation", ["v2", "v3"])
async def test_whatever_is_settled_goes_out_as_the_contract_says(generation: Generation, asked: dict[str, Any]) -> None:
    told = settled(asked, generation)
    client = Client()

    if told.contacts:
        await dialect(generation, client).put_contacts(told.contacts)
    if told.deals:
        await dialect(generation, client).put_deals(told.deals)

    for one in client.asked:
        check_request(generation, "POST", one["path"], one["body"])
