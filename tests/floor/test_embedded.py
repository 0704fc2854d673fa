"""The embedded store: it keeps what it was given, belongs to one gateway at a time, and survives what may happen."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.embedded import DataDirTaken, EmbeddedStoreFailed, embedded_valkey

ROOT = Path(__file__).parents[2]

OWNER = """
import asyncio, sys
from pathlib import Path
from redis.asyncio import Redis
from app.embedded import embedded_valkey

async def own():
    async with embedded_valkey(Path(sys.argv[1])) as url, Redis.from_url(url) as redis:
        await redis.set("deal", "kept")
        print((await redis.info("server"))["process_id"], flush=True)
        await asyncio.Event().wait()

asyncio.run(own())
"""


async def put(url: str, value: str) -> None:
    async with Redis.from_url(url) as redis:
        await redis.set("deal", value)


async def found(url: str) -> object:
    async with Redis.from_url(url, decode_responses=True) as redis:
        return await redis.get("deal")


async def owner_that_is_killed(data_dir: Path) -> int:
    """Another gateway opens the store, writes to it and dies at once; gives the process id of its server."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(data_dir), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert owner.stdout is not None
    async with asyncio.timeout(20):
        server = int(await owner.stdout.readline())
    owner.kill()
    await owner.wait()
    return server


def runs(process: int) -> bool:
    """Whether a process runs; one that ended and that nobody buried does not."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return Path("/proc/self").exists() is False
    return state != "Z"


async def test_data_is_there_after_a_restart(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path) as url:
        await put(url, "kept")

    async with embedded_valkey(tmp_path) as url:
        assert await found(url) == "kept"


async def test_it_is_set_up_to_keep_what_it_is_given_and_listens_on_no_port(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path) as url, Redis.from_url(url, decode_responses=True) as redis:
        config = await redis.config_get("*")

    assert url.startswith("unix://")
    assert (config["appendonly"], config["maxmemory-policy"], config["port"]) == ("yes", "noeviction", "0")


async def test_nobody_else_may_look_into_its_directory(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path / "data"):
        mode = (tmp_path / "data" / "store").stat().st_mode

    assert oct(mode & 0o777) == oct(0o700)


async def test_it_ends_with_its_owner(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path) as url, Redis.from_url(url) as redis:
        server = (await redis.info("server"))["process_id"]

    assert not runs(server)
    with pytest.raises((RedisError, OSError)):
        await found(url)


async def test_a_second_owner_is_refused_with_what_to_do(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path) as url:
        with pytest.raises(DataDirTaken) as refused:
            await embedded_valkey(tmp_path).__aenter__()

        assert await found(url) is None

    assert str(tmp_path) in str(refused.value)
    assert "DATA_DIR" in str(refused.value)
    assert "REDIS_URL" in str(refused.value)


async def test_the_next_owner_is_welcome_once_the_first_is_gone(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        async with embedded_valkey(tmp_path):
            raise InterruptedError

    async with embedded_valkey(tmp_path) as url:
        assert await found(url) is None


async def test_two_directories_are_two_stores(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path / "one") as one, embedded_valkey(tmp_path / "other") as other:
        await put(one, "kept")

        assert await found(other) is None


async def test_an_orphaned_server_is_ended_and_its_data_found(tmp_path: Path) -> None:
    orphan = await owner_that_is_killed(tmp_path)
    assert runs(orphan)

    async with embedded_valkey(tmp_path) as url:
        assert await found(url) == "kept"
        assert not runs(orphan)


async def test_a_path_longer_than_a_socket_may_have_works_and_is_found_again(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)

    async with embedded_valkey(deep) as url:
        await put(url, "kept")

    async with embedded_valkey(deep) as url:
        assert await found(url) == "kept"


async def test_an_orphan_below_a_long_path_is_ended_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    orphan = await owner_that_is_killed(deep)

    async with embedded_valkey(deep) as url:
        assert await found(url) == "kept"
        assert not runs(orphan)


@pytest.mark.parametrize("odd", ["with space", "ünï-cødé", "quo'te\"", "hash#mark", "per%20cent", "que?ry"])
async def test_a_directory_may_have_any_name(tmp_path: Path, odd: str) -> None:
    async with embedded_valkey(tmp_path / odd) as url:
        await put(url, "kept")

        assert await found(url) == "kept"


async def test_a_store_that_cannot_start_says_where_its_log_is(tmp_path: Path) -> None:
    broken = tmp_path / "store" / "appendonlydir" / "appendonly.aof.manifest"
    broken.parent.mkdir(parents=True)
    broken.write_text("this is no manifest\n")

    with pytest.raises(EmbeddedStoreFailed, match=r"valkey\.log"):
        await embedded_valkey(tmp_path).__aenter__()


async def test_a_directory_that_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedStoreFailed, match=r"DATA_DIR: .* cannot be written"):
        async with embedded_valkey(tmp_path / "file" / "data"):
            pass
