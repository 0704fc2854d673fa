"""Whatever speaks at the other end, an attempt comes to a value, in time, and costs no more than it may."""

import asyncio
import contextlib
import errno
import gzip
import os
import socket
import ssl
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook

from app.clock import SystemClock
from app.webhooks.attempt import Delivered, Failed, Hindered, Outcome, Parcel, Refused, Target
from app.webhooks.channel import webhook_client
from app.webhooks.egress import AddressForbidden, Egress, Lookup
from app.webhooks.sender import MOST_READ, Sender, checked_headers
from app.webhooks.signing import new_secret
from tests.driver import NOON, Clock

SECRET = new_secret()
BODY = b'{"id": "evt_1",  "data": {"name": "\xd0\x96"}}\n'
HERE = ip_network("127.0.0.1/32")
LONG_AGO = format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

Speaks = Callable[["Crm", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Crm:
    """A server of a CRM, as it saw what came. It opens no file: the tests tell it what to say."""

    speaks: Speaks
    port: int = 0
    connections: int = 0
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    reads_bodies: bool = True
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=of-the-crm"

    @property
    def headers(self) -> dict[str, str]:
        """Those of the last request."""
        lines = self.requests[-1][0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append((head, b""))
                if self.reads_bodies:
                    self.requests[-1] = head, await reader.readexactly(int(self.headers.get("content-length", 0)))
                await self.speaks(self, reader, writer)
        self.gone.set()
        writer.close()


def saying(raw: bytes, *, ends: bool = True) -> Speaks:
    async def speaks(_crm: Crm, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if ends:
            writer.close()

    return speaks


def answering(raw: bytes = OK) -> Speaks:
    """An answer to each request, on a connection that stays open."""
    return saying(raw, ends=False)


async def silent(_crm: Crm, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@contextlib.asynccontextmanager
async def serving(
    speaks: Speaks, tls: ssl.SSLContext | None = None, *, reads_bodies: bool = True
) -> AsyncIterator[Crm]:
    crm = Crm(speaks, reads_bodies=reads_bodies)
    async with await asyncio.start_server(crm.connected, "127.0.0.1", ssl=tls) as server:
        crm.port = server.sockets[0].getsockname()[1]
        try:
            yield crm
        finally:
            for writer in crm.open:
                writer.transport.abort()


@dataclass(frozen=True)
class Post:
    """A sender, and the target and parcel that most tests send."""

    sender: Sender

    async def send(self, url: str, body: bytes = BODY, headers: tuple[tuple[str, str], ...] = ()) -> Outcome:
        return await self.sender.send(Target("wh_1", url, headers, (SECRET,)), Parcel("evt_1", body))


@contextlib.asynccontextmanager
async def posting(
    egress: Egress | None = None, *, patience: float = 5, proxies: bool = False, clock: Clock | None = None
) -> AsyncIterator[Post]:
    way = webhook_client(egress or Egress([HERE]), connections=8, proxies_from_environment=proxies)
    async with way as http:
        yield Post(Sender(http, timedelta(seconds=patience), clock or SystemClock(), "wazzup-gateway/1.2.3"))


async def outcome_of(raw: bytes) -> Outcome:
    async with serving(saying(raw)) as crm, posting() as post:
        return await post.send(crm.url)


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(*chunks: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def packed(body: bytes, encoding: str = "gzip") -> bytes:
    return answer("200 OK", f"Content-Encoding: {encoding}", body=body)


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


async def test_a_webhook_s_own_headers_go_along_and_replace_none_of_ours() -> None:
    ours = ("Host", "CONTENT-TYPE", "content-length", "Connection", "Transfer-Encoding", "User-Agent", "Webhook-Id")
    own = (("Authorization", "Bearer of-the-crm"), ("X-Tenant", "7"), *((name, "evil") for name in ours))

    async with serving(answering()) as crm, posting() as post:
        assert isinstance(await post.send(crm.url, headers=own), Delivered)

    assert crm.headers["authorization"] == "Bearer of-the-crm"
    assert crm.headers["x-tenant"] == "7"
    assert b"evil" not in crm.requests[0][0]


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


NOT_HTTP: dict[str, tuple[bytes, str]] = {
    "nothing at all": (b"", "connection closed"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", "answer is no http"),
    "only noise": (bytes(range(256)) * 8, "answer is no http"),
    "an endless status line": (b"HTTP/1.1 200 " + b"A" * 100_000, "answer is no http"),
    "an endless header": (HEAD + b"X-A: " + b"A" * 100_000 + b"\r\n\r\n{}", "answer is no http"),
    "headers without end": (
        HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"A" * 1000) for n in range(500)),
        "answer is no http",
    ),
    "half a status line": (b"HTTP/1.", "connection closed"),
    "half a header": (HEAD + b"Content-Le", "connection closed"),
    "a header without its end": (HEAD, "connection closed"),
    "a status that is no number": (b"HTTP/1.1 abc OK\r\n\r\n", "answer is no http"),
    "another version": (b"HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\n{}", "answer is no http"),
    "a body that is too short": (HEAD + b"Content-Length: 5000\r\n\r\n{}", "answer is cut off"),
    "a length that is no number": (HEAD + b"Content-Length: many\r\n\r\n{}", "answer is no http"),
    "a length below nothing": (HEAD + b"Content-Length: -1\r\n\r\n{}", "answer is no http"),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "answer is no http"),
    "a chunk of no size": (chunked(b"zzzz\r\n{}\r\n0\r\n\r\n"), "answer is no http"),
    "a chunk of too large a size": (chunked(b"f" * 40 + b"\r\n{}"), "answer is no http"),
    "a chunk that is cut off": (chunked(b"ff\r\n{}"), "answer is cut off"),
    "no last chunk": (chunked(b"2\r\n{}\r\n"), "answer is cut off"),
    "an early hint and nothing else": (b"HTTP/1.1 100 Continue\r\n\r\n", "connection closed"),
    "a change of protocol": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "status 101",
    ),
}


@pytest.mark.parametrize(("raw", "reason"), NOT_HTTP.values(), ids=NOT_HTTP.keys())
async def test_whatever_speaks_no_http_is_a_failure_with_a_reason(raw: bytes, reason: str) -> None:
    outcome = await outcome_of(raw)

    assert isinstance(outcome, Failed)
    assert outcome.reason == reason


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


# Time and bytes.


async def test_a_server_that_says_nothing_is_given_up_in_time_and_its_connection_closed() -> None:
    async with serving(silent) as crm, posting(patience=0.1) as post:
        assert await post.send(crm.url) == Failed("timeout")
        await asyncio.wait_for(crm.gone.wait(), 2)


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 ", HEAD + b"X-A: ", HEAD + b"Content-Length: 99999\r\n\r\n"])
async def test_a_slow_drip_gets_no_more_time_than_a_silent_server(beginning: bytes) -> None:
    async def drips(_crm: Crm, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        while not writer.is_closing():
            writer.write(b"a")
            await asyncio.sleep(0.005)

    async with serving(drips) as crm, posting(patience=0.2) as post:
        async with asyncio.timeout(2):
            assert await post.send(crm.url) == Failed("timeout")
        await asyncio.wait_for(crm.gone.wait(), 2)


async def test_of_a_long_answer_a_kib_is_kept_and_64_are_read_and_its_connection_is_dropped() -> None:
    written = 0

    async def talks(_crm: Crm, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(HEAD + b"Content-Length: 50000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"a" * 10_000)
            written += 10_000
            await writer.drain()

    async with serving(talks) as crm, posting() as post:
        assert await post.send(crm.url) == Delivered(200, "a" * 1024)
        await asyncio.wait_for(crm.gone.wait(), 2)
        assert isinstance(await post.send(crm.url), Delivered)

    assert crm.connections == 2
    assert written < 50_000_000  # Sockets hold some megabytes of it.


async def test_no_more_than_the_budget_is_taken_from_the_transport() -> None:
    taken = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal taken
            while True:
                taken += 16 * 1024
                yield b"a" * 16 * 1024

    http = httpx.MockTransport(lambda _request: httpx.Response(500, stream=Endless()))
    post = Post(Sender(http, timedelta(seconds=5), SystemClock(), "test"))

    assert await post.send("http://crm.example/") == Failed("status 500", 500, "a" * 1024)
    assert taken <= MOST_READ


def bombs() -> dict[str, bytes]:
    gzipped = gzip.compress(b"a" * 60_000_000, 9)
    deflated = zlib.compress(b"a" * 60_000_000, 9)
    return {
        "gzip": packed(gzipped),
        "x-gzip": packed(gzipped, "x-gzip"),
        "deflate": packed(deflated, "deflate"),
        "twice": packed(gzip.compress(gzipped), "gzip, gzip"),
        "in two headers": answer("200 OK", "Content-Encoding: gzip", "Content-Encoding: gzip", body=gzipped),
        "many members": packed(gzip.compress(b"a" * 100_000) * 300),
        "behind a chunk": chunked(b"1\r\na\r\n", b"%x\r\n%s\r\n" % (len(gzipped), gzipped), b"0\r\n\r\n"),
        "by the transfer": HEAD
        + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(gzipped), gzipped),
    }


BOMBS = bombs()


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
async def test_a_bomb_costs_neither_memory_nor_time(bomb: bytes) -> None:
    async with serving(answering(bomb)) as crm, posting() as post:
        await post.send(crm.url)  # What is loaded once is not the bomb's.
        tracemalloc.start()
        try:
            async with asyncio.timeout(2):
                outcome = await post.send(crm.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert isinstance(outcome, Delivered)
    assert len(outcome.body) <= 1024
    assert peak < 1_500_000


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (packed(gzip.compress(b"hello")), "hello"),
        (packed(zlib.compress(b"hello"), "Deflate"), "hello"),
        (packed(b"hello", "identity"), "hello"),
        (packed(gzip.compress(os.urandom(3000).hex().encode()[:1024])[:700] + b"\x00" * 9), None),
        (packed(b"this is no gzip"), ""),
        (packed(b"hello", "br"), ""),
        (packed(gzip.compress(b"a" * 5000)), "a" * 1024),
        (answer("200 OK", body="äöü€".encode()), "äöü€"),
        (answer("200 OK", body=b"a" * 1023 + "€".encode()), "a" * 1023 + "\ufffd"),
        (answer("200 OK", body=b"\xff\xfe"), "\ufffd\ufffd"),
        (answer("200 OK", body=b"a\x00b\x1b[31mc\x7f\x08"), "a\ufffdb\ufffd[31mc\ufffd\ufffd"),
        (answer("200 OK", body="a\u202eb\u2028c\u200bd".encode()), "a\ufffdb\ufffdc\ufffdd"),
        (answer("200 OK", body=b"one\r\ntwo\n\tthree\rfour"), "one\ntwo\n\tthree\ufffdfour"),
    ],
    ids=[
        *(
            "gzip",
            "deflate",
            "identity",
            "a gzip with rubbish behind it",
            "no gzip",
            "an unknown coding",
            "a long gzip",
        ),
        *("unicode", "a character at the limit", "no UTF-8", "control characters", "invisible characters", "lines"),
    ],
)
async def test_the_kept_part_of_an_answer_is_text_that_is_safe_to_show(raw: bytes, body: str | None) -> None:
    outcome = await outcome_of(raw)

    assert isinstance(outcome, Delivered)
    assert body is None or outcome.body == body


async def test_an_answer_before_the_body_was_read_is_an_answer_and_its_connection_is_dropped() -> None:
    class Narrow(Egress):
        """Its sockets take a few KiB and no more, so that the body is still on its way."""

        def open_socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
            opened = super().open_socket(info)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            return opened

    async def answers_at_once(_crm: Crm, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(OK)
        await asyncio.Event().wait()

    async with serving(answers_at_once, reads_bodies=False) as crm, posting(Narrow([HERE])) as post:
        async with asyncio.timeout(2):
            assert await post.send(crm.url, b"a" * 1_000_000) == Delivered(200, "OK")
            assert await post.send(crm.url, b"a" * 1_000_000) == Delivered(200, "OK")

    assert crm.connections == 2


async def test_an_attempt_that_is_called_off_is_called_off() -> None:
    async with serving(silent) as crm, posting() as post:
        sending = asyncio.create_task(post.send(crm.url))
        while not crm.requests:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        sending.cancel()

        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(crm.gone.wait(), 2)


# Names and addresses.


def names(*answers: Sequence[str] | OSError) -> tuple[Lookup, list[str]]:
    """A DNS that gives these answers, one after the other, and the names it was asked for."""
    asked: list[str] = []

    async def lookup(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        given = answers[min(len(asked), len(answers)) - 1]
        if isinstance(given, OSError):
            raise given
        return given

    return lookup, asked


def named(crm: Crm, host: str = "crm.example") -> str:
    return f"http://{host}:{crm.port}/"


async def test_a_name_leads_to_the_address_that_was_checked() -> None:
    lookup, asked = names(["127.0.0.1"], ["10.0.0.1"])

    async with serving(answering()) as crm, posting(Egress([HERE], lookup)) as post:
        assert await post.send(named(crm)) == Delivered(200, "OK")

    assert asked == ["crm.example"]
    assert crm.headers["host"] == f"crm.example:{crm.port}"


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.2"], ["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["::1", "127.0.0.1"], ["::ffff:127.0.0.2"]],
)
async def test_one_bad_address_and_nothing_is_connected(addresses: list[str]) -> None:
    lookup, _ = names(addresses)

    async with serving(answering()) as crm, posting(Egress([HERE], lookup)) as post:
        assert await post.send(named(crm)) == Failed("address not allowed")

    assert crm.connections == 0


async def test_a_name_that_was_good_when_it_was_registered_is_checked_again() -> None:
    lookup, _ = names(["8.8.8.8"], ["127.0.0.1"])
    egress = Egress([], lookup)

    async with serving(answering()) as crm, posting(egress) as post:
        await egress.resolvable(egress.checked_url(named(crm)))
        assert await post.send(named(crm)) == Failed("address not allowed")

    assert crm.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"])
async def test_no_way_of_writing_our_own_host_reaches_it(host: str) -> None:
    async with serving(answering()) as crm, posting(Egress([])) as post:
        assert await post.send(named(crm, host)) == Failed("address not allowed")

    assert crm.connections == 0


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①"])
async def test_not_even_an_odd_spelling_that_was_stored_reaches_it(host: str) -> None:
    async with serving(answering()) as crm, posting(Egress([])) as post:
        assert await post.send(named(crm, host)) in (Failed("address not allowed"), Failed("url unusable"))

    assert crm.connections == 0


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
async def test_a_name_that_nobody_knows_is_the_crms_failure(code: int) -> None:
    lookup, _ = names(socket.gaierror(code, "unknown"))

    async with posting(Egress([], lookup)) as post:
        assert await post.send("http://crm.example/") == Failed("name unknown")


async def test_a_url_that_nobody_could_register_is_a_failure_and_no_error() -> None:
    async with posting() as post:
        for url in (
            "ftp://crm.example/",
            "http://",
            "no url",
            "http://[::bad/",
            "http://" + "a" * 70 + "/",
            "http://a b/",
        ):
            assert isinstance(await post.send(url), Failed)


# Our own failures.


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM])
async def test_a_dns_server_that_does_not_answer_is_our_own_failure(code: int) -> None:
    lookup, _ = names(socket.gaierror(code, "silent"))

    async with posting(Egress([], lookup)) as post:
        assert await post.send("http://crm.example/") == Hindered("dns server does not answer")


async def test_a_dns_server_that_is_silent_is_not_taken_for_a_crm_that_is() -> None:
    async def lookup(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with posting(Egress([], lookup, timedelta(milliseconds=50))) as post:
        assert await post.send("http://crm.example/") == Hindered("dns server does not answer")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EMFILE, "no file descriptor"),
        (errno.ENFILE, "no file descriptor"),
        (errno.ENOBUFS, "no memory"),
        (errno.EADDRNOTAVAIL, "no port"),
        (errno.ENETUNREACH, "no network"),
    ],
)
async def test_what_our_machine_lacks_is_our_own_failure(number: int, reason: str) -> None:
    class Exhausted(Egress):
        def open_socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
            raise OSError(number, "exhausted")

    async with posting(Exhausted([HERE])) as post:
        assert await post.send("http://127.0.0.1:9/") == Hindered(reason)


