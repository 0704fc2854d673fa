"""The chat is for everybody: by keyboard, with a screen reader, in the dark, in Russian; and nothing jumps."""

from typing import Any

import pytest

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
