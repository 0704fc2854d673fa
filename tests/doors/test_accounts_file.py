"""`ACCOUNTS_FILE` and SIGHUP, as an operator meets them: real processes, real signals, real sockets."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import httpx

from tests.doors.driver import Gateway, SlowWazzup, ended, serving
from tests.driver import CARD, JWT_SECRET
from tests.ports import free_port
from tests.waiting import wait_until

STRONG = "server-key-of-{}-long-enough"


def account(name: str, url: str, **others: str) -> str:
    values = {
        "api_keys": STRONG.format(name),
        "wazzup_access_token": f"wazzup-token-of-{name}",
        "wazzup_base_url": url,
        "wazzup_link_hosts": "127.0.0.1",
    }
    lines = [f"{variable} = '{value}'" for variable, value in (values | others).items()]
    return "\n".join([f"[accounts.{name}]", *lines, ""])


def given(folder: Path, *tables: str, **others: str) -> dict[str, str]:
    """The environment of a gateway that serves these accounts and no other."""
    write(folder, *tables)
    return {"PORT": str(free_port()), "DATA_DIR": "data", "ACCOUNTS_FILE": "accounts.toml"} | others


def write(folder: Path, *tables: str) -> None:
    (folder / "accounts.toml").write_text("".join(tables))


def lines(gateway: Gateway, event: str) -> list[dict[str, Any]]:
    # The last line may be half written yet.
    told = [json.loads(line) for line in gateway.process.told.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in told if line["event"] == event]


async def hang_up(gateway: Gateway, event: str) -> dict[str, Any]:
    """Sends SIGHUP; the line that tells what came of it."""
    before = len(lines(gateway, event))
    gateway.process.signal(signal.SIGHUP)
    await wait_until(lambda: len(lines(gateway, event)) > before)
    return lines(gateway, event)[-1]


async def ask(gateway: Gateway, name: str, **question: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {STRONG.format(name)}"}
    return await gateway.http.post("/links", json=CARD | question, headers=headers)


async def test_accounts_come_and_go_on_sighup_and_who_was_asking_is_answered(
    tmp_path: Path,
    wazzup: SlowWazzup,
) -> None:
    north, south, west = (account(name, wazzup.url) for name in ("north", "south", "west"))
    async with serving(tmp_path, given(tmp_path, north, south)) as gateway:
        before = gateway.process.process.pid
        under_way = asyncio.create_task(ask(gateway, "south"))
        await wait_until(lambda: wazzup.asked == 1)

        write(tmp_path, north, west)
        reread = await hang_up(gateway, "accounts.reread")
        wazzup.answers.set()

        assert reread["accounts"] == 2
        assert (await under_way).status_code == 200
        assert [(await ask(gateway, name)).status_code for name in ("north", "south", "west")] == [200, 401, 200]
        assert gateway.process.process.pid == before
        assert not gateway.process.has_ended


async def test_a_broken_file_is_told_and_the_accounts_stay(
    tmp_path: Path,
    wazzup: SlowWazzup,
) -> None:
    wazzup.answers.set()
    north = account("north", wazzup.url)
    async with serving(tmp_path, given(tmp_path, north)) as gateway:
        write(tmp_path, north, "[accounts.south]\napi_keys = hunter2")
        refused = await hang_up(gateway, "accounts.refused")
        kept = await ask(gateway, "north")
        (tmp_path / "accounts.toml").unlink()
        gone = await hang_up(gateway, "accounts.refused")
        kept_still = await ask(gateway, "north")
        write(tmp_path, north, account("south", wazzup.url))
        await hang_up(gateway, "accounts.reread")
        mended = await ask(gateway, "south")

    assert refused["hint"] == "ACCOUNTS_FILE: line 7, column 12 is not TOML"
    assert "cannot be read" in gone["hint"]
    assert [answer.status_code for answer in (kept, kept_still, mended)] == [200, 200, 200]
    assert "hunter2" not in gateway.process.told + gateway.process.complained


async def test_many_signals_lose_no_request(
    tmp_path: Path,
    wazzup: SlowWazzup,
) -> None:
    """Each signal changes north, so that it is built anew under the questions that are asked of it."""
    wazzup.answers.set()
    async with serving(tmp_path, given(tmp_path, account("north", wazzup.url))) as gateway:
        asking = [asyncio.create_task(ask(gateway, "north", user_id=f"user-{at}")) for at in range(50)]
        for at in range(10):
            write(tmp_path, account("north", wazzup.url, wazzup_client_type=f"crm-{at}"))
            await hang_up(gateway, "accounts.reread")
        answers = await asyncio.gather(*asking)

    assert {answer.status_code for answer in answers} == {200}


async def test_sighup_without_a_file_is_survived(
    tmp_path: Path,
    wazzup: SlowWazzup,
) -> None:
    wazzup.answers.set()
    environment = {
        "PORT": str(free_port()),
        "API_KEYS": STRONG.format("default"),
        "WAZZUP_ACCESS_TOKEN": "token",
        "WAZZUP_BASE_URL": wazzup.url,
        "WAZZUP_LINK_HOSTS": "127.0.0.1",
    }
    async with serving(tmp_path, environment) as gateway:
        told = await hang_up(gateway, "accounts.unchanged")

        assert "ACCOUNTS_FILE is not set" in told["hint"]
        assert (await ask(gateway, "default")).status_code == 200


async def test_a_file_that_is_broken_at_the_start_is_refused_with_everything_that_is_wrong(tmp_path: Path) -> None:
    environment = given(tmp_path, "[accounts.north]\napi_key = 'hunter2'\nhost = 'hunter2'\n")

    status, told, complaint = await ended(tmp_path, "serve", **environment)

    assert (status, told) == (2, "")
    assert complaint.splitlines() == [
        "The gateway cannot start:",
        "  ACCOUNTS_FILE: accounts.north.api_key: no variable of an account has this name",
        "  ACCOUNTS_FILE: accounts.north.host: holds for the whole process; set HOST in the environment",
        "  ACCOUNTS_FILE: accounts.north.wazzup_access_token: not set. Without it Wazzup gives no links "
        "(wazzup_api=v2). Other ways in are wazzup_client_id with wazzup_refresh_token, or wazzup_partner_email and "
        "wazzup_partner_password with wazzup_account_id",
    ]


async def test_an_environment_that_is_half_an_account_is_told_what_is_missing(tmp_path: Path) -> None:
    environment = given(tmp_path, account("north", "http://127.0.0.1:9"), API_KEYS="a-key-of-the-environment")

    status, _, complaint = await ended(tmp_path, "serve", **environment)

    assert status == 2
    assert "WAZZUP_ACCESS_TOKEN: not set" in complaint


async def test_a_country_that_there_is_not_is_told_with_its_account(tmp_path: Path) -> None:
    environment = given(tmp_path, account("north", "http://127.0.0.1:9", default_country="XX"))

    status, _, complaint = await ended(tmp_path, "serve", **environment)

    assert status == 2
    assert "ACCOUNTS_FILE: accounts.north.default_country: no country has this code" in complaint


async def test_what_is_weak_in_an_account_is_told_with_its_name(tmp_path: Path) -> None:
    weak = account("weak", "http://127.0.0.1:9", api_keys="short", jwt_secret="short")
    lonely = account("lonely", "http://127.0.0.1:9", api_keys="")
    async with serving(tmp_path, given(tmp_path, weak, lonely)) as gateway:
        gateway.process.signal(signal.SIGTERM)
        await gateway.process.status()

    told = lines(gateway, "secret.weak") + lines(gateway, "callers.missing")
    assert [(line["account"], line["hint"].partition(": ")[2].partition(":")[0]) for line in told] == [
        ("weak", "accounts.weak.api_keys, admin_api_keys"),
        ("weak", "accounts.weak.jwt_secret"),
        ("lonely", "accounts.lonely.api_keys"),
    ]


async def test_a_variable_that_no_account_hears_is_told(tmp_path: Path) -> None:
    """Nothing is inherited, and who thinks so must hear of it."""
    environment = given(tmp_path, account("north", "http://127.0.0.1:9"), DEFAULT_COUNTRY="LV", LOG_LEVEL="info")
    async with serving(tmp_path, environment) as gateway:
        gateway.process.signal(signal.SIGTERM)
        await gateway.process.status()

    [told] = lines(gateway, "variables.unheard")
    assert told["hint"].startswith("DEFAULT_COUNTRY: no account inherits this")


async def test_a_token_for_trying_things_out_is_for_one_account(tmp_path: Path) -> None:
    environment = given(tmp_path, account("north", "http://127.0.0.1:9", jwt_secret=JWT_SECRET))

    status, told, _ = await ended(tmp_path, "token", "--user", "anna", "--account", "north", **environment)
    other, _, complaint = await ended(tmp_path, "token", "--user", "anna", **environment)

    assert (status, told.count(".")) == (0, 2)
    assert other == 2
    assert "--account" in complaint
    assert "north" in complaint
