"""The client on a real socket, with the transport that serves: what speaks there need not be Wazzup."""

import asyncio
import contextlib
import gzip
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httpx
import pytest
import respx
from httpx_aiohttp import AiohttpTransport

from app.errors import WazzupError, WazzupTimeout, WazzupUnavailable
from app.wazzup.client import WazzupClient
from tests.raw_http import HEAD, NOT_HTTP
from tests.wazzup.vendor import Vendor, as_it_is

GOOD = HEAD + b'Content-Length: 12\r\n\r\n{"data": 12}'


def zipped(body: bytes) -> bytes:
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


UNREADABLE: dict[str, bytes] = NOT_HTTP | {
    "a status of no kind": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "a status below all kinds": b"HTTP/1.1 007 Odd\r\nContent-Length: 0\r\n\r\n",
    "a reason in no charset": b"HTTP/1.1 500 \xff\xfe\r\nContent-Length: 0\r\nRetry-After: 60\r\n\r\n",
    "a header in no charset": HEAD + b"Retry-After: \xff\xfe\r\nContent-Length: 1\r\n\r\n{",
    "a gzip that is none": zipped(b"this is no gzip"),
    "a gzip that is cut off": zipped(gzip.compress(b'{"data": %s}' % (b"1" * 9000))[:20]),
    "a gzip bomb": zipped(gzip.compress(b" " * 20_000_000)),
    "an encoding that nobody knows": HEAD + b"Content-Encoding: zz\r\nContent-Length: 2\r\n\r\n\xff\xff",
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


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE.keys())
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
