"""Issues links: memory first, Wazzup second, each question asked once however many callers and replicas ask it.

The law of this room: fast; it may forget; it never fails because of its memory.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Protocol, TypeGuard

from app.clock import Clock
from app.errors import RateLimited, StoreUnavailable, WazzupError, WazzupForbidden, WazzupRefused, WazzupUnavailable
from app.limits import Quota
from app.links.models import Link, LinkRequest
from app.telemetry import Journal

# A link is given up this long before its own end (or a tenth of its life, if that is less), so that no page starts
# with one that is about to expire.
MARGIN = timedelta(seconds=60)
# Links that were made together shall not expire together.
JITTER = 0.1
# With the cache off nothing is kept, but the page must still be told when to ask again.
ASSUMED_LIFETIME = timedelta(minutes=5)
# Older than any link that is still remembered.
ANY_AGE = timedelta(days=365)
# Seconds between two looks at what a sibling replica is doing.
GLANCE = 0.025

_FORBIDDEN = 403


class Outcome(StrEnum):
    """How a link came about; the words of `Cache-Status` (RFC 9211) follow from it."""

    HIT = "hit"
    STORED = "stored"
    MISSED = "missed"
    COLLAPSED = "collapsed"
    REQUESTED = "requested"
    STALE = "stale"
    STORE_DOWN = "store-down"
    CACHE_OFF = "cache-off"


@dataclass(frozen=True, slots=True)
class Issued:
    """A link, how it came about, and where its user stands within the rate limit (None: nobody could count)."""

    link: Link
    outcome: Outcome
    quota: Quota | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Wazzup's no to a question. It stands for some seconds, so that a card that cannot work costs few calls."""

    error: WazzupError


@dataclass(frozen=True, slots=True)
class Recalled:
    """What memory knows: a link, Wazzup's latest no; and the user's quota, this request counted."""

    link: Link | None
    refusal: Refusal | None
    quota: Quota


class LinkSource(Protocol):
    """Who makes links: Wazzup."""

    async def create_link(self, request: LinkRequest) -> str: ...


class LinkMemory(Protocol):
    """Remembers links for all replicas. Every method may raise `StoreUnavailable`, and nothing else."""

    async def recall(self, request: LinkRequest) -> Recalled: ...
    async def claim(self, request: LinkRequest, *, not_before: datetime) -> "Claim | Link | Refusal | None": ...
    async def refuse(self, request: LinkRequest, error: WazzupError) -> None: ...
    async def forget(self, account: str, user_id: str) -> int: ...


class Claim(Protocol):
    """The right to ask this question for all replicas. It lapses soon after its holder dies."""

    async def keep(self, link: Link) -> None: ...
    async def refuse(self, error: WazzupError) -> None: ...
    async def renew(self) -> None: ...
    async def release(self) -> None: ...


@dataclass(frozen=True)
class Lifetimes:
    """How long links are remembered. `unread` is for links whose own end cannot be read; zero: remember nothing."""

    unread: timedelta
    longest: timedelta
    jitter: Callable[[], float] = random.random

    @property
    def off(self) -> bool:
        """Whether nothing shall be remembered at all."""
        return not self.unread

    def until(self, own_end: datetime | None, now: datetime) -> datetime:
        """When a link that was issued `now` is given up."""
        if own_end is None or own_end <= now:  # An end that has passed tells of a clock that is wrong, not of a link.
            spread = 1 + JITTER * (2 * self.jitter() - 1)
            return now + (self.unread or ASSUMED_LIFETIME) * spread
        life = own_end - now
        # Only ever earlier: neither the link's own end nor the cap may be passed.
        return now + min(self.longest, life - min(MARGIN, life / 10)) * (1 - JITTER * self.jitter())


