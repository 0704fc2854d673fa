"""The door to Redis: an answer soon or `StoreUnavailable`, whatever kind of Redis it is."""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from app.errors import StoreUnavailable
from app.redis_clients import PATIENCE
from app.store import Script, Store, connected
from tests.crm import open_crm
from tests.driver import Clock, running
from tests.ports import free_port
from tests.valkeys import FORMS, valkey_server
from tests.waiting import eventually

ECHO = Script("return {KEYS[1], ARGV[1]}")
A_SECOND = 3.0  # for the store, and two more for a machine that stalls


@dataclass(frozen=True)
class Silent:
    """Takes connections and commands, and answers nothing."""

    listening: socket.socket

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.listening.getsockname()[1]}"

    def connections(self) -> int:
        """How many came since it was last asked."""
        for count in itertools.count():
            try:
                self.listening.accept()[0].close()
            except BlockingIOError:
                return count
        raise AssertionError


@pytest.fixture
def silent() -> Iterator[Silent]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        listening.setblocking(False)
        yield Silent(listening)


@pytest.fixture
async def store(redis_url: str, clock: Clock) -> AsyncIterator[Store]:
    async with connected(redis_url, clock) as store:
        yield store


# --- an answer soon -------------------------------------------------------------------------------


async def test_a_command_is_answered(store: Store) -> None:
    await store.do("SET", "deal", b"\x00kept", "EX", 60)

    assert await store.do("GET", "deal") == b"\x00kept"


async def test_commands_that_come_together_get_each_their_own_answer(store: Store) -> None:
    await asyncio.gather(*(store.do("SET", f"key-{n}", n) for n in range(300)))

    answers = await asyncio.gather(*(store.do("GET", f"key-{n}") for n in range(300)))

    assert answers == [str(n).encode() for n in range(300)]


@pytest.mark.parametrize("form", FORMS)
async def test_when_nobody_listens_this_is_known_within_a_second(clock: Clock, form: str) -> None:
    async with connected(form.format(port=free_port()), clock) as store:
        async with asyncio.timeout(A_SECOND):
            with pytest.raises(StoreUnavailable):
                await store.do("GET", "deal")


@pytest.mark.hurried
async def test_a_store_that_never_answers_is_given_up_within_a_second(silent: Silent, clock: Clock) -> None:
    async with connected(silent.url, clock) as store:
        async with asyncio.timeout(A_SECOND):
            with pytest.raises(StoreUnavailable):
                await store.run(ECHO, keys=("key",), args=("value",))


@pytest.mark.hurried
async def test_a_process_that_stalls_does_not_blame_the_store(store: Store, redis: Redis) -> None:
    await store.do("SET", "deal", "D-1")
    await redis.client_pause(200)
    asking = asyncio.create_task(store.do("GET", "deal"))
    await asyncio.sleep(0.01)  # Now it is on its way, and the answer will be there when we look again.

    time.sleep(2 * PATIENCE)  # noqa: ASYNC251 - that is the stall

    assert await asking == b"D-1"


@pytest.mark.hurried
async def test_after_a_failure_nobody_waits_in_vain_for_a_second(silent: Silent, clock: Clock) -> None:
    async with connected(silent.url, clock) as store:
        with pytest.raises(StoreUnavailable):
            await store.do("GET", "deal")
        assert silent.connections() > 0

        clock.advance(seconds=0.99)
        async with asyncio.timeout(0.1):
            with pytest.raises(StoreUnavailable):
                await store.do("GET", "deal")

        assert silent.connections() == 0


