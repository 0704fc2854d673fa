"""A chat window without a browser: opens a link, and asks and sends what the page's script would."""

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.simulator.driver import Wazzup


class Page(HTMLParser):
    """A document as a browser would take it apart."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data

    @property
    def view(self) -> dict[str, Any]:
        """What the page was handed to show at first."""
        found: dict[str, Any] = json.loads(self.scripts[-1])
        return found


@dataclass(frozen=True)
class Window:
    """One open window."""

    wazzup: Wazzup
    link: str

    @property
    def token(self) -> str:
        return self.link.partition("?token=")[2]

    async def page(self) -> Page:
        return Page((await self.wazzup.get(self.link)).text)

    async def ask(self, chat: str | None = None, *, account: str = "1234-1234") -> httpx.Response:
        params = {"chat": chat} if chat else {}
        return await self._send("GET", f"/_window/{account}/view", params=params)

    async def view(self, chat: str | None = None) -> dict[str, Any]:
        answer = await self.ask(chat)
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def say(self, body: object) -> httpx.Response:
        return await self._send("POST", "/_window/1234-1234/messages", json=body)

    async def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        async with self.wazzup.client() as client:
            return await client.request(method, path, headers={"Authorization": f"Bearer {self.token}"}, **what)


async def v2_window(wazzup: Wazzup, body: object) -> Window:
    answer = await wazzup.v2("/iframe-links/chats", body)
    return Window(wazzup, answer.json()["data"]["link"])


async def v3_window(wazzup: Wazzup, body: object) -> Window:
    answer = await wazzup.v3("/iframe", body)
    return Window(wazzup, answer.json()["url"])
