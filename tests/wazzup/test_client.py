"""Whatever comes back from Wazzup, or does not, leaves the client as JSON or as one of our errors."""

import asyncio
import contextlib
import gzip
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import httpx
import orjson
import pytest
import respx
from httpx_aiohttp import AiohttpTransport

from app.errors import (
    WazzupBusy,
    WazzupError,
    WazzupForbidden,
    WazzupRefused,
    WazzupTimeout,
    WazzupUnavailable,
    WazzupUnreadable,
)
from app.wazzup.client import WazzupClient
from tests.driver import NOON
from tests.notes import Notes
from tests.wazzup_client import client_on

WAZZUP = "https://wazzup.test"
SECRET = "access-token-that-nobody-may-see"
PATIENCE = 5.0
# Longer than the client's patience: a failure that says so is not tried again.
MUCH_LATER = {"Retry-After": "60"}
LINK = {"data": {"link": "https://app.wazzup24.com/"}}


def as_it_is(answer: Any) -> Any:
    return answer


class Drip(httpx.AsyncByteStream):
    """A body that arrives byte by byte and never ends."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.005)


@dataclass
class Vendor:
    """Wazzup's side of the wire, and a client that asks it."""

    http: httpx.AsyncClient
    route: respx.Route
    notes: Notes = field(default_factory=Notes)

    def client(self, *, patience: float = PATIENCE, base_url: str = WAZZUP) -> WazzupClient:
        return client_on(self.http, base_url, SECRET, journal=self.notes, patience=patience)

    def answers(self, *answers: httpx.Response | Exception) -> None:
        """In this order; the last one for ever."""
        *first, last = answers
        waiting: Iterator[httpx.Response | Exception] = iter(first)

        def answer(_request: httpx.Request) -> httpx.Response:
            one = next(waiting, last)
            if isinstance(one, Exception):
                raise one
            return one

        self.route.mock(side_effect=answer)

    async def asked(self, *, patience: float = PATIENCE) -> Any:
        return await self.client(patience=patience).post(
            "/v2/iframe-links/chats", {"a": "é"}, operation="link", party="crm-user-1", read=as_it_is
        )

    @property
    def attempts(self) -> int:
        return int(self.route.call_count)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    router = respx.MockRouter(assert_all_called=False)
    route = router.post(f"{WAZZUP}/v2/iframe-links/chats")
    async with httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler), timeout=None) as http:
        yield Vendor(http, route)


def problem(status: int, code: str = "SOME_CODE", **members: Any) -> httpx.Response:
    """The vendor's error answer; one that a client of little patience does not try again."""
    body = {"code": code, "title": "T", "status": status, "detail": "What it says.", "method": "POST"} | members
    return httpx.Response(status, json=body, headers=MUCH_LATER)


async def test_a_good_answer_is_its_json(vendor: Vendor) -> None:
    vendor.answers(httpx.Response(200, json=LINK))

    answer = await vendor.asked()

    [sent] = vendor.route.calls
    assert answer == LINK
    assert orjson.loads(sent.request.content) == {"a": "é"}
    assert sent.request.headers["content-type"] == "application/json"
    assert sent.request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_every_2xx_with_json_is_good(vendor: Vendor, status: int) -> None:
    vendor.answers(httpx.Response(status, json=LINK))

    assert await vendor.asked() == LINK


