"""Bells are heard on all replicas; what was missed while nobody could hear is made up for."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from app.bells import Bells, Heard
from app.embedded import embedded_valkey
from app.redis_clients import listener_for
from tests.waiting import wait_until


@asynccontextmanager
async def listening(url: str, channels: Mapping[str, Heard]) -> AsyncIterator[asyncio.Task[None]]:
    async with AsyncExitStack() as stack:
        task = asyncio.create_task(Bells(listener_for(url, stack), channels).run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_each_hears_what_is_rung_for_it(redis_url: str, redis: Redis) -> None:
    ours: list[str] = []
    theirs: list[str] = []
    async with listening(redis_url, {"a": ours.append, "b": theirs.append}), listening(redis_url, {"a": ours.append}):
        await wait_until(lambda: ours == ["", ""])

        await redis.publish("a", "evt_1")
        await redis.publish("b", "Zoë")
        await redis.publish("c", "nobody listens")
        await redis.publish("a", "")
        await wait_until(lambda: len(ours) == 6 and len(theirs) == 2)

    assert sorted(ours) == ["", "", "", "", "evt_1", "evt_1"]
    assert theirs == ["", "Zoë"]


async def test_after_a_break_everybody_looks_for_what_was_missed(redis_url: str, redis: Redis) -> None:
    heard: list[str] = []
    async with listening(redis_url, {"a": heard.append}):
        await wait_until(lambda: heard == [""])

        await redis.client_kill_filter(_type="pubsub")
        await wait_until(lambda: heard == ["", ""])
        await redis.publish("a", "again")
        await wait_until(lambda: heard == ["", "", "again"])


async def test_a_store_that_comes_later_is_heard_too(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path) as url:
        pass  # where it will be
    heard: list[str] = []
    async with listening(url, {"a": heard.append}) as task:
        async with embedded_valkey(tmp_path):
            await wait_until(lambda: heard == [""])

        assert not task.done()
