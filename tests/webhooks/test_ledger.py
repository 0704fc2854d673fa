"""Accepted = delivered + pending + dead + unmatched, whatever happens, in whatever order; and any gateway can tell."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from app.ids import made_at, new_id
from app.sealing import KeyRing
from app.store import Store, connected
from app.webhooks.figures import families
from app.webhooks.ledger import OUTCOMES, Figures, ledger_of
from app.webhooks.models import Webhook
from app.webhooks.outbox import LATENCIES, Claimed, Follows, RedisOutbox, Settled, attempt_entry
from app.webhooks.registry import WebhookRegistry
from app.webhooks.replay import Replayer
from tests.crm import Crm, answering, open_crm
from tests.driver import ADMIN_KEY, NOON, SECRET_KEY, Clock, Gateway, running, simulated

ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
KEPT = timedelta(days=7)
LEASE = timedelta(seconds=30)
KIND = "WZ_CREATE_ENTITY"
OURS = "wazzup_gateway_ledger_"


@dataclass
class Account:
    """One account's outbox, and everything that can happen to it."""

    store: Store
    clock: Clock
    claimed: list[Claimed] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        zero = timedelta(0)
        self.outbox = RedisOutbox(self.store, self.clock, "default", kept=KEPT, longest=zero, first_wait=zero)
        self.registry = WebhookRegistry(self.store, KeyRing.of([SECRET_KEY]), self.clock, "default", kept=KEPT)
        self.replayer = Replayer(self.store, self.clock, "default", life=KEPT)

    async def ledger(self) -> Figures:
        return await ledger_of("default", self.store, self.clock.now())

    async def said_to_be_pending(self) -> int:
        """By the ledger's own word."""
        return int(await self.store.do("HGET", "wg:{default}:ledger", "pending") or 0)

    async def listens(self) -> Webhook:
        added = await self.registry.add(
            url="https://crm.example/wazzup", events=(KIND,), description="", headers={}, secret="whsec_"
        )
        self.webhooks.append(added.webhook)
        return added.webhook

    async def happens(self, kind: str = KIND) -> None:
        event_id = new_id("evt", self.clock.now())
        await self.outbox.put(event_id, kind, b'{"type":"WZ_CREATE_ENTITY"}')
        self.events.append(event_id)

    async def claims(self, most: int = 5) -> None:
        self.claimed += (await self.outbox.claim(lease=LEASE, most=most, cap=50, held={})).deliveries

    async def settles(self, follows: Follows, *, outcome: str = "failed", disabled_because: str = "") -> None:
        """The oldest that was claimed; perhaps its lease has ended, and somebody else has settled it."""
        if not self.claimed:
            return
        claimed = self.claimed.pop(0)
        settled = Settled(
            follows=follows,
            outcome="delivered" if follows == "done" else outcome,
            entry=attempt_entry(self.clock.now(), timedelta(0)),
            wait=timedelta(seconds=5),
            dead_because="the test wants it" if follows == "dead" else "",
            disabled_because=disabled_because,
        )
        await self.outbox.settle(claimed, settled, accepted_at=made_at(claimed.event_id))


@pytest.fixture
async def account(redis_url: str, clock: Clock) -> AsyncIterator[Account]:
    async with connected(redis_url, clock) as store:
        yield Account(store, clock)


def deeds(account: Account, chance: random.Random) -> list[Callable[[], Awaitable[object]]]:
    """Everything that callers, CRMs, admins and workers do, the usual more often."""

    async def somebody_else_settles() -> None:
        if account.claimed:
            account.claimed.insert(0, account.claimed[0])
            await account.settles("done")
            await account.settles("dead")

    async def a_worker_ends() -> None:
        await account.outbox.hand_back(account.claimed[:2])

    async def a_worker_dies() -> None:
        account.claimed.clear()

    async def an_admin_turns() -> None:
        if account.webhooks:
            webhook = chance.choice(account.webhooks)
            await account.registry.disable(webhook, "the test wants it")
            if chance.random() < 0.7:
                await account.registry.enable(webhook)

    async def an_admin_deletes() -> None:
        if account.webhooks:
            await account.registry.delete(account.webhooks.pop(chance.randrange(len(account.webhooks))).id)

    async def replayed() -> None:
        if account.webhooks:
            hook = chance.choice(account.webhooks).id
            which = chance.choice(("dead", "missed", "all"))
            until = account.clock.now() + timedelta(hours=1)
            await account.replayer.replay(hook, which, since=NOON, until=until)  # type: ignore[arg-type]

    async def an_event_replayed() -> None:
        if account.events:
            await account.replayer.replay_event(chance.choice(account.events), KIND)

    async def time_passes() -> None:
        account.clock.advance(seconds=chance.choice((0.05, 1, 10, 60)))

    async def is_settled(follows: Follows) -> None:
        await account.settles(follows)

    return [
        *(4 * [account.happens]),
        lambda: account.happens("WZ_OF_NO_INTEREST"),
        *(3 * [account.claims]),
        *(3 * [lambda: is_settled("done")]),
        lambda: is_settled("again"),
        lambda: is_settled("dead"),
        lambda: is_settled("postponed"),
        lambda: account.settles("dead", disabled_because="410"),
        *(2 * [time_passes]),
        *(account.listens, somebody_else_settles, a_worker_ends, a_worker_dies),
        *(an_admin_turns, an_admin_deletes, replayed, an_event_replayed),
    ]


