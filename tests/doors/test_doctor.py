"""`python -m app doctor`, as an operator meets it: a real process, a real Wazzup to talk to, an exit status."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.serving import Server, listen
from app.simulator.faults import Fault
from app.simulator.world import World
from tests.doors.driver import SlowWazzup, command, ended, serving, settings, stores_in
from tests.driver import ACCESS_TOKEN, JWT_SECRET, SERVER_KEY, simulated
from tests.waiting import wait_until

SECRETS = {SERVER_KEY, ACCESS_TOKEN, JWT_SECRET, "demo-refresh-token", "hunter2", "crm-user-1", "?token="}
LABEL = {"WAZZUP_ACCESS_TOKEN": "", "WAZZUP_CLIENT_ID": "demo-client", "WAZZUP_REFRESH_TOKEN": "demo-refresh-token"}


class Simulated:
    """A simulated Wazzup that listens."""

    def __init__(self, url: str, world: World) -> None:
        self.url = url
        self.world = world


@pytest.fixture
async def real() -> AsyncIterator[Simulated]:
    app = simulated()
    with listen("127.0.0.1", 0) as sock:
        server = Server(app)
        serving_it = asyncio.create_task(server.serve([sock]))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        app.state.world.public_url = url
        yield Simulated(url, app.state.world)
        server.should_exit = True
        await serving_it


async def doctor(cwd: Path, *words: str, **environment: str) -> tuple[int, str]:
    """Status and output. Nothing is complained of, and no secret is told."""
    status, told, complained = await ended(cwd, "doctor", *words, **environment)
    assert complained == ""
    assert [secret for secret in SECRETS if secret in told] == []
    assert stores_in(cwd) == []
    return status, told


async def test_when_all_is_well_it_says_so_and_ends_with_0(tmp_path: Path, real: Simulated) -> None:
    status, told = await doctor(tmp_path, "--user", "crm-user-1", **settings(real.url))

    assert (status, told.splitlines()[-1]) == (0, "All is well.")
    assert "Given, to 127.0.0.1, for 8 hours." in told
    assert "\x1b" not in told


async def test_what_is_wrong_is_told_with_its_variable_and_it_ends_with_1(tmp_path: Path, real: Simulated) -> None:
    status, told = await doctor(tmp_path, **settings(real.url, WAZZUP_ACCESS_TOKEN="hunter2"))

    [line] = [line for line in told.splitlines() if line.startswith("  failed")]
    assert status == 1
    assert line.endswith("It says 401 OAUTH_TOKEN_UNKNOWN_OR_REVOKED. -> WAZZUP_ACCESS_TOKEN")
    assert told.splitlines()[-1] == "1 thing to mend."


async def test_for_machines_there_is_one_document_and_nothing_else(tmp_path: Path, real: Simulated) -> None:
    real.world.faults.add(Fault(on="links", status=500, times=None))

    status, told = await doctor(tmp_path, "--json", **settings(real.url, LOG_LEVEL="debug"))

    document = json.loads(told)
    assert status == 1
    assert document.keys() == {"ok", "findings"}
    assert document["ok"] is False
    assert [one["mends"] for one in document["findings"] if one["status"] == "failed"] == [["WAZZUP_BASE_URL"]]
    assert all(one.keys() == {"check", "account", "status", "says", "mends"} for one in document["findings"])


async def test_an_environment_that_cannot_be_read_is_a_finding_and_no_refusal(tmp_path: Path) -> None:
    status, told = await doctor(tmp_path, PORT="hunter2", SECRET_KEY="hunter2")

    assert status == 1
    assert "-> PORT" in told
    assert "Traceback" not in told


async def test_an_env_file_is_read(tmp_path: Path, real: Simulated) -> None:
    lines = [f"{name}={value}" for name, value in settings(real.url, LOG_LEVEL="info").items()]
    (tmp_path / ".env").write_text("\n".join(lines))

    status, told = await doctor(tmp_path, "--json")

    assert status == 0
    assert json.loads(told)["findings"][0]["says"] == "Read from the environment and .env."


async def test_beside_a_gateway_that_runs_it_uses_the_store_of_the_gateway(tmp_path: Path, real: Simulated) -> None:
    """Both live on one grant: the doctor's renewal is the gateway's, and the other way round."""
    given = settings(real.url, **LABEL)
    async with serving(tmp_path, given) as gateway:
        status, told, _ = await ended(tmp_path, "doctor", "--user", "crm-user-1", **given)
        answer = await gateway.link()
        again, _, _ = await ended(tmp_path, "doctor", **given)

    assert (status, again, answer.status_code) == (0, 0, 200)
    assert f"of the gateway that runs on {tmp_path / 'data'}" in told
    assert len(real.world.calls_to("tokens")) == 1


async def test_a_gateway_that_starts_after_the_doctor_goes_on_with_what_it_was_granted(
    tmp_path: Path, real: Simulated
) -> None:
    given = settings(real.url, **LABEL)
    status, _ = await doctor(tmp_path, **given)

    async with serving(tmp_path, given) as gateway:
        answer = await gateway.link()

    assert (status, answer.status_code) == (0, 200)
    assert len(real.world.calls_to("tokens")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_doctor_that_is_asked_to_end_leaves_no_store_behind(
    tmp_path: Path, wazzup: SlowWazzup, number: signal.Signals
) -> None:
    async with command(tmp_path, "doctor", **settings(wazzup.url)) as process:
        await wait_until(lambda: wazzup.asked == 1)
        process.signal(number)
        status = await process.status()
        wazzup.answers.set()

    assert status != 0
    assert "Traceback" not in process.complained
    assert stores_in(tmp_path) == []


async def test_a_wazzup_that_never_answers_keeps_nobody_waiting(tmp_path: Path, wazzup: SlowWazzup) -> None:
    status, told = await doctor(tmp_path, **settings(wazzup.url, WAZZUP_TIMEOUT_SECONDS="0.5"))

    wazzup.answers.set()
    assert status == 1
    assert "does not answer within 0.5 seconds. -> WAZZUP_BASE_URL, WAZZUP_TIMEOUT_SECONDS" in told


async def test_a_terminal_that_knows_only_ascii_can_be_told(tmp_path: Path, real: Simulated) -> None:
    given = settings(real.url, DATA_DIR="dätä", PYTHONIOENCODING="ascii")

    status, told = await doctor(tmp_path, **given)

    assert status == 0
    assert "d\\xe4t\\xe4" in told


async def test_an_account_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path, real: Simulated) -> None:
    status, told = await doctor(tmp_path, "--account", "north", **settings(real.url))

    assert status == 1
    assert "These are served: default -> --account" in told
