"""Fixtures for tests of the demo."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from redis.asyncio import Redis

from tests.demo.driver import Demo, demonstrating


@pytest.fixture(autouse=True)
def _logging_is_as_it_was_afterwards() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
async def demo(redis_url: str, tmp_path: Path) -> AsyncIterator[Demo]:
    async with demonstrating(redis_url, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shared(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """One for all of them, since each of them leaves it as it was."""
    async with Redis.from_url(valkey) as redis:
        await redis.flushall()
    async with demonstrating(valkey, tmp_path_factory.mktemp("demo")) as opened:
        yield opened