@pytest.mark.parametrize("seed", range(5))
async def test_the_ledger_balances_after_every_step_of_a_random_walk(account: Account, seed: int) -> None:
    chance = random.Random(seed)
    done = deeds(account, chance)
    await account.listens()

    for step in range(300):
        await chance.choice(done)()
        found = await account.ledger()
        assert (step, found.balance, found.pending) == (step, 0, await account.said_to_be_pending())

    assert min(found.delivered, found.dead, found.unmatched) > 0
    assert sum(found.latencies) == found.delivered == found.attempts["delivered"]


async def test_a_delivery_that_nobody_would_ever_find_shows_in_the_balance(account: Account, redis: Redis) -> None:
    """What would be a lost event: it stands in no set any more, and the ledger's own word still counts it."""
    webhook = await account.listens()
    await account.happens()
    await redis.delete(f"wg:{{default}}:hooks:due:{webhook.id}")

    assert (await account.ledger()).balance == 1


async def test_a_webhook_that_no_worker_would_look_at_shows_in_the_balance(account: Account, redis: Redis) -> None:
    await account.listens()
    await account.happens()
    await redis.delete("wg:{default}:hooks:next")

    assert (await account.ledger()).balance == 1


async def test_what_a_deleted_webhook_had_pending_is_counted_until_it_is_dead(account: Account) -> None:
    webhook = await account.listens()
    await account.happens()
    await account.registry.delete(webhook.id)
    before = await account.ledger()
    await account.claims()
    after = await account.ledger()

    assert (before.pending, before.dead, before.balance) == (1, 0, 0)
    assert (after.pending, after.dead, after.balance) == (0, 1, 0)
    assert before.depths == after.depths == {}


async def test_how_late_the_oldest_delivery_is_begins_when_it_is_due(account: Account) -> None:
    await account.listens()
    await account.happens()
    account.clock.advance(minutes=6)
    late = (await account.ledger()).overdue
    await account.claims()
    under_way = (await account.ledger()).overdue
    account.clock.advance(minutes=1)
    worker_died = (await account.ledger()).overdue

    assert late == timedelta(minutes=6)
    assert under_way == timedelta(0)
    assert worker_died == timedelta(seconds=30)


async def test_what_is_pending_is_told_for_each_webhook(account: Account) -> None:
    one, other = await account.listens(), await account.listens()
    await account.happens()
    await account.happens()
    await account.claims(1)
    await account.settles("done")

    depths = (await account.ledger()).depths
    assert sorted(depths.values()) == [1, 2]
    assert set(depths) == {one.id, other.id}


async def test_an_account_where_nothing_has_happened_has_a_ledger_of_zeros(account: Account) -> None:
    found = await account.ledger()

    assert (found.accepted, found.balance, found.overdue, found.enabled) == (0, 0, timedelta(0), 0)
    assert found.attempts == {"delivered": 0, "failed": 0, "hindered": 0, "refused": 0}


# ---- as Prometheus reads it ---------------------------------------------------------------------


async def test_the_histogram_is_cumulative_and_complete(account: Account) -> None:
    """One delivery for each bucket, and one that took longer than all of them."""
    await account.listens()
    for seconds in (*LATENCIES, 100_000):
        await account.happens()
        await account.claims(1)
        account.clock.advance(seconds=seconds)
        await account.settles("done")

    [histogram] = [one for one in families({"default": await account.ledger()}) if one.type == "histogram"]

    values = {(one.name.removeprefix(histogram.name), one.labels.get("le")): one.value for one in histogram.samples}
    bounds = [str(float(bound)) for bound in LATENCIES] + ["+Inf"]
    assert [values["_bucket", bound] for bound in bounds] == list(range(1, len(LATENCIES) + 2))
    assert values["_count", None] == len(LATENCIES) + 1
    assert values["_sum", None] == pytest.approx(sum(LATENCIES) + 100_000)


