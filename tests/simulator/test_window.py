"""What whoever has a link sees."""

from app.simulator.options import Options
from tests.simulator.driver import Wazzup
from tests.simulator.examples import V2_CARD, V2_GLOBAL, V3_CARD, v2_card


async def link_of(wazzup: Wazzup, body: object) -> str:
    answer = await wazzup.v2("/iframe-links/chats", body)
    link: str = answer.json()["data"]["link"]
    return link


async def test_a_card_shows_the_contact_and_its_chats(wazzup: Wazzup) -> None:
    page = await wazzup.get(await link_of(wazzup, V2_CARD))

    assert page.status_code == 200
    assert "<h1>Anthony Stone</h1>" in page.text
    assert "whatsapp · 37111234567" in page.text


async def test_a_chat_without_a_name_is_shown_by_its_id(wazzup: Wazzup) -> None:
    page = await wazzup.get(await link_of(wazzup, v2_card(chat_type="telegram", username="my_tg_user")))

    assert "<h1>@my_tg_user</h1>" in page.text


async def test_the_global_window_says_what_it_would_show(wazzup: Wazzup) -> None:
    page = await wazzup.get(await link_of(wazzup, V2_GLOBAL))

    assert "<h1>All chats</h1>" in page.text


async def test_nothing_that_came_from_outside_is_html(wazzup: Wazzup) -> None:
    evil = "<script>alert(1)</script>"
    chat = {"chat_type": "vk", "chat_id": "<i>", "contact_name": evil}

    page = await wazzup.get(await link_of(wazzup, {**v2_card(**chat), "author_name": evil}))

    assert "<script" not in page.text
    assert "<i>" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_anybody_may_frame_it_and_nobody_may_keep_it(wazzup: Wazzup) -> None:
    page = await wazzup.get(await link_of(wazzup, V2_CARD))

    assert "frame-ancestors *" in page.headers["content-security-policy"]
    assert "x-frame-options" not in page.headers
    assert page.headers["cache-control"] == "no-store"


async def test_a_link_opens_more_than_once_until_it_expires() -> None:
    wazzup = Wazzup(Options(link_lifetime_seconds=600))
    link = await link_of(wazzup, V2_CARD)

    wazzup.clock.forward(599)
    in_time = [(await wazzup.get(link)).status_code for _ in range(2)]
    wazzup.clock.forward(1)
    too_late = await wazzup.get(link)

    assert in_time == [200, 200]
    assert too_late.status_code == 410
    assert "expired" in too_late.text


async def test_a_bad_token_opens_nothing(wazzup: Wazzup) -> None:
    link = await link_of(wazzup, V2_CARD)
    before, _, token = link.partition("?token=")

    for bad in ("", "?token=", "?token=x", "?token=a.b.c", f"?token={token[:-4]}AAAA"):
        page = await wazzup.get(before + bad)
        assert page.status_code == 403
        assert page.headers["cache-control"] == "no-store"


async def test_a_bad_opaque_token_opens_nothing() -> None:
    wazzup = Wazzup(Options(opaque_links=True))

    for bad in ("", "x", "_w", "%C3%A4"):
        page = await wazzup.get(f"/1234-1234/chat?token={bad}")
        assert page.status_code == 403


async def test_a_link_of_one_account_opens_nothing_of_anothers(wazzup: Wazzup) -> None:
    link = await link_of(wazzup, V2_CARD)

    page = await wazzup.get(link.replace("1234-1234", "9999-9999"))

    assert page.status_code == 403


async def test_v3_opens_a_blank_window_for_an_active_chat_without_its_channel(wazzup: Wazzup) -> None:
    active = {"chatType": "whatsapp", "chatId": "37111234567"}

    blank = await wazzup.v3("/iframe", {**V3_CARD, "activeChat": active})
    whole = await wazzup.v3("/iframe", {**V3_CARD, "activeChat": {**active, "channelId": "c-1"}})

    assert (await wazzup.get(blank.json()["url"])).text == ""
    assert 'class="active"' in (await wazzup.get(whole.json()["url"])).text
