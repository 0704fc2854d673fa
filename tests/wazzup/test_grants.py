"""Tokens are asked for in the vendor's words; answers are read kindly, since one that is lost is a grant lost."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
import respx

from app.errors import WazzupError, WazzupForbidden, WazzupUnreadable
from app.wazzup.grants import LONGEST_LIFE, UNTOLD_LIFE, Exchange, Refresh
from app.wazzup.metered import MeteredWire
from app.wazzup.wire import Wire
from tests.driver import Clock
from tests.vendor_contract import check_request
from tests.wazzup_client import Free

WAZZUP = "https://wazzup.test"
PASSWORD = "the-partners-password"


@pytest.fixture
async def route() -> AsyncIterator[tuple[MeteredWire, respx.Route]]:
    router = respx.MockRouter(assert_all_called=False)
    asked = router.post(f"{WAZZUP}/v2/oauth/token")
    async with httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler)) as http:
        yield MeteredWire(Wire(http, WAZZUP, "WAZZUP_REFRESH_TOKEN", Clock()), Free()), asked


def tokens(**members: Any) -> httpx.Response:
    usual = {"access_token": "access", "refresh_token": "next", "expires_in": 3600}
    return httpx.Response(200, json={"data": {k: v for k, v in (usual | members).items() if v is not None}})


async def test_a_refresh_token_is_sent_with_its_client_and_without_authorization(
    route: tuple[MeteredWire, respx.Route],
) -> None:
    wire, asked = route
    asked.respond(json=orjson.loads(tokens().content))

    granted = await Refresh(wire, "client", "first").grant(None)

    [call] = asked.calls
    body = orjson.loads(call.request.content)
    assert body == {
        "grant_type": "refresh_token",
        "refresh_token_data": {"refresh_token": "first", "client_id": "client"},
    }
    check_request("v2", "POST", "/v2/oauth/token", body)
    assert "authorization" not in call.request.headers
    assert (granted.access_token, granted.refresh_token, granted.expires_in) == ("access", "next", timedelta(hours=1))


async def test_a_partner_trades_a_machine_token_for_the_accounts(route: tuple[MeteredWire, respx.Route]) -> None:
    wire, asked = route
    asked.side_effect = [tokens(access_token="machine", refresh_token=None), tokens()]

    granted = await Exchange(wire, "partner@example.com", PASSWORD, "12341234").grant(None)

    bodies = [orjson.loads(call.request.content) for call in asked.calls]
    assert [body["grant_type"].rpartition(":")[2] for body in bodies] == ["client_credentials", "token-exchange"]
    assert bodies[1]["token_exchange_data"]["subject_token"] == "machine"
    assert bodies[1]["token_exchange_data"]["requested_subject"] == "12341234"
    for body, call in zip(bodies, asked.calls, strict=True):
        check_request("v2", "POST", "/v2/oauth/token", body)
        assert call.request.headers["authorization"].startswith("Basic ")
    assert granted.access_token == "access"


@pytest.mark.parametrize(
    ("told", "life"),
    [
        (60, timedelta(minutes=1)),
        (0.5, timedelta(seconds=0.5)),
        (10**12, LONGEST_LIFE),
        (None, UNTOLD_LIFE),
        (0, UNTOLD_LIFE),
        (-5, UNTOLD_LIFE),
        (True, UNTOLD_LIFE),
        ("3600", UNTOLD_LIFE),
        ([], UNTOLD_LIFE),
    ],
)
async def test_a_life_that_is_not_told_is_taken_for_a_short_one(
    route: tuple[MeteredWire, respx.Route], told: Any, life: timedelta
) -> None:
    wire, asked = route
    asked.mock(return_value=tokens(expires_in=told))

    assert (await Refresh(wire, "client", "first").grant(None)).expires_in == life


@pytest.mark.parametrize("odd", [None, "", 7, "with\nlines", "ключ", ["a"]])
async def test_a_refresh_token_that_cannot_be_one_leaves_the_old_one_in_use(
    route: tuple[MeteredWire, respx.Route], odd: Any
) -> None:
    wire, asked = route
    asked.mock(return_value=tokens(refresh_token=odd))

    granted = await Refresh(wire, "client", "first").grant(None)

    assert (granted.access_token, granted.refresh_token) == ("access", None)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"data": None}),
        httpx.Response(200, json={"data": {"access_token": 7}}),
        httpx.Response(200, json={"data": {"access_token": ""}}),
        httpx.Response(200, json={"data": {"access_token": "a\r\nX-Evil: 1"}}),
    ],
)
async def test_an_answer_without_a_token_is_unreadable(
    route: tuple[MeteredWire, respx.Route], answer: httpx.Response
) -> None:
    wire, asked = route
    asked.mock(return_value=answer)

    with pytest.raises(WazzupUnreadable):
        await Refresh(wire, "client", "first").grant(None)


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_grant_that_is_refused_names_what_the_operator_mends(
    route: tuple[MeteredWire, respx.Route], status: int
) -> None:
    wire, asked = route
    asked.respond(status, json={"code": "invalid_grant", "detail": f"{PASSWORD} and first are wrong"})

    with pytest.raises(WazzupForbidden, match="WAZZUP_REFRESH_TOKEN") as label:
        await Refresh(wire, "client", "first").grant(None)
    with pytest.raises(WazzupForbidden, match=r"WAZZUP_(PARTNER|ACCOUNT|REFRESH)"):
        await Exchange(wire, "partner@example.com", PASSWORD, "1").grant(None)

    assert label.value.vendor is not None
    assert label.value.vendor.status == status
    assert "first" not in repr(label.value.vendor)


async def test_nothing_of_the_operators_secrets_is_passed_on(route: tuple[MeteredWire, respx.Route]) -> None:
    wire, asked = route
    asked.respond(500, json={"code": "X", "detail": f"The password {PASSWORD} of {WAZZUP}"})

    with pytest.raises(WazzupError) as failed:
        await Exchange(wire, "partner@example.com", PASSWORD, "1").grant(None)

    assert PASSWORD not in repr(failed.value.vendor)
    assert PASSWORD not in repr(Exchange(wire, "partner@example.com", PASSWORD, "1"))
    assert "first" not in repr(Refresh(wire, "client", "first"))
