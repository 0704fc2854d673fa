"""The outbox's promises, on a real store: each step whole or not at all, fair turns, leases, and a true ledger."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from app.ids import new_id
from app.store import Store, connected
from app.webhooks.archive import Archive
from app.webhooks.outbox import Claimed, Claims, RedisOutbox, Settled, attempt_entry
from tests.driver import NOON, Clock
from tests.ledger import balanced

pytestmark = pytest.mark.usefixtures("books")

P = "wg:{default}:"
LEASE = timedelta(seconds=30)
DONE = Settled(follows="done", outcome="delivered", entry=attempt_entry(NOON, timedelta(0), status=200))
AGAIN = Settled(
    follows="again",
    outcome="failed",
    entry=attempt_entry(NOON, timedelta(0), status=500, error="status 500"),
    wait=timedelta(seconds=5),
)
DEAD = replace(AGAIN, follows="dead", dead_because="status 500")


@pytest.fixture
async def store(redis_url: str, clock: Clock) -> Any:
    async with connected(redis_url, clock) as opened:
        yield opened


@pytest.fixture
async def outbox(store: Store, clock: Clock) -> RedisOutbox:
    return RedisOutbox(
        store, clock, "default", kept=timedelta(days=7), longest=timedelta(days=3), first_wait=timedelta(0)
    )


async def hook(redis: Redis, name: str, wants: str = "*") -> str:
    await redis.hset(f"{P}hooks:all", name, f"record of {name}")
    await redis.hset(f"{P}hooks:wants", name, wants)
    return name


async def put(outbox: RedisOutbox, clock: Clock, kind: str = "WZ_A", **more: str) -> str:
    return (await outbox.put(new_id("evt", clock.now()), kind, b"{}", **more)).event_id


async def claim(outbox: RedisOutbox, most: int = 64, cap: int = 16, held: Mapping[str, int] | None = None) -> Claims:
    return await outbox.claim(lease=LEASE, most=most, cap=cap, held=held or {})


async def settle(outbox: RedisOutbox, claimed: Claimed, settled: Settled = DONE) -> bool:
    return await outbox.settle(claimed, settled, accepted_at=NOON)


async def pile(redis: Redis, outbox: RedisOutbox, clock: Clock, name: str, number: int) -> None:
    """So many deliveries of one event's bytes, due since a while."""
    await hook(redis, name)
    due = clock.now().timestamp() * 1000 - 60_000
    events = [new_id("evt", clock.now()) for _ in range(number)]
    async with redis.pipeline(transaction=False) as pipe:
        for start in range(0, number, 1000):
            pipe.zadd(f"{P}hooks:due:{name}", dict.fromkeys(events[start : start + 1000], due))
            pipe.mset({f"{P}events:e:{event}": b"{}" for event in events[start : start + 1000]})
        pipe.zadd(f"{P}hooks:next", {name: due})
        pipe.hincrby(f"{P}ledger", "accepted", number)
        pipe.hincrby(f"{P}ledger", "pending", number)
        await pipe.execute()


def of(claims: Claims) -> list[tuple[str, int]]:
    return [(one.event_id, one.attempt) for one in claims.deliveries]


