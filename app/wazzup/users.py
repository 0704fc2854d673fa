"""CRM users at Wazzup: it refuses links for users whom it does not know, so each is introduced before the first."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from app.errors import StoreUnavailable, UserUnknown, VendorSaid, WazzupRefused
from app.leases import Lease
from app.links.models import LinkRequest
from app.sealing import KeyRing
from app.store import Store
from app.telemetry import Journal

# Seconds: for a day nobody is introduced again under the same name.
REMEMBERED: Final = 24 * 3600
# Seconds between two looks at what a sibling replica is doing.
GLANCE: Final = 0.025

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
    """Makes links for users who were introduced to Wazzup: once a day, and never more than once at a time."""

    wazzup: Wazzup
    store: Store
    ring: KeyRing
    account: str
    journal: Journal

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
        await self._introduce(request.user_id, name)
        try:
            return await self.wazzup.create_link(request)
        except UserUnknown:  # Wazzup forgot what we remember.
            await self._put(request.user_id, name)
            return await self.wazzup.create_link(request)

    async def _of_a_nameless(self, request: LinkRequest) -> str:
        try:
            return await self.wazzup.create_link(request)
        except UserUnknown as error:
            error.detail = (
                "Wazzup does not know this user, and cannot be told without a name: send user.name, or a user token "
                "with name (WAZZUP_SYNC_USERS is on)."
            )
            raise

    async def _introduce(self, user_id: str, name: str) -> None:
        lease = Lease(self.store, f"{self._key(user_id)}:lock")
        try:
            while not await self._is_known(user_id, name):
                if await lease.take():
                    return await self._introduce_for_all(user_id, name, lease)
                await asyncio.sleep(GLANCE)
        except StoreUnavailable:
            await self.wazzup.put_user(user_id, name)  # Nobody remembers: told each time.

    async def _introduce_for_all(self, user_id: str, name: str, lease: Lease) -> None:
        try:
            async with lease.kept():
                # A sibling may have told Wazzup between our look and our lease.
                if not await self._is_known(user_id, name):
                    await self._put(user_id, name)
        finally:
            await lease.release()

    async def _put(self, user_id: str, name: str) -> None:
        await self.wazzup.put_user(user_id, name)
        with suppress(StoreUnavailable):
            await self.store.do("SET", self._key(user_id), self.ring.hashed(name.encode()), "EX", REMEMBERED)
        self.journal.note("user.introduced", account=self.account, user_id=user_id)

    async def _is_known(self, user_id: str, name: str) -> bool:
        known = await self.store.do("GET", self._key(user_id))
        return bool(known == self.ring.hashed(name.encode()).encode())

    def _key(self, user_id: str) -> str:
        return f"wg:{{{self.account}}}:wazzup:user:{self.ring.hashed(user_id.encode())}"


def _is_about_the_user(said: VendorSaid) -> bool:
    return said.code in _CODES or any(_WORDS.search(words) for words in (said.detail or "", *said.errors))
