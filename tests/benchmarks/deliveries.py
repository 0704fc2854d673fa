"""What deliveries cost: to accept, to send, to wait, to lie in the store; beside loops that do as little as can be."""

import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import httpx
import orjson
from httpx_aiohttp import AiohttpTransport
from redis.asyncio import Redis

from app.clock import SystemClock
from app.ids import new_id
from app.sealing import KeyRing
from app.store import Store, connected
from app.webhooks.channel import webhook_client
from app.webhooks.egress import Egress
from app.webhooks.outbox import RedisOutbox
from app.webhooks.registry import WebhookRegistry
from app.webhooks.signing import new_secret
from tests.benchmarks.load import Run, closed_loop, middle, request
from tests.chaos.processes import Victim, worker

SECRET_KEY = "benchmark-benchmark-benchmark-benchmark"
KEY = "bench-key"
DELIVERIES = int(os.environ.get("BENCH_DELIVERIES", "10000"))
PENDING = int(os.environ.get("BENCH_PENDING", "1000000"))
CONCURRENCY = 16
DATA = {
    "userId": "crm-user-1",
    "chatType": "whatsapp",
    "chatId": "37111234567",
    "channelId": "x" * 36,
    "note": "y" * 133,
}
EVENT = {"type": "WZ_CREATE_ENTITY", "data": DATA}  # 300 bytes


@dataclass(frozen=True)
class Crm:
    """The CRM of `baselines`, in a process of its own."""

    http: httpx.AsyncClient
    url: str

    async def forget(self) -> None:
        await self.http.delete(self.url)

    async def has(self, number: int) -> float:
        """When it has so many."""
        while (await self.http.get(self.url)).json() < number:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
        return time.perf_counter()

    async def latencies(self) -> list[float]:
        return sorted((await self.http.get(f"{self.url}/latencies")).json())


async def deliveries(redis: str, gateway: str, bare: str, crm_url: str, home: Path) -> None:
    """Every figure, in turn. `gateway` delivers nothing itself."""
    async with (
        connected(redis, SystemClock()) as store,
        Redis.from_url(redis) as client,
        httpx.AsyncClient(timeout=None) as http,
    ):
        bench, crm = Bench(store, client, _settings(redis), home), Crm(http, crm_url)
        for figure in (
            bench.memory(crm),
            bench.claims(crm),
            bench.accepted(gateway, bare),
            bench.rate(crm),
            bench.latency(gateway, crm),
        ):
            await client.flushall()
            await figure