async def test_a_refusal_keeps_what_the_vendor_has_against_the_question(vendor: Vendor) -> None:
    vendor.answers(problem(400, "VALIDATION_FAILED", errors=["user_id should not be empty", "scope must be valid"]))

    with pytest.raises(WazzupRefused) as caught:
        await vendor.asked()

    said = caught.value.vendor
    assert said is not None
    assert (said.status, said.code, said.detail) == (400, "VALIDATION_FAILED", "What it says.")
    assert said.errors == ("user_id should not be empty", "scope must be valid")
    assert vendor.attempts == 1


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (401, "OAUTH_TOKEN_INVALID_OR_EXPIRED", "WAZZUP_ACCESS_TOKEN"),
        (403, "OAUTH_CRM_INTEGRATION_REQUIRED", "Connect a CRM integration"),
        (403, "OAUTH_SCOPE_FORBIDDEN", "transport,crm"),
        (403, "A_CODE_OF_TOMORROW", "WAZZUP_ACCESS_TOKEN"),
    ],
)
async def test_refused_credentials_keep_the_vendors_code_and_give_the_operator_a_hint(
    vendor: Vendor, status: int, code: str, hint: str
) -> None:
    vendor.answers(problem(status, code))

    with pytest.raises(WazzupForbidden, match=hint) as caught:
        await vendor.asked()

    assert caught.value.vendor is not None
    assert (caught.value.vendor.status, caught.value.vendor.code) == (status, code)
    assert vendor.attempts == 1


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [
        ("7", 7),
        ("07", 7),
        ("599", 599),
        ("601", 600),
        ("99999999999999999999", 600),
        (format_datetime(NOON + timedelta(seconds=30), usegmt=True), 30),
        (format_datetime(NOON + timedelta(days=9), usegmt=True), 600),
        ("Sun, 22 Nov 2026 12:00:30 +0000", 30),
        (None, 2),
        ("", 2),
        ("soon", 2),
        ("7.5", 2),
        ("-7", 2),
        ("1e3", 2),
        ("0x10", 2),
        ("²", 2),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 2),
        ("Sun, 99 Nov 2026 12:00:30 GMT", 2),
        ("Sun, 22 Nov 99999 12:00:30 GMT", 2),
    ],
)
async def test_a_vendor_that_is_busy_says_for_how_long(vendor: Vendor, hint: str | None, seconds: float) -> None:
    headers = {} if hint is None else {b"Retry-After": hint.encode("latin-1")}
    vendor.answers(httpx.Response(429, headers=headers))

    with pytest.raises(WazzupBusy) as caught:
        await vendor.asked(patience=2)

    assert caught.value.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("hint", ["9" * 5000, "Sun, 22 Nov 2026 12:00:30 +99999999999999999999"])
async def test_a_hint_that_no_number_holds_is_no_hint(vendor: Vendor, hint: str) -> None:
    vendor.answers(httpx.Response(429, headers={"Retry-After": hint}))

    with pytest.raises(WazzupBusy):
        await vendor.asked(patience=0.5)


@pytest.mark.parametrize("hint", ["0", format_datetime(NOON - timedelta(seconds=30), usegmt=True)])
async def test_a_vendor_that_is_ready_again_is_asked_again_at_once(vendor: Vendor, hint: str) -> None:
    vendor.answers(httpx.Response(429, headers={"Retry-After": hint}), httpx.Response(200, json=LINK))

    assert await vendor.asked(patience=2) == LINK


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("body", [b"", b'{"code": "INTERNAL_SERVER_ERROR"}', b"<html>Bad Gateway</html>"])
async def test_a_vendor_that_failed_is_unavailable(vendor: Vendor, status: int, body: bytes) -> None:
    vendor.answers(httpx.Response(status, content=body, headers=MUCH_LATER))

    with pytest.raises(WazzupUnavailable) as caught:
        await vendor.asked()

    assert caught.value.code == "WAZZUP_UNAVAILABLE"
    assert caught.value.vendor is not None
    assert caught.value.vendor.status == status
    assert caught.value.vendor.code == ("INTERNAL_SERVER_ERROR" if b"code" in body else None)
    assert caught.value.retry_after == timedelta(seconds=60)


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b" null\n",
        b'{"data": ',
        b"<!doctype html><title>Wazzup</title>",
        b'{"data": NaN}',
        b'{"data": "\xff\xfe"}',
        b'{"data": "\\ud800"}',
        '{"data": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b"\x00" * 1000,
    ],
)
async def test_a_2xx_that_is_not_json_is_unreadable(vendor: Vendor, body: bytes) -> None:
    vendor.answers(httpx.Response(200, content=body, headers={"Content-Type": "text/html"}))

    with pytest.raises(WazzupUnreadable):
        await vendor.asked()

    assert vendor.attempts == 1


@pytest.mark.parametrize("answer", [httpx.Response(200), httpx.Response(204), httpx.Response(200, text="OK")])
async def test_a_2xx_that_says_nothing_is_an_answer_of_nothing(vendor: Vendor, answer: httpx.Response) -> None:
    """Users, contacts and deals may be answered so."""
    vendor.answers(answer)

    assert await vendor.asked() is None


