"""The demo as a newcomer sees it: one command, one page, and a click on + opens the deal.

With SCREENSHOT=file.png the page's picture is written there.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Frame, Page

from tests.doors.driver import command
from tests.e2e.stage import complaints, listen_to
from tests.ports import free_port
from tests.waiting import eventually, wait_until

# Seconds from the click to the open deal.
AT_ONCE = 1.0


@dataclass(frozen=True)
class Desk:
    """The CRM's page, and the chat window in it."""

    page: Page

    async def window(self) -> Frame:
        """The chat window, once its Deals list is there."""
        frame = await (await self.page.locator("wazzup-chat iframe").element_handle()).content_frame()
        assert frame
        await frame.get_by_role("button", name="Create a deal").wait_for()
        return frame

    async def link(self) -> str | None:
        """What the chat window shows, once it is open."""
        found: str | None = await self.page.evaluate("""() => {
          const chat = document.querySelector("wazzup-chat");
          return chat.state === "ready" ? chat.shadowRoot.querySelector("iframe").src : null;
        }""")
        return found

    async def plus(self) -> None:
        """A click on + in the chat's Deals list."""
        await (await self.window()).get_by_role("button", name="Create a deal").click()

    async def opened_deal(self) -> str:
        """The id of the deal that is open."""
        await self.page.wait_for_url(re.compile("#/deals/"))
        await self.page.locator("#deal-title").wait_for()
        return str(await self.page.evaluate("location.hash.split('/').at(-1)"))

    async def turn(self, on: bool) -> None:
        """The switch of the CRM's own server."""
        await self.page.get_by_role("switch").click()
        await self.page.locator(f"[role=switch][aria-checked={str(on).lower()}]:enabled").wait_for()

    async def story(self) -> str:
        return str(await self.page.locator("#story").inner_text())


