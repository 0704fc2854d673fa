"""The chat is for everybody: by keyboard, with a screen reader, in the dark, in Russian; and nothing jumps."""

from typing import Any

import pytest
from starlette.responses import JSONResponse

from tests.driver import user_token
from tests.e2e.stage import Stage, Visit, complaints

FAILED = "Failed to load resource"
JUMPS = """
window.jumps = [];
new PerformanceObserver((list) => jumps.push(...list.getEntries().map(({ value }) => value)))
  .observe({ type: "layout-shift", buffered: true });
"""
NO_STYLE = """<!doctype html><html lang="en"><title>A card</title>
<script type="module" src="{gateway}/wazzup-chat.js"></script>
<p>Above</p><wazzup-chat phone="+37111234567"></wazzup-chat><p id="below">Below</p>"""

# What is written into the panel from here on.
WRITTEN = """(chat) => {
  window.written = [];
  new MutationObserver((seen) => written.push(...seen.map(({ target }) => target.nodeName))).observe(
    chat.shadowRoot.querySelector("[part~=status]"), { childList: true, characterData: true, subtree: true },
  );
}"""

# So many milliseconds after the chat began to show what it shows.
LATER = """(chat, time) => {
  for (const one of chat.shadowRoot.getAnimations()) one.currentTime = time;
}"""

SHOWN = """(chat) => [...chat.shadowRoot.querySelectorAll("*")]
  .flatMap((one) => (one.localName === "slot" ? one.assignedNodes({ flatten: true }) : [...one.childNodes]))
  .filter((one) => one.nodeType === Node.TEXT_NODE || !one.shadowRoot)
  .map((one) => one.textContent).join(" ")"""


async def in_state(stage: Stage, state: str, language: str = "en") -> Visit:
    """A chat that stays in this state."""
    attributes = f'phone="+37111234567" lang="{language}"'
    visit = await stage.blank()
    await visit.page.clock.install()
    if state == "loading":
        stage.door.hold("/links")
    if state == "error":
        stage.expects(FAILED)
        stage.door.answers("/links", 422)
    if state == "expired":
        attributes += ' refresh="never"'
    await visit.page.goto(stage.page(attributes, body="" if state == "offline" else None))
    if state == "offline":
        stage.expects(FAILED)
        await stage.context.set_offline(True)
        await visit.page.evaluate(
            """(language) => {
              const chat = document.createElement("wazzup-chat");
              chat.lang = language;
              chat.getToken = () => "none";
              document.querySelector("main").append(chat);
            }""",
            language,
        )
    if state == "expired":
        await visit.hears("ready")
        await visit.page.clock.run_for(3_600_000 * 5)
    await visit.is_in(state)
    return visit


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", ["loading", "ready", "error", "offline", "expired"])
async def test_axe_finds_nothing_serious(stage: Stage, state: str, scheme: Any) -> None:
    visit = await in_state(stage, state)
    await visit.page.emulate_media(color_scheme=scheme)
    await visit.page.add_style_tag(content=":root { color-scheme: light dark }")

    assert await complaints(visit.page) == []


async def test_what_happens_is_announced(stage: Stage) -> None:
    """A screen reader tells of the error without being asked."""
    visit = await in_state(stage, "error")

    live = visit.chat.locator('[role="status"], [role="alert"], [aria-live="polite"], [aria-live="assertive"]')

    assert await live.count() == 1
    assert "The chat cannot be opened" in (await live.inner_text())


async def test_by_keyboard_alone_one_gets_past_an_error_into_the_chat(stage: Stage) -> None:
    visit = await in_state(stage, "error")
    for _ in range(5):
        await visit.page.keyboard.press("Tab")
        if (
            await visit.page.evaluate("document.querySelector('wazzup-chat').shadowRoot.activeElement?.localName")
            == "button"
        ):
            break

    await visit.page.keyboard.press("Enter")
    await visit.is_in("ready")

    await visit.comes_true("document.querySelector('wazzup-chat').shadowRoot.activeElement?.localName === 'iframe'")


async def test_the_focus_stays_on_the_button_while_it_is_tried_again(stage: Stage) -> None:
    """Who wants to press it need not be faster than the next attempt."""
    stage.expects(FAILED)
    stage.door.answers("/links", 503, 503, 503)
    visit = await stage.blank()
    await visit.page.clock.install()
    await visit.page.goto(stage.page())
    await visit.hears("error")
    await visit.retry.focus()

    for number in (2, 3):
        await visit.page.clock.run_for(10_000)
        await visit.hears("error", number)

        assert await visit.retry.evaluate("(button) => button.getRootNode().activeElement === button")
    await visit.page.keyboard.press("Enter")
    await visit.hears("ready")


