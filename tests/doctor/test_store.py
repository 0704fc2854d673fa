"""The doctor looks at the store: is it there, can it be written, and does it keep what it is given?"""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from app.diagnosis.findings import Finding, Status
from app.embedded import embedded_valkey
from tests.doctor.driver import LABEL, WHITE_LABEL, Findings, examined
from tests.driver import running, simulated
from tests.ports import free_port
from tests.valkeys import FORMS, valkey_server

KEEPS = ("--appendonly", "yes", "--save", "")


def store_of(found: Findings) -> Finding:
    return found.of("store", None)


async def test_a_store_that_keeps_what_it_is_given_is_well(tmp_path: Path) -> None:
    async with valkey_server(tmp_path, *KEEPS, "--requirepass", "hunter2") as port:
        found = await examined(f"redis://:hunter2@127.0.0.1:{port}/0")

    says = f"Redis at redis://127.0.0.1:{port}/0 can be written, and keeps what it is given."
    assert (store_of(found).status, store_of(found).says) == (Status.OK, says)
    assert found.not_well == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--appendonly", "no"), "append-only file is off"),
        ((*KEEPS, "--maxmemory-policy", "allkeys-lru"), "maxmemory-policy is allkeys-lru"),
        ((*KEEPS, "--maxmemory", "1"), "its memory is full"),
        ((*KEEPS, "--requirepass", "another"), "does not take the user or the password"),
        ((*KEEPS, "--replicaof", "127.0.0.1 1"), "a replica that takes no writes"),
        ((*KEEPS, "--user", "default", "on", "nopass", "~*", "+@all", "-info"), "does not let this user do that"),
    ],
    ids=["volatile", "evicting", "full", "password", "replica", "ACL"],
)
async def test_a_store_that_will_not_do_is_told_with_the_reason(
    tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    async with valkey_server(tmp_path, *options) as port:
        found = await examined(f"redis://:hunter2@127.0.0.1:{port}" if "another" in options else url_of(port))

    assert found.not_well == [store_of(found)]
    assert says in store_of(found).says
    assert store_of(found).mends == ("REDIS_URL",)


def url_of(port: int) -> str:
    return f"redis://127.0.0.1:{port}"


async def test_everything_that_is_against_a_store_is_told(tmp_path: Path) -> None:
    async with valkey_server(tmp_path, "--appendonly", "no", "--maxmemory-policy", "allkeys-lru") as port:
        found = await examined(url_of(port))

    assert [one.check for one in found.not_well] == ["store", "store"]


@pytest.mark.parametrize("form", FORMS)
async def test_a_store_that_is_not_there_is_told_without_its_password_and_wazzup_is_asked_all_the_same(
    form: str,
) -> None:
    found = await examined(form.format(port=free_port()).replace("secret", "hunter2"))

    assert found.not_well == [store_of(found)]
    assert store_of(found).mends == ("REDIS_URL",)
    assert set(found.statuses().values()) == {Status.OK}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://127.0.0.1:{port}", "nobody listens there"),
        ("redis://nowhere.invalid:6379", "nobody knows a host of this name"),
        pytest.param("rediss://127.0.0.1:{served}", "no answer comes in time", marks=pytest.mark.hurried),
        ("unix:///nobody/listens/here.sock", "nobody listens there"),
        ("redis://127.0.0.1:{served}?socket_timeout=hunter2", "the rest of its URL cannot be read"),
        ("redis://127.0.0.1:{served}?hunter2=1", "cannot be used"),
        ("redis://:12/hunter2@127.0.0.1:{served}", "cannot be used"),
    ],
    ids=["closed", "unknown host", "no TLS", "no socket", "odd value", "odd option", "odd password"],
)
async def test_it_is_told_why_a_store_cannot_be_used(tmp_path: Path, url: str, says: str) -> None:
    async with valkey_server(tmp_path, *KEEPS) as port:
        found = await examined(url.format(port=free_port(), served=port))

    assert says in store_of(found).says
    assert store_of(found).mends == ("REDIS_URL",)
    assert ":12" not in store_of(found).says


