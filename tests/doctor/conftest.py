"""Peers that are not Wazzup."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.ports import free_port


@pytest.fixture
async def peers() -> AsyncIterator[dict[str, int]]:
    """Ports where nobody listens, where no HTTP is spoken, where nothing is said, and where everybody is hung up on."""
    over = asyncio.Event()

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        await writer.drain()
        writer.close()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with (
        await asyncio.start_server(plain, "127.0.0.1") as one,
        await asyncio.start_server(silent, "127.0.0.1") as two,
        await asyncio.start_server(rude, "127.0.0.1") as three,
    ):
        ports = {
            name: peer.sockets[0].getsockname()[1] for name, peer in (("plain", one), ("silent", two), ("rude", three))
        }
        yield ports | {"closed": free_port()}
        over.set()