# TLS.


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "both.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_a_failure(self_signed: ssl.SSLContext) -> None:
    async with serving(answering(), self_signed) as crm, posting() as post:
        assert await post.send(f"https://127.0.0.1:{crm.port}/") == Failed("tls")

    assert crm.requests == []


async def test_a_server_that_speaks_no_tls_is_a_failure() -> None:
    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greets, "127.0.0.1") as server, posting() as post:
        port = server.sockets[0].getsockname()[1]
        assert await post.send(f"https://127.0.0.1:{port}/") == Failed("tls")


# Proxies of the environment.


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# What httpx-aiohttp does about a proxy with a password.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated", "ignore:The 'proxy_auth' parameter is deprecated")
async def test_a_proxy_of_the_environment_is_used_only_if_the_operator_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering()) as crm, serving(answering()) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:password@127.0.0.1:{proxy.port}")

        async with posting(Egress([HERE])) as post:
            assert isinstance(await post.send(crm.url), Delivered)
        assert (crm.connections, proxy.connections) == (1, 0)

        async with posting(Egress([]), proxies=True) as post:
            assert isinstance(await post.send("http://crm.example/hook"), Delivered)
        assert (crm.connections, proxy.connections) == (1, 1)
        assert proxy.requests[0][0].startswith(b"POST http://crm.example/hook HTTP/1.1\r\n")


