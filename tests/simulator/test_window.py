"""What whoever has a link is shown at first, and how safe the page is."""

import re
import subprocess
import sys

import pytest

from app.simulator.options import Options
from tests.simulator.driver import Wazzup
from tests.simulator.examples import V2_CARD, V2_CHAT, V2_GLOBAL, V3_CARD, v2_card
from tests.simulator.window import Page, v2_window, v3_window

TELEGRAM = {"contact_name": "Anthony Stone", "chat_type": "telegram", "username": "my_tg_user"}
EVIL = "</script><script>alert(1)</script><!--<i>&amp;\u2028"


async def link_of(wazzup: Wazzup, body: object) -> str:
    return (await v2_window(wazzup, body)).link


async def test_a_card_shows_the_contact_and_its_chats(wazzup: Wazzup) -> None:
    page = await wazzup.get(await link_of(wazzup, {**V2_CARD, "chats": [V2_CHAT, TELEGRAM]}))

    view = Page(page.text).view
    assert page.status_code == 200
    assert '<h1 id="name">Anthony Stone</h1>' in page.text
    assert [(chat["name"], chat["chatType"], chat["address"]) for chat in view["chats"]] == [
        ("Anthony Stone", "whatsapp", "37111234567"),
        ("Anthony Stone", "telegram", "@my_tg_user"),
    ]


async def test_a_chat_without_a_name_is_shown_by_its_id(wazzup: Wazzup) -> None:
    page = await wazzup.get(await link_of(wazzup, v2_card(chat_type="telegram", username="my_tg_user")))

    assert '<h1 id="name">@my_tg_user</h1>' in page.text


async def test_a_chat_without_a_name_has_that_of_its_card_or_else_that_of_its_contact(wazzup: Wazzup) -> None:
    nameless = {"chat_type": "viber", "chat_id": "37111234567"}
    contact = {"id": "C-5", "responsible_user_id": "u", "name": "Anthony S.", "contact_data": [nameless]}
    await wazzup.v2("/contacts", {"contacts": [contact]})

    on_a_card = await v2_window(wazzup, {**V2_CARD, "chats": [{**nameless, "chat_id": "1"}, V2_CHAT]})
    known = await v2_window(wazzup, v2_card(**nameless))

    assert [chat["name"] for chat in (await on_a_card.view())["chats"]] == ["Anthony Stone", "Anthony Stone"]
    assert [chat["name"] for chat in (await known.view())["chats"]] == ["Anthony S."]


async def test_the_active_chat_comes_first_and_is_open(wazzup: Wazzup) -> None:
    active = {"channel_id": "c-1", "chat_type": "telegram", "username": "my_tg_user"}
    page = await (await v2_window(wazzup, {**V2_CARD, "chats": [V2_CHAT, TELEGRAM], "active_chat": active})).page()

    chats = page.view["chats"]
    assert [chat["chatType"] for chat in chats] == ["telegram", "whatsapp"]
    assert page.view["chat"] == chats[0]["key"]
    assert (chats[0]["name"], chats[0]["channelId"]) == ("Anthony Stone", "c-1")


async def test_the_global_window_lists_the_chats_that_wazzup_knows(wazzup: Wazzup) -> None:
    chat = {"chat_type": "vk", "chat_id": "1"}
    contact = {"id": "C-1", "responsible_user_id": "u", "name": "Jane", "contact_data": [chat]}

    empty = await wazzup.get(await link_of(wazzup, V2_GLOBAL))
    await wazzup.v2("/contacts", {"contacts": [contact]})
    await wazzup.get(await link_of(wazzup, V2_CARD))
    page = await wazzup.get(await link_of(wazzup, V2_GLOBAL))

    assert '<h1 id="name">All chats</h1>' in empty.text
    assert Page(empty.text).view["chats"] == []
    assert [chat["name"] for chat in Page(page.text).view["chats"]] == ["Jane", "Anthony Stone"]
    assert Page(page.text).view["chat"] is None