@pytest.mark.parametrize("status", [301, 302, 304, 307, 404, 405, 408, 409, 410, 415, 418, 422, 451])
async def test_a_status_that_the_api_does_not_know_is_unreadable_and_followed_nowhere(
    vendor: Vendor, status: int
) -> None:
    vendor.answers(httpx.Response(status, headers={"Location": "https://elsewhere.example/"}))

    with pytest.raises(WazzupUnreadable):
        await vendor.asked()

    assert vendor.attempts == 1


@pytest.mark.parametrize("status", [200, 400, 401, 404])
async def test_an_answer_beyond_all_measure_is_not_read_to_its_end(vendor: Vendor, status: int) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b" " * 65536

    vendor.answers(httpx.Response(status, content=endless()))

    with pytest.raises(WazzupUnreadable, match="larger"):
        await vendor.asked()

    assert sent < 1024 * 1024


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("no HTTP"),
        httpx.DecodingError("no gzip"),
        httpx.PoolTimeout("busy"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError(),
        ConnectionResetError(),
        TimeoutError(),
        OSError(113, "No route to host"),
    ],
)
async def test_a_connection_that_breaks_is_tried_once_more(vendor: Vendor, failure: Exception) -> None:
    vendor.answers(failure, httpx.Response(200, json=LINK))

    answer = await vendor.asked()

    assert answer == LINK
    assert vendor.attempts == 2


async def test_a_connection_that_breaks_in_the_middle_of_an_answer_is_tried_once_more(vendor: Vendor) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b'{"data": '
        raise httpx.ReadError("reset")

    vendor.answers(httpx.Response(200, content=half()), httpx.Response(200, json=LINK))

    answer = await vendor.asked()

    assert answer == LINK
    assert vendor.attempts == 2


@pytest.mark.parametrize("failure", [httpx.ReadError("reset"), httpx.Response(500), httpx.Response(503)])
async def test_one_more_attempt_is_made_and_only_one(vendor: Vendor, failure: httpx.Response | Exception) -> None:
    vendor.answers(failure)

    with pytest.raises(WazzupUnavailable):
        await vendor.asked()

    assert vendor.attempts == 2


async def test_a_vendor_that_is_busy_for_a_moment_is_asked_again_after_it(vendor: Vendor) -> None:
    vendor.answers(httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(200, json=LINK))
    started = asyncio.get_running_loop().time()

    answer = await vendor.asked()

    assert answer == LINK
    assert asyncio.get_running_loop().time() - started >= 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_attempt_that_would_come_too_late_is_not_made(vendor: Vendor, status: int) -> None:
    vendor.answers(httpx.Response(status, headers={"Retry-After": "30"}))
    started = asyncio.get_running_loop().time()

    with pytest.raises(WazzupUnavailable) as caught:
        await vendor.asked(patience=20)

    assert not isinstance(caught.value, WazzupTimeout)
    assert vendor.attempts == 1
    assert asyncio.get_running_loop().time() - started < 10


async def test_a_vendor_that_never_answers_is_given_up_in_time(vendor: Vendor) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    vendor.route.mock(side_effect=never)

    with pytest.raises(WazzupTimeout, match=r"0\.05 seconds"):
        await vendor.asked(patience=0.05)


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_the_time_is_for_the_whole_body_too(vendor: Vendor, status: int) -> None:
    vendor.answers(httpx.Response(status, stream=Drip()))

    with pytest.raises(WazzupTimeout):
        await vendor.asked(patience=0.1)


async def test_the_time_is_for_both_attempts_together(vendor: Vendor) -> None:
    vendor.answers(httpx.Response(500), httpx.Response(200, stream=Drip()))
    started = asyncio.get_running_loop().time()

    with pytest.raises(WazzupTimeout):
        await vendor.asked(patience=2)

    assert vendor.attempts == 2
    assert asyncio.get_running_loop().time() - started < 3.5


async def test_a_caller_that_goes_away_is_no_timeout(vendor: Vendor) -> None:
    vendor.answers(httpx.Response(200, stream=Drip()))
    asking = asyncio.create_task(vendor.asked())
    await asyncio.sleep(0)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_our_own_credential_is_cut_out_of_what_the_vendor_says(vendor: Vendor) -> None:
    vendor.answers(problem(400, detail=f"The token {SECRET} is odd.", errors=[f"Bearer {SECRET}", f"{SECRET}{SECRET}"]))

    with pytest.raises(WazzupRefused) as caught:
        await vendor.asked()

    assert SECRET not in repr(caught.value.vendor)
    assert caught.value.vendor is not None
    assert caught.value.vendor.detail == "The token *** is odd."