async def test_the_focus_stays_on_the_button_while_a_framework_gives_the_same_again(stage: Stage) -> None:
    stage.expects("status of 422")
    stage.door.answers("/links", 422)
    visit = await stage.open()
    await visit.hears("error")
    await visit.retry.focus()

    await visit.chat.evaluate("(chat) => { chat.getToken = chat.getToken; return new Promise(requestAnimationFrame); }")

    assert await visit.retry.evaluate("(button) => button.getRootNode().activeElement === button")


async def test_what_a_screen_reader_has_said_is_not_written_again(stage: Stage) -> None:
    stage.expects(FAILED)
    stage.door.answers("/links", 503, 503)
    visit = await stage.blank()
    await visit.page.clock.install()
    await visit.page.goto(stage.page())
    await visit.hears("error")
    await visit.chat.evaluate(WRITTEN)

    await visit.page.clock.run_for(10_000)
    await visit.hears("error", 2)

    assert await visit.page.evaluate("written") == []


async def test_the_code_that_is_shown_is_the_newest(stage: Stage) -> None:
    stage.expects(FAILED)
    stage.door.answers("/links", 503)
    refused = {"Access-Control-Allow-Origin": stage.urls["pages"]}
    stage.door.instead.append(("/links", JSONResponse({"code": "NOT_LIKE_THIS"}, 422, refused)))
    visit = await stage.blank()
    await visit.page.clock.install()
    await visit.page.goto(stage.page())
    await visit.hears("error")
    assert await visit.page.get_by_text("TOLD_TO_FAIL").is_visible()

    await visit.page.clock.run_for(10_000)
    await visit.hears("error", 2)

    assert await visit.page.get_by_text("NOT_LIKE_THIS").is_visible()


async def test_a_chat_that_loads_and_loads_may_be_tried_again(stage: Stage) -> None:
    """The page's own function may never answer. Before a quarter of a minute nobody is asked to press anything."""
    visit = await stage.open(
        script=f"let times = 0; $chat.getToken = () => (times++ ? '{user_token()}' : new Promise(() => {{}}));"
    )
    await visit.is_in("loading")

    await visit.chat.evaluate(LATER, 14_900)
    assert not await visit.retry.is_visible()
    await visit.chat.evaluate(LATER, 15_100)
    await visit.retry.click()

    await visit.hears("ready")


async def test_a_chat_that_opens_by_itself_takes_no_focus_away(stage: Stage) -> None:
    held = stage.door.hold("/links")
    visit = await stage.open(body='<input aria-label="Amount"><wazzup-chat phone="+37111234567"></wazzup-chat>')
    await visit.page.get_by_label("Amount").focus()
    held.set()

    await visit.hears("ready")
    await visit.page.keyboard.type("12")

    assert await visit.page.get_by_label("Amount").input_value() == "12"


@pytest.mark.parametrize("state", ["loading", "error"])
async def test_a_window_that_is_not_there_cannot_be_tabbed_into(stage: Stage, state: str) -> None:
    visit = await in_state(stage, state)
    seen = []
    for _ in range(4):
        await visit.page.keyboard.press("Tab")
        seen.append(
            await visit.page.evaluate("document.querySelector('wazzup-chat').shadowRoot.activeElement?.localName ?? ''")
        )

    assert "iframe" not in seen


@pytest.mark.parametrize(
    ("state", "english", "russian"),
    [
        ("loading", "Opening the chat", "Открываем чат"),
        ("error", "The chat cannot be opened", "Чат не открывается"),
        ("offline", "offline", "Нет сети"),
        ("expired", "out of date", "устарел"),
    ],
)
async def test_each_state_is_said_in_english_and_russian(stage: Stage, state: str, english: str, russian: str) -> None:
    one = await in_state(stage, state)
    assert english in await one.chat.evaluate(SHOWN)

    await one.page.evaluate("document.querySelector('wazzup-chat').lang = 'ru'")

    assert russian in await one.chat.evaluate(SHOWN)


async def test_the_language_is_that_of_the_page_around_it(stage: Stage) -> None:
    russian = stage.page().replace("/card", "/ru")
    stage.put("/ru", stage.pages.pages["/card"][0].replace('<html lang="en">', '<html lang="ru-RU">'))
    stage.door.hold("/links")

    visit = await stage.open(russian)

    await visit.is_in("loading")
    assert "Открываем чат" in await visit.chat.evaluate(SHOWN)


