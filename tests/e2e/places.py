"""Three origins on this machine: the CRM's pages, the gateway, Wazzup. A socket stays; what answers there changes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.serving import Server, listen
from tests.waiting import wait_until

NOTHING = Response(status_code=503)
WINDOW = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Window</title>
<main><h1>Chat</h1><textarea aria-label="Message"></textarea></main></html>"""


@dataclass
class Place:
    """One socket for many applications, one after the other."""

    host: str
    sock: socket.socket
    app: ASGIApp
    server: Server = field(init=False, repr=False)
    serving: asyncio.Task[None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.port: int = self.sock.getsockname()[1]
        self.server = Server(self)
        self.serving = asyncio.create_task(self.server.serve([self.sock]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://{self.host}:{self.port}"

    async def close(self) -> None:
        """Nobody listens here any more. Browsers keep connections: who closes a place does not wait for them."""
        self.server.should_exit = self.server.force_exit = True
        await self.serving


@asynccontextmanager
async def opened(host: str = "127.0.0.1", port: int = 0, app: ASGIApp = NOTHING) -> AsyncIterator[Place]:
    """A place that browsers reach. `host` is a name of this machine."""
    with listen("127.0.0.1", port) as sock:
        place = Place(host, sock, app)
        await wait_until(lambda: place.server.started)
        try:
            yield place
        finally:
            await place.close()


@dataclass
class Pages:
    """The CRM's web server: what it serves by path, with which headers."""

    pages: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self.pages.get(scope["path"])
        answer = _page(scope["path"], *found) if found else Response(status_code=204)
        await answer(scope, receive, send)


def _page(path: str, content: str, headers: dict[str, str]) -> Response:
    kind = "text/javascript" if path.endswith(".js") else "text/html"
    return Response(content, 200, {"Cache-Control": "no-store"} | headers, kind)


@dataclass(frozen=True)
class Asked:
    """A question to the gateway, as the browser asked it."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: Any

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Door:
    """The gateway as browsers see it. What they ask is written down; it may be told to answer otherwise."""

    app: ASGIApp
    origin: str
    asked: list[Asked] = field(default_factory=list)
    instead: list[tuple[str, Response]] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)

    lost: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        self.asked.append(_asked(scope, body))
        if held := self.held.get(scope["path"]):
            await held.wait()
        answer = self._other_answer(scope["path"]) or self.app
        if scope["path"] in self.lost:
            self.lost.remove(scope["path"])
            send = _cut(send)
        await answer(scope, _replayed(body, receive), send)

    def answers(self, path: str, *statuses: int, **headers: str) -> None:
        """The next questions there, with these statuses; then well again. `_` in a header's name stands for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.instead += [(path, self._problem(status, named)) for status in statuses]

    def to(self, path: str) -> list[Asked]:
        """What was asked there."""
        return [one for one in self.asked if one.path == path]

    def loses_answer(self, path: str) -> None:
        """The next answer there breaks off on its way."""
        self.lost.append(path)

    def hold(self, path: str) -> asyncio.Event:
        """Nobody is answered there until what is returned is set."""
        self.held[path] = asyncio.Event()
        return self.held[path]

    async def got(self, path: str, number: int = 1) -> list[Asked]:
        """What was asked there, once it is so much."""
        await wait_until(lambda: len(self.to(path)) >= number)
        return self.to(path)

    @property
    def links(self) -> list[Asked]:
        return self.to("/links")

    @property
    def events(self) -> list[Asked]:
        return self.to("/events")

    def _problem(self, status: int, headers: dict[str, str]) -> Response:
        problem = {"type": "about:blank", "title": "Told to fail", "status": status, "code": "TOLD_TO_FAIL"}
        readable = {"Access-Control-Allow-Origin": self.origin, "Access-Control-Expose-Headers": "Retry-After"}
        return JSONResponse(problem, status, readable | headers, "application/problem+json")

    def _other_answer(self, path: str) -> Response | None:
        for index, (where, answer) in enumerate(self.instead):
            if where == path:
                del self.instead[index]
                return answer
        return None


def _asked(scope: Scope, body: bytes) -> Asked:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Asked(scope["method"], scope["path"], headers, json.loads(body or b"null"))


def _cut(send: Send) -> Send:
    async def cut(message: Message) -> None:
        # A server closes a connection whose answer stays behind the length it announced.
        if message["type"] == "http.response.start":
            await send(message)

    return cut


def _replayed(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


@dataclass
class Windows:
    """Wazzup's origin. A link opens an empty window that says what the test tells it to, or the simulator's own."""

    simulator: ASGIApp
    is_real: bool = False
    opened: list[str] = field(default_factory=list)
    """The paths of the windows that were loaded, in turn."""

    async def were_opened(self, number: int) -> list[str]:
        """The same, once they are so many."""
        await wait_until(lambda: len(self.opened) >= number)
        return self.opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_window = "/chat" in scope["path"] and "/iframe-links/" not in scope["path"]
        if is_window and scope["type"] == "http":
            self.opened.append(f"{scope['path']}?{scope['query_string'].decode()}")
        if is_window and not self.is_real:
            await Response(WINDOW, media_type="text/html")(scope, receive, send)
        elif self.is_real:
            await self.simulator(scope, receive, send)
        else:
            await Response(status_code=204)(scope, receive, send)
