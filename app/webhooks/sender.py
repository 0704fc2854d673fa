"""One attempt: the stored bytes, signed, posted, and what came of it as a value. Nothing that a peer does raises.

A time-out and a byte budget hold for everything, the answer's body included; what is packed is not unpacked beyond what
is kept.
"""

import asyncio
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

import httpx

from app.clock import Clock
from app.webhooks.attempt import Delivered, Failed, Outcome, Parcel, Refused, Target
from app.webhooks.faults import FOREIGN, blamed
from app.webhooks.signing import signed_headers

MOST_READ = 64 * 1024
KEPT = 1024
MOST_HEADERS = 20
MOST_HEADER_BYTES = 4096

# A read of aiohttp's transport. The budget ends at a whole one.
_CHUNK = 16 * 1024
_GONE = 410
_DIGITS = 9
_PACKED = {"gzip", "x-gzip", "deflate"}
_EITHER_WRAPPER = 32 + zlib.MAX_WBITS
# A token (RFC 9110, section 5.6.2), and a value in the characters that arrive everywhere as they were sent.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
# What says who speaks, how long the message is and how the connection is used, and what proves that it is ours.
_OURS = re.compile(
    r"host|content-.*|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|user-agent|accept-encoding"
    r"|proxy-.*|webhook-.*",
    re.ASCII | re.IGNORECASE,
)
# Most deliveries go to few URLs, and to parse one takes as long as to sign ten events.
_url = lru_cache(maxsize=256)(httpx.URL)


@dataclass(frozen=True)
class Sender:
    """Posts to webhooks. `http` is what `webhook_client` opens: it keeps the addresses that may not be reached away.

    A transport and not a client: what a client adds for each request (a cookie jar, a redirect that it prepares to
    follow, a log line with the whole URL) is unwanted here, and takes as long as all the rest.
    """

    http: httpx.AsyncBaseTransport
    patience: timedelta
    clock: Clock
    user_agent: str

    async def send(self, target: Target, parcel: Parcel) -> Outcome:
        """What came of one attempt, after `patience` at the latest."""
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                return await self._exchange(self._request(target, parcel))
        except FOREIGN as error:
            return blamed(error)

    def _request(self, target: Target, parcel: Parcel) -> httpx.Request:
        headers = {
            **{name.lower(): value for name, value in target.headers if not _OURS.fullmatch(name)},
            "content-type": "application/json",
            "user-agent": self.user_agent,
            "accept-encoding": "identity",
            **signed_headers(parcel.event_id, parcel.body, target.secrets, self.clock.now()),
        }
        return httpx.Request("POST", _url(target.url), headers=headers, content=parcel.body)

    async def _exchange(self, request: httpx.Request) -> Outcome:
        response = await self.http.handle_async_request(request)
        try:
            head = await _head(response)
        finally:
            await response.aclose()  # Back to the pool if it was read to its end; closed otherwise.
        return self._outcome(response, _legible(head, response.headers.get("content-encoding", "")))

    def _outcome(self, response: httpx.Response, body: str) -> Outcome:
        status = response.status_code
        if status == _GONE:
            return Refused("status 410", status, body)
        if response.headers.get("webhook-delivery", "").strip().lower() == "disable":
            return Refused("answer header webhook-delivery: disable", status, body)
        if httpx.codes.is_success(status):
            return Delivered(status, body)
        if httpx.codes.is_redirect(status):
            return Failed(f"redirect {status}", status, body)
        return Failed(f"status {status}", status, body, _retry_after(response, self.clock))


def checked_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Headers of a webhook's own, as a target takes them.

    Raises:
        ValueError: says what to do, and quotes no value.
    """
    if len(headers) > MOST_HEADERS or len({name.lower() for name in headers}) < len(headers):
        raise ValueError(f"write at most {MOST_HEADERS} headers, each once")
    if sum(len(name) + len(value) for name, value in headers.items()) > MOST_HEADER_BYTES:
        raise ValueError("write at most 4 KiB of headers")
    return tuple(_checked(name, value) for name, value in headers.items())


def _checked(name: str, value: str) -> tuple[str, str]:
    if not _NAME.fullmatch(name):
        raise ValueError("write a header's name in letters, digits and dashes")
    if _OURS.fullmatch(name):
        raise ValueError(f"leave out the header {name.lower()}: the gateway sets it, or it belongs to the connection")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"write the header {name.lower()} in one line of ASCII")
    return name, value.strip()


async def _head(response: httpx.Response) -> bytes:
    """The first KiB of the body as it is sent. The rest is read too, up to the budget: the connection is used again."""
    head, heard = b"", 0
    async for chunk in response.aiter_raw():
        head += chunk[: KEPT - len(head)]
        heard += len(chunk)
        if heard > MOST_READ - _CHUNK:
            break
    return head


def _legible(head: bytes, encoding: str) -> str:
    """The head as text without control characters. We ask for no encoding; one that is there anyway costs nothing."""
    text = _unpacked(head, encoding.strip().lower()).decode(errors="replace").replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)


def _unpacked(head: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"}:
        return head
    try:
        return zlib.decompressobj(_EITHER_WRAPPER).decompress(head, KEPT) if encoding in _PACKED else b""
    except zlib.error:
        return b""


def _retry_after(response: httpx.Response, clock: Clock) -> timedelta | None:
    """`Retry-After` as a span: seconds or a date (RFC 9110, section 10.2.3); nonsense is no hint."""
    hint = response.headers.get("retry-after", "").strip()
    if hint.isascii() and hint.isdecimal():
        return timedelta(seconds=int(hint) if len(hint) <= _DIGITS else 10**_DIGITS)
    try:
        return max(parsedate_to_datetime(hint) - clock.now(), timedelta(0))
    except (ValueError, TypeError, OverflowError):
        return None