async def test_our_own_credential_is_cut_out_even_where_the_text_is_cut_short(vendor: Vendor) -> None:
    vendor.answers(problem(400, detail="x" * 490 + SECRET, errors=["x" * 480 + SECRET]))

    with pytest.raises(WazzupRefused) as caught:
        await vendor.asked()

    assert SECRET[:8] not in repr(caught.value.vendor)


async def test_our_own_credential_is_no_code(vendor: Vendor) -> None:
    shouted = vendor.client()
    vendor.answers(problem(401, SECRET.upper()), problem(401, SECRET))

    with pytest.raises(WazzupForbidden) as caught:
        await shouted.post("/v2/iframe-links/chats", {}, operation="link", party="crm-user-1", read=as_it_is)

    assert caught.value.vendor is not None
    assert caught.value.vendor.code is None


async def test_our_own_credential_is_in_no_repr(vendor: Vendor) -> None:
    assert SECRET not in repr(vendor.client())


@pytest.mark.parametrize(
    "body",
    [
        [],
        ["VALIDATION_FAILED"],
        "VALIDATION_FAILED",
        7,
        True,
        {},
        {"code": None, "errors": None, "detail": None},
        {"code": 7, "errors": 7, "detail": 7},
        {"code": ["A"], "errors": {"a": "b"}, "detail": ["A"]},
        {"code": {"code": "A"}, "errors": "user_id", "detail": {"a": 1}},
        {"code": "not upper snake", "errors": [None, 7, ["a"], {"message": "a"}, ""], "detail": ""},
        {"code": "invalid_grant"},
        {"code": "A" * 65},
        {"code": "A\n"},
        {"code": "ÄÖÜ"},
        {"code": "_A"},
        {"code": ""},
        {"error": {"code": {"code": "A"}}},
        {"error": ["A"]},
        {"data": {"data": {"data": []}}},
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_an_odd_error_body_costs_its_words_and_nothing_else(vendor: Vendor, body: Any, status: int) -> None:
    vendor.answers(httpx.Response(status, json=body, headers=MUCH_LATER))

    with pytest.raises(WazzupError) as caught:
        await vendor.asked()

    said = caught.value.vendor
    assert said is not None
    assert (said.status, said.code, said.errors) == (status, None, ())
    assert said.detail in (None, "")


async def test_what_the_vendor_says_is_cut_to_a_measure(vendor: Vendor) -> None:
    vendor.answers(problem(400, detail="d" * 10_000, errors=["e" * 1000] * 60))

    with pytest.raises(WazzupRefused) as caught:
        await vendor.asked()

    said = caught.value.vendor
    assert said is not None
    assert len(said.detail or "") == 500
    assert [len(error) for error in said.errors] == [500] * 50


async def test_an_error_that_is_ten_megabytes_long_is_unreadable(vendor: Vendor) -> None:
    vendor.answers(problem(400, errors=["e" * 10_000_000]))

    with pytest.raises(WazzupUnreadable):
        await vendor.asked()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(200, json=LINK), "answered"),
        (httpx.Response(400), "wazzup_refused"),
        (httpx.Response(401), "wazzup_forbidden"),
        (httpx.Response(429), "wazzup_busy"),
        (httpx.Response(200, text="x"), "wazzup_unreadable"),
        (httpx.Response(500, headers=MUCH_LATER), "wazzup_unavailable"),
    ],
)
async def test_each_call_is_told_once_with_its_outcome(vendor: Vendor, answer: httpx.Response, outcome: str) -> None:
    vendor.answers(answer)

    with contextlib.suppress(WazzupError):
        await vendor.asked(patience=2)

    [(what, facts)] = vendor.notes.told
    assert what == "wazzup.called"
    assert (facts["account"], facts["operation"], facts["outcome"]) == ("default", "link", outcome)


# The same against a real socket, with the transport that serves: what speaks there need not be Wazzup.


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = HEAD + b'Content-Length: 12\r\n\r\n{"data": 12}'