async def test_what_is_put_can_be_claimed_once(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    name = await hook(redis, "wh_a")
    event = await put(outbox, clock)

    first, second = await asyncio.gather(claim(outbox), claim(outbox))

    assert sorted([of(first), of(second)]) == [[], [(event, 1)]]
    assert (first.records | second.records) == {name: b"record of wh_a"}


async def test_many_workers_claim_everything_once(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await hook(redis, "wh_a")
    events = [await put(outbox, clock) for _ in range(100)]

    claims = await asyncio.gather(*(claim(outbox, most=7, cap=7) for _ in range(20)))

    assert Counter(event for one in claims for event, _ in of(one)) == Counter(events)


async def test_a_claim_that_nobody_settles_comes_due_again_when_its_lease_ends(
    outbox: RedisOutbox, redis: Redis, clock: Clock
) -> None:
    """The worker was killed: nothing is lost, and no attempt is counted that nobody knows of."""
    await hook(redis, "wh_a")
    event = await put(outbox, clock)
    leased = await claim(outbox)

    clock.advance(seconds=29.9)
    too_early = await claim(outbox)
    clock.advance(seconds=0.2)
    again = await claim(outbox)

    assert (of(leased), of(too_early), of(again)) == ([(event, 1)], [], [(event, 1)])
    assert too_early.next_in == timedelta(milliseconds=100)


async def test_what_is_handed_back_is_due_at_once(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await hook(redis, "wh_a")
    event = await put(outbox, clock)
    leased = await claim(outbox)

    await outbox.hand_back(leased.deliveries)

    assert of(await claim(outbox)) == [(event, 1)]


async def test_what_was_settled_meanwhile_is_not_handed_back(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await hook(redis, "wh_a")
    await put(outbox, clock)
    leased = (await claim(outbox)).deliveries
    await settle(outbox, leased[0])

    await outbox.hand_back(leased)

    assert of(await claim(outbox)) == []


@pytest.mark.parametrize(("first", "second"), [(DONE, DONE), (DONE, AGAIN), (DONE, DEAD), (DEAD, AGAIN), (DEAD, DEAD)])
async def test_who_settles_second_changes_nothing(
    outbox: RedisOutbox, redis: Redis, clock: Clock, first: Settled, second: Settled
) -> None:
    """A worker was frozen for longer than its lease, and another has done its work."""
    await hook(redis, "wh_a")
    await put(outbox, clock)
    [frozen] = (await claim(outbox)).deliveries
    clock.advance(seconds=31)
    [other] = (await claim(outbox)).deliveries
    assert await settle(outbox, other, first)
    before = await balanced(redis)

    assert not await settle(outbox, frozen, second)

    assert await balanced(redis) == before


async def test_what_the_crm_took_while_its_webhook_was_disabled_is_delivered_and_not_dead(
    outbox: RedisOutbox, redis: Redis, clock: Clock
) -> None:
    await hook(redis, "wh_1")
    event = await put(outbox, clock)
    [claimed] = (await claim(outbox)).deliveries
    await redis.hset(f"{P}hooks:off", "wh_1", "{}")
    await redis.zadd(f"{P}hooks:next", {"wh_1": 0})
    await claim(outbox)
    assert await redis.zscore(f"{P}hooks:dead:wh_1", event) is not None

    assert await settle(outbox, claimed)

    assert await redis.zscore(f"{P}hooks:dead:wh_1", event) is None
    assert not await settle(outbox, claimed)


async def test_settling_once_more_after_a_lost_answer_is_right(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await hook(redis, "wh_a")
    await put(outbox, clock)
    [leased] = (await claim(outbox)).deliveries

    assert [await settle(outbox, leased) for _ in range(2)] == [True, False]

    assert (await balanced(redis))["delivered"] == 1


async def test_an_attempt_and_what_follows_are_noted_together(
    outbox: RedisOutbox, store: Store, redis: Redis, clock: Clock
) -> None:
    await hook(redis, "wh_a")
    event = await put(outbox, clock)
    [leased] = (await claim(outbox)).deliveries

    await settle(outbox, leased, AGAIN)
    [waiting] = await Archive(store, "default").deliveries_of(event)
    clock.advance(seconds=5)
    [again] = (await claim(outbox)).deliveries
    await settle(outbox, again, DEAD)
    [dead] = await Archive(store, "default").deliveries_of(event)

    assert (waiting.status, len(waiting.attempts), waiting.next_attempt_at) == (
        "pending", 1, NOON + timedelta(seconds=5)
    )  # fmt: skip
    assert again.attempt == 2
    assert (dead.status, len(dead.attempts), dead.reason, dead.next_attempt_at) == ("dead", 2, "status 500", None)


async def test_an_attempt_that_was_our_fault_is_not_counted(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await hook(redis, "wh_a")
    event = await put(outbox, clock)
    [leased] = (await claim(outbox)).deliveries

    await settle(outbox, leased, replace(AGAIN, follows="postponed", outcome="hindered", entry=b""))
    clock.advance(seconds=5)

    assert of(await claim(outbox)) == [(event, 1)]
    assert await redis.exists(f"{P}hooks:health") == 0


async def test_an_event_and_its_deliveries_are_stored_all_or_none(
    outbox: RedisOutbox, redis: Redis, clock: Clock
) -> None:
    """And one that is posted again is none, even where a webhook was added since."""
    for number in range(3):
        await hook(redis, f"wh_{number}")

    first = await outbox.put(new_id("evt", NOON), "WZ_A", b"{}", once="x")
    await hook(redis, "wh_3")
    again = await outbox.put(new_id("evt", NOON), "WZ_A", b"{}", once="x")
    clock.advance(hours=24)
    await redis.delete(f"{P}events:once:x")  # as the store does by its own clock
    later = await outbox.put(new_id("evt", NOON), "WZ_A", b"{}", once="x")

    assert (first.deliveries, first.duplicate) == (3, False)
    assert again == replace(first, duplicate=True)
    assert (later.deliveries, later.duplicate) == (4, False)
    assert (await balanced(redis))["accepted"] == 7


async def test_everything_that_is_kept_has_an_end(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await hook(redis, "wh_a")
    await put(outbox, clock, once="x", waiter="somewhere")
    await settle(outbox, (await claim(outbox)).deliveries[0])

    days = {}
    for kind in ("events:e:*", "events:once:*", "events:wait:*", "hooks:d:*"):
        [name] = await redis.keys(P.replace("{", "\\{").replace("}", "\\}") + kind)
        days[kind] = round(await redis.pttl(name) / 86_400_000, 3)

    assert days == {"events:e:*": 10, "events:once:*": 1, "events:wait:*": 0.001, "hooks:d:*": 10}


async def test_an_event_that_is_gone_ends_its_delivery(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await hook(redis, "wh_a")
    event = await put(outbox, clock)
    await redis.delete(f"{P}events:e:{event}")

    assert of(await claim(outbox)) == []

    assert (await balanced(redis))["dead"] == 1


# --- fair turns -----------------------------------------------------------------------------------


async def test_a_webhook_with_much_to_do_starves_no_other(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await pile(redis, outbox, clock, "wh_busy", 10_000)
    await hook(redis, "wh_other", "WZ_A")
    event = await put(outbox, clock)

    claims = await claim(outbox)

    assert Counter(one.webhook_id for one in claims.deliveries) == {"wh_busy": 16, "wh_other": 1}
    assert (event, 1) in of(claims)


async def test_however_many_are_busy_the_next_free_place_is_for_who_has_none(
    outbox: RedisOutbox, redis: Redis, clock: Clock
) -> None:
    """All places were taken by webhooks whose deliveries have been due for longer, and one place becomes free."""
    for number in range(4):
        await pile(redis, outbox, clock, f"wh_{number}", 100)
    full = await claim(outbox)
    await hook(redis, "wh_late", "WZ_LATE")
    await redis.hset(f"{P}hooks:wants", mapping={f"wh_{number}": "WZ_A" for number in range(4)})
    await put(outbox, clock, "WZ_LATE")

    one_place = await claim(outbox, most=1, held={f"wh_{number}": 16 for number in range(3)} | {"wh_3": 15})

    assert Counter(one.webhook_id for one in full.deliveries) == {f"wh_{number}": 16 for number in range(4)}
    assert [one.webhook_id for one in one_place.deliveries] == ["wh_late"]


async def test_nobody_has_more_under_way_than_the_cap(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await pile(redis, outbox, clock, "wh_busy", 100)

    some = await claim(outbox, held={"wh_busy": 13})
    none = await claim(outbox, held={"wh_busy": 16})

    assert (len(some.deliveries), len(none.deliveries)) == (3, 0)
    assert none.next_in is None


async def test_with_no_place_free_nobody_asks_again_at_once(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    """Who did would do nothing else until a place becomes free."""
    await pile(redis, outbox, clock, "wh_busy", 100)

    assert (await claim(outbox, most=0)).next_in is None
    assert (await claim(outbox, most=8)).next_in is None


async def test_who_waits_is_told_until_when(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    await hook(redis, "wh_a")
    assert (await claim(outbox)).next_in is None

    await put(outbox, clock)
    await settle(outbox, (await claim(outbox)).deliveries[0], AGAIN)

    assert (await claim(outbox)).next_in == timedelta(seconds=5)


async def test_a_webhook_that_is_gone_leaves_nothing_behind(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    """However much was pending, and whenever it would have been due."""
    await pile(redis, outbox, clock, "wh_gone", 250)
    await redis.hdel(f"{P}hooks:wants", "wh_gone")
    await redis.hdel(f"{P}hooks:all", "wh_gone")
    await redis.zadd(f"{P}hooks:next", {"wh_gone": 0})
    clock.time -= timedelta(hours=1)  # They are due in an hour.

    spans = [(await claim(outbox)).next_in for _ in range(3)]

    assert spans == [timedelta(0), timedelta(0), None]
    assert (await balanced(redis))["dead"] == 250
    assert await redis.zcard(f"{P}hooks:next") == 0


async def test_a_claim_costs_the_same_however_much_is_pending(outbox: RedisOutbox, redis: Redis, clock: Clock) -> None:
    """Told by the store: commands of a claim, and the time that it takes, with a wide margin."""
    await pile(redis, outbox, clock, "wh_busy", 200)
    few = await cost(outbox, redis)
    await pile(redis, outbox, clock, "wh_busy", 30_000)
    many = await cost(outbox, redis)

    assert many[0] == few[0]
    assert many[1] < 4 * few[1]


async def cost(outbox: RedisOutbox, redis: Redis) -> tuple[int, float]:
    """Commands for a claim, and microseconds, of the cheapest of some."""
    seen = []
    for _ in range(8):
        await redis.config_resetstat()
        assert len((await claim(outbox)).deliveries) == 16
        stats: Any = await redis.info("commandstats")
        seen.append(
            (
                sum(one["calls"] for name, one in stats.items() if name.startswith("cmdstat_z")),
                stats.get("cmdstat_evalsha", stats.get("cmdstat_eval"))["usec"],
            )
        )
    return seen[-1][0], min(usec for _, usec in seen)