@pytest.fixture(scope="module")
async def demo(anyio_backend: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of the page, of a demo in a process of its own."""
    home: Path = tmp_path_factory.mktemp("demo")
    port = free_port()
    async with command(home, "demo", PORT=str(port), DATA_DIR=str(home / "data")) as process:
        await wait_until(lambda: "/demo" in process.told or process.has_ended)
        assert not process.has_ended, process.complained
        yield f"http://127.0.0.1:{port}/demo"


@pytest.fixture
async def profile(browser: Browser) -> AsyncIterator[BrowserContext]:
    noise: list[str] = []
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    listen_to(context, noise)
    yield context
    await context.close()
    assert noise == []


@pytest.fixture
async def desk(demo: str, profile: BrowserContext) -> Desk:
    page = await profile.new_page()
    await page.goto(demo)
    return Desk(page)


async def test_a_click_on_plus_opens_the_new_deal_in_less_than_a_second(desk: Desk) -> None:
    loop = asyncio.get_running_loop()
    await desk.window()
    began = loop.time()

    await desk.plus()
    deal = await desk.opened_deal()

    assert loop.time() - began < AT_ONCE
    assert deal in await desk.page.locator("#card").inner_text()


async def test_the_new_deal_appears_in_the_windows_list_and_opens_from_there(desk: Desk) -> None:
    await desk.plus()
    deal = await desk.opened_deal()
    entry = (await desk.window()).get_by_role("list", name="Open deals").get_by_role("button").filter(has_text=deal)
    await entry.wait_for()
    await desk.page.get_by_role("navigation", name="Contacts").get_by_role("link").first.click()
    await desk.page.locator("[data-view=contact]").wait_for()

    await entry.click()

    assert await desk.opened_deal() == deal


async def test_the_strip_tells_what_happened(desk: Desk) -> None:
    await desk.plus()
    deal = await desk.opened_deal()
    await desk.page.get_by_text("Wazzup knows the deal").first.wait_for()

    told = await desk.story()

    for words in ("+ was clicked in the chat", "The gateway has it", "signature valid", deal, "delivered"):
        assert words in told


async def test_an_event_waits_while_the_crms_server_is_off_and_opens_its_deal_afterwards(desk: Desk) -> None:
    await desk.window()
    await desk.turn(False)

    await desk.plus()
    await desk.page.get_by_text("The event is safe with the gateway").wait_for()
    await desk.page.get_by_text("Next attempt").first.wait_for()
    assert "#/deals/" not in desk.page.url
    await desk.turn(True)

    deal = await desk.opened_deal()
    state = await desk.page.evaluate("fetch('/demo/state').then((answer) => answer.json())")
    [event] = [one["event_id"] for one in state["deals"] if one["id"] == deal]
    assert [one["id"] for one in state["deals"] if one["event_id"] == event] == [deal]


async def test_the_chat_stays_when_its_deal_opens(desk: Desk) -> None:
    window = await desk.window()
    await window.get_by_label("Message", exact=True).fill("half a mess")

    await desk.plus()
    await desk.opened_deal()

    assert await window.get_by_label("Message", exact=True).input_value() == "half a mess"


async def test_another_contact_has_another_chat(desk: Desk) -> None:
    await desk.window()
    before = await desk.link()

    await desk.page.get_by_role("navigation", name="Contacts").get_by_role("link").nth(2).click()

    async def is_another() -> bool:
        return await desk.link() not in {None, before}

    await eventually(is_another)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(desk: Desk, scheme: Any) -> None:
    await desk.page.emulate_media(color_scheme=scheme)
    await desk.plus()
    await desk.opened_deal()

    assert await complaints(desk.page) == []
    assert await complaints(await desk.window()) == []


async def test_the_page_fits_a_small_screen(desk: Desk) -> None:
    await desk.page.set_viewport_size({"width": 390, "height": 800})
    await desk.window()

    wider = await desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    assert wider <= 0


async def test_its_picture_can_be_taken(desk: Desk, tmp_path: Path) -> None:
    await desk.plus()
    deal = await desk.opened_deal()
    await (await desk.window()).get_by_role("button").filter(has_text=deal).wait_for()
    place = Path(os.environ.get("SCREENSHOT") or tmp_path / "demo.png")

    await desk.page.screenshot(path=place)

    assert place.stat().st_size > 20_000


async def late_plus(desk: Desk) -> None:
    """A click on + while the CRM's server is off."""
    await desk.window()
    await desk.turn(False)
    await desk.plus()
    await desk.page.get_by_text("The event is safe with the gateway").wait_for()


async def test_a_deal_that_comes_late_leaves_the_cursor_in_the_chat(desk: Desk) -> None:
    await late_plus(desk)
    await desk.turn(True)
    message = (await desk.window()).get_by_label("Message", exact=True)
    await message.click()

    await desk.opened_deal()
    await desk.page.get_by_text("Your server is back").wait_for()
    await desk.page.keyboard.type("still mine")

    assert await message.input_value() == "still mine"
    assert "New deal" in await desk.page.locator("#deal-title").input_value()


async def test_a_deal_that_comes_late_is_offered_to_who_is_at_something_else(desk: Desk) -> None:
    await late_plus(desk)
    await desk.page.get_by_role("navigation", name="Contacts").get_by_role("link").nth(2).click()
    await desk.page.locator("h1", has_text="Leila").wait_for()
    await desk.turn(True)

    offer = desk.page.get_by_role("status").get_by_role("link")
    await offer.wait_for()
    assert "#/contacts/C-3" in desk.page.url
    await offer.click()

    assert await desk.opened_deal() in await desk.page.locator("#card").inner_text()
    assert await desk.page.get_by_role("status").first.inner_text() == ""


async def test_who_writes_in_a_card_goes_on_writing_when_a_late_deal_comes(desk: Desk) -> None:
    await desk.page.locator("#card").get_by_role("link").first.click()
    title = desk.page.locator("#deal-title")
    await title.wait_for()
    await late_plus(desk)
    at = desk.page.url
    await desk.turn(True)
    await title.fill("Half a ti")

    await desk.page.get_by_role("status").get_by_role("link").wait_for()
    await desk.page.keyboard.type("tle")

    assert (desk.page.url, await title.input_value()) == (at, "Half a title")
