"""One exchange with Wazzup: what comes back is JSON or one of our errors, at the only seam where the vendor is read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx
import orjson

from app.clock import Clock
from app.errors import (
    VendorSaid,
    WazzupBusy,
    WazzupForbidden,
    WazzupRefused,
    WazzupUnavailable,
    WazzupUnreadable,
)

ANSWER_CAP = 256 * 1024
LONGEST_RETRY_AFTER = timedelta(minutes=10)

_SERVER_ERROR = 500
# How servers say that all is well when they have nothing to say.
_NOTHING = (b"", b"OK")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_PRIVATE = re.compile(r"https?://\S+|\+?\d(?:[\s().-]?\d){6,}")
_LONGEST_QUOTE = 500
_DIGITS = 6

# What an operator does about the vendor's codes (its page lists them); for any other the credentials are named.
HINTS = {
    "OAUTH_SCOPE_FORBIDDEN": "The token lacks the scope: authorise with transport,crm.",
    "OAUTH_CRM_INTEGRATION_REQUIRED": "Connect a CRM integration in the Wazzup account.",
    "OAUTH_PARTNER_NOT_FOUND": "Wazzup knows no such partner: check WAZZUP_PARTNER_EMAIL.",
    "OAUTH_PARTNER_NOT_ACTIVE": "The partner account is disabled: ask Wazzup.",
    "OAUTH_INVALID_PARTNER_TOKEN": "Check WAZZUP_PARTNER_EMAIL and WAZZUP_PARTNER_PASSWORD.",
    "OAUTH_CLIENT_NOT_CHILD_OF_PARTNER": "The account is not one of this partner's: check WAZZUP_ACCOUNT_ID.",
    "OAUTH_BASIC_SCHEME_FORBIDDEN": "WAZZUP_BASE_URL leads to an API that is not Wazzup's.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, and JSON where there was JSON."""

    status: int
    body: Any
    retry_after: timedelta | None
    is_empty: bool


@dataclass(frozen=True)
class Wire:
    """The way to one account's Wazzup. `variables` names what the operator mends when Wazzup refuses us."""

    http: httpx.AsyncClient
    base_url: str
    variables: str
    clock: Clock

    def __repr__(self) -> str:
        return f"Wire({self.base_url!r})"

    async def post(self, path: str, question: Any, *, authorization: str | None, secrets: Sequence[str]) -> Any:
        """The JSON that Wazzup answers with a 2xx, or None where it has nothing to say.

        Nothing that is passed on contains one of `secrets`.

        Raises:
            WazzupRefused: 400, the question is wrong.
            WazzupForbidden: 401 or 403, the credentials are.
            WazzupBusy: 429.
            WazzupUnreadable: a 2xx that is not JSON, or an answer that no API gives.
            WazzupUnavailable: 5xx, or no connection.
        """
        answer = await self._exchange(path, orjson.dumps(question), authorization)
        return self._judged(answer, vendor_said(answer.status, answer.body, secrets))

    async def _exchange(self, path: str, question: bytes, authorization: str | None) -> Answer:
        headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
        try:
            async with self.http.stream("POST", self.base_url + path, content=question, headers=headers) as response:
                body = await _capped(response)
        # What aiohttp says when the peer speaks no HTTP passes httpx's transport untranslated.
        except (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError, ValueError) as error:
            raise WazzupUnavailable("Wazzup cannot be reached, or dropped the connection. Try again soon.") from error
        # A zipped answer that was cut off looks empty too.
        is_empty = body.strip() in _NOTHING and "content-encoding" not in response.headers
        return Answer(response.status_code, _json(body), _retry_after(response, self.clock), is_empty)

    def _judged(self, answer: Answer, said: VendorSaid) -> Any:
        """The body of a good answer; everything else is one of our errors."""
        match answer.status:
            case status if httpx.codes.is_success(status):
                if answer.body is None and not answer.is_empty:
                    raise WazzupUnreadable("Wazzup answered with something that is not JSON.", vendor=said)
                if isinstance(answer.body, dict) and answer.body.get("error"):  # v3's way to say no
                    raise WazzupRefused("Wazzup refused the request; see wazzup.code.", vendor=said)
                return answer.body
            case 400:
                raise WazzupRefused("Wazzup refused the request; see wazzup.errors.", vendor=said)
            case 401 | 403:
                check = f"wazzup.code says why; check {self.variables}."
                raise WazzupForbidden(
                    f"Wazzup refused the gateway's credentials. Operator: {HINTS.get(said.code or '', check)}",
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


async def _capped(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_CAP:
            raise WazzupUnreadable("Wazzup's answer is larger than any answer of its API.")
    return bytes(body)


def vendor_said(status: int, body: Any, secrets: Sequence[str]) -> VendorSaid:
    """What of an error answer is safe to pass on: known members, cut short, without our own credentials."""
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
        detail=_quoted(fields.get("detail", fields.get("description")), secrets),
        errors=tuple(filter(None, (_quoted(one, secrets) for one in errors[:50]))) if isinstance(errors, list) else (),
    )


def _quoted(text: object, secrets: Sequence[str]) -> str | None:
    """The vendor's words without what may not be passed on: our credential, links, and whatever looks like a number."""
    if not isinstance(text, str):
        return None
    for secret in secrets:
        text = text.replace(secret, "***")
    return _PRIVATE.sub("***", text)[:_LONGEST_QUOTE]


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