async def test_the_language_of_the_page_is_heard_inside_another_component(stage: Stage) -> None:
    stage.door.hold("/links")
    visit = await stage.open(body="", script="document.documentElement.lang = 'ru';")

    await visit.page.evaluate(
        """(token) => {
          const chat = document.createElement("wazzup-chat");
          chat.getToken = () => token;
          document.querySelector("main").attachShadow({ mode: "open" }).append(chat);
        }""",
        user_token(),
    )

    await visit.page.get_by_text("Открываем чат").wait_for()


@pytest.mark.parametrize(("around", "spoken"), [("de", "en"), ("ru-RU", "ru"), ("en-GB", "en")])
async def test_the_words_say_which_language_they_are_in(stage: Stage, around: str, spoken: str) -> None:
    """Or a German page's voice would read English words."""
    stage.door.hold("/links")

    visit = await stage.open(attributes=f'phone="+37111234567" lang="{around}"')

    await visit.is_in("loading")
    assert await visit.chat.evaluate("(chat) => chat.shadowRoot.querySelector('[part~=status]').lang") == spoken


async def test_what_is_told_of_an_expired_window_leaves_the_field_where_one_writes(stage: Stage) -> None:
    visit = await in_state(stage, "expired")

    whole, bar = await visit.chat.bounding_box(), await visit.chat.locator("[part~=status]").bounding_box()

    assert whole
    assert bar
    assert whole["y"] <= bar["y"] <= bar["y"] + bar["height"] <= whole["y"] + whole["height"] / 4
    assert await visit.retry.is_visible()


async def test_the_page_may_say_it_in_its_own_words(stage: Stage) -> None:
    stage.expects(FAILED)
    stage.door.answers("/links", 422)

    visit = await stage.open(
        body="""<wazzup-chat phone="+37111234567"><p slot="error">Call the help desk: 1234</p>
          <span slot="retry">Once more</span><p slot="loading">One moment</p></wazzup-chat>"""
    )

    await visit.hears("error")
    assert await visit.page.get_by_text("Call the help desk: 1234").is_visible()
    assert not await visit.page.get_by_text("One moment").is_visible()
    await visit.page.get_by_role("button", name="Once more").click()
    await visit.hears("ready")
    assert not await visit.page.get_by_text("Call the help desk: 1234").is_visible()


async def test_nothing_jumps_from_the_first_paint_to_the_open_chat(stage: Stage) -> None:
    stage.expects(FAILED)
    stage.door.answers("/links", 422)
    visit = await stage.blank()
    await visit.page.add_init_script(JUMPS)
    await visit.page.goto(stage.page())
    box = "JSON.stringify(document.querySelector('wazzup-chat').getBoundingClientRect())"
    boxes = {await visit.page.evaluate(box)}
    await visit.hears("error")
    boxes.add(await visit.page.evaluate(box))
    await visit.retry.click()
    await visit.hears("ready")
    boxes.add(await visit.page.evaluate(box))

    assert len(boxes) == 1
    assert await visit.page.evaluate("jumps") == []


async def test_a_page_that_gives_it_no_size_has_a_chat_that_can_be_used(stage: Stage) -> None:
    stage.expects(FAILED)
    stage.door.hold("/links")
    visit = await stage.open(stage.put("/plain", NO_STYLE.format(gateway=stage.urls["gateway"])))

    await visit.page.evaluate("document.querySelector('wazzup-chat').getToken = () => 'x'")

    await visit.is_in("loading")
    box = await visit.chat.bounding_box()
    assert box
    assert (box["height"] >= 400, box["width"] >= 400) == (True, True)


async def test_the_chats_panel_takes_the_colours_of_the_page(stage: Stage) -> None:
    visit = await in_state(stage, "error")
    await visit.page.add_style_tag(content="body { color: rgb(1, 2, 3) }")

    colour = await visit.chat.evaluate(
        "(chat) => getComputedStyle(chat.shadowRoot.querySelector('[part~=status]')).color"
    )

    assert colour == "rgb(1, 2, 3)"


async def test_parts_can_be_styled_by_the_page(stage: Stage) -> None:
    visit = await in_state(stage, "error")
    await visit.page.add_style_tag(
        content="wazzup-chat::part(retry) { color: rgb(9, 8, 7) } wazzup-chat::part(frame) { border-radius: 9px }"
    )

    colour = await visit.retry.evaluate("(button) => getComputedStyle(button).color")
    radius = await visit.frame.evaluate("(frame) => getComputedStyle(frame).borderRadius")

    assert (colour, radius) == ("rgb(9, 8, 7)", "9px")
