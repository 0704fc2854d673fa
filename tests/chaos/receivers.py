"""CRMs' servers with moods of their own. They verify what they get, and note it."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook as Verifier
from starlette.types import Message, Receive, Scope, Send

from app.serving import Server, listen
from tests.waiting import wait_until

Mood = Callable[[random.Random], Coroutine[Any, Any, int | None]]


async def steady(_: random.Random) -> int:
    return 200


async def slow(chance: random.Random) -> int:
    await asyncio.sleep(chance.uniform(0.01, 0.1))
    return 200


async def moody(chance: random.Random) -> int:
    return chance.choices((200, 500, 503, 429), (70, 20, 5, 5))[0]


async def rude(chance: random.Random) -> int | None:
    """Hangs beyond the time-out, or hangs up."""
    match chance.choices(("well", "hangs", "hangs up"), (94, 1, 5))[0]:
        case "hangs":
            await asyncio.sleep(5)
        case "hangs up":
            return None
    return 200


MOODS: dict[str, Mood] = {"steady": steady, "slow": slow, "moody": moody, "rude": rude}


@dataclass
class Receiver:
    """One CRM's server: which events it said yes to, and how often each."""

    name: str
    mood: Mood
    chance: random.Random
    url: str = ""
    secret: str = ""
    accepted: Counter[str] = field(default_factory=Counter)
    forged: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        try:
            Verifier(self.secret).verify(body, headers)
        except Exception:  # whatever it says: it must never say anything
            self.forged += 1
        status = await self.mood(self.chance)
        if status == 200:
            self.accepted[headers["webhook-id"]] += 1
        if status is None:
            return  # The server closes the connection without an answer.
        answer = [(b"content-length", b"0")] + ([(b"retry-after", b"1")] if status in (429, 503) else [])
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body"})


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message: Message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


@asynccontextmanager
async def open_receivers(seed: int) -> AsyncIterator[list[Receiver]]:
    """One for each mood."""
    async with AsyncExitStack() as stack:
        receivers = [Receiver(name, mood, random.Random(f"{seed}{name}")) for name, mood in MOODS.items()]
        for receiver in receivers:
            await stack.enter_async_context(_open(receiver))
        yield receivers


@asynccontextmanager
async def _open(receiver: Receiver) -> AsyncIterator[None]:
    with listen("127.0.0.1", 0) as sock:
        receiver.url = f"http://127.0.0.1:{sock.getsockname()[1]}/{receiver.name}"
        server = Server(receiver)
        running = asyncio.create_task(server.serve([sock]))
        await wait_until(lambda: server.started)
        try:
            yield
        finally:
            server.should_exit = server.force_exit = True
            await running
