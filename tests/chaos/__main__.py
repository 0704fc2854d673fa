"""`make chaos`: load, and kill -9 of anything by a seeded plan. At the end nothing that was accepted may be missing.

CHAOS_EVENTS, CHAOS_KILLS, CHAOS_SEED and CHAOS_RATE (events a second) choose how much; CI runs a short form.
"""

import asyncio
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from httpx_aiohttp import AiohttpTransport
from redis.asyncio import Redis

from tests.chaos.processes import Victim, gateway, store, worker
from tests.chaos.receivers import Receiver, open_receivers
from tests.ports import free_port

EVENTS = int(os.environ.get("CHAOS_EVENTS", "100000"))
KILLS = int(os.environ.get("CHAOS_KILLS", "100"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
RATE = float(os.environ.get("CHAOS_RATE", "150"))
TYPES = ("WZ_CREATE_ENTITY", "WZ_OPEN_ENTITY", "WZ_SOMETHING_NEW")
ADMIN_KEY = "chaos-admin-key-chaos-admin-key"
TIMEOUT = 2
# Beyond the lease, which outlives the time-out by 15 s.
FROZEN = TIMEOUT + 17.0
# Seconds in which everything that is left must be delivered.
PATIENCE = 300.0


@dataclass
class Page:
    """Posts events as a good page does: again and again, with the same id, until the gateway has it."""

    http: httpx.AsyncClient
    gateways: Sequence[str]
    chance: random.Random
    accepted: dict[str, str] = field(default_factory=dict)
    repeats: int = 0

    async def post(self, number: int) -> None:
        kind = TYPES[number % len(TYPES)]
        body = {"type": kind, "id": f"event-{number}", "data": {"userId": "u", "chatId": "37111234567", "n": number}}
        while True:
            try:
                answer = await self.http.post(f"{self.chance.choice(self.gateways)}/events", json=body, timeout=10)
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 202:
                self.accepted[answer.json()["id"]] = kind
                return
            assert answer is None or answer.status_code in {502, 503}, answer.text
            self.repeats += 1
            await asyncio.sleep(self.chance.uniform(0.1, 0.5))


async def main() -> None:
    """Runs it all, and fails if anything was lost."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home, ports = Path(folder), [free_port() for _ in range(3)]
        settings = _settings(home, ports[0])
        victims = [
            store(home, ports[0]),
            *(gateway(home, number, port, settings) for number, port in enumerate(ports[1:], 1)),
            *(worker(home, number, settings) for number in (1, 2)),
        ]
        for victim in victims:
            victim.start()
            await asyncio.sleep(0.3)
        try:
            lost = await _ordeal(victims, [f"http://127.0.0.1:{port}" for port in ports[1:]], ports[0])
        finally:
            statuses = [victim.end() for victim in reversed(victims)]
    print(f"ended with             {statuses}; all of it took {time.monotonic() - began:.0f} s")
    if lost or any(statuses[:-1]):
        sys.exit("CHAOS FAILED")


async def _ordeal(victims: list[Victim], gateways: list[str], port: int) -> bool:
    async with (
        open_receivers(SEED) as receivers,
        httpx.AsyncClient(transport=AiohttpTransport(), headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as http,
    ):
        await _until_ready(http, gateways)
        for receiver in receivers:
            await _register(http, gateways[0], receiver)
        page = Page(http, gateways, random.Random(SEED))
        plan = asyncio.create_task(_kill(victims, random.Random(SEED), over=EVENTS / RATE))
        await _load(page)
        await plan
        async with Redis.from_url(f"redis://127.0.0.1:{port}", decode_responses=True) as redis:
            await _drained(redis)
            return await _verdict(page, receivers, redis, victims)


async def _register(http: httpx.AsyncClient, url: str, receiver: Receiver) -> None:
    wanted = ["*"] if receiver.name != "slow" else ["WZ_CREATE_ENTITY"]
    answer = await http.post(f"{url}/webhooks", json={"url": receiver.url, "events": wanted})
    receiver.secret = answer.raise_for_status().json()["secret"]


async def _load(page: Page) -> None:
    """An open loop: events come at their rate, whatever becomes of the others."""
    started, under_way = time.monotonic(), set[asyncio.Task[None]]()
    for number in range(EVENTS):
        await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
        under_way.add(task := asyncio.create_task(page.post(number)))
        task.add_done_callback(under_way.discard)
        if len(under_way) > 2_000:  # A page's patience has an end, and so has this machine.
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*under_way)


async def _kill(victims: list[Victim], chance: random.Random, *, over: float) -> None:
    for number in range(KILLS):
        await asyncio.sleep(over / (KILLS + 1))
        victim = chance.choice(victims)
        if victim.name.startswith("worker") and number % 10 == 5:
            asyncio.get_running_loop().create_task(_frozen(victim))
            continue
        victim.kill()
        await asyncio.sleep(chance.uniform(0, 0.5))
        victim.start()


async def _frozen(victim: Victim) -> None:
    frozen = victim.process
    victim.freeze()
    await asyncio.sleep(FROZEN)
    if victim.process is frozen:
        victim.thaw()


async def _drained(redis: Redis) -> None:
    ends_at = time.monotonic() + PATIENCE
    while time.monotonic() < ends_at:
        with suppress(Exception):
            if int(await redis.hget("wg:{default}:ledger", "pending") or 0) == 0:
                return
        await asyncio.sleep(0.5)


async def _verdict(page: Page, receivers: list[Receiver], redis: Redis, victims: list[Victim]) -> bool:
    ledger = {str(name): float(value) for name, value in (await redis.hgetall("wg:{default}:ledger")).items()}
    balance = ledger["accepted"] - sum(ledger.get(name, 0) for name in ("delivered", "pending", "dead", "unmatched"))
    missing: Counter[str] = Counter()
    for receiver in receivers:
        wanted = {event for event, kind in page.accepted.items() if receiver.name != "slow" or kind == TYPES[0]}
        missing[receiver.name] = len(wanted - receiver.accepted.keys())
    deliveries = sum(len(receiver.accepted) for receiver in receivers)
    duplicates = sum(sum(receiver.accepted.values()) - len(receiver.accepted) for receiver in receivers)
    deaths = ", ".join(f"{victim.name} {victim.deaths}" for victim in victims)
    print(f"seed {SEED}: killed            {deaths}")
    print(f"events accepted        {len(page.accepted)} of {EVENTS}, after {page.repeats} repeated posts")
    print(f"deliveries             {deliveries}, dead {ledger.get('dead', 0):.0f}, pending {ledger['pending']:.0f}")
    print(f"said yes to twice      {duplicates}: cut between the answer and our note of it, or frozen beyond a lease")
    print(f"missing                {dict(missing)}; forged {sum(receiver.forged for receiver in receivers)}")
    print(f"ledger                 {balance:.0f} off balance")
    dead, forged = ledger.get("dead", 0), sum(receiver.forged for receiver in receivers)
    unaccounted = sum(missing.values()) - dead
    return bool(unaccounted > 0 or forged or balance or ledger["pending"] or len(page.accepted) < EVENTS)


async def _until_ready(http: httpx.AsyncClient, gateways: Sequence[str]) -> None:
    for url in gateways:
        for _ in range(200):
            with suppress(httpx.HTTPError):
                if (await http.get(f"{url}/health/live")).status_code == 200:
                    break
            await asyncio.sleep(0.1)


def _settings(home: Path, store_port: int) -> dict[str, str]:
    return {
        "REDIS_URL": f"redis://127.0.0.1:{store_port}",
        "SECRET_KEY": "chaos-secret-chaos-secret-chaos-secret",
        "DATA_DIR": str(home / "data"),
        "ADMIN_API_KEYS": ADMIN_KEY,
        "WAZZUP_ACCESS_TOKEN": "none",
        "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_TIMEOUT_SECONDS": str(TIMEOUT),
        "WEBHOOK_RETRY_SECONDS": ",".join(["0", *["1"] * 40]),
        "LOG_LEVEL": "warning",
    }


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # Servers that are told to hang up complain of it.
    asyncio.run(main())
