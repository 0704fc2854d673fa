"""The Deals list: a contact's deals for which the window's user is responsible."""

from typing import Any

from tests.simulator.driver import Wazzup
from tests.simulator.examples import V2_CARD, V2_CHAT, V2_GLOBAL, V3_CARD, v2_card
from tests.simulator.window import Window, v2_window, v3_window

USERS = [{"id": "crm-user-1", "name": "John Smith"}, {"id": "crm-user-2", "name": "Jane Doe"}]
WHATSAPP = {"chat_type": "whatsapp", "chat_id": "37111234567"}
KEY = "whatsapp:37111234567"


async def told(wazzup: Wazzup, contact_data: list[dict[str, str]], *deals: dict[str, Any]) -> None:
    """Tell Wazzup of both users, of Anthony with these chats, of a stranger, and of deals."""
    anthony = {"id": "C-5", "responsible_user_id": "crm-user-1", "name": "Anthony", "contact_data": contact_data}
    stranger = {**anthony, "id": "C-6", "contact_data": [{"chat_type": "viber", "chat_id": "37199999999"}]}
    await wazzup.v2("/users", {"users": USERS})
    await wazzup.v2("/contacts", {"contacts": [anthony, stranger]})
    for deal in deals:
        answer = await wazzup.v2("/deals", {"deals": [{**DEAL, **deal}]})
        assert answer.status_code == 200


DEAL: dict[str, Any] = {"id": "D-1", "responsible_user_id": "crm-user-1", "name": "Chairs", "contacts": ["C-5"]}


async def listed(window: Window, chat: str | None = KEY) -> list[str]:
    return [deal["id"] for deal in (await window.view(chat))["deals"]]


async def test_a_deal_that_wazzup_is_told_of_is_there_in_the_words_of_the_event(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)
    before = await listed(window)

    await told(wazzup, [WHATSAPP], {"id": "D-77", "uri": "https://crm.example/d/77"}, {"id": "D-78", "closed": True})

    assert before == []
    assert (await window.view(KEY))["deals"] == [
        {"closed": True, "id": "D-78", "name": "Chairs", "responsibleUserName": "John Smith"},
        {
            "closed": False,
            "id": "D-77",
            "link": "https://crm.example/d/77",
            "name": "Chairs",
            "responsibleUserName": "John Smith",
        },
    ]


async def test_a_deal_that_is_told_again_is_there_as_it_is_now(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)

    await told(wazzup, [WHATSAPP], {}, {"name": "Tables", "closed": True})

    [deal] = (await window.view(KEY))["deals"]
    assert (deal["name"], deal["closed"]) == ("Tables", True)


async def test_another_users_deals_and_another_contacts_are_not_there(wazzup: Wazzup) -> None:
    mine = await v2_window(wazzup, V2_CARD)
    hers = await v2_window(wazzup, {**V2_CARD, "user_id": "crm-user-2"})
    another = await v2_window(wazzup, v2_card(chat_type="viber", chat_id="37111234567"))

    await told(
        wazzup,
        [WHATSAPP],
        {"id": "mine"},
        {"id": "hers", "responsible_user_id": "crm-user-2"},
        {"id": "with a stranger", "contacts": ["C-6"]},
        {"id": "with both", "contacts": ["C-6", "C-5"]},
    )

    assert await listed(mine) == ["with both", "mine"]
    assert await listed(hers) == ["hers"]
    assert await listed(another, None) == []


async def test_any_chat_of_the_card_will_do_whichever_is_open(wazzup: Wazzup) -> None:
    telegram = {"chat_type": "telegram", "username": "my_tg_user"}
    window = await v2_window(wazzup, {**V2_CARD, "chats": [V2_CHAT, telegram]})

    await told(wazzup, [{"chat_type": "telegram", "username": "My_TG_user", "phone": "37111234567"}], {})

    assert await listed(window) == ["D-1"]


async def test_a_telegram_chat_is_found_by_username_and_by_the_id_that_its_events_give(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, v2_card(chat_type="telegram", username="my_tg_user"))
    [chat] = (await window.view())["chats"]

    await told(wazzup, [{"chat_type": "telegram", "chat_id": chat["chatId"]}], {})

    assert await listed(window) == ["D-1"]


async def test_v3_tells_the_same_in_words_of_its_own(wazzup: Wazzup) -> None:
    data = [{"chatType": "whatsapp", "chatId": "37111234567"}]
    contact = {"id": "C-5", "responsibleUserId": "crm-user-1", "name": "Anthony", "contactData": data}
    window = await v3_window(wazzup, V3_CARD)
    await wazzup.v3("/users", USERS)
    await wazzup.v3("/contacts", [contact])

    for user, deal in (("crm-user-1", "mine"), ("crm-user-2", "hers")):
        await wazzup.v3("/deals", [{"id": deal, "responsibleUserId": user, "name": "Chairs", "contacts": ["C-5"]}])

    assert await listed(window) == ["mine"]


async def test_the_global_window_lists_the_deals_of_the_chat_that_is_open(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_GLOBAL)

    await told(wazzup, [WHATSAPP], {}, {"id": "with a stranger", "contacts": ["C-6"]})

    assert await listed(window, None) == []
    assert await listed(window) == ["D-1"]
