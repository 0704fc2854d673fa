"""Waiting for what another task or process does, without guessing how long it takes."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 10.0


async def wait_until(happened: Callable[[], bool]) -> None:
    """Returns as soon as `happened()`; fails when it does not within ten seconds."""
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.002)


async def eventually(happens: Callable[[], Awaitable[bool]]) -> None:
    """The same, of what must be asked for."""
    async with asyncio.timeout(PATIENCE):
        while not await happens():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)
