"""What an open window asks and sends: told to whoever has a living link, and said in every window of the chat."""

from typing import Any

import pytest

from app.simulator.conversations import CHATS_KEPT, MESSAGES_KEPT
from app.simulator.faults import Fault
from app.simulator.options import Options, RateLimit
from tests.simulator.driver import Wazzup
from tests.simulator.examples import V2_CARD, V2_CHAT, V2_GLOBAL, V3_CARD, v2_card, v3_card
from tests.simulator.window import Window, v2_window, v3_window

KEY = "whatsapp:37111234567"
HELLO = {"chat": KEY, "id": "m-1", "text": "Hello!"}


def texts(view: dict[str, Any]) -> list[str]:
    return [message["text"] for message in view["messages"]]


def last(view: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = view["messages"][-1]
    return message


async def test_an_open_window_is_told_what_its_page_was_handed(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)

    handed = (await window.page()).view
    told = await window.view(KEY)

    assert handed == {"account": "1234-1234", **told}
    assert (told["scope"], told["userId"], told["chat"]) == ("card", "crm-user-1", KEY)


async def test_a_conversation_has_always_begun_with_the_same_words_on_each_messenger_with_others() -> None:
    chats = [V2_CHAT, {**V2_CHAT, "chat_type": "viber"}]
    views = []

    for wazzup in (Wazzup(), Wazzup()):
        window = await v2_window(wazzup, {**V2_CARD, "author_name": "John Smith", "chats": chats})
        views.append([await window.view(KEY), await window.view("viber:37111234567")])

    assert views[0] == views[1]
    assert texts(views[0][0]) != texts(views[0][1])
    assert {message["author"] for message in views[0][0]["messages"]} == {"John Smith", "Anthony Stone"}
    assert len({message["at"][:10] for message in views[0][0]["messages"]}) > 1


async def test_a_message_is_said_in_every_window_and_answered_a_little_later(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, {**V2_CARD, "author_name": "John Smith"})
    another = await v3_window(wazzup, V3_CARD)

    said = await window.say(HELLO)
    at_once = await another.view(KEY)
    wazzup.clock.forward(2)
    soon = await another.view(KEY)
    wazzup.clock.forward(2)
    later = await another.view(KEY)

    assert said.status_code == 201
    assert last(said.json()) == last(at_once)
    assert (last(at_once)["author"], last(at_once)["text"], last(at_once)["status"]) == ("John Smith", "Hello!", "sent")
    assert (last(soon)["status"], soon["answering"], at_once["answering"]) == ("read", True, False)
    assert (last(later)["author"], last(later)["outgoing"], later["answering"]) == ("Anthony Stone", False, False)


async def test_a_contact_who_gets_another_message_answers_both_at_once(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)
    before = len(texts(await window.view(KEY)))

    await window.say(HELLO)
    wazzup.clock.forward(1)
    await window.say({**HELLO, "id": "m-2", "text": "Are you there?"})
    wazzup.clock.forward(60)

    said = (await window.view(KEY))["messages"][before:]
    assert [message["outgoing"] for message in said] == [True, True, False]


async def test_a_message_that_is_sent_again_is_said_once(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)

    answers = [await window.say(HELLO) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert texts(answers[1].json()).count("Hello!") == 1


async def test_a_telegram_chat_has_one_id_and_one_conversation_however_its_username_is_written(wazzup: Wazzup) -> None:
    by_name = await v2_window(wazzup, v2_card(chat_type="telegram", username="My_tg_user"))
    [chat] = (await by_name.view())["chats"]
    by_id = await v3_window(wazzup, v3_card(chatType="telegram", chatId=chat["chatId"]))
    in_lower_case = await v2_window(wazzup, v2_card(chat_type="telegram", username="my_tg_user"))

    await by_name.say({**HELLO, "chat": chat["key"]})

    assert chat["chatId"].isdigit()
    assert chat["address"] == "@My_tg_user"
    for window in (by_id, in_lower_case):
        assert last(await window.view(chat["key"]))["text"] == "Hello!"


async def test_the_ids_of_channel_and_integration_stay(wazzup: Wazzup) -> None:
    first = await (await v2_window(wazzup, V2_CARD)).view()
    second = await (await v3_window(Wazzup(), V3_CARD)).view()
    elsewhere = await (await v2_window(Wazzup(Options(account_id="99999999")), V2_CARD)).page()

    assert first["integrationId"] == second["integrationId"] != elsewhere.view["integrationId"]
    assert first["chats"][0]["channelId"] == second["chats"][0]["channelId"]


async def test_whether_deal_events_are_on_is_what_the_link_says(wazzup: Wazzup) -> None:
    on = await v2_window(wazzup, {**V2_CARD, "use_events": {"deals": True}})
    off = await v2_window(wazzup, {**V2_CARD, "use_events": {"messages": True}})

    assert (await on.view())["dealsEvents"] is True
    assert (await off.view())["dealsEvents"] is False


async def test_in_the_global_window_a_chat_is_opened_by_its_key(wazzup: Wazzup) -> None:
    await (await v2_window(wazzup, V2_CARD)).say(HELLO)
    window = await v2_window(wazzup, V2_GLOBAL)

    closed, opened = await window.view(), await window.view(KEY)

    assert (closed["chat"], closed["messages"]) == (None, [])
    assert closed["chats"][0]["last"]["text"] == "Hello!"
    assert (opened["chat"], last(opened)["text"]) == (KEY, "Hello!")


async def test_a_card_shows_no_chat_but_its_own(wazzup: Wazzup) -> None:
    await v2_window(wazzup, v2_card(chat_type="viber", chat_id="1"))
    window = await v2_window(wazzup, V2_CARD)

    view = await window.view("viber:1")
    said = await window.say({**HELLO, "chat": "viber:1"})

    assert (view["chat"], view["messages"]) == (None, [])
    assert (said.status_code, said.json()["errors"]) == (400, ["chat must be one of the window's"])


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {**HELLO, "text": " "},
        {**HELLO, "text": 7},
        {**HELLO, "text": "x" * 2001},
        {**HELLO, "id": "x" * 65},
        {**HELLO, "author": "somebody else"},
        {"chat": KEY, "text": "Hello!"},
    ],
)
async def test_what_is_no_message_is_refused(wazzup: Wazzup, body: object) -> None:
    window = await v2_window(wazzup, V2_CARD)

    answer = await window.say(body)

    assert answer.status_code == 400
    assert "Hello!" not in texts(await window.view(KEY))


