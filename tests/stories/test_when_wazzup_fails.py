"""Wazzup fails in many ways. The page is told which, and what to do; nothing that Wazzup said passes raw."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.simulator.faults import Fault
from app.wazzup.circuit import FAILURES
from tests.driver import ACCESS_TOKEN, CARD, Clock, Gateway, running

# A mark that the vendor leaves in whatever it answers, and that no page may ever see.
RAW = "raw-words-of-the-vendor"
FOR_EVER: dict[str, Any] = {"on": "links", "times": None}
DOWN = [
    Fault(**FOR_EVER, status=500),
    Fault(**FOR_EVER, status=503, body="", retry_after="60"),
    Fault(**FOR_EVER, status=429, retry_after="60"),
    Fault(**FOR_EVER, status=200, body=f"<html>{RAW}</html>"),
    Fault(**FOR_EVER, link=f"https://elsewhere.example/?{RAW}"),
    Fault(**FOR_EVER, dropped=True),
    Fault(**FOR_EVER, delay_seconds=30),
]
NAMES = ["500", "503", "429", "no JSON", "a foreign link", "dropped", "late"]


@pytest.fixture
async def hasty(redis_url: str, clock: Clock) -> AsyncIterator[Gateway]:
    """A gateway that waits for Wazzup only as long as a second attempt takes."""
    async with running(redis_url, clock, wazzup_timeout_seconds="2") as opened:
        yield opened


@pytest.mark.parametrize(
    ("fault", "status", "code", "said"),
    [
        (Fault(on="links", status=400), 422, "WAZZUP_REFUSED", (400, "VALIDATION_FAILED")),
        (Fault(on="links", status=401), 502, "WAZZUP_FORBIDDEN", (401, "OAUTH_TOKEN_INVALID_OR_EXPIRED")),
        (
            Fault(on="links", status=403, code="OAUTH_CRM_INTEGRATION_REQUIRED"),
            502,
            "WAZZUP_FORBIDDEN",
            (403, "OAUTH_CRM_INTEGRATION_REQUIRED"),
        ),
        (Fault(on="links", status=404, body=RAW), 502, "WAZZUP_UNREADABLE", (404, None)),
        (Fault(on="links", status=301, body=RAW), 502, "WAZZUP_UNREADABLE", (301, None)),
        (Fault(on="links", status=429, retry_after="7"), 503, "WAZZUP_BUSY", (429, "TOO_MANY_REQUESTS")),
        (Fault(on="links", status=429, body="", times=None), 503, "WAZZUP_BUSY", (429, None)),
        (Fault(**FOR_EVER, status=500), 502, "WAZZUP_UNAVAILABLE", (500, "INTERNAL_SERVER_ERROR")),
        (Fault(**FOR_EVER, status=503, body=f"<html>{RAW}"), 502, "WAZZUP_UNAVAILABLE", (503, None)),
        (Fault(**FOR_EVER, status=500, body=""), 502, "WAZZUP_UNAVAILABLE", (500, None)),
        (Fault(on="links", status=200, body=f'{{"data": "{RAW}'), 502, "WAZZUP_UNREADABLE", (200, None)),
        (Fault(on="links", status=200, body="null"), 502, "WAZZUP_UNREADABLE", (200, None)),
        (Fault(on="links", status=200, body=f"<html>{RAW}</html>"), 502, "WAZZUP_UNREADABLE", (200, None)),
        (Fault(on="links", status=200, body=""), 502, "WAZZUP_UNREADABLE", None),
        (Fault(on="links", status=200, body=f'["{RAW}"]'), 502, "WAZZUP_UNREADABLE", None),
        (Fault(on="links", status=200, body=f'{{"code": "{RAW}"}}'), 502, "WAZZUP_UNREADABLE", None),
        (Fault(on="links", link=f"https://elsewhere.example/{RAW}"), 502, "WAZZUP_UNREADABLE", None),
        (Fault(on="links", link=f"javascript:alert('{RAW}')"), 502, "WAZZUP_UNREADABLE", None),
        (Fault(**FOR_EVER, dropped=True), 502, "WAZZUP_UNAVAILABLE", None),
        (Fault(**FOR_EVER, delay_seconds=30), 504, "WAZZUP_TIMEOUT", None),
    ],
)
async def test_each_failure_of_wazzup_is_a_problem_of_ours(
    hasty: Gateway, fault: Fault, status: int, code: str, said: tuple[int, str | None] | None
) -> None:
    hasty.wazzup.faults.add(fault)

    answer = await hasty.link()

    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert problem["detail"].endswith(".")
    if said is None:
        assert "wazzup" not in problem
    else:
        assert (problem["wazzup"]["status"], problem["wazzup"]["code"]) == said
    assert RAW not in answer.text
    assert ACCESS_TOKEN not in answer.text


async def test_what_wazzup_has_against_the_question_reaches_the_page(gateway: Gateway) -> None:
    complaints = ("user_id should not be empty", "scope must be a valid enum value")
    gateway.wazzup.faults.add(Fault(on="links", status=400, errors=complaints))

    answer = await gateway.link()

    assert answer.json()["wazzup"] == {
        "status": 400,
        "code": "VALIDATION_FAILED",
        "detail": "One or more fields did not pass validation.",
        "errors": list(complaints),
    }


async def test_the_operator_is_told_which_variable_mends_refused_credentials(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=401))

    answer = await gateway.link()

    assert "WAZZUP_ACCESS_TOKEN" in answer.json()["detail"]
    assert "www-authenticate" not in answer.headers  # The page's own credential is good.


async def test_a_wrong_credential_of_the_gateway_itself_is_found_out(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, wazzup_access_token="revoked") as gateway:
        answer = await gateway.link()

    assert (answer.status_code, answer.json()["code"]) == (502, "WAZZUP_FORBIDDEN")
    assert "revoked" not in answer.text


@pytest.mark.parametrize(
    ("told", "asked"),
    [("7", "7"), ("3600", "600"), ("Sun, 22 Nov 2026 12:00:30 GMT", "30"), ("soon", "2"), (None, "2")],
)
async def test_a_page_is_told_when_a_busy_wazzup_can_be_asked_again(
    hasty: Gateway, told: str | None, asked: str
) -> None:
    hasty.wazzup.faults.add(Fault(on="links", status=429, retry_after=told, times=None))

    answer = await hasty.link()

    assert answer.headers["retry-after"] == asked


async def test_when_an_unavailable_wazzup_names_a_time_the_page_hears_it(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=503, body="", retry_after="60"))

    answer = await gateway.link()

    assert (answer.status_code, answer.headers["retry-after"]) == (502, "60")


@pytest.mark.parametrize("fault", [Fault(on="links", status=500), Fault(on="links", dropped=True)])
async def test_a_failure_that_passes_is_not_noticed(gateway: Gateway, fault: Fault) -> None:
    gateway.wazzup.faults.add(fault)

    answer = await gateway.link()

    assert answer.status_code == 200
    assert gateway.questions == 2


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_what_asking_again_cannot_mend_is_not_asked_again(gateway: Gateway, status: int) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=status))

    await gateway.link()

    assert gateway.questions == 1


async def test_a_failure_is_not_remembered(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=500, times=2))
    await gateway.link()

    again = await gateway.link()

    assert (again.status_code, again.json()["cached"]) == (200, False)


@pytest.mark.parametrize("fault", DOWN, ids=NAMES)
@pytest.mark.parametrize("asks", ["no-cache", "max_age"])
async def test_a_remembered_link_is_given_while_wazzup_is_down_even_to_whoever_wants_a_newer_one(
    hasty: Gateway, clock: Clock, fault: Fault, asks: str
) -> None:
    first = await hasty.link()
    hasty.wazzup.faults.add(fault)
    clock.advance(seconds=9)

    if asks == "no-cache":
        answer = await hasty.link(**{"Cache-Control": "no-cache"})
    else:
        answer = await hasty.link(CARD | {"max_age": 1})

    assert answer.status_code == 200
    assert (answer.json()["link"], answer.json()["cached"]) == (first.json()["link"], True)
    assert answer.headers["cache-status"] == "wazzup-gateway; fwd=stale; detail=stale-if-error"
    assert answer.headers["age"] == "9"
    assert RAW not in answer.text


@pytest.mark.parametrize("status", [401, 403])
async def test_a_remembered_link_is_not_given_where_wazzup_refuses_the_credentials(
    gateway: Gateway, status: int
) -> None:
    await gateway.link()
    gateway.wazzup.faults.add(Fault(**FOR_EVER, status=status))

    answer = await gateway.link(**{"Cache-Control": "no-cache"})

    assert (answer.status_code, answer.json()["code"]) == (502, "WAZZUP_FORBIDDEN")


async def test_a_remembered_link_is_not_given_where_wazzup_refuses_the_question(gateway: Gateway) -> None:
    await gateway.link()
    gateway.wazzup.faults.add(Fault(on="links", status=400))

    answer = await gateway.link(**{"Cache-Control": "no-cache"})

    assert (answer.status_code, answer.json()["code"]) == (422, "WAZZUP_REFUSED")


async def test_a_link_that_has_expired_is_not_given_however_down_wazzup_is(hasty: Gateway, clock: Clock) -> None:
    await hasty.link()
    hasty.wazzup.faults.add(Fault(**FOR_EVER, status=500))
    clock.advance(hours=2)

    answer = await hasty.link()

    assert (answer.status_code, answer.json()["code"]) == (502, "WAZZUP_UNAVAILABLE")


async def test_a_page_that_is_content_with_a_remembered_link_notices_nothing(gateway: Gateway) -> None:
    await gateway.link()
    gateway.wazzup.faults.add(Fault(**FOR_EVER, status=500))

    answer = await gateway.link()

    assert answer.headers["cache-status"].startswith("wazzup-gateway; hit")
    assert gateway.questions == 1


async def test_once_wazzup_is_back_a_newer_link_is_given_again(gateway: Gateway) -> None:
    first = await gateway.link()
    gateway.wazzup.faults.add(Fault(on="links", status=200, body="?"))
    stale = await gateway.link(**{"Cache-Control": "no-cache"})

    newer = await gateway.link(**{"Cache-Control": "no-cache"})

    assert stale.json()["link"] == first.json()["link"]
    assert newer.json()["link"] != first.json()["link"]
    assert newer.headers["cache-status"] == "wazzup-gateway; fwd=request"


async def test_pages_that_asked_together_fail_together_with_one_question(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="links", status=400, delay_seconds=0.05))

    first, second = await asyncio.gather(gateway.link(), gateway.link())

    assert [first.status_code, second.status_code] == [422, 422]
    assert gateway.questions == 1


async def test_a_wazzup_that_keeps_failing_is_left_alone_and_found_again(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, link_rate_limit="1000/60") as gateway:
        gateway.wazzup.faults.add(Fault(on="links", status=503, body="", times=None))
        failures = await ten_users_fail(gateway)
        asked = gateway.questions

        refused = await gateway.link()

        assert {failure.json()["code"] for failure in failures} == {"WAZZUP_UNAVAILABLE"}
        assert (refused.status_code, refused.json()["code"]) == (503, "WAZZUP_CIRCUIT_OPEN")
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert gateway.questions == asked
        ready = await gateway.http.get("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["wazzup"]["status"]) == (200, "degraded")

        gateway.wazzup.faults.clear()
        clock.advance(seconds=5)

        assert (await gateway.link()).status_code == 200
        assert (await gateway.http.get("/health/ready")).json()["checks"]["wazzup"]["status"] == "ok"


async def ten_users_fail(gateway: Gateway) -> list[httpx.Response]:
    """As often in a row as shows that it is not one question that is wrong."""
    return [await gateway.link({**CARD, "user_id": f"somebody-{number}"}) for number in range(FAILURES)]


async def test_one_card_that_breaks_wazzup_does_not_stop_the_others(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, link_rate_limit="1000/60") as gateway:
        gateway.wazzup.faults.add(Fault(on="links", status=500, times=2 * FAILURES))
        for _ in range(FAILURES):
            assert (await gateway.link()).json()["code"] == "WAZZUP_UNAVAILABLE"

        assert (await gateway.link({**CARD, "user_id": "another"})).status_code == 200


async def test_while_wazzup_is_left_alone_a_link_that_is_still_good_is_given(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, link_rate_limit="1000/60") as gateway:
        await gateway.link()
        gateway.wazzup.faults.add(Fault(on="links", dropped=True, times=None))
        await ten_users_fail(gateway)
        asked = gateway.questions

        answer = await gateway.link({**CARD, "max_age": 0})

        assert answer.headers["cache-status"] == "wazzup-gateway; fwd=stale; detail=stale-if-error"
        assert gateway.questions == asked


async def test_the_metrics_tell_of_a_wazzup_that_is_left_alone(redis_url: str, clock: Clock) -> None:
    async with running(redis_url, clock, link_rate_limit="1000/60") as gateway:
        gateway.wazzup.faults.add(Fault(on="links", status=503, body="", times=None))
        await ten_users_fail(gateway)

        metrics = (await gateway.http.get("/metrics")).text

        assert 'wazzup_gateway_wazzup_circuit_open{account="default"} 1.0' in metrics


async def test_the_metrics_tell_of_a_wazzup_that_nobody_has_asked_yet(gateway: Gateway) -> None:
    """Else no dashboard could tell a good Wazzup from one that nobody watches."""
    metrics = (await gateway.http.get("/metrics")).text

    assert 'wazzup_gateway_wazzup_circuit_open{account="default"} 0.0' in metrics