@dataclass
class Bench:
    """The figures, and what they are taken with."""

    store: Store
    redis: Redis
    settings: dict[str, str]
    home: Path

    @property
    def outbox(self) -> RedisOutbox:
        week = timedelta(days=7)
        return RedisOutbox(self.store, SystemClock(), "default", kept=week, longest=week / 2, first_wait=timedelta(0))

    async def register(self, url: str) -> str:
        registry = WebhookRegistry(
            self.store, KeyRing.of([SECRET_KEY]), SystemClock(), "default", kept=timedelta(days=7)
        )
        made = await registry.add(url=url, events=("*",), description="", headers={}, secret=new_secret())
        return made.webhook.id

    async def put(self, number: int) -> None:
        """So many events, as the gateway would have written them, each with an id of its page's."""
        outbox, clock = self.outbox, SystemClock()
        for start in range(0, number, 500):
            ids = [new_id("evt", clock.now()) for _ in range(min(500, number - start))]
            puts = (outbox.put(one, "WZ_CREATE_ENTITY", _message(one), once=one[-16:] * 2) for one in ids)
            await asyncio.gather(*puts)

    async def memory(self, crm: Crm) -> None:
        await self.register(crm.url)
        await self.put(100)
        before = (await self.redis.info("memory"))["used_memory"]
        await self.put(20_000)
        each = ((await self.redis.info("memory"))["used_memory"] - before) / 20_000
        print(f"\nin the store           {each:.0f} bytes for a pending delivery of a 300-byte event")

    async def claims(self, crm: Crm) -> None:
        await self.register(crm.url)
        await self.put(1_000)
        few = await self._claim_cost()
        await self.put(PENDING - 1_000)
        many = await self._claim_cost()
        print(f"a claim of 16 costs    {few:.2f} ms at 1,000 pending, {many:.2f} ms at {PENDING:,}: {many / few:.2f}")

    async def _claim_cost(self) -> float:
        taken = []
        for _ in range(60):
            began = time.perf_counter()
            claims = await self.outbox.claim(lease=timedelta(hours=1), most=16, cap=16, held={})
            taken.append((time.perf_counter() - began) * 1000)
            await self.outbox.hand_back(claims.deliveries)
        return statistics.median(taken)

    async def accepted(self, gateway: str, bare: str) -> None:
        body = orjson.dumps(EVENT)
        ours: list[Run] = []
        theirs: list[Run] = []
        for _ in range(5):
            for url, runs in ((gateway, ours), (bare, theirs)):
                asked = [request(f"{url}/events", body, KEY)]
                runs.append(await closed_loop(url, asked, connections=CONCURRENCY, seconds=2))
        ratio = statistics.median(a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True))
        print(
            f"events accepted        {middle(ours).per_second:.0f}/s; a bare app with one equal write "
            f"{middle(theirs).per_second:.0f}/s: {ratio:.2f}"
        )

    async def rate(self, crm: Crm) -> None:
        ours, theirs, cpu = [], [], []
        await self.register(crm.url)
        for number in range(3):
            theirs.append(await _bare_loop(crm.url, DELIVERIES))
            await self.put(DELIVERIES)
            await crm.forget()
            process = worker(self.home, number, self.settings)
            process.start()
            first = await crm.has(1)
            before, came = process.cpu_seconds(), (await crm.http.get(crm.url)).json()
            done = await crm.has(DELIVERIES)
            ours.append((DELIVERIES - came) / (done - first))
            cpu.append((process.cpu_seconds() - before) / (DELIVERIES - came) * 1000)
            process.end()
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        print(
            f"deliveries             {statistics.median(ours):.0f}/s by one worker; a bare loop with the same client "
            f"{statistics.median(theirs):.0f}/s: {ratio:.2f}; {statistics.median(cpu):.2f} ms of CPU each"
        )

    async def latency(self, gateway: str, crm: Crm) -> None:
        process = worker(self.home, 9, self.settings)
        process.start()
        await self.register(crm.url)
        await asyncio.sleep(2)
        alone = await self._open_loop(gateway, crm)
        await self.register(f"{crm.url}/hangs")
        beside = await self._open_loop(gateway, crm)
        print(f"request to receipt     p50 {alone[0]:.1f} ms, p99 {alone[1]:.1f} ms at 200 events/s")
        print(f"  beside one that hangs p50 {beside[0]:.1f} ms, p99 {beside[1]:.1f} ms: {beside[1] / alone[1]:.2f}")
        await self.redis.flushall()
        idle = await _idle(process)
        process.end()
        print(f"a worker at rest       {idle * 100:.2f} % of a core")

    async def _open_loop(self, gateway: str, crm: Crm) -> tuple[float, float]:
        await crm.forget()
        async with httpx.AsyncClient(transport=AiohttpTransport(), headers={"Authorization": f"Bearer {KEY}"}) as http:
            began, posts = time.perf_counter(), []
            for number in range(2_000):
                await asyncio.sleep(max(0.0, began + number / 200 - time.perf_counter()))
                posts.append(asyncio.create_task(http.post(f"{gateway}/events", json=EVENT)))
            await asyncio.gather(*posts)
        await crm.has(2_000)
        ranked = await crm.latencies()
        return ranked[len(ranked) // 2] * 1000, ranked[len(ranked) * 99 // 100] * 1000


async def _idle(process: Victim) -> float:
    """The share of a core that a worker uses with nothing to do."""
    await asyncio.sleep(20)  # until what hangs has timed out
    before = process.cpu_seconds()
    await asyncio.sleep(10)
    return (process.cpu_seconds() - before) / 10


async def _bare_loop(url: str, number: int) -> float:
    """Posts the same bytes with the same client, as many at a time, and does nothing else."""
    transport = webhook_client(_egress(), connections=CONCURRENCY, proxies_from_environment=False)
    body = _message(new_id("evt", SystemClock().now()))
    left = iter(range(number))

    async def post(http: httpx.AsyncClient) -> None:
        for _ in left:
            await http.post(url, content=body, headers={"content-type": "application/json"})

    async with httpx.AsyncClient(transport=transport) as http:
        began = time.perf_counter()
        await asyncio.gather(*(post(http) for _ in range(CONCURRENCY)))
        return number / (time.perf_counter() - began)


def _egress() -> Egress:
    return Egress([ip_network("127.0.0.0/8")])


def _message(event_id: str) -> bytes:
    now = "2026-11-22T10:00:00.000000Z"
    context = {"user_id": "crm-user-1", "trust": "browser", "received_at": now, "occurred_at": None}
    return orjson.dumps({"id": event_id, **EVENT, "timestamp": now, "account": "default", "context": context})


def _settings(redis: str) -> dict[str, str]:
    return {
        "REDIS_URL": redis,
        "SECRET_KEY": SECRET_KEY,
        "API_KEYS": KEY,
        "WAZZUP_ACCESS_TOKEN": "none",
        "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
    }
