"""What just happened, in turn, for the page to show. Bounded; a page that comes back misses nothing that is kept."""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

MOST: Final = 400
# Seconds between signs of life, by which both sides learn that the other is gone.
SIGN_OF_LIFE: Final = 15.0
# The gateway's journal says much more; these lines are the story of a link or an event.
OVERHEARD: Final = frozenset({"link.issued", "event.accepted", "delivery.attempted", "wazzup.called", "http.request"})
ROUTES: Final = frozenset({"/links", "/events", "/deals"})
FACTS: Final = (
    "request_id", "event_id", "type", "deliveries", "outcome", "chats", "attempt", "follows", "status", "hint",
    "duration_ms", "operation", "route", "code",
)  # fmt: skip


@dataclass
class Feed:
    """The latest entries. `boot` tells those of this process from an earlier one's."""

    now: Callable[[], datetime]
    boot: str = field(default_factory=lambda: secrets.token_hex(4))
    _entries: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=MOST), repr=False)
    _said: int = 0
    _followers: set[asyncio.Event] = field(default_factory=set, repr=False)
    _closed: bool = False

    def say(self, what: str, /, **facts: Any) -> None:
        """Something happened."""
        self._said += 1
        self._entries.append((self._said, json.dumps({"what": what, "at": self.now().isoformat(), **facts})))
        self._wake()

    def overhear(self, line: Mapping[str, Any]) -> None:
        """A line of the gateway's journal; most of them say nothing to a newcomer, and are passed over."""
        what = line.get("event")
        if what in OVERHEARD and (what != "http.request" or line.get("route") in ROUTES):
            self.say(str(what), **{name: line[name] for name in FACTS if line.get(name) is not None})

    def close(self) -> None:
        """Nobody follows any more: the process is to end."""
        self._closed = True
        self._wake()

    async def follow(self, cursor: str) -> AsyncGenerator[bytes, None]:
        """Server-Sent Events after `cursor`, the id of one of them; all that are kept, where it is not one of ours."""
        woken = asyncio.Event()
        self._followers.add(woken)
        try:
            yield b"retry: 1000\n\n"
            last = self._place_of(cursor)
            while not self._closed:
                woken.clear()  # Before we look: what is said afterwards wakes us again.
                news, last = self._after(last)
                yield news or b": alive\n\n"
                with suppress(TimeoutError):
                    async with asyncio.timeout(SIGN_OF_LIFE):
                        await woken.wait()
        finally:
            self._followers.discard(woken)

    def _place_of(self, cursor: str) -> int:
        return next((place for place, _ in self._entries if f"{self.boot}-{place}" == cursor), 0)

    def _after(self, last: int) -> tuple[bytes, int]:
        news = [(place, text) for place, text in self._entries if place > last]
        told = "".join(f"id: {self.boot}-{place}\ndata: {text}\n\n" for place, text in news)
        return told.encode(), news[-1][0] if news else last

    def _wake(self) -> None:
        for follower in self._followers:
            follower.set()