@pytest.mark.parametrize("store", ["gone", "volatile"])
async def test_what_can_be_asked_for_only_once_is_not_asked_for_without_a_store_that_keeps_it(
    tmp_path: Path, store: str
) -> None:
    wazzup = simulated()
    async with valkey_server(tmp_path, "--appendonly", "no") as port:
        found = await examined(url_of(port if store == "volatile" else free_port()), wazzup=wazzup, **LABEL)

    assert "use up the refresh token" in found.of("wazzup").says
    assert {found.statuses()[check] for check in ("wazzup", "credentials", "token", "link")} == {Status.SKIPPED}
    assert wazzup.state.world.calls == []


async def test_what_can_be_asked_for_again_is_asked_for_without_a_store() -> None:
    found = await examined("unix:///nobody/listens/here.sock", **WHITE_LABEL)

    assert set(found.statuses().values()) == {Status.OK}


async def test_without_a_redis_the_embedded_store_is_started_and_leaves_with_the_doctor(tmp_path: Path) -> None:
    found = await examined(None, data_dir=tmp_path / "data", secret_key=None)

    assert store_of(found).says.startswith(f"The embedded Valkey in {tmp_path / 'data'} can be written")
    async with embedded_valkey(tmp_path / "data"):
        pass


@pytest.mark.parametrize("way", [LABEL, {}], ids=["label", "token"])
async def test_a_gateway_that_runs_on_the_same_directory_goes_on_and_its_store_is_used(
    tmp_path: Path, way: dict[str, Any]
) -> None:
    wazzup = simulated()
    async with embedded_valkey(tmp_path) as url, running(url, wazzup=wazzup, **way) as one:
        assert (await one.link()).status_code == 200

        found = await examined(None, wazzup=wazzup, data_dir=tmp_path, **way)

        assert (await one.link({"user_id": "crm-user-2"})).status_code == 200
        assert (await one.http.get("/health/ready")).status_code == 200
    assert found.not_well == []
    assert f"of the gateway that runs on {tmp_path}" in store_of(found).says
    assert len(wazzup.state.world.calls_to("tokens")) == (1 if way else 0)


async def test_a_directory_that_cannot_be_written_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    found = await examined(None, data_dir=tmp_path / "file" / "data", secret_key=None)

    assert found.not_well == [store_of(found)]
    assert store_of(found).mends == ("DATA_DIR", "REDIS_URL")
    assert set(found.statuses().values()) == {Status.OK}


async def test_a_directory_that_cannot_be_locked_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "store" / "owner.lock").mkdir(parents=True)

    found = await examined(None, data_dir=tmp_path)

    assert "Is a directory" in store_of(found).says
    assert store_of(found).mends == ("DATA_DIR", "REDIS_URL")


async def test_a_secret_that_cannot_be_read_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "secret_key").mkdir()

    found = await examined(None, data_dir=tmp_path, secret_key=None)

    assert [(one.check, one.mends) for one in found.not_well] == [("configuration", ("DATA_DIR",))]


async def test_an_embedded_store_that_does_not_start_says_where_its_log_is(tmp_path: Path) -> None:
    broken = tmp_path / "store" / "appendonlydir" / "appendonly.aof.manifest"
    broken.parent.mkdir(parents=True)
    broken.write_text("this is no manifest\n")

    found = await examined(None, data_dir=tmp_path, secret_key=None)

    assert "valkey.log" in store_of(found).says
    assert found.not_well == [store_of(found)]


async def test_the_store_is_left_as_it_was_but_for_proofs_that_lapse(redis_url: str, redis: Redis) -> None:
    await examined(redis_url)

    lives = [await redis.pttl(name) for name in await redis.keys()]
    assert 0 < max(lives) <= 60_000
