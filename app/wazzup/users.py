"""CRM users at Wazzup: it refuses links for users whom it does not know, so each is introduced before the first."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

from app.errors import StoreUnavailable, UserUnknown, VendorSaid, WazzupRefused, WazzupTimeout
from app.leases import Lease
from app.links.models import LinkRequest
from app.sealing import KeyRing
from app.store import Script, Store
from app.telemetry import Journal

# Seconds: for a day nobody is introduced again under the same name.
REMEMBERED: Final = 24 * 3600
# Seconds between two looks at what a sibling replica is doing.
GLANCE: Final = 0.025

_FORGET = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end")

# v3 has a code for it; how v2 says it is not known, so its words are read.
_CODES = frozenset({"INVALID_USER", "USER_NOT_FOUND", "UNKNOWN_USER"})
_WORDS = re.compile(
    r"\buser(?:_?id|\.id)?\b.{0,40}\b(?:unknown|must be (?:a )?known|not found|does(?: not|n't) exist|no such)\b"
    r"|\b(?:unknown|no such) user\b",
    re.IGNORECASE,
)


class Wazzup(Protocol):
    """What is asked of Wazzup here."""

    async def create_link(self, request: LinkRequest) -> str: ...
    async def put_user(self, user_id: str, name: str) -> None: ...


@contextmanager
def user_known() -> Iterator[None]:
    """Surrounds a question about a user.

    Raises:
        UserUnknown: Wazzup refuses it because it does not know the user.
    """
    try:
        yield
    except WazzupRefused as error:
        if error.vendor is None or not _is_about_the_user(error.vendor):
            raise
        raise UserUnknown(
            "Wazzup does not know this user. Create the user in Wazzup first, or let the operator set "
            "WAZZUP_SYNC_USERS=true, so that the gateway does.",
            vendor=error.vendor,
        ) from error


@dataclass(frozen=True)
class IntroducedLinks:
    """Makes links for users who were introduced to Wazzup: once a day, and never more than once at a time.

    Who waits for another's introduction takes its end, be it a failure; for a sibling replica's nobody waits longer
    than `patience`. What stands in Redis for a user whom Wazzup knows is a *mark*, another one for each introduction.
    """

    wazzup: Wazzup
    store: Store
    ring: KeyRing
    account: str
    journal: Journal
    patience: timedelta
    _flights: dict[tuple[str, str], asyncio.Task[bytes | None]] = field(default_factory=dict, repr=False)

    async def create_link(self, request: LinkRequest) -> str:
        """A new link for `request`. Without the user's name Wazzup cannot be told of the user: then it is only asked.

        Raises:
            UserUnknown: Wazzup does not know the user, and the request does not name the user.
            WazzupError: as the link or the introduction.
        """
        name = request.user_name
        if name is None:
            self.journal.note(
                "user.skipped",
                account=self.account,
                user_id=request.user_id,
                hint="WAZZUP_SYNC_USERS: the request does not name the user (user.name, or the token's name)",
            )
            return await self._of_a_nameless(request)
        mark = await self._introduced(request.user_id, name)
        try:
            return await self.wazzup.create_link(request)
        except UserUnknown:  # Wazzup forgot what we remember.
            await self._forget(request.user_id, mark)
            await self._introduced(request.user_id, name)
            return await self.wazzup.create_link(request)

    async def rest(self) -> None:
        """Breaks off the introductions that are under way; each is made again with the user's next link."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _of_a_nameless(self, request: LinkRequest) -> str:
        try:
            return await self.wazzup.create_link(request)
        except UserUnknown as error:
            error.detail = (
                "Wazzup does not know this user, and cannot be told without a name: send user.name, or a user token "
                "with name (WAZZUP_SYNC_USERS is on)."
            )
            raise

    async def _introduced(self, user_id: str, name: str) -> bytes | None:
        """The mark under which Wazzup knows the user; None when nobody can remember one."""
        who = user_id, name
        if (flight := self._flights.get(who)) is None:
            flight = self._flights[who] = asyncio.create_task(self._introduce(user_id, name))
            flight.add_done_callback(partial(self._landed, who))
        return await asyncio.shield(flight)  # Whoever goes away takes nobody's introduction along.

    def _landed(self, who: tuple[str, str], flight: asyncio.Task[bytes | None]) -> None:
        del self._flights[who]
        if not flight.cancelled():
            flight.exception()  # Looked at, so that a flight whose waiters all went away does not cry out.

    async def _introduce(self, user_id: str, name: str) -> bytes | None:
        lease = Lease(self.store, f"{self._key(user_id)}:lock")
        try:
            async with asyncio.timeout(None) as span:
                while not (mark := await self._mark(user_id, name)):
                    if await lease.take():
                        return await self._introduce_for_all(user_id, name, lease)
                    if (
                        span.when() is None
                    ):  # From here on; an introduction of our own has its end from the call itself.
                        span.reschedule(asyncio.get_running_loop().time() + self.patience.total_seconds())
                    await asyncio.sleep(GLANCE)
                return mark
        except StoreUnavailable:
            await self.wazzup.put_user(user_id, name)  # Nobody remembers: told each time.
            return None
        except TimeoutError:
            raise WazzupTimeout(
                f"Wazzup was not told of this user within {self.patience.total_seconds():g} seconds. Try again, or let "
                "the operator raise WAZZUP_TIMEOUT_SECONDS."
            ) from None

    async def _introduce_for_all(self, user_id: str, name: str, lease: Lease) -> bytes | None:
        try:
            async with lease.kept():
                # A sibling may have told Wazzup between our look and our lease.
                return await self._mark(user_id, name) or await self._put(user_id, name)
        finally:
            await lease.release()

    async def _put(self, user_id: str, name: str) -> bytes | None:
        await self.wazzup.put_user(user_id, name)
        self.journal.note("user.introduced", account=self.account, user_id=user_id)
        mark = f"{self.ring.hashed(name.encode())} {secrets.token_hex(8)}"
        with suppress(StoreUnavailable):
            await self.store.do("SET", self._key(user_id), mark, "EX", REMEMBERED)
        return mark.encode()

    async def _mark(self, user_id: str, name: str) -> bytes | None:
        """What was remembered when Wazzup was told of the user under this name."""
        mark: bytes | None = await self.store.do("GET", self._key(user_id))
        return mark if mark and mark.startswith(self.ring.hashed(name.encode()).encode()) else None

    async def _forget(self, user_id: str, mark: bytes | None) -> None:
        """Exactly this mark: the user may have been introduced again meanwhile."""
        with suppress(StoreUnavailable):
            await self.store.run(_FORGET, keys=(self._key(user_id),), args=(mark or b"",))

    def _key(self, user_id: str) -> str:
        return f"wg:{{{self.account}}}:wazzup:user:{self.ring.hashed(user_id.encode())}"


def _is_about_the_user(said: VendorSaid) -> bool:
    return said.code in _CODES or any(_WORDS.search(words) for words in (said.detail or "", *said.errors))