def chunked(*chunks: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def zipped(body: bytes) -> bytes:
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


NOT_HTTP: dict[str, bytes] = {
    "nothing at all": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "only noise": bytes(range(256)) * 8,
    "an endless status line": b"HTTP/1.1 200 " + b"A" * 100_000,
    "an endless header": HEAD + b"X-A: " + b"A" * 100_000 + b"\r\n\r\n{}",
    "headers without end": HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"A" * 1000) for n in range(500)),
    "half a status line": b"HTTP/1.",
    "half a header": HEAD + b"Content-Le",
    "a header without its end": HEAD,
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of no kind": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "a status below all kinds": b"HTTP/1.1 007 Odd\r\nContent-Length: 0\r\n\r\n",
    "another version": b"HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a reason in no charset": b"HTTP/1.1 500 \xff\xfe\r\nContent-Length: 0\r\nRetry-After: 60\r\n\r\n",
    "a header in no charset": HEAD + b"Retry-After: \xff\xfe\r\nContent-Length: 1\r\n\r\n{",
    "a body that is too short": HEAD + b'Content-Length: 5000\r\n\r\n{"data": 12}',
    "a length that is no number": HEAD + b"Content-Length: many\r\n\r\n{}",
    "a length below nothing": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a chunk of no size": chunked(b"zzzz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of too large a size": chunked(b"f" * 40 + b"\r\n{}"),
    "a chunk that is cut off": chunked(b"ff\r\n{}"),
    "no last chunk": chunked(b"2\r\n{}\r\n"),
    "a gzip that is none": zipped(b"this is no gzip"),
    "a gzip that is cut off": zipped(gzip.compress(b'{"data": %s}' % (b"1" * 9000))[:20]),
    "a gzip bomb": zipped(gzip.compress(b" " * 20_000_000)),
    "an encoding that nobody knows": HEAD + b"Content-Encoding: zz\r\nContent-Length: 2\r\n\r\n\xff\xff",
    "an early hint and nothing else": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a change of protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a way elsewhere": b"HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "a way to nowhere": b"HTTP/1.1 302 No\r\nLocation: http://[::bad/\r\nContent-Length: 0\r\n\r\n",
}


Speaks = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@contextlib.asynccontextmanager
async def listening(speaks: Speaks, *, patience: float = 2) -> AsyncIterator[WazzupClient]:
    """The client on its real transport, towards a server that `speaks`."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await speaks(reader, writer)
        writer.close()

    transport = AiohttpTransport(client=lambda: aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
    async with (
        await asyncio.start_server(connected, "127.0.0.1") as server,
        httpx.AsyncClient(transport=transport, timeout=None, trust_env=False) as http,
    ):
        port = server.sockets[0].getsockname()[1]
        route = respx.Route()
        yield Vendor(http, route).client(base_url=f"http://127.0.0.1:{port}", patience=patience)


def saying(raw: bytes) -> Speaks:
    async def speaks(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        with contextlib.suppress(ConnectionError):  # It has heard enough.
            await writer.drain()

    return speaks


async def test_a_good_answer_arrives_over_a_real_connection() -> None:
    async with listening(saying(GOOD)) as client:
        assert await client.post("/", {}, operation="link", party="crm-user-1", read=as_it_is) == {"data": 12}


@pytest.mark.parametrize("raw", NOT_HTTP.values(), ids=NOT_HTTP.keys())
async def test_whatever_speaks_no_http_is_one_of_our_errors(raw: bytes) -> None:
    async with listening(saying(raw)) as client:
        with pytest.raises(WazzupError):
            await client.post("/", {}, operation="link", party="crm-user-1", read=as_it_is)


async def test_a_connection_that_is_reset_is_one_of_our_errors() -> None:
    async def resets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with listening(resets) as client:
        with pytest.raises(WazzupUnavailable):
            await client.post("/", {}, operation="link", party="crm-user-1", read=as_it_is)


async def test_a_port_where_nobody_listens_is_one_of_our_errors() -> None:
    async with listening(saying(GOOD)) as client:
        pass

    async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=None) as http:
        nobody = Vendor(http, respx.Route()).client(base_url=client.wire.wire.base_url)
        with pytest.raises(WazzupUnavailable):
            await nobody.post("/", {}, operation="link", party="crm-user-1", read=as_it_is)


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    silent = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()
        silent.set()

    async with listening(waits, patience=0.1) as client:
        with pytest.raises(WazzupTimeout):
            await client.post("/", {}, operation="link", party="crm-user-1", read=as_it_is)
        await asyncio.wait_for(silent.wait(), 2)
