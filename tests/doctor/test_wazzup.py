"""The doctor asks Wazzup, which answers in every way it can: each finding is plain, and names what mends it."""

from typing import Any

import pytest

from app.diagnosis.findings import Status
from app.doctor import Wish, examine
from app.simulator.faults import Fault
from app.simulator.options import RateLimit
from tests.doctor.driver import ANNA, LABEL, WHITE_LABEL, Findings, examined, given
from tests.doctor.wazzups import EVERY_WAY, FOR_EVER, WAYS, faulty
from tests.driver import running, simulated

NOT_ASKED = {"credentials": Status.SKIPPED, "link": Status.SKIPPED}


def patience_for(fault: dict[str, Any]) -> str:
    """Short only where the answer is late: a machine may stall while any other one is on its way."""
    return "0.4" if "delay_seconds" in fault else "1.8"


@EVERY_WAY
async def test_an_account_that_is_well_is_found_well_by_every_way_in(redis_url: str, way: str) -> None:
    found = await examined(redis_url, **WAYS[way][0])

    assert set(found.statuses().values()) == {Status.OK}
    assert found.of("link").says == "Given, to 127.0.0.1, for 8 hours."


@EVERY_WAY
async def test_the_question_whether_we_are_let_in_asks_for_nothing(redis_url: str, way: str) -> None:
    wazzup = simulated()

    await examined(redis_url, Wish(), wazzup=wazzup, **WAYS[way][0])

    assert [call.body for call in wazzup.state.world.calls_to("links")] == [{}]
    assert wazzup.state.world.users == {}


@EVERY_WAY
@pytest.mark.parametrize(
    ("fault", "says", "mends"),
    [
        ({"status": 500}, "is there, but fails. It says 500 INTERNAL_SERVER_ERROR.", ("WAZZUP_BASE_URL",)),
        ({"status": 500, "body": ""}, "is there, but fails. It says 500.", ("WAZZUP_BASE_URL",)),
        ({"status": 503}, "It says 503", ("WAZZUP_BASE_URL",)),
        ({"status": 503, "body": ""}, "It says 503.", ("WAZZUP_BASE_URL",)),
        ({"status": 429}, "Wazzup asks for fewer calls (429) for 2 seconds.", ("WAZZUP_RATE_LIMIT",)),
        ({"status": 429, "retry_after": "7"}, "(429) for 7 seconds.", ("WAZZUP_RATE_LIMIT",)),
        ({"status": 429, "retry_after": "600"}, "(429) for 10 minutes.", ("WAZZUP_RATE_LIMIT",)),
        ({"status": 200, "body": '{"data": '}, "is not Wazzup", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 200, "body": "<html>hello</html>"}, "is not Wazzup", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 404, "body": "<html>hello</html>"}, "It says 404.", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 302, "body": ""}, "It says 302.", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 200, "body": "x" * 300_000}, "larger than any answer", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 400, "body": "<html>hello</html>"}, "not in Wazzup's words", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"dropped": True}, "the connection breaks", ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")),
        ({"delay_seconds": 30}, "within 0.4 seconds.", ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")),
    ],
    ids=[
        *("500", "500 bare", "503", "503 bare", "429", "429 for 7 s", "429 for long", "half JSON", "HTML", "404"),
        *("redirect", "endless", "400 in HTML", "dropped", "late"),
    ],
)
async def test_a_wazzup_that_does_not_answer_is_told_with_what_mends_it(
    redis_url: str, way: str, fault: dict[str, Any], says: str, mends: tuple[str, ...]
) -> None:
    found = await faulty(
        redis_url, Fault(**FOR_EVER, **fault), wazzup_timeout_seconds=patience_for(fault), **WAYS[way][0]
    )

    finding = found.of("wazzup")
    assert found.not_well == [finding]
    assert says in finding.says
    assert finding.mends == mends
    assert found.statuses().items() >= NOT_ASKED.items()


