"""One call to Wazzup: within its time, once more where that may help, and every failure translated at one seam."""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
import httpx
import orjson

from app.clock import Clock
from app.errors import (
    VendorSaid,
    WazzupBusy,
    WazzupError,
    WazzupForbidden,
    WazzupRefused,
    WazzupTimeout,
    WazzupUnavailable,
    WazzupUnreadable,
)
from app.telemetry import Journal, where

ATTEMPTS = 2
# Seconds, drawn evenly, before the second attempt: replicas that failed together shall not come back together.
PAUSE = (0.05, 0.25)
ANSWER_CAP = 256 * 1024
DEFAULT_RETRY_AFTER = timedelta(seconds=5)
LONGEST_RETRY_AFTER = timedelta(minutes=10)

_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER_ERROR = 400, 401, 403, 429, 500
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_PRIVATE = re.compile(r"https?://\S+|\+?\d(?:[\s().-]?\d){6,}")
_LONGEST_QUOTE = 500
_DIGITS = 6


Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, and JSON where there was JSON."""

    status: int
    body: Any
    retry_after: timedelta | None


@dataclass(frozen=True)
class WazzupClient:
    """Calls Wazzup for one account."""

    http: httpx.AsyncClient
    base_url: str
    credential: Callable[[], str]
    patience: timedelta
    account: str
    clock: Clock
    journal: Journal

    def __repr__(self) -> str:
        return f"WazzupClient({self.base_url!r}, account={self.account!r})"

    async def post(self, path: str, question: Any, *, operation: str, read: Callable[[Any], Read]) -> Read:
        """What `read` finds in the JSON that Wazzup answers with a 2xx.

        Raises:
            WazzupRefused: 400, the question is wrong.
            WazzupForbidden: 401 or 403, the credentials are.
            WazzupBusy: 429.
            WazzupTimeout: no whole answer in time, both attempts included.
            WazzupUnreadable: a 2xx that is not JSON.
            WazzupUnavailable: 5xx, or no connection.
        """
        started = self.clock.monotonic()
        told: dict[str, Any] = {"outcome": "cancelled"}
        try:
            async with asyncio.timeout(self.patience.total_seconds()) as budget:
                found = read(await self._persistently(path, orjson.dumps(question), budget))
        except TimeoutError:
            told = {"outcome": WazzupTimeout.code.lower(), "hint": "WAZZUP_TIMEOUT_SECONDS"}
            raise WazzupTimeout(
                f"Wazzup did not answer within {self.patience.total_seconds():g} seconds. Try again."
            ) from None
        except WazzupError as error:
            told = {"outcome": error.code.lower()} | _why(error)
            raise
        else:
            told = {"outcome": "answered"}
            return found
        finally:
            taken = (self.clock.monotonic() - started) * 1000
            self.journal.note(
                "wazzup.called", account=self.account, operation=operation, duration_ms=round(taken, 2), **told
            )

    async def _persistently(self, path: str, question: bytes, budget: asyncio.Timeout) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return _judged(await self._once(path, question), self.credential())
            except (WazzupUnreadable, WazzupRefused, WazzupForbidden):
                raise
            except WazzupUnavailable as error:
                pause = max(random.uniform(*PAUSE), _seconds(error.retry_after))  # noqa: S311 - spreads, hides nothing
                if attempt == ATTEMPTS or not self._fits(pause, budget):
                    if isinstance(error, WazzupBusy) and error.retry_after is None:
                        error.retry_after = DEFAULT_RETRY_AFTER
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    def _fits(self, pause: float, budget: asyncio.Timeout) -> bool:
        ends_at = budget.when()
        return ends_at is not None and asyncio.get_running_loop().time() + pause < ends_at

    async def _once(self, path: str, question: bytes) -> Answer:
        headers = {"Authorization": f"Bearer {self.credential()}", "Content-Type": "application/json"}
        try:
            async with self.http.stream("POST", self.base_url + path, content=question, headers=headers) as response:
                body = await _capped(response)
        # What aiohttp says when the peer speaks no HTTP passes httpx's transport untranslated.
        except (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError, ValueError) as error:
            raise WazzupUnavailable("Wazzup cannot be reached, or dropped the connection. Try again soon.") from error
        return Answer(response.status_code, _json(body), _retry_after(response, self.clock))


async def _capped(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_CAP:
            raise WazzupUnreadable("Wazzup's answer is larger than any answer of its API.")
    return bytes(body)


def _judged(answer: Answer, secret: str) -> Any:
    """The body of a good answer; everything else is one of our errors."""
    said = vendor_said(answer.status, answer.body, secret)
    match answer.status:
        case status if httpx.codes.is_success(status):
            if answer.body is None:
                raise WazzupUnreadable("Wazzup answered with something that is not JSON.", vendor=said)
            if isinstance(answer.body, dict) and answer.body.get("error"):  # v3's way to say no
                raise WazzupRefused("Wazzup refused the request; see wazzup.code.", vendor=said)
            return answer.body
        case 400:
            raise WazzupRefused("Wazzup refused the request; see wazzup.errors.", vendor=said)
        case 401 | 403:
            raise WazzupForbidden(
                "Wazzup refused the gateway's credentials. Operator: wazzup.code says why; "
                "check WAZZUP_ACCESS_TOKEN (v2) or WAZZUP_API_KEY (v3).",
                vendor=said,
            )
        case 429:
            raise WazzupBusy(
                "Wazzup asks for fewer requests. Wait as long as Retry-After says.",
                vendor=said,
                retry_after=answer.retry_after,
            )
        case status if status >= _SERVER_ERROR:
            raise WazzupUnavailable("Wazzup failed. Try again soon.", vendor=said, retry_after=answer.retry_after)
        case _:
            raise WazzupUnreadable("Wazzup answered with a status that its API does not know.", vendor=said)


def vendor_said(status: int, body: Any, secret: str) -> VendorSaid:
    """What of an error answer is safe to pass on: known members, cut short, without our own credential."""
    fields = body if isinstance(body, dict) else {}
    # v2 says {code, detail, errors}; v3 {error, description, data}, and on its iframe route {error: {code, …}}.
    if isinstance(fields.get("error"), dict):
        fields = fields["error"]
    data = fields.get("data")
    code = fields.get("code", fields.get("error"))
    errors = fields.get("errors", data.get("fields") if isinstance(data, dict) else None)
    return VendorSaid(
        status=status,
        code=code if isinstance(code, str) and _CODE.fullmatch(code) else None,
        detail=_quoted(fields.get("detail", fields.get("description")), secret),
        errors=tuple(filter(None, (_quoted(one, secret) for one in errors[:50]))) if isinstance(errors, list) else (),
    )


def sent(**fields: Any) -> dict[str, Any]:
    """A body without what is empty: Wazzup refuses what it does not expect, and what is absent surprises nobody."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _why(error: WazzupError) -> dict[str, Any]:
    """What an operator needs to know of a failure: the vendor's words for it, or where the connection broke."""
    said = {"vendor_status": error.vendor.status, "vendor_code": error.vendor.code} if error.vendor else {}
    return {**said, "hint": error.detail, **({"error": where(error.__cause__)} if error.__cause__ else {})}


def _quoted(text: object, secret: str) -> str | None:
    """The vendor's words without what may not be passed on: our credential, links, and whatever looks like a number."""
    return _PRIVATE.sub("***", text.replace(secret, "***"))[:_LONGEST_QUOTE] if isinstance(text, str) else None


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _retry_after(response: httpx.Response, clock: Clock) -> timedelta | None:
    """`Retry-After` as a span: seconds or a date (RFC 9110, section 10.2.3), capped; nonsense is no hint."""
    hint = response.headers.get("retry-after", "")
    if hint.isdecimal():
        return LONGEST_RETRY_AFTER if len(hint) > _DIGITS else min(timedelta(seconds=int(hint)), LONGEST_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(hint) - clock.now()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)


def _seconds(span: timedelta | None) -> float:
    return span.total_seconds() if span else 0.0
