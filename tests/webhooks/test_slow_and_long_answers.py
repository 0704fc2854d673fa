"""An answer that is slow, long or a bomb costs no more than it may, and what is kept of it is safe to show."""

import asyncio
import gzip
import os
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from app.clock import SystemClock
from app.webhooks.attempt import Delivered, Failed
from app.webhooks.egress import Egress
from app.webhooks.sender import MOST_READ, Sender
from tests.raw_http import HEAD, chunked
from tests.webhooks.posting import HERE, OK, Crm, Post, answer, answering, outcome_of, posting, serving

pytestmark = pytest.mark.usefixtures("no_proxies")


async def silent(_crm: Crm, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


def packed(body: bytes, encoding: str = "gzip") -> bytes:
    return answer("200 OK", f"Content-Encoding: {encoding}", body=body)


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
