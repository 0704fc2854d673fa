"""Users, contacts and deals: told in batches, remembered by id, in this order."""

from typing import Any

import pytest

from tests.simulator.driver import Wazzup
from tests.vendor_contract import check_request

USER = {"id": "crm-user-1", "name": "John Smith", "phone": "37120000000"}

V2_CONTACT: dict[str, Any] = {
    "id": "C-5",
    "responsible_user_id": "crm-user-1",
    "name": "Anthony Stone",
    "contact_data": [{"chat_type": "whatsapp", "chat_id": "37111234567"}],
    "uri": "https://crm.example/c/5",
}
V2_DEAL: dict[str, Any] = {
    "id": "D-77",
    "responsible_user_id": "crm-user-1",
    "name": "Chairs",
    "uri": "https://crm.example/d/77",
    "contacts": ["C-5"],
    "closed": False,
}
V3_CONTACT: dict[str, Any] = {
    "id": "C-5",
    "responsibleUserId": "crm-user-1",
    "name": "Anthony Stone",
    "contactData": [{"chatType": "whatsapp", "chatId": "37111234567"}],
}
V3_DEAL: dict[str, Any] = {
    "id": "D-77",
    "responsibleUserId": "crm-user-1",
    "name": "Chairs",
    "contacts": ["C-5"],
}


async def test_v2_remembers_users_contacts_and_deals(wazzup: Wazzup) -> None:
    users = await wazzup.v2("/users", {"users": [USER]})
    contacts = await wazzup.v2("/contacts", {"contacts": [V2_CONTACT]})
    deals = await wazzup.v2("/deals", {"deals": [V2_DEAL]})

    assert [answer.status_code for answer in (users, contacts, deals)] == [200, 200, 200]
    assert wazzup.world.users == {"crm-user-1": USER}
    assert wazzup.world.contacts == {"C-5": V2_CONTACT}
    assert wazzup.world.deals == {"D-77": V2_DEAL}


async def test_v3_remembers_users_contacts_and_deals(wazzup: Wazzup) -> None:
    users = await wazzup.v3("/users", [USER])
    contacts = await wazzup.v3("/contacts", [V3_CONTACT])
    deals = await wazzup.v3("/deals", [V3_DEAL])

    assert [answer.status_code for answer in (users, contacts, deals)] == [200, 200, 200]
    assert wazzup.world.users == {"crm-user-1": USER}
    assert wazzup.world.contacts == {"C-5": V3_CONTACT}
    assert wazzup.world.deals == {"D-77": V3_DEAL}


async def test_the_same_id_again_replaces(wazzup: Wazzup) -> None:
    await wazzup.v2("/users", {"users": [USER]})
    await wazzup.v2("/users", {"users": [{"id": "crm-user-1", "name": "Jane Smith"}]})

    assert wazzup.world.users == {"crm-user-1": {"id": "crm-user-1", "name": "Jane Smith"}}


async def test_v2_refuses_a_deal_whose_user_or_contact_it_does_not_know(wazzup: Wazzup) -> None:
    answer = await wazzup.v2("/deals", {"deals": [V2_DEAL]})

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        "deals.0.responsible_user_id must be a known user",
        "deals.0.contacts must be known contacts",
    ]
    assert wazzup.world.deals == {}


async def test_v3_refuses_a_deal_whose_contact_it_does_not_know(wazzup: Wazzup) -> None:
    await wazzup.v3("/users", [USER])

    answer = await wazzup.v3("/deals", [V3_DEAL])

    assert answer.status_code == 400
    assert answer.json()["data"]["fields"] == ["0.contacts must be known contacts"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/users", [USER]),
        ("/users", {"users": []}),
        ("/users", {"users": [USER] * 101}),
        ("/users", {"users": [{"id": "u" * 65, "name": "John"}]}),
        ("/users", {"users": [{"id": "u", "name": "n" * 151}]}),
        ("/users", {"users": [{"id": "u", "name": "John", "phone": "+371"}]}),
        ("/users", {"users": [{"id": "u", "name": "John", "email": "a@b"}]}),
        ("/contacts", {"contacts": [{**V2_CONTACT, "contact_data": []}]}),
        ("/contacts", {"contacts": [{**V2_CONTACT, "contactData": []}]}),
        ("/contacts", {"contacts": [{**V2_CONTACT, "contact_data": [{"chat_type": "vk"}]}]}),
        ("/deals", {"deals": [{**V2_DEAL, "closed": "no"}]}),
        ("/deals", {"deals": [{**V2_DEAL, "contacts": []}]}),
        ("/deals", {"deals": [{**V2_DEAL, "uri": "u" * 201}]}),
    ],
)
async def test_v2_refuses_what_its_contract_does_not_have(wazzup: Wazzup, path: str, body: object) -> None:
    answer = await wazzup.v2(path, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    with pytest.raises(AssertionError):
        check_request("v2", "POST", f"/v2{path}", body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/users", {"users": [USER]}),
        ("/users", []),
        ("/users", [USER] * 101),
        ("/users", [{"id": "u" * 201, "name": "John"}]),
        ("/contacts", [V2_CONTACT]),
        ("/contacts", [{**V3_CONTACT, "contactData": [{"chatType": "telegram", "username": "tg"}]}]),
        ("/deals", [{**V3_DEAL, "name": "n" * 201}]),
        ("/deals", [V2_DEAL]),
    ],
)
async def test_v3_refuses_what_its_contract_does_not_have(wazzup: Wazzup, path: str, body: object) -> None:
    answer = await wazzup.v3(path, body)

    assert (answer.status_code, answer.json()["error"]) == (400, "VALIDATION_FAILED")
    with pytest.raises(AssertionError):
        check_request("v3", "POST", f"/v3{path}", body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/users", {"users": [USER] * 100}),
        ("/contacts", {"contacts": [V2_CONTACT]}),
        ("/deals", {"deals": [V2_DEAL]}),
    ],
)
async def test_the_v2_contract_has_what_v2_takes(path: str, body: object) -> None:
    check_request("v2", "POST", f"/v2{path}", body)


@pytest.mark.parametrize(
    ("path", "body"), [("/users", [USER] * 100), ("/contacts", [V3_CONTACT]), ("/deals", [V3_DEAL])]
)
async def test_the_v3_contract_has_what_v3_takes(path: str, body: object) -> None:
    check_request("v3", "POST", f"/v3{path}", body)
