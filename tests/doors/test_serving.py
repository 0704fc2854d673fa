"""Signals, as the door between a process and its application hears them."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from app.serving import listen, serve
from tests.waiting import wait_until


@pytest.fixture
def _as_before() -> Iterator[None]:
    """What a door does to its process must not outlive the test."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("_as_before")
async def test_a_sighup_that_comes_while_the_services_open_is_not_lost() -> None:
    """They have read the file already, and it may have changed since."""
    rereads: list[str] = []

    @asynccontextmanager
    async def opening(_: FastAPI) -> AsyncIterator[None]:
        signal.raise_signal(signal.SIGHUP)
        for _turn in range(10):
            await asyncio.sleep(0)
        rereads.append("open")
        yield

    with listen("127.0.0.1", 0) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        serving = asyncio.create_task(serve(FastAPI(lifespan=opening), sock, reread=lambda: rereads.append("reread")))
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{url}/nothing")).status_code == 404
        signal.raise_signal(signal.SIGTERM)
        await wait_until(serving.done)

    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)
    assert rereads == ["open", "reread"]
