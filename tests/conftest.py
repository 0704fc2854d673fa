"""Fixtures for all tests: one real store for the session, emptied for each test, and a gateway on it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from app import redis_clients, store
from app.embedded import embedded_valkey
from tests.crm import Crm, Reception, open_reception
from tests.driver import Clock, Gateway, running
from tests.ledger import balanced
from tests.waiting import PATIENCE


@pytest.fixture(autouse=True)
def unhurried_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stalls for a second is not a store that hangs: only a `hurried` test is about the half second."""
    if not request.node.get_closest_marker("hurried"):
        monkeypatch.setattr(redis_clients, "PATIENCE", PATIENCE)
        monkeypatch.setattr(store, "PATIENCE", PATIENCE)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
async def valkey(anyio_backend: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    if given := os.environ.get("TEST_REDIS_URL"):  # another Redis than the embedded Valkey, to see that both will do
        yield given
        return
    home: Path = tmp_path_factory.mktemp("valkey")
    async with embedded_valkey(home) as url:
        yield url


@pytest.fixture
async def redis_url(valkey: str) -> str:
    """A store that is empty."""
    async with Redis.from_url(valkey) as redis:
        await redis.flushall()
    return valkey


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """The same store, to look into."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def gateway(redis_url: str, clock: Clock) -> AsyncIterator[Gateway]:
    async with running(redis_url, clock) as opened:
        yield opened


@pytest.fixture(scope="session")
async def reception(anyio_backend: Any) -> AsyncIterator[Reception]:
    async with open_reception() as opened:
        yield opened


@pytest.fixture
async def crm(reception: Reception) -> AsyncIterator[Crm]:
    """A CRM's receiver on a real socket."""
    async with reception.visited() as opened:
        yield opened


@pytest.fixture
async def books(redis: Redis) -> AsyncIterator[None]:
    """Whatever a test does: at its end the ledger is balanced."""
    yield
    await balanced(redis)
