"""Fixtures for tests of processes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.doors.driver import SlowWazzup, stores_in


@pytest.fixture
async def wazzup() -> AsyncIterator[SlowWazzup]:
    slow = SlowWazzup()
    async with await asyncio.start_server(slow.talk, "127.0.0.1") as server:
        slow.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield slow


@pytest.fixture(autouse=True)
def _nothing_lives_on(tmp_path: Path) -> Iterator[None]:
    """Where a test failed half-way, its store must not outlive it."""
    yield
    for pid in stores_in(tmp_path):
        os.kill(pid, signal.SIGKILL)
