"""The calls of an account, over all replicas: never more than allowed, and everybody's turn comes."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from app.clock import SystemClock
from app.errors import BudgetSpent
from app.limits import Rate
from app.sealing import KeyRing
from app.store import Store, connected
from app.wazzup import budget as budgets
from app.wazzup.budget import Budget
from tests.driver import SECRET_KEY, Clock
from tests.waiting import eventually, wait_until

WINDOW = 0.5  # Seconds; whole ones are what operators write, and would make these tests slow.
Replica = Callable[..., Budget]


class Short(Rate):
    """A rate whose window is shorter than an operator can write."""

    @property
    def seconds(self) -> float:  # type: ignore[override]
        return self.per.total_seconds()


@pytest.fixture
async def replica(redis_url: str) -> AsyncIterator[Replica]:
    """Makes budgets, each with a connection of its own, as replicas have."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(connected(redis_url, SystemClock())) for _ in range(2)]
        ring = KeyRing.of([SECRET_KEY])

        def make(calls: int, *, number: int = 0, account: str = "default", longest: float = 5, **other: Any) -> Budget:
            rate = Short(calls, timedelta(seconds=WINDOW))
            return Budget(stores[number], ring, SystemClock(), account, rate, timedelta(seconds=longest), **other)

        yield make


@pytest.fixture
def _long_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stalls for a second takes nobody's place in line."""
    monkeypatch.setattr(budgets, "PLACE_MS", 10_000)


async def call(budget: Budget, party: str = "u", *, within: float = 0.0, takes: float = 0.0) -> None:
    async with budget.turn(party, within=within):
        await asyncio.sleep(takes)


async def test_a_call_beyond_the_rate_is_refused_and_told_when_to_come_back(replica: Replica) -> None:
    budget = replica(2)
    await call(budget)
    await call(budget)

    with pytest.raises(BudgetSpent) as refused:
        await call(budget)

    assert refused.value.retry_after is not None
    assert timedelta(0) < refused.value.retry_after <= timedelta(seconds=WINDOW)


async def test_who_comes_back_when_told_is_let_through(replica: Replica) -> None:
    budget = replica(1)
    await call(budget)

    await call(budget, within=WINDOW + 0.1)

    with pytest.raises(BudgetSpent):
        await call(budget)


async def test_replicas_share_the_calls_and_accounts_do_not(replica: Replica) -> None:
    await call(replica(1, number=0))

    with pytest.raises(BudgetSpent):
        await call(replica(1, number=1))

    await call(replica(1, account="another"))


@pytest.mark.parametrize("takes", [0.0, 0.2])
async def test_wazzup_never_sees_more_calls_than_the_rate_in_any_window(replica: Replica, takes: float) -> None:
    """However long a call takes, and wherever within it Wazzup counts: here at its very end, the worst."""
    seen: list[float] = []

    async def ask(number: int) -> None:
        async with replica(4, number=number % 2).turn(f"user-{number}", within=10):
            await asyncio.sleep(takes if number % 3 else 0.0)
            seen.append(time.perf_counter())  # the loop's own clock knows no more than milliseconds

    await asyncio.gather(*(ask(number) for number in range(16)))

    assert len(seen) == 16
    seen.sort()
    windows = [later - earlier for earlier, later in zip(seen, seen[4:], strict=False)]
    assert min(windows) > WINDOW


async def test_no_call_leaves_the_window_a_moment_too_early(replica: Replica, redis: Redis) -> None:
    """What is noted as its end is never earlier than its end was, by the clock of Redis."""
    for number in range(20):

        async def end(calls: str = f"wg:{{{number}}}:wazzup:calls") -> Any:
            return (await redis.zrange(calls, 0, -1, withscores=True))[0][1]

        async with replica(1, account=str(number)).turn("anna", within=1):
            latest: Any = await end()
            seconds, microseconds = await redis.time()

        async def is_noted(end: Any = end, latest: Any = latest) -> bool:
            return bool(await end() < latest)

        await eventually(is_noted)
        assert await end() * 1000 > seconds * 1_000_000 + microseconds


async def test_who_comes_a_moment_before_a_pause_ends_waits_for_that_and_for_no_call(
    replica: Replica, redis: Redis
) -> None:
    budget = replica(2)
    await call(budget)
    await redis.set("wg:{default}:wazzup:pause", 1, px=60)

    with pytest.raises(BudgetSpent) as refused:
        await call(budget)

    assert refused.value.retry_after is not None
    assert refused.value.retry_after <= timedelta(milliseconds=60)


@pytest.mark.usefixtures("_long_places")
async def test_a_user_with_many_questions_does_not_push_the_others_away(replica: Replica) -> None:
    budget = replica(2)
    order: list[str] = []

    async def ask(user: str) -> None:
        async with budget.turn(user, within=10):
            order.append(user)

    greedy = [asyncio.create_task(ask("greedy")) for _ in range(8)]
    await wait_until(lambda: order == ["greedy", "greedy"])
    modest = [asyncio.create_task(ask(f"modest-{number}")) for number in range(3)]
    await asyncio.gather(*greedy, *modest)

    # All that the greedy user may be ahead by are the calls that were free, and its one place in the line.
    assert {user for user in order[:6] if user != "greedy"} == {"modest-0", "modest-1", "modest-2"}


@pytest.mark.usefixtures("_long_places")
async def test_who_was_sent_away_first_is_first_when_all_come_back(replica: Replica) -> None:
    budget = replica(1)
    await call(budget, "somebody")
    for user in ("first", "second", "third"):
        with pytest.raises(BudgetSpent):
            await call(budget, user)
    order: list[str] = []

    async def ask(user: str) -> None:
        async with budget.turn(user, within=10):
            order.append(user)

    await asyncio.gather(*(ask(user) for user in ("newcomer", "third", "second", "first")))

    assert order == ["first", "second", "third", "newcomer"]


