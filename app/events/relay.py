"""Accepts events: one delivery for each interested webhook, all or none, and stored before anybody is told.

If we die before the store has answered, the page posts the event again with the same id, and it is stored once.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Protocol

import orjson

from app.clock import Clock
from app.errors import Fault, Invalid, OtherUser, StoreUnavailable
from app.events.models import PostedEvent
from app.ids import new_id
from app.telemetry import Journal

# Seconds. A message that was lost costs a page this much, and not its answer.
LOOK: Final = 1.0


@dataclass(frozen=True, slots=True)
class Poster:
    """Who posts: a token speaks for one user, a server key (`user_id` is None) for any."""

    user_id: str | None
    from_browser: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """How far one delivery is. `status` and `body` are of the CRM's last answer, if it gave one."""

    webhook_id: str
    state: str
    tried: bool
    status: int | None
    body: str


class Stored(Protocol):
    """What became of an event that was put."""

    @property
    def event_id(self) -> str: ...
    @property
    def deliveries(self) -> int: ...
    @property
    def duplicate(self) -> bool: ...


class Outbox(Protocol):
    """Stores an event with its deliveries, or raises `StoreUnavailable`."""

    async def put(self, event_id: str, kind: str, body: bytes, *, once: str, waiter: str) -> Stored: ...
    async def answers(self, event_id: str) -> Sequence[Answer]: ...


class Waiting(Protocol):
    """Tells when something about an event has changed, on whatever replica. `channel` is where others tell us."""

    @property
    def channel(self) -> str: ...
    def watching(self, event_id: str) -> AbstractContextManager[asyncio.Event]: ...


@dataclass(frozen=True)
class EventRelay:
    """Accepts the events of one account."""

    outbox: Outbox
    waiting: Waiting
    account: str
    clock: Clock
    journal: Journal

    async def accept(self, event: PostedEvent, poster: Poster, *, key: str | None, waits: bool) -> Stored:
        """Stores `event`. `key` stands for the event where it has no id of its own; `waits`: answers are wanted.

        Raises:
            OtherUser: it happened to a user whom the poster may not speak for.
            Invalid: it cannot be carried.
            StoreUnavailable: it is not stored, as far as we know: post it again.
        """
        user_id = _user_of(event, poster)
        now = self.clock.now()
        event_id = new_id("evt", now)
        stored = await self.outbox.put(
            event_id,
            event.type,
            self._message(event_id, event, user_id, poster, now),
            once=_once(event.id or key),
            waiter=self.waiting.channel if waits else "",
        )
        self.journal.note(
            "event.accepted",
            account=self.account,
            event_id=stored.event_id,
            type=event.type,
            deliveries=stored.deliveries,
            outcome="duplicate" if stored.duplicate else "accepted",
        )
        return stored

    async def answers(self, event_id: str, *, within: float) -> Sequence[Answer] | None:
        """Every webhook's answer, once each was tried; None where that takes longer than `within` seconds.

        None too if the store went away meanwhile: the event is stored, and the page must not post it again.
        """
        try:
            async with asyncio.timeout(within):
                with self.waiting.watching(event_id) as changed:
                    return await self._all_tried(event_id, changed)
        except (TimeoutError, StoreUnavailable):
            return None

    async def _all_tried(self, event_id: str, changed: asyncio.Event) -> Sequence[Answer]:
        while True:
            changed.clear()  # Before we look: what changes afterwards wakes us again.
            found = await self.outbox.answers(event_id)
            if all(one.tried for one in found):
                return found
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await changed.wait()

    def _message(self, event_id: str, event: PostedEvent, user_id: str | None, poster: Poster, now: datetime) -> bytes:
        context: dict[str, Any] = {
            "user_id": user_id,
            "trust": "browser" if poster.from_browser else "server",
            "received_at": now,
            "occurred_at": event.occurred_at,
        }
        if event.model_extra:
            context["message"] = event.model_extra  # what else the window's message said
        return _written(
            {
                "id": event_id,
                "type": event.type,
                "timestamp": now,
                "account": self.account,
                "data": event.data,
                "context": context,
            }
        )


def _user_of(event: PostedEvent, poster: Poster) -> str | None:
    named = event.data.get("userId")
    # Ids may be strings or numbers; what is neither is nobody's name.
    said = str(named) if isinstance(named, str | int) and not isinstance(named, bool) else None
    if poster.user_id is None:
        return said
    if named is not None and said != poster.user_id:
        raise OtherUser("data.userId names another user than the token does.")
    return poster.user_id


def _once(name: str | None) -> str:
    # A page chooses it, so it may be long; and what a page chooses has no place in a name.
    return sha256(name.encode()).hexdigest()[:32] if name else ""


def _written(message: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(message, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:  # a number beyond 64 bits, which JSON may hold
        return _written_at_length(message)


def _written_at_length(message: dict[str, Any]) -> bytes:
    try:
        return json.dumps(
            message, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_instant
        ).encode()
    except (ValueError, RecursionError):
        detail = "data holds a number that JSON cannot carry, or half a character."
        raise Invalid(detail, faults=[Fault(detail, "#/data")]) from None


def _instant(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