def test_every_family_says_whose_it_is_and_has_one_sample_for_each_account() -> None:
    nothing = Figures(
        accepted=0, delivered=0, pending=0, dead=0, unmatched=0, overdue=timedelta(0), depths={}, enabled=0, disabled=0,
        attempts=dict.fromkeys(OUTCOMES, 0), latencies=[0] * (len(LATENCIES) + 1), latency=timedelta(0),
    )  # fmt: skip

    found = list(families({"north": nothing, "south": nothing}))

    assert {one.name for one in found if "never the sum" not in one.documentation} == set()
    assert {one.name for one in found if not one.name.startswith(OURS)} == set()
    accounts = {one.name: {sample.labels["account"] for sample in one.samples} for one in found}
    assert {name for name, told in accounts.items() if told != {"north", "south"}} == {f"{OURS}webhook_pending"}


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    async with open_crm() as crm:
        yield crm


async def told(gateway: Gateway) -> dict[str, float]:
    """What a gateway tells of the ledger: `name{labels}` without the account, and its value."""
    answer = await gateway.http.get("/metrics")
    assert answer.status_code == 200
    return {
        one.name.removeprefix(OURS) + "".join(f" {what}" for name, what in one.labels.items() if name != "account"): (
            one.value
        )
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
        if one.name.startswith(OURS)
    }


async def post(gateway: Gateway, kind: str = KIND) -> httpx.Response:
    """An event, once every webhook was tried."""
    body = {"type": kind, "data": {"userId": "crm-user-1"}}
    answer = await gateway.http.post("/events", json=body, headers=ADMIN | {"Prefer": "wait=10"})
    assert answer.status_code == 200
    return answer


async def test_two_gateways_tell_the_same_ledger_after_everything_that_can_happen(redis_url: str, crm: Crm) -> None:
    """Delivered, failed, dead, sent again, unmatched: also the one that delivers nothing itself."""
    settings: dict[str, Any] = {"webhook_allow_networks": "127.0.0.0/8", "webhook_retry_seconds": "0,3600"}
    wazzup = simulated()
    async with (
        running(redis_url, wazzup=wazzup, **settings) as one,
        running(redis_url, wazzup=wazzup, delivers=False, **settings) as other,
    ):
        made = await one.http.post("/webhooks", json={"url": crm.url, "events": [KIND]}, headers=ADMIN)
        webhook = made.json()["id"]
        delivered = await post(one)
        await post(other)
        await post(one, "WZ_OF_NO_INTEREST")
        crm.answers(500)
        await post(other)
        crm.mood = answering(410)
        dead = await post(one)
        crm.mood = answering(200)
        await one.http.patch(f"/webhooks/{webhook}", json={"enabled": True}, headers=ADMIN)
        delivery = f"{dead.json()['id']}:{webhook}"
        again = await other.http.post(f"/deliveries/{delivery}/retry", headers=ADMIN)
        replayed = await one.http.post(f"/events/{delivered.json()['id']}/replay", headers=ADMIN)
        async with asyncio.timeout(10):
            while (ledger := await told(one))["delivered_total"] < 4:
                assert ledger["balance"] == 0
        assert await told(other) == ledger

    assert (again.status_code, replayed.status_code) == (202, 200)
    assert ledger["balance"] == 0
    named = ("accepted_total", "delivered_total", "pending", "dead", "unmatched_total")
    assert [ledger[name] for name in named] == [6, 4, 1, 0, 1]
    assert (ledger["attempts_total failed"], ledger["attempts_total refused"]) == (1, 1)
    assert ledger["delivery_seconds_count"] == 4
    assert ledger["webhooks enabled"] == 1


async def test_without_the_store_a_gateway_still_tells_of_itself_and_that_the_store_is_gone() -> None:
    async with running("unix:///nobody/listens/here") as gateway:
        await gateway.link()
        metrics = (await gateway.http.get("/metrics")).text
        ledger = await told(gateway)

    assert "wazzup_gateway_store_up 0.0" in metrics
    assert 'wazzup_gateway_links_total{account="default"' in metrics
    assert ledger == {}


async def test_with_the_store_there_a_gateway_says_so(gateway: Gateway) -> None:
    assert "wazzup_gateway_store_up 1.0" in (await gateway.http.get("/metrics")).text