@pytest.mark.parametrize("way", [LABEL, WHITE_LABEL], ids=["label", "white-label"])
@pytest.mark.parametrize(
    ("fault", "mends"),
    [
        ({"status": 500}, ("WAZZUP_BASE_URL",)),
        ({"status": 429, "retry_after": "60"}, ("WAZZUP_RATE_LIMIT",)),
        ({"status": 200, "body": "<html>hello</html>"}, ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 200, "body": "{}"}, ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"dropped": True}, ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")),
        ({"delay_seconds": 30}, ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")),
    ],
    ids=["500", "429", "HTML", "no token", "dropped", "late"],
)
async def test_a_token_that_cannot_be_had_is_told_as_what_it_is(
    redis_url: str, way: dict[str, Any], fault: dict[str, Any], mends: tuple[str, ...]
) -> None:
    late = patience_for(fault)
    found = await faulty(redis_url, Fault(on="tokens", times=None, **fault), wazzup_timeout_seconds=late, **way)

    [finding] = found.not_well
    assert (finding.check, finding.mends) == ("wazzup", mends)
    assert found.of("token").status is Status.SKIPPED


async def test_a_stumble_that_the_gateway_would_survive_is_no_finding(redis_url: str) -> None:
    found = await faulty(
        redis_url, Fault(on="links", status=503, body=""), Fault(on="links", dropped=True), wish=Wish()
    )

    assert found.of("wazzup").status is Status.FAILED  # twice in a row is too often
    assert (await faulty(redis_url, Fault(on="links", status=503, body=""))).not_well == []


async def test_a_budget_that_is_spent_names_its_variable(redis_url: str) -> None:
    wazzup = simulated()
    settings: dict[str, Any] = {"wazzup_rate_limit": "1/60", "wazzup_timeout_seconds": "5"}
    await examined(redis_url, Wish(), wazzup=wazzup, **settings)

    found = await examined(redis_url, Wish(), wazzup=wazzup, **settings)

    assert "are taken for now" in found.of("wazzup").says
    assert found.of("wazzup").mends == ("WAZZUP_RATE_LIMIT",)


async def test_a_rate_that_wazzup_does_not_take_is_found_at_the_link(redis_url: str) -> None:
    wazzup = simulated(v2_rate_limit=RateLimit(calls=1, seconds=60))

    found = await examined(redis_url, wazzup=wazzup, wazzup_timeout_seconds="5")

    assert [one.mends for one in found.not_well] == [("WAZZUP_RATE_LIMIT",)]
    assert found.of("credentials").status is Status.OK


async def test_an_answer_that_grants_nothing_to_nobody_is_doubted(redis_url: str) -> None:
    found = await faulty(redis_url, Fault(on="links", status=200, body='{"data": {}}'))

    assert found.of("wazzup").status is Status.WARNING
    assert found.of("wazzup").mends == ("WAZZUP_BASE_URL",)
    assert found.of("link").status is Status.OK


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:{closed}", "nobody listens there"),
        ("https://nowhere.invalid", "nobody knows a host of this name"),
        ("https://127.0.0.1:{plain}", "it does not speak TLS"),
        ("http://127.0.0.1:{plain}", "what it speaks is not HTTP"),
        ("http://127.0.0.1:{silent}", "does not answer within 0.5 seconds"),
        ("http://127.0.0.1:{rude}", "the connection breaks"),
    ],
    ids=["closed", "unknown host", "no TLS", "no HTTP", "silent", "rude"],
)
async def test_over_a_real_network_it_is_told_why_wazzup_cannot_be_reached(
    redis_url: str, peers: dict[str, int], url: str, says: str
) -> None:
    late = "0.5" if "silent" in url else "3"
    settings = given(redis_url, wazzup_base_url=url.format(**peers), wazzup_timeout_seconds=late)

    found = Findings(await examine(settings, ANNA))

    assert says in found.of("wazzup").says
    assert found.of("wazzup").mends == ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")


async def test_a_wazzup_that_keeps_failing_does_not_hide_behind_the_circuit(redis_url: str) -> None:
    wazzup = simulated()
    wazzup.state.world.faults.add(Fault(**FOR_EVER, status=500))
    async with running(redis_url, wazzup=wazzup) as gateway:
        for number in range(12):
            await gateway.link({"user_id": f"user-{number}"})

        found = await examined(redis_url, wazzup=wazzup)

    assert "It says 500" in found.of("wazzup").says