async def test_everybody_who_keeps_asking_is_served(replica: Replica) -> None:
    """Thirty users at four calls in a window: who is sent away comes back when told, and nobody comes back for ever."""
    refusals: Counter[str] = Counter()

    async def persist(user: str, number: int) -> None:
        while True:
            try:
                return await call(replica(4, number=number % 2), user, within=WINDOW / 2)
            except BudgetSpent as refused:
                refusals[user] += 1
                await asyncio.sleep((refused.retry_after or timedelta(hours=1)).total_seconds())

    async with asyncio.timeout(20):
        await asyncio.gather(*(persist(f"user-{number}", number) for number in range(30)))

    assert max(refusals.values()) <= 8


async def test_the_place_of_somebody_who_went_away_is_soon_anothers(replica: Replica) -> None:
    budget = replica(1)
    await call(budget)
    gone = asyncio.create_task(call(budget, "gone", within=10))
    await asyncio.sleep(0)
    gone.cancel()

    await call(budget, "patient", within=5)


async def test_a_pause_that_wazzup_asks_for_holds_for_every_replica(replica: Replica, redis: Redis) -> None:
    one = replica(9, number=0)
    one.pause(timedelta(seconds=30))
    one.pause(timedelta(seconds=1))  # A shorter one takes nothing back.
    await one.store.settled()

    with pytest.raises(BudgetSpent) as refused:
        await call(replica(9, number=1), within=5)

    assert refused.value.retry_after is not None
    assert timedelta(seconds=28) < refused.value.retry_after <= timedelta(seconds=30)


async def test_a_short_pause_is_waited_out(replica: Replica) -> None:
    budget = replica(9)
    budget.pause(timedelta(seconds=0.3))
    started = asyncio.get_running_loop().time()
    await asyncio.sleep(0.05)

    await call(budget, within=5)

    assert asyncio.get_running_loop().time() - started > 0.25


async def test_a_call_whose_replica_died_is_counted_until_it_must_have_ended(replica: Replica) -> None:
    budget = replica(1, longest=0.3)
    dying = budget.turn("u", within=0)
    await dying.__aenter__()

    with pytest.raises(BudgetSpent):
        await call(budget, within=0)

    await call(budget, within=3)


async def test_without_the_store_each_replica_counts_for_itself() -> None:
    async with connected("unix:///nowhere/valkey.sock", SystemClock()) as store:
        rate = Rate(2, timedelta(seconds=60))
        budget = Budget(store, KeyRing.of([SECRET_KEY]), SystemClock(), "default", rate, timedelta(seconds=5))
        await call(budget)
        await call(budget)

        with pytest.raises(BudgetSpent) as refused:
            await call(budget)

    assert refused.value.retry_after is not None
    assert refused.value.retry_after > timedelta(seconds=55)


async def test_a_call_that_redis_granted_counts_when_the_store_goes(clock: Clock, redis_url: str) -> None:
    async with connected(redis_url, clock) as store:
        budget = counting_by(clock, store)
        await call(budget)
        await store.rest()  # From here on it does not answer.

        with pytest.raises(BudgetSpent):
            await call(budget)

        clock.advance(seconds=60)
        await call(budget)


async def test_a_call_without_the_store_counts_when_it_comes_back(clock: Clock, redis_url: str, redis: Redis) -> None:
    """The store comes back without it: here, because it comes back empty."""
    async with connected(redis_url, clock) as store:
        budget = counting_by(clock, store)
        await call(budget)
        await store.settled()
        await redis.flushall()

        with pytest.raises(BudgetSpent) as refused:
            await call(budget)

        assert refused.value.retry_after == timedelta(seconds=60)
        await store.settled()
        assert await redis.zcard("wg:{default}:wazzup:calls") == 0  # What was not made takes nobody's place.
        clock.advance(seconds=60)
        await call(budget)


@pytest.mark.usefixtures("_long_places")
async def test_who_was_told_to_stay_away_for_long_is_remembered_that_long(replica: Replica) -> None:
    memory = timedelta(milliseconds=20)
    budget = replica(1, memory=memory)
    await call(budget, "somebody")
    for user in ("first", "second"):
        with pytest.raises(BudgetSpent):
            await call(budget, user)
    await call(replica(1, account="another"), takes=3 * memory.total_seconds())
    order: list[str] = []

    async def ask(user: str) -> None:
        async with budget.turn(user, within=10):
            order.append(user)

    await asyncio.gather(*(ask(user) for user in ("newcomer", "second", "first")))

    assert order == ["first", "second", "newcomer"]


async def test_a_clock_of_redis_that_was_put_back_stops_nobody(replica: Replica, redis: Redis) -> None:
    seconds, _ = await redis.time()
    await redis.zadd("wg:{default}:wazzup:calls", {"of-a-clock-that-was-ahead": (seconds + 3600) * 1000})

    await call(replica(1), within=0)


def counting_by(clock: Clock, store: Store) -> Budget:
    """One call in a minute."""
    rate = Rate(1, timedelta(seconds=60))
    return Budget(store, KeyRing.of([SECRET_KEY]), clock, "default", rate, timedelta(seconds=5))


async def test_nobody_can_read_in_redis_who_waits(replica: Replica, redis: Redis) -> None:
    budget = replica(1)
    await call(budget)
    with pytest.raises(BudgetSpent):
        await call(budget, "crm-user-1")

    for name in await redis.keys("wg:*"):
        assert "crm-user-1" not in repr(await redis.zrange(name, 0, -1))
        assert await redis.pttl(name) > 0