@dataclass(frozen=True)
class LinkIssuer:
    """Issues the links of one account."""

    wazzup: LinkSource
    memory: LinkMemory
    lifetimes: Lifetimes
    read_end: Callable[[str], datetime | None]
    patience: timedelta
    clock: Clock
    journal: Journal
    _flights: dict[LinkRequest, asyncio.Task[tuple[Link, Outcome]]] = field(default_factory=dict, repr=False)
    _keeping: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    async def issue(self, request: LinkRequest, *, max_age: timedelta | None = None) -> Issued:
        """A link for `request`, no older than `max_age`. Wazzup's no is remembered also for who wants a newer link.

        Raises:
            RateLimited: this user asked too often.
            WazzupError: Wazzup gave none, and none is remembered.
        """
        issued = await self._issue(request, max_age)
        self.journal.note(
            "link.issued",
            account=request.account,
            user_id=request.user_id,
            outcome=issued.outcome.value,
            scope=request.scope,
            chats=len(request.chats),
        )
        return issued

    async def forget(self, account: str, user_id: str) -> int:
        """Forgets every link of a user; how many there were.

        Raises:
            StoreUnavailable: nobody knows whether they are forgotten.
        """
        forgotten = await self.memory.forget(account, user_id)
        self.journal.note("link.forgotten", account=account, user_id=user_id, links=forgotten)
        return forgotten

    async def rest(self) -> None:
        """Finishes what is to be remembered, and ends the questions that nobody waits for any more."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await asyncio.gather(*self._keeping)

    async def _issue(self, request: LinkRequest, max_age: timedelta | None) -> Issued:
        asked_at = self.clock.now()
        try:
            recalled = await self.memory.recall(request)
        except StoreUnavailable:
            link, _ = await self._shared(request, asked_at)
            return Issued(link, Outcome.STORE_DOWN, None)
        quota, known = recalled.quota, recalled.link
        if quota.exceeded:
            raise RateLimited(
                "This user asked for too many links. Wait as long as Retry-After says.",
                retry_after=quota.resets_in,
                headers=quota.headers(),
            )
        if known and (max_age is None or timedelta(0) < max_age >= asked_at - known.issued_at):
            return Issued(known, Outcome.HIT, quota)
        if recalled.refusal:
            raise recalled.refusal.error
        try:
            link, outcome = await self._shared(request, _newer_than(known, asked_at, max_age))
        except WazzupUnavailable:
            if known is None:
                raise
            return Issued(known, Outcome.STALE, quota)
        return Issued(link, Outcome.REQUESTED if known else outcome, quota)

    async def _shared(self, request: LinkRequest, not_before: datetime) -> tuple[Link, Outcome]:
        # Shielded: whoever goes away takes nobody's answer along.
        while flight := self._flights.get(request):
            link, _ = await asyncio.shield(flight)
            if link.issued_at >= not_before:
                return link, Outcome.COLLAPSED
        flight = asyncio.create_task(self._ask(request, not_before))
        self._flights[request] = flight
        flight.add_done_callback(partial(self._landed, request))
        return await asyncio.shield(flight)

    def _landed(self, request: LinkRequest, flight: asyncio.Task[tuple[Link, Outcome]]) -> None:
        del self._flights[request]
        if not flight.cancelled():
            flight.exception()  # Looked at, so that a flight whose callers all went away does not cry out.

    async def _ask(self, request: LinkRequest, not_before: datetime) -> tuple[Link, Outcome]:
        """Asks once over all replicas: holds the claim, or waits for the link of the replica that holds it."""
        if self.lifetimes.off:
            return await self._ask_for_now(request), Outcome.CACHE_OFF
        deadline = self.clock.monotonic() + self.patience.total_seconds()
        while self.clock.monotonic() < deadline:
            try:
                claim = await self.memory.claim(request, not_before=not_before)
            except StoreUnavailable:
                break
            if isinstance(claim, Link):
                return claim, Outcome.COLLAPSED
            if isinstance(claim, Refusal):
                raise claim.error
            if claim is not None:
                return await self._ask_for_all(request, claim)
            await asyncio.sleep(GLANCE)
        return await self._create(request), Outcome.MISSED

    async def _ask_for_now(self, request: LinkRequest) -> Link:
        """Keeps no link, but a no: with the cache off a card that cannot work would cost more calls, not fewer."""
        try:
            return await self._create(request)
        except WazzupError as error:
            if _stands(error):
                await _quietly(self.memory.refuse(request, error))
            raise

    async def _ask_for_all(self, request: LinkRequest, claim: Claim) -> tuple[Link, Outcome]:
        renewing = asyncio.create_task(claim.renew())
        try:
            link = await self._create(request)
        except BaseException as error:
            await _quietly(claim.refuse(error) if _stands(error) else claim.release())
            raise
        finally:
            renewing.cancel()
        # Nobody waits for our memory: whoever asks meanwhile finds the claim, and then the link.
        keeping = asyncio.create_task(_quietly(claim.keep(link)))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        return link, Outcome.STORED

    async def _create(self, request: LinkRequest) -> Link:
        url = await self.wazzup.create_link(request)
        now = self.clock.now()
        return Link(url=url, issued_at=now, expires_at=self.lifetimes.until(self.read_end(url), now))


def _newer_than(known: Link | None, asked_at: datetime, max_age: timedelta | None) -> datetime:
    """Since when a sibling's link must have been issued to be an answer: it is never the one that was too old."""
    oldest = asked_at - (ANY_AGE if max_age is None else max_age)
    return max(oldest, known.issued_at + timedelta(milliseconds=1)) if known else oldest


def _stands(error: BaseException) -> TypeGuard[WazzupError]:
    """Whether the same question would only be refused again: its body is wrong, or Wazzup forbids it (403)."""
    if isinstance(error, WazzupForbidden):
        return error.vendor is not None and error.vendor.status == _FORBIDDEN
    return isinstance(error, WazzupRefused)


async def _quietly(step: Awaitable[None]) -> None:
    """Does `step` if the store lets it. The link is worth more than its memory, and a claim lapses by itself."""
    with suppress(StoreUnavailable):
        await step
