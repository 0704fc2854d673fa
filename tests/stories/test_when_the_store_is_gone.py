"""A link is worth more than its memory: without its store the gateway still gives links, and says so."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.embedded import embedded_valkey
from tests.driver import CARD, Clock, running


@pytest.fixture
async def own_store(tmp_path: Path) -> AsyncIterator[str]:
    """A store that a test may stop."""
    async with embedded_valkey(tmp_path) as url:
        yield url


async def test_without_a_store_links_are_still_given(clock: Clock) -> None:
    async with running("unix:///nobody/listens/here", clock) as gateway:
        answer = await gateway.link()

        assert answer.status_code == 200
        assert answer.headers["cache-status"] == "wazzup-gateway; fwd=bypass; detail=store-down"
        assert "ratelimit" not in answer.headers


async def test_a_gateway_without_its_store_lives_but_is_not_ready(clock: Clock) -> None:
    async with running("unix:///nobody/listens/here", clock) as gateway:
        live, ready = await gateway.http.get("/health/live"), await gateway.http.get("/health/ready")

        assert live.status_code == 200
        assert ready.status_code == 503
        assert "REDIS_URL" in ready.json()["checks"]["store"]["reasons"][0]


async def test_nothing_can_be_forgotten_without_a_store(clock: Clock) -> None:
    """Better an error than a link that everybody believes to be gone."""
    async with running("unix:///nobody/listens/here", clock) as gateway:
        answer = await gateway.forget("crm-user-1")

        assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.hurried
async def test_a_store_that_hangs_delays_no_link_by_a_second(own_store: str) -> None:
    """Frozen, not refused: the connection is there, and nobody answers."""
    assert min([await time_of_links_without(own_store) for _ in range(2)]) < 1  # the machine may stall once


async def time_of_links_without(store: str) -> float:
    """Seconds that twenty links take together while the store hangs."""
    async with running(store) as gateway, frozen(store, after=gateway.link):
        started = time.monotonic()
        answers = await asyncio.gather(*(gateway.link({**CARD, "user_id": f"user-{i}"}) for i in range(20)))
        taken = time.monotonic() - started

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["cache-status"] for answer in answers} == {"wazzup-gateway; fwd=bypass; detail=store-down"}
    return taken


async def test_when_the_store_is_back_it_is_used_again(tmp_path: Path, clock: Clock) -> None:
    async with embedded_valkey(tmp_path) as url:
        pass  # where it was
    async with running(url, clock) as gateway:
        await gateway.link()
        async with embedded_valkey(tmp_path):
            still_held_off = await gateway.link()
            clock.advance(seconds=2)
            back = await gateway.link()
            again = await gateway.link()

    assert "store-down" in still_held_off.headers["cache-status"]
    assert back.headers["cache-status"] == "wazzup-gateway; fwd=miss; stored"
    assert again.json()["cached"] is True


@asynccontextmanager
async def frozen(url: str, *, after: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """A store that is there and does not answer, once `after` is done."""
    await after()
    async with Redis.from_url(url) as redis:
        process = int((await redis.info("server"))["process_id"])
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)
