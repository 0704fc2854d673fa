"""Who delivers, and on what store: workers beside gateways that deliver nothing, by real processes and signals."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from tests.crm import Crm
from tests.doors.driver import SlowWazzup, command, ended, serving, settings
from tests.driver import ADMIN_KEY, SECRET_KEY
from tests.ports import free_port
from tests.valkeys import valkey_server
from tests.waiting import wait_until

EVENT = {"type": "WZ_CREATE_ENTITY", "data": {"userId": "crm-user-1"}}
KEEPS_NOTHING = ("--save", "")


def given(wazzup: SlowWazzup, redis_url: str, **others: str) -> dict[str, str]:
    return settings(wazzup.url) | {
        "REDIS_URL": redis_url,
        "SECRET_KEY": SECRET_KEY,
        "ADMIN_API_KEYS": ADMIN_KEY,
        "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
        **others,
    }


@pytest.fixture
async def volatile(tmp_path: Path) -> AsyncIterator[str]:
    """A store that keeps nothing over a restart."""
    async with valkey_server(tmp_path, *KEEPS_NOTHING) as port:
        yield f"redis://127.0.0.1:{port}"


async def register(http: httpx.AsyncClient, crm: Crm) -> None:
    answer = await http.post("/webhooks", json={"url": crm.url}, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 201


async def post(http: httpx.AsyncClient) -> None:
    answer = await http.post("/events", json=EVENT, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 202


async def test_a_worker_delivers_for_a_gateway_that_does_not(
    tmp_path: Path, wazzup: SlowWazzup, redis_url: str, crm: Crm
) -> None:
    environment = given(wazzup, redis_url)
    async with serving(tmp_path, environment, "serve", "--no-worker") as gateway:
        await register(gateway.http, crm)
        await post(gateway.http)
        alone = (await gateway.http.get("/health/ready")).json()["checks"]["worker"]
        nothing_yet = len(crm.received)

        async with command(tmp_path, "worker", **environment) as worker:
            await crm.got(1)
            beside = (await gateway.http.get("/health/ready")).json()["checks"]["worker"]
            worker.signal(signal.SIGTERM)
            assert await worker.status() == 0

    assert (alone["status"], nothing_yet) == ("degraded", 0)
    assert "python -m app worker" in alone["reasons"][0]
    assert beside == {"status": "ok", "reasons": []}


async def test_a_worker_that_is_asked_to_end_hands_back_what_takes_too_long(
    tmp_path: Path, wazzup: SlowWazzup, redis_url: str, redis: Redis, crm: Crm
) -> None:
    """Within the ten seconds that orchestrators give; another worker has it at once, and not when its lease ends."""
    environment = given(wazzup, redis_url)
    crm.held = asyncio.Event()
    async with serving(tmp_path, environment, "serve", "--no-worker") as gateway:
        await register(gateway.http, crm)
        async with command(tmp_path, "worker", **environment) as worker:
            await post(gateway.http)
            await crm.got(1)
            time = asyncio.get_running_loop().time
            asked_at = time()
            worker.signal(signal.SIGTERM)
            assert await worker.status() == 0
            assert time() - asked_at < 10
        crm.held.set()

        async with command(tmp_path, "worker", **environment):
            await crm.got(2)

    assert len({received.id for received in crm.received}) == 1


async def test_a_worker_without_a_redis_in_common_says_so(tmp_path: Path, wazzup: SlowWazzup) -> None:
    status, _, complaint = await ended(tmp_path, "worker", **settings(wazzup.url))

    assert (status, "REDIS_URL" in complaint) == (2, True)


@pytest.mark.parametrize("what", ["serve", "worker"])
async def test_a_store_that_may_lose_events_is_refused(
    tmp_path: Path, wazzup: SlowWazzup, volatile: str, what: str
) -> None:
    status, _, complaint = await ended(tmp_path, what, **given(wazzup, volatile))

    assert status == 2
    assert "append-only file is off" in complaint
    assert "ALLOW_VOLATILE_STORE" in complaint


async def test_a_store_that_may_lose_events_and_comes_later_makes_unready_and_is_told(
    tmp_path: Path, wazzup: SlowWazzup
) -> None:
    url = f"redis://127.0.0.1:{(port := free_port())}"
    async with serving(tmp_path, given(wazzup, url)) as gateway:
        away = await gateway.http.get("/health/ready")
        async with valkey_server(tmp_path, *KEEPS_NOTHING, port=port):
            await wait_until(lambda: "store.volatile" in gateway.process.told)
            there = await gateway.http.get("/health/ready")

    assert (away.status_code, there.status_code) == (503, 503)
    assert "append-only file is off" in there.text


async def test_a_store_that_may_lose_events_is_used_when_that_is_allowed_and_told(
    tmp_path: Path, wazzup: SlowWazzup, volatile: str
) -> None:
    async with serving(tmp_path, given(wazzup, volatile, ALLOW_VOLATILE_STORE="true")) as gateway:
        ready = await gateway.http.get("/health/ready")
        await wait_until(lambda: "store.volatile" in gateway.process.told)

    assert (ready.status_code, ready.json()["checks"]["store"]["status"]) == (503, "failed")