async def test_what_no_proxy_names_is_reached_directly_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering()) as crm, serving(answering()) as proxy:
        monkeypatch.setenv("all_proxy", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")

        async with posting(Egress([HERE]), proxies=True) as post:
            assert isinstance(await post.send(crm.url), Delivered)
        async with posting(Egress([]), proxies=True) as post:
            assert await post.send(crm.url) == Failed("address not allowed")

    assert (crm.connections, proxy.connections) == (1, 0)


async def test_no_proxy_is_asked_for_an_address_that_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering()) as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")

        async with posting(Egress([]), proxies=True) as post:
            for host in ("169.254.169.254", "[::ffff:10.0.0.1]"):
                for scheme in ("http", "https"):
                    assert await post.send(f"{scheme}://{host}/") == Failed("address not allowed")

    assert proxy.connections == 0


@pytest.mark.parametrize("url", ["http://crm.example/", "https://crm.example/"])
async def test_a_proxy_that_does_not_serve_us_is_our_own_failure(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(answer("407 Who are you"))) as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        async with posting(proxies=True) as post:
            assert await post.send(url) == Hindered("egress proxy does not serve us")

    async with posting(proxies=True) as post:
        assert await post.send(url) == Hindered("egress proxy does not serve us")


async def test_what_a_proxy_tells_of_the_crm_is_the_crms_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(answer("502 No such host"))) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        async with posting(proxies=True) as post:
            assert await post.send("https://crm.example/") == Failed("egress proxy status 502")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://[::bad", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused_at_once(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)

    with pytest.raises(ValueError, match="HTTPS_PROXY or ALL_PROXY: write a proxy such as"):
        webhook_client(Egress([]), connections=1, proxies_from_environment=True)


