"""A CRM's server on a real socket: it receives deliveries, verifies them, and answers in whatever mood it is in."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.serving import Server, listen
from tests.waiting import wait_until

Mood = Callable[["Received"], Response]


@dataclass(frozen=True)
class Received:
    """One attempt, as it came."""

    headers: dict[str, str]
    raw: bytes
    path: str

    @property
    def message(self) -> Any:
        return json.loads(self.raw)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Crm:
    """What came, and how it is answered: `moods` one after the other, and then `mood`."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    mood: Mood = field(default=lambda _: Response(b"{}", media_type="application/json"))
    moods: list[Mood] = field(default_factory=list)
    held: asyncio.Event | None = None
    """Until it is set, nobody is answered: nobody at `holds`, or nobody at all."""
    holds: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        received = Received(dict(request.headers), await request.body(), request.url.path)
        self.received.append(received)
        if self.held and received.path.endswith(self.holds):
            await self.held.wait()
        mood = self.moods.pop(0) if self.moods else self.mood
        await mood(received)(scope, receive, send)

    def answers(self, *statuses: int) -> None:
        """With these statuses, in this order; then well again."""
        self.moods += [answering(status) for status in statuses]

    async def got(self, number: int, at: str = "") -> list[Received]:
        """Everything that came to where the path ends so, once it is so much."""
        await wait_until(lambda: len(self.at(at)) >= number)
        return self.at(at)

    def at(self, path: str) -> list[Received]:
        """What came to where the path ends so."""
        return [one for one in self.received if one.path.endswith(path)]


def answering(status: int, body: str = "", **headers: str) -> Mood:
    """A mood that always answers so; `_` in a header's name stands for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Response(body, status, named)


@dataclass
class Reception:
    """One socket for many CRMs, one after the other: to open and close it takes longer than most tests."""

    url: str
    crm: Crm | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.crm or Crm())(scope, receive, send)

    @asynccontextmanager
    async def visited(self) -> AsyncIterator[Crm]:
        """A CRM that nobody has spoken to."""
        crm = self.crm = Crm(self.url)
        yield crm
        self.crm = None
        if crm.held:
            crm.held.set()


@asynccontextmanager
async def open_reception() -> AsyncIterator[Reception]:
    with listen("127.0.0.1", 0) as sock:
        reception = Reception(f"http://127.0.0.1:{sock.getsockname()[1]}/wazzup")
        server = Server(reception)
        running = asyncio.create_task(server.serve([sock]))
        await wait_until(lambda: server.started)
        yield reception
        server.should_exit = True
        await running


@asynccontextmanager
async def open_crm() -> AsyncIterator[Crm]:
    """A CRM with a socket of its own."""
    async with open_reception() as reception, reception.visited() as crm:
        yield crm
