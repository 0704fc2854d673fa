"""What the browser tests drive: a gateway on a socket, CRM pages on another origin, and a browser that visits them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Frame, Locator, Page, WebError

from app.simulator.options import Options
from app.simulator.server import create_simulator
from tests.driver import ACCESS_TOKEN, Clock, Gateway, running, user_token
from tests.e2e.packages import package
from tests.e2e.places import Door, Pages, Place, Windows
from tests.waiting import eventually

SERIOUS = {"serious", "critical"}
# Seconds for one test.
LONGEST = 90.0
# Of another account at the same Wazzup, for the test that has one.
NORTHERN_TOKEN = "wazzup-token-of-north"
CONTACT = 'phone="+371 11 234 567" contact-name="Anthony Stone"'
CHAT = {
    "chatType": "whatsapp", "chatId": "37111234567", "channelId": "c1", "userId": "crm-user-1", "integrationId": "1",
}  # fmt: skip
DEAL = {"closed": False, "id": "D-1", "link": "#", "name": "Chairs", "responsibleUserName": "John Smith"}
CREATE: dict[str, Any] = {"type": "WZ_CREATE_ENTITY", "data": CHAT}
OPEN: dict[str, Any] = {"type": "WZ_OPEN_ENTITY", "data": CHAT | {"entity": DEAL}}

NAMES = (
    "state", "ready", "error", "expired", "entity-create", "entity-open", "message", "relayed", "relay-error",
)  # fmt: skip
# Before any script of the page: what bubbles up to the window is written down, as far as JSON goes.
EAR = """
window.heard = [];
window.messages = 0;
addEventListener("message", () => { window.messages += 1; });
for (const name of NAMES) {
  addEventListener(`wazzup:${name}`, (event) => {
    window.heard.push({
      name,
      from: event.target.id || event.target.localName,
      bubbles: event.bubbles,
      composed: event.composed,
      cancelable: event.cancelable,
      detail: JSON.parse(JSON.stringify(event.detail)),
    });
  });
}
""".replace("NAMES", json.dumps(NAMES))

# The same, by a script, later. It is handed the user's token.
APPEND = """(token) => {
  const chat = document.createElement("wazzup-chat");
  chat.setAttribute("phone", "+37111234567");
  chat.getToken = () => token;
  document.querySelector("main").append(chat);
}"""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A card</title>
<style>wazzup-chat {{ display: block; width: 420px; height: 600px; }}</style>
<script type="module" src="{gateway}/wazzup-chat.js"></script>
<main><h1>Anthony Stone</h1>{body}</main>
<script type="module">{script}</script>
</html>"""


@dataclass
class Visit:
    """A page that is open."""

    page: Page
    windows_url: str

    async def heard(self, name: str | None = None) -> list[Any]:
        """What the element has told so far; `name` without `wazzup:`."""
        heard: list[Any] = await self.page.evaluate("() => window.heard ?? []")
        return [one for one in heard if name in (None, one["name"])]

    async def hears(self, name: str, number: int = 1) -> Any:
        """The detail of what is told, once it was told so often."""
        found: list[Any] = []

        async def is_told() -> bool:
            nonlocal found
            found = await self.heard(name)
            return len(found) >= number

        try:
            await eventually(is_told)
        except TimeoutError:
            raise AssertionError(f"wazzup:{name} was not told; told was {await self.heard()}") from None
        return found[number - 1]["detail"]

    async def states(self) -> list[str]:
        """In turn."""
        return [one["detail"]["state"] for one in await self.heard("state")]

    async def is_in(self, state: str, element: str = "wazzup-chat") -> None:
        """Returns once the element is in this state."""
        await self.comes_true(f"document.querySelector('{element}').state === '{state}'")

    async def comes_true(self, expression: str) -> None:
        """Returns once this JavaScript is true in the page."""

        async def is_true() -> bool:
            return bool(await self.page.evaluate(expression))

        try:
            await eventually(is_true)
        except TimeoutError:
            raise AssertionError(f"{expression} did not come true; told was {await self.heard()}") from None

    async def windows(self, number: int = 1) -> list[Frame]:
        """The chat windows of the page, once so many are loaded."""
        found: list[Frame] = []

        async def are_there() -> bool:
            nonlocal found
            found = [one for one in self.page.frames if one.url.startswith(self.windows_url)]
            return len(found) >= number and all([await _is_loaded(one) for one in found])

        await eventually(are_there)
        return found

    async def window(self) -> Frame:
        """The chat window."""
        return (await self.windows())[0]

    async def says(self, message: Any, to: str = "parent") -> None:
        """The window says this to the page."""
        await (await self.window()).evaluate(f"(message) => {to}.postMessage(message, '*')", message)

    async def told(self) -> list[str]:
        """The names of what was told, but for what every chat tells when it opens."""
        return [one["name"] for one in await self.heard() if one["name"] not in {"state", "ready"}]

    @property
    def chat(self) -> Locator:
        return self.page.locator("wazzup-chat")

    @property
    def frame(self) -> Locator:
        """The element's own iframe."""
        return self.page.locator("wazzup-chat iframe")

    @property
    def retry(self) -> Locator:
        """The button that tries again."""
        return self.page.get_by_role("button")


