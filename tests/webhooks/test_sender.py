"""What is sent, and what each answer means: whatever speaks at the other end, an attempt comes to a value."""

import asyncio
import socket
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook

from app.webhooks.attempt import Delivered, Failed, Outcome, Refused
from tests.driver import NOON, Clock
from tests.raw_http import NOT_HTTP, chunked
from tests.webhooks.posting import BODY, SECRET, Crm, answer, answering, outcome_of, posting, serving

pytestmark = pytest.mark.usefixtures("no_proxies")

LONG_AGO = format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)


# What is sent.


async def test_the_bytes_that_arrive_are_the_bytes_that_were_stored() -> None:
    every = bytes(range(256)) * 300

    async with serving(answering()) as crm, posting() as post:
        assert await post.send(crm.url) == Delivered(200, "OK")
        assert await post.send(crm.url, every) == Delivered(200, "OK")

    assert [body for _, body in crm.requests] == [BODY, every]


async def test_a_delivery_says_what_it_is_and_who_sends_it() -> None:
    async with serving(answering()) as crm, posting() as post:
        await post.send(crm.url)

    assert crm.requests[0][0].startswith(b"POST /hook?token=of-the-crm HTTP/1.1\r\n")
    assert crm.headers.keys() == {
        "host", "accept", "accept-encoding", "content-type", "content-length", "user-agent",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip
    assert crm.headers["host"] == f"127.0.0.1:{crm.port}"
    assert crm.headers["content-type"] == "application/json"
    assert crm.headers["user-agent"] == "wazzup-gateway/1.2.3"
    assert crm.headers["accept-encoding"] == "identity"
    assert crm.headers["webhook-id"] == "evt_1"
    assert Webhook(SECRET).verify(crm.requests[0][1], crm.headers) == {"id": "evt_1", "data": {"name": "Ж"}}


async def test_each_attempt_is_signed_for_its_own_time(clock: Clock) -> None:
    async with serving(answering()) as crm, posting(clock=clock) as post:
        await post.send(crm.url)
        first = crm.headers
        clock.advance(hours=5)
        await post.send(crm.url)

    assert int(first["webhook-timestamp"]) == int(NOON.timestamp())
    assert int(crm.headers["webhook-timestamp"]) == int(NOON.timestamp()) + 5 * 3600
    assert crm.headers["webhook-signature"] != first["webhook-signature"]


async def test_a_cookie_is_not_brought_back() -> None:
    async with serving(answering(answer("200 OK", "Set-Cookie: session=1; Path=/"))) as crm, posting() as post:
        await post.send(crm.url)
        await post.send(crm.url)

    assert "cookie" not in crm.headers


async def test_fifty_deliveries_need_one_connection() -> None:
    async with serving(answering()) as crm, posting() as post:
        for _ in range(50):
            assert isinstance(await post.send(crm.url), Delivered)

    assert (len(crm.requests), crm.connections) == (50, 1)


async def test_failures_need_no_other_connection_either() -> None:
    async with serving(answering(answer("500 No", body=b"x" * 40_000))) as crm, posting() as post:
        for _ in range(10):
            assert isinstance(await post.send(crm.url), Failed)

    assert crm.connections == 1


# What is answered.


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (answer("200 OK", body=b"made"), Delivered(200, "made")),
        (answer("201 Created"), Delivered(201, "")),
        (answer("202 Accepted"), Delivered(202, "")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Delivered(204, "")),
        (answer("299 Odd"), Delivered(299, "")),
        (answer("300 Many"), Failed("redirect 300", 300)),
        (answer("304 Not Modified"), Failed("redirect 304", 304)),
        (answer("302 No", "Location: http://169.254.169.254/"), Failed("redirect 302", 302)),
        (answer("307 No", "Location: http://[::bad/"), Failed("redirect 307", 307)),
        (answer("400 No", body=b"why"), Failed("status 400", 400, "why")),
        (answer("404 No"), Failed("status 404", 404)),
        (answer("500 No", body=b"trace"), Failed("status 500", 500, "trace")),
        (answer("999 Odd"), Failed("status 999", 999)),
        (answer("410 Gone", body=b"never again"), Refused("status 410", 410, "never again")),
        (
            answer("200 OK", "Webhook-Delivery: disable", body=b"enough"),
            Refused("answer header webhook-delivery: disable", 200, "enough"),
        ),
        (
            answer("500 No", "WEBHOOK-DELIVERY:  Disable "),
            Refused("answer header webhook-delivery: disable", 500, ""),
        ),
        (answer("200 OK", "Webhook-Delivery: enable"), Delivered(200, "")),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Delivered(200, "until the end")),
        (chunked(b"2\r\nOK\r\n", b"0\r\n\r\n"), Delivered(200, "OK")),
    ],
)
async def test_what_an_answer_means(raw: bytes, outcome: Outcome) -> None:
    assert await outcome_of(raw) == outcome


@pytest.mark.parametrize(
    ("hint", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("0", timedelta(0)),
        ("999999999999999999999999", timedelta(seconds=10**9)),
        (format_datetime(NOON + timedelta(hours=2), usegmt=True), timedelta(hours=2)),
        (LONG_AGO, timedelta(0)),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("²", None),
        ("9" * 5000, timedelta(seconds=10**9)),
        ("Sun, 99 Nov 9999 99:99:99 GMT", None),
        ("Mon, 01 Jan 0000 00:00:00 GMT", timedelta(0)),
        ("Sun, 22 Nov 2026 13:00:00 -0000", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", timedelta.max),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_read_in_both_its_forms(
    hint: str, wait: timedelta | None, status: int, clock: Clock
) -> None:
    async with (
        serving(answering(answer(f"{status} Later", f"Retry-After: {hint}"))) as crm,
        posting(clock=clock) as post,
    ):
        outcome = await post.send(crm.url)

    assert isinstance(outcome, Failed)
    assert outcome.status == status
    if wait is timedelta.max:
        assert outcome.retry_after is None or outcome.retry_after > timedelta(days=365)
    else:
        assert outcome.retry_after == wait


REASONS = {
    "nothing at all": "connection closed",
    "another protocol": "answer is no http",
    "only noise": "answer is no http",
    "an endless status line": "answer is no http",
    "an endless header": "answer is no http",
    "headers without end": "answer is no http",
    "half a status line": "connection closed",
    "half a header": "connection closed",
    "a header without its end": "connection closed",
    "a status that is no number": "answer is no http",
    "another version": "answer is no http",
    "a body that is too short": "answer is cut off",
    "a length that is no number": "answer is no http",
    "a length below nothing": "answer is no http",
    "two lengths": "answer is no http",
    "a chunk of no size": "answer is no http",
    "a chunk of too large a size": "answer is no http",
    "a chunk that is cut off": "answer is cut off",
    "no last chunk": "answer is cut off",
    "an early hint and nothing else": "connection closed",
    "a change of protocol": "status 101",
}


@pytest.mark.parametrize("kind", NOT_HTTP)
async def test_whatever_speaks_no_http_is_a_failure_with_a_reason(kind: str) -> None:
    outcome = await outcome_of(NOT_HTTP[kind])

    assert isinstance(outcome, Failed)
    assert outcome.reason == REASONS[kind]


async def test_a_connection_that_is_reset_is_a_failure() -> None:
    async def resets(_crm: Crm, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    async with serving(resets) as crm, posting() as post:
        assert await post.send(crm.url) == Failed("connection closed")


async def test_a_port_where_nobody_listens_is_a_failure() -> None:
    async with serving(answering()) as crm:
        pass

    async with posting() as post:
        assert await post.send(crm.url) == Failed("connection refused")