# A webhook's own headers.


def test_headers_of_a_webhook_s_own_are_taken_as_they_are() -> None:
    own = {"Authorization": "Bearer a.b-c_d/e+f=", "X-Tenant": "7", "X-Empty": "", "X-Quote": '"a";b=c'}

    assert checked_headers(own) == tuple(own.items())
    assert checked_headers({f"X-{n}": "a" for n in range(20)})
    assert checked_headers({"X": "a" * 4095})


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {name: "a"}
            for name in (
                "Host", "content-type", "Content-Length", "CONTENT-ENCODING", "content-x", "Connection", "Keep-Alive",
                "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "User-Agent", "Accept-Encoding",
                "Proxy-Authorization", "webhook-id", "Webhook-Signature", "webhook-x",
                "", "a b", "a:", "a\n", "a\r\nb", "ä", "a\x00", "a(b)", ":path",
            )
        ),
        *({"x": value} for value in ("a\r\nb: c", "a\n", "a\r", "a\x00b", "a\x7f", "ä", "€", "Ж", "\ud800", "a\x0bb")),
        {f"X-{n}": "a" for n in range(21)},
        {"X": "a" * 4096},
        {"x-a": "1", "X-A": "2"},
    ],
)  # fmt: skip
def test_any_other_header_is_refused_with_a_sentence_that_quotes_no_value(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^(write|leave out) "):
        checked_headers(headers)


def test_nothing_that_is_shown_contains_a_secret_or_a_body() -> None:
    target = Target("wh_1", "https://crm.example/?token=t0ken", (("Authorization", "s3cret"),), (SECRET,))
    shown = repr([target, Parcel("evt_1", b"b0dy"), Delivered(200, "b0dy"), Failed("status 500", 500, "b0dy")])

    assert [word for word in ("t0ken", "s3cret", SECRET, SECRET[6:], "b0dy") if word in shown] == []
    assert AddressForbidden("private").args[0].startswith("the address is private")