async def _is_loaded(frame: Frame) -> bool:
    try:
        return bool(await frame.evaluate("document.readyState === 'complete' && location.href !== 'about:blank'"))
    except Error:
        return False  # It is just being replaced.


@dataclass
class Stage:
    """A gateway, a Wazzup, the CRM's web server, and one browser profile."""

    gateway: Gateway
    door: Door
    pages: Pages
    windows: Windows
    urls: dict[str, str]
    context: BrowserContext
    noise: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expects(self, *patterns: str) -> None:
        """The browser itself complains of what a test does; anything else on a console fails the test."""
        self.expected += patterns

    @property
    def unexpected(self) -> list[str]:
        return [said for said in self.noise if not any(re.search(one, said) for one in self.expected)]

    def page(
        self,
        attributes: str = CONTACT,
        script: str = "",
        *,
        body: str | None = None,
        path: str = "/card",
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        """A page with the element, whose user has a token. `$chat` is the element."""
        element = f"<wazzup-chat {attributes}></wazzup-chat>" if body is None else body
        given = json.dumps(token or user_token())
        words = f"""const $chat = document.querySelector("wazzup-chat");
            for (const one of document.querySelectorAll("wazzup-chat")) one.getToken = () => {given};
            {script}"""
        content = PAGE.format(gateway=self.urls["gateway"], body=element, script=words)
        return self.put(path, content, headers)

    def put(self, path: str, content: str, headers: dict[str, str] | None = None) -> str:
        """Whatever else the CRM's web server serves; its URL."""
        self.pages.pages[path] = content, headers or {}
        return self.urls["pages"] + path

    async def open(self, url: str | None = None, **given: Any) -> Visit:
        """Opens a page in a tab of its own: the one at `url`, or one made of what is given."""
        page = await self.context.new_page()
        await page.goto(url or self.page(**given))
        return Visit(page, self.urls["wazzup"])

    async def blank(self) -> Visit:
        """A tab before anything is opened in it, to set its clock or its ears."""
        return Visit(await self.context.new_page(), self.urls["wazzup"])

    async def ready(self, **given: Any) -> Visit:
        """A page whose chat is there."""
        visit = await self.open(**given)
        await visit.hears("ready")
        await visit.window()
        return visit


@dataclass(frozen=True)
class Places:
    """The sockets of the session."""

    pages: Place
    gateway: Place
    wazzup: Place


@asynccontextmanager
async def staged(
    places: Places, browser: Browser, redis_url: str, clock: Clock | None, **settings: Any
) -> AsyncIterator[Stage]:
    """A new gateway behind the session's sockets, and a new browser profile. Ends with a look at the console."""
    options = Options(access_tokens=frozenset({ACCESS_TOKEN, NORTHERN_TOKEN}))
    now: dict[str, Callable[[], Any]] = {"now": clock.now} if clock else {}
    simulator = create_simulator(public_url=places.wazzup.url, options=options, **now)
    urls = {name: getattr(places, name).url for name in ("pages", "gateway", "wazzup")}
    settings = {"allowed_origins": urls["pages"]} | settings
    async with running(redis_url, clock, wazzup=simulator, **settings) as gateway:
        door, pages, windows = Door(gateway.app, urls["pages"]), Pages(), Windows(simulator)
        places.gateway.app, places.pages.app, places.wazzup.app = door, pages, windows
        context = await browser.new_context()
        # Whoever waits for a page whose script runs in circles would wait for ever.
        given_up = asyncio.get_running_loop().call_later(LONGEST, lambda: asyncio.ensure_future(context.close()))
        stage = Stage(gateway, door, pages, windows, urls, context)
        listen_to(context, stage.noise)
        await context.add_init_script(EAR)
        try:
            yield stage
        finally:
            for held in door.held.values():
                held.set()
            given_up.cancel()
            await context.close()


def listen_to(context: BrowserContext, noise: list[str]) -> None:
    """Writes down what its pages say on their consoles, and what they throw."""

    def on_console(message: ConsoleMessage) -> None:
        noise.append(f"{message.type}: {message.text}")

    def on_error(error: WebError) -> None:
        noise.append(f"uncaught: {error.error}")

    context.on("console", on_console)
    context.on("weberror", on_error)


async def complaints(page: Page | Frame) -> list[tuple[str, str]]:
    """What axe finds serious there: the rule, and where it is broken first."""
    axe = (package("axe-core") / "axe.min.js").read_text()
    await page.evaluate(f"() => {{ {axe}\n }}")
    found = await page.evaluate("axe.run(document, { iframes: false })")
    return [(one["id"], one["nodes"][0]["html"]) for one in found["violations"] if one["impact"] in SERIOUS]
