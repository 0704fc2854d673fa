"""A replica that is killed while it renews Wazzup's token, by real signals, between real processes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.serving import Server, listen
from app.simulator.faults import Fault
from app.simulator.options import Options
from app.simulator.server import create_simulator
from app.simulator.world import World
from tests.doors.driver import serving, settings
from tests.driver import SECRET_KEY
from tests.waiting import wait_until


@pytest.fixture
async def granting() -> AsyncIterator[tuple[str, World]]:
    """A simulated Wazzup on a real socket, which gives tokens."""
    with listen("127.0.0.1", 0) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        simulator = create_simulator(public_url=url, options=Options(access_tokens=frozenset()))
        server = Server(simulator)
        running = asyncio.create_task(server.serve([sock]))
        await wait_until(lambda: server.started)
        yield url, simulator.state.world
        server.should_exit = True
        await running


async def test_the_others_go_on_within_the_leases_few_seconds(
    tmp_path: Path, redis_url: str, redis: Redis, granting: tuple[str, World]
) -> None:
    """The lease has three seconds left at most; the rest is what a request takes, on a machine that may stall."""
    url, world = granting
    given = {
        "REDIS_URL": redis_url,
        "SECRET_KEY": SECRET_KEY,
        "WAZZUP_ACCESS_TOKEN": "",
        "WAZZUP_CLIENT_ID": "demo-client",
        "WAZZUP_REFRESH_TOKEN": "demo-refresh-token",
    }
    async with (
        serving(tmp_path, settings(url, **given)) as dying,
        serving(tmp_path, settings(url, **given)) as alive,
    ):
        world.faults.add(Fault(on="tokens", delay_seconds=60))
        lost = asyncio.gather(dying.link(), return_exceptions=True)
        await wait_until(lambda: len(world.calls_to("tokens")) == 1)
        time = asyncio.get_running_loop().time
        waiting = asyncio.create_task(alive.link())

        dying.process.signal(signal.SIGKILL)
        killed_at = time()
        [lease] = await redis.keys("wg:*:wazzup:token:lock")

        assert 0 < await redis.pttl(lease) <= 3000
        assert (await waiting).status_code == 200
        assert time() - killed_at < 7
        assert len(world.calls_to("tokens")) == 2
        await lost