async def test_nothing_that_came_from_outside_is_html(wazzup: Wazzup) -> None:
    body = {**v2_card(chat_type="vk", chat_id=EVIL, contact_name=EVIL), "author_name": EVIL}

    answer = await wazzup.get(await link_of(wazzup, body))

    page = Page(answer.text)
    assert len(page.scripts) == 2
    assert "i" not in {tag for tag, _ in page.tags}
    assert "<!--" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert (page.view["chats"][0]["name"], page.view["userName"]) == (EVIL, EVIL)
    assert (page.view["chats"][0]["address"], page.view["chats"][0]["chatId"]) == (EVIL, EVIL)


async def test_anybody_may_frame_it_and_nobody_may_keep_it(wazzup: Wazzup) -> None:
    page = await wazzup.get(await link_of(wazzup, V2_CARD))

    assert "frame-ancestors *" in page.headers["content-security-policy"]
    assert "x-frame-options" not in page.headers
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_only_its_own_files_run_and_none_of_it_is_inline(wazzup: Wazzup) -> None:
    answer = await wazzup.get(await link_of(wazzup, V2_CARD))

    policy = answer.headers["content-security-policy"]
    page = Page(answer.text)
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert [attrs.get("type") for tag, attrs in page.tags if tag == "script"] == ["module", "application/json"]
    assert page.scripts[0] == ""
    assert "style" not in {tag for tag, _ in page.tags} | {name for _, attrs in page.tags for name in attrs}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


async def test_every_file_that_the_page_needs_is_there_with_its_type(wazzup: Wazzup) -> None:
    page = await wazzup.get(await link_of(wazzup, V2_CARD))
    script = await wazzup.get("/_window/window.js")

    needed = {*re.findall(r'"(/_window/[^"]+)"', page.text)}
    needed |= {f"/_window/{name}" for name in re.findall(r'from "\./([^"]+)"', script.text)}
    assert len(needed) == 7
    for path in needed:
        file = await wazzup.get(path)
        kind = "text/css" if path.endswith(".css") else "text/javascript"
        assert (file.status_code, file.headers["content-type"]) == (200, f"{kind}; charset=utf-8")


def test_who_only_imports_it_reads_no_file_of_it() -> None:
    script = """if True:
        import sys
        opened = []
        sys.addaudithook(lambda event, told: opened.append(str(told[0])) if event == "open" else None)
        import app.simulator.server
        print([name for name in opened if "/simulator/" in name and not name.endswith((".py", ".pyc"))])
    """

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout

    assert said.strip() == "[]"


@pytest.mark.parametrize("name", ["window.py", "window.html", "nothing.js", "..%2Fwindow.js"])
async def test_no_other_file_is_given(wazzup: Wazzup, name: str) -> None:
    file = await wazzup.get(f"/_window/{name}")

    assert file.status_code == 404


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
    assert Page(too_late.text).scripts == []


async def test_the_page_has_what_it_will_show_when_its_link_ends() -> None:
    wazzup = Wazzup(Options(link_lifetime_seconds=600))
    window = await v2_window(wazzup, V2_CARD)
    wazzup.clock.forward(100)

    page = await wazzup.get(window.link)

    assert Page(page.text).view["endsIn"] == 500
    assert re.search(r'<template id="expired">.*This link has expired.*</template>', page.text)


async def test_a_bad_token_opens_nothing(wazzup: Wazzup) -> None:
    link = await link_of(wazzup, V2_CARD)
    before, _, token = link.partition("?token=")

    for bad in ("", "?token=", "?token=x", "?token=a.b.c", f"?token={token[:-4]}AAAA"):
        page = await wazzup.get(before + bad)
        assert page.status_code == 403
        assert page.headers["cache-control"] == "no-store"
        assert Page(page.text).scripts == []


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

    blank = await v3_window(wazzup, {**V3_CARD, "activeChat": active})
    whole = await v3_window(wazzup, {**V3_CARD, "activeChat": {**active, "channelId": "c-1"}})

    assert (await wazzup.get(blank.link)).text == ""
    assert (await whole.page()).view["chat"] == "whatsapp:37111234567"
