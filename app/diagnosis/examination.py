"""What Wazzup makes of an account: is it there, does it let us in, for how long, and does it give a link?

It is asked as it is when the gateway serves: by the same client, with the same tokens, within the same budget.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError

from app.accounts import Account
from app.clock import Clock
from app.diagnosis.causes import in_plain_words
from app.diagnosis.findings import Finding, Status, counted, failed, named_in, ok, skipped, warning
from app.errors import (
    BudgetSpent,
    GatewayError,
    Invalid,
    StoreUnavailable,
    UserUnknown,
    VendorSaid,
    WazzupBusy,
    WazzupForbidden,
    WazzupRefused,
    WazzupTimeout,
    WazzupUnreadable,
)
from app.links.issuer import LinkSource
from app.links.models import AskedUser, LinkQuestion, LinkRequest
from app.links.question import Asker, Manners, settle
from app.wazzup.client import Tokens
from app.wazzup.guard import ForeignLink, end_of, own_end
from app.wazzup.tokens import SharedToken, StaticToken

CHECKS = ("wazzup", "credentials", "token", "link")
# A token that nobody renews is worth a word when it ends this soon.
SOON = timedelta(days=7)

# What an error says to callers, and what stands before it says what to do.
_TO_OPERATORS = re.compile(r"Operator: (?:wazzup\.code says why; )?(\w)")
# v3's codes are not all known: any that speaks of these is about who asks, not about what.
_ABOUT_US = re.compile(r"AUTH|TOKEN|KEY|PARTNER|FORBIDDEN")
_MOST_ERRORS = 3


class Door(Protocol):
    """Where one knocks at Wazzup."""

    async def knock(self) -> None: ...


@dataclass(frozen=True)
class User:
    """For whom a link is asked."""

    id: str
    name: str | None = None


def unasked(reason: str, *mends: str) -> list[Finding]:
    """When Wazzup must not, or cannot, be asked."""
    first, *others = CHECKS
    return [skipped(first, reason, *mends), *(skipped(other, "Wazzup was not asked.") for other in others)]


@dataclass(frozen=True)
class Examination:
    """Asks Wazzup about one account. `credentials` names the variables of its way in."""

    name: str
    account: Account
    credentials: Sequence[str]
    door: Door
    tokens: Tokens
    links: LinkSource
    manners: Manners
    clock: Clock

    async def findings(self, user: User | None) -> list[Finding]:
        """One finding for each of `CHECKS`; a link is asked for if there is a `user`."""
        entered = await self._entered()
        if any(one.status in {Status.FAILED, Status.SKIPPED} for one in entered):
            link = skipped("link", "Not asked for, since what comes before it is not well.")
        elif user is None:
            link = skipped("link", "Give --user ID to ask for a link.")
        else:
            link = await self._link(user)
        return [*entered, self._token(), link]

    async def _entered(self) -> list[Finding]:
        """Whether Wazzup is there, and lets us in."""
        try:
            await self.door.knock()
        except WazzupRefused as error:
            return self._refused(error, error.vendor or VendorSaid())
        except WazzupForbidden as error:
            return [self._there(), self._trouble("credentials", error)]
        except GatewayError as error:
            return [self._trouble("wazzup", error), skipped("credentials", "Wazzup has said nothing about them.")]
        says = f"{self.account.base_url} grants a question that asks for nothing, as Wazzup would not."
        return [warning("wazzup", says, "WAZZUP_BASE_URL"), ok("credentials", "Not refused.")]

    def _refused(self, error: WazzupRefused, said: VendorSaid) -> list[Finding]:
        """What a question that asks for nothing is answered by a Wazzup that lets us in."""
        if said.code is None:
            says = f"{self.account.base_url} answers {said.status}, but not in Wazzup's words."
            return [
                failed("wazzup", says, "WAZZUP_BASE_URL", "WAZZUP_API"),
                skipped("credentials", "Nothing that Wazzup has said."),
            ]
        if _ABOUT_US.search(said.code):
            return [self._there(), self._trouble("credentials", error)]
        return [self._there(), ok("credentials", "Wazzup takes them.")]

    def _there(self) -> Finding:
        return ok("wazzup", f"{self.account.base_url} answers.")

    def _token(self) -> Finding:
        if isinstance(self.tokens, StaticToken):
            return self._own_token(end_of(self.tokens.token))
        grant = self.tokens.grant if isinstance(self.tokens, SharedToken) else None
        if grant is None:
            return skipped("token", "Wazzup has granted none.")
        left = grant.expires_at - self.clock.now()
        life, early = (
            in_time(span) for span in (grant.expires_at - grant.granted_at, grant.expires_at - grant.renew_at)
        )
        return ok("token", f"Granted for {life}, of which {in_time(left)} are left; renewed {early} before its end.")

    def _own_token(self, end: datetime | None) -> Finding:
        """A token that the operator set."""
        if end is None:
            return ok("token", "Its end cannot be read: an opaque token.")
        left = end - self.clock.now()
        if left <= timedelta(0):
            says = f"It ended {in_time(-left)} ago, unless this machine's clock is wrong."
            return failed("token", says, *self.credentials)
        says = f"It ends in {in_time(left)}, and nobody renews it."
        return warning("token", says, *self.credentials) if left < SOON else ok("token", says)

    async def _link(self, user: User) -> Finding:
        try:
            link = await self.links.create_link(self._request(user))
        except Invalid as error:
            return failed("link", error.detail, "--user")
        except ValidationError:
            return failed("link", "Neither is a user's id of up to 256, nor a name of up to 150 characters.", *_OPTIONS)
        except UserUnknown as error:
            return self._unknown(error)
        except GatewayError as error:
            return self._trouble("link", error)
        return self._given(urlsplit(link).hostname, own_end(link))

    def _request(self, user: User) -> LinkRequest:
        question = LinkQuestion(user=AskedUser(id=user.id, name=user.name))
        return settle(question, Asker(self.name), self.manners).request

    def _unknown(self, error: UserUnknown) -> Finding:
        if self.account.wazzup_sync_users:
            says = "Wazzup does not know this user, and cannot be told of a user without a name."
            return failed("link", says, "--name")
        return failed("link", error.detail, "WAZZUP_SYNC_USERS")

    def _given(self, host: str | None, end: datetime | None) -> Finding:
        unread = self.account.link_cache_ttl_seconds
        kept = f"it is remembered for {in_time(unread)}" if unread else "it is not remembered"
        if end is None:
            return ok("link", f"Given, to {host}. Its end cannot be read: {kept}.")
        left = end - self.clock.now()
        if left > timedelta(0):
            return ok("link", f"Given, to {host}, for {in_time(left)}.")
        says = (
            f"Given, to {host}, but it ended {in_time(-left)} ago. This machine's clock or Wazzup's is wrong; {kept}."
        )
        return warning("link", says, "LINK_CACHE_TTL_SECONDS")

    def _trouble(self, check: str, error: GatewayError) -> Finding:
        says, *mends = self._told(error)
        return failed(check, says, *mends)

    def _told(self, error: GatewayError) -> tuple[str, ...]:
        """What is wrong, in words, and what mends it."""
        match error:
            case WazzupForbidden():
                return f"{_to_operators(error.detail)}{_quoted(error.vendor)}", *self._credentials_in(error.detail)
            case WazzupRefused():
                return f"Wazzup refuses the request.{_quoted(error.vendor)}", *self._shaping()
            case WazzupUnreadable():
                return self._unreadable(error)
            case StoreUnavailable():
                return "A token must be renewed, and the store, which has to keep it, does not answer.", "REDIS_URL"
            case _:
                return self._unavailable(error)

    def _unavailable(self, error: GatewayError) -> tuple[str, ...]:
        url, wait = self.account.base_url, error.retry_after
        match error:
            case WazzupTimeout():
                span = in_time(self.account.wazzup_timeout_seconds)
                return f"{url} does not answer within {span}.", "WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS"
            case BudgetSpent():
                return "All calls of WAZZUP_RATE_LIMIT are taken for now: try again soon.", "WAZZUP_RATE_LIMIT"
            case WazzupBusy():
                return (
                    f"Wazzup asks for fewer calls (429){f' for {in_time(wait)}' if wait else ''}.",
                    "WAZZUP_RATE_LIMIT",
                )
            case GatewayError(vendor=VendorSaid()):
                return f"{url} is there, but fails.{_quoted(error.vendor)}", "WAZZUP_BASE_URL"
            case _:
                why = in_plain_words(error.__cause__)
                return f"{url} cannot be reached: {why}.", "WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS"

    def _unreadable(self, error: WazzupUnreadable) -> tuple[str, ...]:
        match error.__cause__, error.vendor:
            case ForeignLink(host=str(host)), _:
                return f"Wazzup gave a link to {host}, which WAZZUP_LINK_HOSTS does not name.", "WAZZUP_LINK_HOSTS"
            case ForeignLink(), _:
                return error.detail, "WAZZUP_BASE_URL"
            case _, said:
                says = f"What answers at {self.account.base_url} is not Wazzup: {error.detail}{_quoted(said)}"
                return says, "WAZZUP_BASE_URL", "WAZZUP_API"

    def _credentials_in(self, detail: str) -> Sequence[str]:
        mends = [one for one in named_in(detail) if one in {*self.credentials, "WAZZUP_BASE_URL"}]
        return mends or self.credentials

    def _shaping(self) -> Sequence[str]:
        """What we can change about a question: whose it is, and what the operator adds to it."""
        return ("--user", "WAZZUP_CLIENT_TYPE") if self.account.wazzup_client_type else ("--user",)


_OPTIONS = ("--user", "--name")


def in_time(span: timedelta) -> str:
    """A span as people say it, rounded: never fewer than two of a larger unit."""
    seconds = span.total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return counted(round(seconds / length), unit)
    return "1 second" if seconds == 1 else f"{seconds:.3g} seconds"


def _to_operators(detail: str) -> str:
    return _TO_OPERATORS.sub(lambda found: found[1].upper(), detail)


def _quoted(said: VendorSaid | None) -> str:
    """The vendor's status and code, and what it has against fields; all of it was made harmless on the wire."""
    if said is None or said.status is None:
        return ""
    words = " ".join(filter(None, (str(said.status), said.code)))
    against = f": {'; '.join(said.errors[:_MOST_ERRORS])}" if said.errors else ""
    return f" It says {words}{against}."
