"""One holder at a time, and none for long that died."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from redis.asyncio import Redis

from app.clock import SystemClock
from app.errors import StoreUnavailable
from app.leases import LEASE_MS, Lease
from app.store import Store, connected
from tests.hurry import HurriedLoop
from tests.waiting import eventually

KEY = "wg:{default}:test:lock"


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    async with connected(redis_url, SystemClock()) as opened:
        yield opened


async def test_of_many_who_want_it_one_has_it(store: Store) -> None:
    taken = await asyncio.gather(*(Lease(store, KEY).take() for _ in range(20)))

    assert sum(taken) == 1


async def test_who_asks_again_still_has_it(store: Store) -> None:
    """A client that lost the answer asks once more."""
    lease = Lease(store, KEY)

    assert [await lease.take(), await lease.take()] == [True, True]


async def test_what_is_released_is_free(store: Store) -> None:
    lease = Lease(store, KEY)
    await lease.take()

    await lease.release()

    assert await Lease(store, KEY).take()


async def test_only_its_holder_releases_it(store: Store) -> None:
    """A holder that was frozen beyond its lease must not free what another has taken meanwhile."""
    await Lease(store, KEY).take()

    await Lease(store, KEY).release()

    assert not await Lease(store, KEY).take()


async def test_a_holder_that_died_is_forgotten_within_seconds(store: Store, redis: Redis) -> None:
    await Lease(store, KEY).take()

    assert 0 < await redis.pttl(KEY) <= LEASE_MS


async def test_while_it_is_kept_it_does_not_lapse(store: Store, redis: Redis) -> None:
    lease = Lease(store, KEY)
    await lease.take()

    async with lease.kept():
        await redis.pexpire(KEY, 2500)  # As if a part of it had passed.

        async def is_renewed() -> bool:
            return bool(await redis.pttl(KEY) > 2500)

        await eventually(is_renewed)


def test_a_holder_renews_it_often_enough_for_one_renewal_to_be_lost() -> None:
    class Counting:
        renewals = 0

        async def run(self, *_: object, **__: object) -> int:
            self.renewals += 1
            return 1

    async def story() -> int:
        store = Counting()
        async with Lease(cast(Store, store), KEY).kept():
            await asyncio.sleep(LEASE_MS / 1000)
            return store.renewals

    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        assert runner.run(story()) >= 2


async def test_without_the_store_nobody_has_it_and_releasing_is_no_trouble() -> None:
    async with connected("unix:///nowhere/valkey.sock", SystemClock()) as store:
        with pytest.raises(StoreUnavailable):
            await Lease(store, KEY).take()

        await Lease(store, KEY).release()