@pytest.mark.hurried
async def test_those_who_wait_together_in_vain_wait_only_once(silent: Silent, clock: Clock) -> None:
    async with connected(silent.url, clock) as store:
        async with asyncio.timeout(A_SECOND):
            answers = await asyncio.gather(*(store.do("GET", "deal") for _ in range(300)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {StoreUnavailable}


async def test_a_store_that_is_back_is_noticed_after_the_hold_off(tmp_path: Path, clock: Clock) -> None:
    port = free_port()
    async with connected(f"redis://127.0.0.1:{port}", clock) as store:
        with pytest.raises(StoreUnavailable):
            await store.do("PING")
        async with valkey_server(tmp_path, port=port):
            with pytest.raises(StoreUnavailable):
                await store.do("PING")

            clock.advance(seconds=1)

            assert await store.do("SET", "deal", "kept")


async def test_a_store_that_was_restarted_is_used_at_once(tmp_path: Path, clock: Clock) -> None:
    port = free_port()
    async with connected(f"redis://127.0.0.1:{port}", clock) as store:
        async with valkey_server(tmp_path, port=port):
            await store.do("PING")

        async with valkey_server(tmp_path, port=port):
            assert await store.do("SET", "deal", "kept")


async def test_a_mistake_in_one_command_is_not_anothers(store: Store) -> None:
    await store.do("SET", "deal", "kept")

    answers = await asyncio.gather(store.do("INCR", "deal"), store.do("GET", "deal"), return_exceptions=True)

    assert isinstance(answers[0], Exception)
    assert answers[1] == b"kept"


async def test_what_cannot_be_sent_is_refused_and_harms_nobody_else(store: Store) -> None:
    async with asyncio.timeout(2):
        answers = await asyncio.gather(
            store.do("GET", "half a character \ud800"), store.do("SET", "deal", "kept"), return_exceptions=True
        )

    assert isinstance(answers[0], Exception)
    assert await store.do("GET", "deal") == b"kept"


async def test_who_goes_away_while_waiting_harms_nobody_else(store: Store) -> None:
    leaving = asyncio.create_task(store.do("SET", "one", "1"))
    staying = asyncio.create_task(store.do("SET", "other", "1"))
    await asyncio.sleep(0)
    leaving.cancel()

    async with asyncio.timeout(A_SECOND):
        await staying

    assert await store.do("GET", "other") == b"1"


# --- scripts --------------------------------------------------------------------------------------


async def test_a_script_runs_and_survives_that_the_store_forgets_it(store: Store, redis: Redis) -> None:
    for _ in range(2):
        assert await store.run(ECHO, keys=("key",), args=("value",)) == [b"key", b"value"]

    await redis.script_flush()

    assert await store.run(ECHO, keys=("key",), args=("value",)) == [b"key", b"value"]


async def test_scripts_that_the_store_never_saw_can_come_together(store: Store, redis: Redis) -> None:
    await redis.script_flush()

    answers = await asyncio.gather(*(store.run(ECHO, keys=("key",), args=(n,)) for n in range(20)))

    assert answers == [[b"key", str(n).encode()] for n in range(20)]


# --- fitness --------------------------------------------------------------------------------------


async def test_the_embedded_store_keeps_its_promises(store: Store) -> None:
    await store.probe("test")

    assert await store.unfitness() == []


async def test_a_store_without_an_append_only_file_that_evicts_is_named_unfit_for_both(
    tmp_path: Path, clock: Clock
) -> None:
    options = ("--appendonly", "no", "--maxmemory-policy", "allkeys-lru")
    async with valkey_server(tmp_path, *options) as port, connected(f"redis://127.0.0.1:{port}", clock) as store:
        file, eviction = await store.unfitness()

    assert "append-only file is off" in file
    assert "--appendonly yes" in file
    assert "maxmemory-policy is allkeys-lru" in eviction
    assert "noeviction" in eviction


async def test_a_store_that_refuses_to_write_fails_the_probe(tmp_path: Path, clock: Clock) -> None:
    options = ("--min-replicas-to-write", "1")
    async with valkey_server(tmp_path, *options) as port, connected(f"redis://127.0.0.1:{port}", clock) as store:
        with pytest.raises(StoreUnavailable):
            await store.probe("test")


async def test_the_probe_leaves_nothing_behind_for_long(store: Store, redis: Redis) -> None:
    await store.probe("test")

    [key] = await redis.keys()
    assert 0 < await redis.ttl(key) <= 60


# --- every kind of Redis --------------------------------------------------------------------------


async def a_link_is_issued_remembered_and_forgotten(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock) as gateway:
        first, second = await gateway.link(), await gateway.link()
        assert (first.status_code, first.headers["cache-status"]) == (200, "wazzup-gateway; fwd=miss; stored")
        assert second.json()["cached"] is True
        assert second.json()["link"] == first.json()["link"]

        assert (await gateway.forget("crm-user-1")).status_code == 204
        assert (await gateway.link()).json()["cached"] is False
        assert gateway.questions == 2

        ready = await gateway.http.get("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["store"]["reasons"]) == (200, [])


async def an_event_reaches_the_crm_and_its_answer_the_page(redis_url: str, clock: Clock) -> None:
    async with open_crm() as crm, running(redis_url, clock) as gateway:
        made = await gateway.webhook(crm.url)

        answer = await gateway.event(wait=10)

        assert answer.status_code == 200, answer.text
        assert [one["status"] for one in answer.json()["results"]] == ["delivered"]
        assert [one["status"] for one in await gateway.deliveries(made["id"])] == ["delivered"]
        assert len(crm.received) == 1


async def test_the_gateway_runs_on_a_plain_redis(tmp_path: Path, clock: Clock) -> None:
    async with valkey_server(tmp_path, "--appendonly", "yes", "--requirepass", "p@ss:word") as port:
        await a_link_is_issued_remembered_and_forgotten(f"redis://:p%40ss%3Aword@127.0.0.1:{port}/1", clock)
        await an_event_reaches_the_crm_and_its_answer_the_page(f"redis://:p%40ss%3Aword@127.0.0.1:{port}/1", clock)


async def test_the_gateway_runs_on_redis_cluster(tmp_path: Path, clock: Clock) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--appendonly", "yes")
    async with valkey_server(tmp_path, *options) as port, Redis(port=port) as node:
        await node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]

        async def is_ok() -> bool:
            info: bytes = await node.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
            return "ok" in str(info).partition("cluster_state")[2][:8]

        await eventually(is_ok)

        await a_link_is_issued_remembered_and_forgotten(f"redis+cluster://127.0.0.1:{port}", clock)
        await an_event_reaches_the_crm_and_its_answer_the_page(f"redis+cluster://127.0.0.1:{port}", clock)


async def test_the_gateway_runs_behind_redis_sentinel(tmp_path: Path, clock: Clock) -> None:
    config = tmp_path / "sentinel.conf"
    async with valkey_server(tmp_path / "data", "--appendonly", "yes") as primary:
        config.write_text(f"sentinel monitor main 127.0.0.1 {primary} 1\n")
        async with valkey_server(tmp_path / "watch", str(config), "--sentinel") as port, Redis(port=port) as sentinel:

            async def watches() -> bool:
                masters: Any = await sentinel.sentinel_masters()
                return bool(masters["main"]["is_master"] and not masters["main"]["is_sdown"])

            await eventually(watches)

            await a_link_is_issued_remembered_and_forgotten(f"redis+sentinel://127.0.0.1:{port}/main", clock)
            await an_event_reaches_the_crm_and_its_answer_the_page(f"redis+sentinel://127.0.0.1:{port}/main", clock)
