"""The Bearer token of an account: one for all replicas, renewed early, by one of them at a time.

What Wazzup granted lies sealed in Redis, since each renewal replaces the refresh token: whoever still had the old one
would be locked out. So a replica renews only while it holds the lease, and looks first whether a sibling has renewed;
and what it asked for is taken home, however long Wazzup takes and whoever stopped waiting. Only if we die between
Wazzup's answer and the store's is the new refresh token lost: then the operator must authorise once more.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from app.clock import Clock
from app.errors import StoreUnavailable, WazzupForbidden, WazzupTimeout
from app.telemetry import Journal
from app.wazzup.grants import Grantor
from app.wazzup.vault import Grant, TokenVault

# Seconds for which a way to tokens that was refused is not tried again: the operator must act first.
REFUSED_FOR: Final = 10.0
# Seconds after a renewal that failed while the token still works.
TRY_AGAIN: Final = 1.0
# Seconds in which a sibling may still write down what it was granted when Wazzup tells us that we came too late.
SIBLING_PATIENCE: Final = 1.5
# Seconds that a renewal may take, whoever has stopped waiting for it: a late answer is the grant all the same.
ANSWER_PATIENCE: Final = 30.0
# Seconds after which it is assured once more that the store has the grant: it may have been emptied.
ASSURED_FOR: Final = 60.0
GLANCE: Final = 0.05


@dataclass(frozen=True)
class StaticToken:
    """A token that the operator set. There is no other."""

    token: str = field(repr=False)

    async def current(self) -> str:
        """The token."""
        return self.token

    async def replaced(self, _refused: str) -> bool:
        """Never."""
        return False

    def accepted(self, token: str) -> None:
        """Nothing depends on it."""

    async def rest(self, within: float) -> None:
        """Nothing is under way."""


class SharedToken:
    """The token of one account, for all replicas."""

    def __init__(
        self,
        grantor: Grantor,
        vault: TokenVault,
        *,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._grantor = grantor
        self._vault = vault
        self._clock = clock
        self._journal = journal
        self._grant: Grant | None = None
        self._last: Grant | None = None  # the newest that we know of, be it good or not
        self._spent: str | None = None  # the last token that Wazzup refused
        self._unproven: tuple[str, float] | None = None  # its successor, until Wazzup has taken it, and since when
        self._renewing: asyncio.Task[Grant] | None = None
        self._refusal: tuple[float, WazzupForbidden] | None = None
        self._failed_at = -REFUSED_FOR
        self._assured_at = 0.0
        self._saving: asyncio.Task[None] | None = None

    @property
    def grant(self) -> Grant | None:
        """What this replica holds, once it has asked."""
        return self._grant

    async def current(self) -> str:
        """A token that works, as far as anybody here knows.

        Raises:
            WazzupError: there is none, and Wazzup gives none.
            StoreUnavailable: one must be asked for, which without the store could lose the grant.
        """
        grant, now = self._grant, self._clock.now()
        if grant is None or now >= grant.good_until:
            return (await asyncio.shield(self._renewal())).access_token
        if now >= grant.renew_at and self._clock.monotonic() >= self._failed_at + TRY_AGAIN:
            self._renewal()  # Nobody waits for it: the token still works.
        self._assure(grant)
        return grant.access_token

    async def replaced(self, refused: str) -> bool:
        """Whether there is another token than `refused`, which Wazzup did not take; asks for one if need be.

        Raises:
            WazzupError: Wazzup gives none.
            StoreUnavailable: as for `current`.
        """
        if self._grant is not None and self._grant.access_token != refused:
            return True
        now = self._clock.monotonic()
        if self._unproven and self._unproven[0] == refused and now < self._unproven[1] + REFUSED_FOR:
            return False  # A new token did not help: another one would not either.
        if self._grant is not None:
            self._spent, self._grant = refused, None
        self._unproven = (await asyncio.shield(self._renewal())).access_token, now
        return True

    def accepted(self, token: str) -> None:
        """Wazzup took `token`."""
        if self._unproven and self._unproven[0] == token:
            self._unproven = None

    async def rest(self, within: float) -> None:
        """Takes home what was asked for, within so many seconds: what Wazzup grants now must still be written down."""
        ends_at = asyncio.get_running_loop().time() + within
        while task := self._renewing or self._saving:
            left = ends_at - asyncio.get_running_loop().time()
            if not (await asyncio.wait([task], timeout=max(0.0, left)))[0]:
                task.cancel()
                await asyncio.wait([task])

    # Its own task, which no caller's time-out ends: a grant that is asked for must be taken home.
    def _renewal(self) -> asyncio.Task[Grant]:
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
            self._renewing.add_done_callback(self._renewed)
        return self._renewing

    def _renewed(self, renewal: asyncio.Task[Grant]) -> None:
        self._renewing = None
        if renewal.cancelled():
            return
        if renewal.exception() is None:
            self._grant = self._last = renewal.result()
            self._refusal, self._assured_at = None, self._clock.monotonic()
        else:
            self._failed_at = self._clock.monotonic()

    async def _renew(self) -> Grant:
        lease = self._vault.lease()
        try:
            taken = await lease.take()
        except StoreUnavailable:
            if self._grantor.used_up:
                raise  # Asked without the lease, a sibling and we could both lose the grant.
            return await self._asked(self._last)
        while not taken:
            if found := self._usable(await self._vault.find()):
                return found
            await asyncio.sleep(GLANCE)
            taken = await lease.take()
        try:
            async with lease.kept():
                stored = await self._vault.find()
                return self._usable(stored) or await self._asked(stored)
        finally:
            await lease.release()

    def _usable(self, stored: Grant | None) -> Grant | None:
        """What a sibling was granted, if it is another token than those that will not do, and still lives."""
        ours = self._grant.access_token if self._grant else None
        if stored is None or stored.access_token in {ours, self._spent} or self._clock.now() >= stored.good_until:
            return None
        return stored

    async def _asked(self, stored: Grant | None) -> Grant:
        if self._refusal and self._clock.monotonic() < self._refusal[0] + REFUSED_FOR:
            raise self._refusal[1].restated()
        # What lies in the store may be older than what we know, or gone: the newest refresh token is the living one.
        newest = max(filter(None, (stored, self._last)), key=lambda grant: grant.number, default=None)
        asked_at = self._clock.now()
        try:
            async with asyncio.timeout(ANSWER_PATIENCE):
                granted = await self._grantor.grant(newest.refresh_token if newest else None)
        except TimeoutError:
            raise WazzupTimeout("Wazzup did not renew the gateway's token. Try again.") from None
        except WazzupForbidden as error:
            if won := await self._won_by_a_sibling():
                return won
            self._refusal = self._clock.monotonic(), error.restated()
            self._journal.trouble("token.refused", account=self._vault.account, hint=error.detail)
            raise
        kept = granted.refresh_token or (newest.refresh_token if newest else None)
        number = newest.number + 1 if newest else 1
        grant = Grant(granted.access_token, kept, asked_at, asked_at + granted.expires_in, number)
        await self._save(grant)
        self._journal.note(
            "token.renewed", account=self._vault.account, lifetime_seconds=int(granted.expires_in.total_seconds())
        )
        return grant

    def _assure(self, grant: Grant) -> None:
        if self._clock.monotonic() >= self._assured_at + ASSURED_FOR:
            self._assured_at = self._clock.monotonic()
            self._vault.assure(grant)

    async def _won_by_a_sibling(self) -> Grant | None:
        """What a sibling wrote down meanwhile: its lease may have ended while it was stopped, or its store was gone."""
        for _ in range(int(SIBLING_PATIENCE / GLANCE)):
            with suppress(StoreUnavailable):
                if won := self._usable(await self._vault.find()):
                    return won
            await asyncio.sleep(GLANCE)
        return None

    async def _save(self, grant: Grant) -> None:
        try:
            await self._vault.keep(grant)
        except StoreUnavailable as error:
            self._journal.trouble("token.unsaved", error, account=self._vault.account, hint="tried until it succeeds")
            self._saving = asyncio.create_task(self._save_later(grant))
            self._saving.add_done_callback(self._saved)

    async def _save_later(self, grant: Grant) -> None:
        while True:
            await asyncio.sleep(TRY_AGAIN)
            with suppress(StoreUnavailable):
                return await self._vault.keep(grant)

    def _saved(self, _: asyncio.Task[None]) -> None:
        self._saving = None