async def test_an_open_window_learns_that_its_link_has_ended() -> None:
    wazzup = Wazzup(Options(link_lifetime_seconds=600))
    window = await v2_window(wazzup, V2_CARD)

    wazzup.clock.forward(599)
    in_time = await window.ask()
    wazzup.clock.forward(1)
    too_late = [await window.ask(), await window.say(HELLO)]

    assert (in_time.status_code, in_time.json()["endsIn"]) == (200, 1)
    assert [(answer.status_code, answer.json()["code"]) for answer in too_late] == [(410, "LINK_EXPIRED")] * 2


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "demo-access-token"])
async def test_a_wrong_token_is_told_nothing(wazzup: Wazzup, token: str) -> None:
    window = Window(wazzup, f"/1234-1234/chat?token={token}")

    answers = [await window.ask(), await window.say(HELLO)]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "LINK_UNKNOWN")] * 2


async def test_a_token_of_one_account_is_told_nothing_of_anothers(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)

    answer = await window.ask(account="9999-9999")

    assert answer.status_code == 403


async def test_a_window_is_neither_recorded_nor_counted_nor_met_by_faults_of_the_api() -> None:
    wazzup = Wazzup(Options(v2_rate_limit=RateLimit(calls=2, seconds=60)))
    window = await v2_window(wazzup, V2_CARD)
    wazzup.world.calls.clear()
    wazzup.world.faults.add(Fault(on="/", status=500))

    answers = [await window.ask(KEY), await window.say(HELLO), await wazzup.get(window.link)]
    met = await wazzup.v2("/users", {"users": [{"id": "u", "name": "John"}]})
    counted = await wazzup.v2("/users", {"users": [{"id": "u", "name": "John"}]})

    assert [answer.status_code for answer in answers] == [200, 201, 200]
    assert (met.status_code, counted.status_code) == (500, 200)
    assert [call.path for call in wazzup.world.calls] == ["/v2/users", "/v2/users"]


async def test_nobody_may_keep_what_a_window_is_told(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)

    answers = [await window.ask(), await window.say(HELLO)]

    assert [answer.headers["cache-control"] for answer in answers] == ["no-store", "no-store"]


async def test_a_reset_forgets_what_was_said_and_windows_stay_open(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)
    await window.say(HELLO)

    wazzup.world.reset()

    assert "Hello!" not in texts(await window.view(KEY))


async def test_only_so_much_of_a_chat_is_remembered(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)

    for number in range(MESSAGES_KEPT + 1):
        await window.say({**HELLO, "id": f"m-{number}", "text": f"Hello {number}!"})
    wazzup.clock.forward(60)

    said = texts(await window.view(KEY))
    assert len(said) == MESSAGES_KEPT
    assert (said[0], said[-2]) == ("Hello 2!", f"Hello {MESSAGES_KEPT}!")


async def test_only_so_many_chats_are_remembered(wazzup: Wazzup) -> None:
    window = await v2_window(wazzup, V2_CARD)
    await window.say(HELLO)

    for number in range(CHATS_KEPT):
        chat = {"chatType": "vk", "chatId": str(number), "name": "Somebody"}
        wazzup.world.conversations.of(chat, user_name="John Smith")

    assert len(list(wazzup.world.conversations)) == CHATS_KEPT
    assert "Hello!" not in texts(await window.view(KEY))
