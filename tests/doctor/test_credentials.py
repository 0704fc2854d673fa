"""Credentials that Wazzup refuses are told with its code, and with the variables that mend it."""

from typing import Any

import pytest
from redis.asyncio import Redis

from app.diagnosis.findings import Status
from app.simulator.faults import Fault
from app.wazzup.wire import HINTS
from tests.doctor.driver import LABEL, V3, WHITE_LABEL, examined
from tests.doctor.wazzups import EVERY_WAY, FOR_EVER, WAYS, faulty
from tests.driver import simulated

OAUTH_CODES = [
    (401, "OAUTH_AUTH_HEADER_MISSING"),
    (401, "OAUTH_UNKNOWN_SCHEME"),
    (401, "OAUTH_INVALID_PARTNER_TOKEN"),
    (401, "OAUTH_TOKEN_INVALID_OR_EXPIRED"),
    (401, "OAUTH_TOKEN_UNKNOWN_OR_REVOKED"),
    (403, "OAUTH_SCOPE_FORBIDDEN"),
    (403, "OAUTH_CRM_INTEGRATION_REQUIRED"),
    (403, "OAUTH_BASIC_SCHEME_FORBIDDEN"),
    (403, "OAUTH_BEARER_SCHEME_FORBIDDEN"),
    (403, "OAUTH_PARTNER_NOT_FOUND"),
    (403, "OAUTH_PARTNER_NOT_ACTIVE"),
    (403, "OAUTH_CLIENT_NOT_CHILD_OF_PARTNER"),
]


@EVERY_WAY
@pytest.mark.parametrize(("status", "code"), OAUTH_CODES)
async def test_credentials_that_are_refused_are_told_with_the_code_and_the_variables(
    redis_url: str, way: str, status: int, code: str
) -> None:
    settings, variables = WAYS[way]

    found = await faulty(redis_url, Fault(**FOR_EVER, status=status, code=code), **settings)

    finding = found.of("credentials")
    assert found.not_well == [finding]
    assert found.of("wazzup").status is Status.OK
    assert found.of("link").status is Status.SKIPPED
    assert finding.says.endswith(f"It says {status} {code}.")
    assert HINTS.get(code, "Check WAZZUP_") in finding.says
    assert "Operator" not in finding.says
    assert "wazzup.code" not in finding.says
    assert finding.mends
    assert set(finding.mends) <= {*variables, "WAZZUP_BASE_URL"}


async def test_a_hint_that_names_a_variable_of_the_way_in_says_that_it_alone_mends(redis_url: str) -> None:
    fault = Fault(**FOR_EVER, status=403, code="OAUTH_CLIENT_NOT_CHILD_OF_PARTNER")

    found = await faulty(redis_url, fault, **WHITE_LABEL)

    assert found.of("credentials").mends == ("WAZZUP_ACCOUNT_ID",)


async def test_a_refusal_without_a_code_names_the_credentials(redis_url: str) -> None:
    found = await faulty(redis_url, Fault(**FOR_EVER, status=403, body="<html>denied</html>"))

    assert found.of("credentials").mends == ("WAZZUP_ACCESS_TOKEN",)
    assert "403" in found.of("credentials").says


@pytest.mark.parametrize(
    ("settings", "mends"),
    [
        ({"wazzup_access_token": "hunter2"}, ("WAZZUP_ACCESS_TOKEN",)),
        (LABEL | {"wazzup_refresh_token": "hunter2"}, ("WAZZUP_REFRESH_TOKEN",)),
        (LABEL | {"wazzup_client_id": "hunter2"}, ("WAZZUP_REFRESH_TOKEN",)),
        (WHITE_LABEL | {"wazzup_partner_password": "hunter2"}, ("WAZZUP_PARTNER_EMAIL", "WAZZUP_PARTNER_PASSWORD")),
        (WHITE_LABEL | {"wazzup_partner_email": "hunter2@example.com"}, ("WAZZUP_PARTNER_EMAIL",)),
        (WHITE_LABEL | {"wazzup_account_id": "1"}, ("WAZZUP_ACCOUNT_ID",)),
        (V3 | {"wazzup_api_key": "hunter2"}, ("WAZZUP_API_KEY",)),
    ],
    ids=["token", "refresh token", "client", "password", "email", "account id", "key"],
)
async def test_a_wrong_credential_is_found_and_named(
    redis_url: str, settings: dict[str, Any], mends: tuple[str, ...]
) -> None:
    found = await examined(redis_url, **settings)

    [finding] = found.not_well
    assert (finding.check, finding.mends) == ("credentials", mends)
    assert found.of("link").status is Status.SKIPPED


async def test_a_refresh_token_that_is_used_up_is_found_and_named(redis_url: str, redis: Redis) -> None:
    wazzup = simulated()
    await examined(redis_url, wazzup=wazzup, **LABEL)
    await redis.flushall()

    found = await examined(redis_url, wazzup=wazzup, **LABEL)

    [finding] = found.not_well
    assert (finding.check, finding.mends) == ("credentials", ("WAZZUP_REFRESH_TOKEN",))
    assert found.of("token").status is Status.SKIPPED


async def test_a_static_token_that_was_revoked_is_found_and_named(redis_url: str) -> None:
    wazzup = simulated()
    wazzup.state.world.tokens.revoke_access()

    found = await examined(redis_url, wazzup=wazzup)

    assert found.of("credentials").says.endswith("401 OAUTH_TOKEN_UNKNOWN_OR_REVOKED.")
    assert found.of("credentials").mends == ("WAZZUP_ACCESS_TOKEN",)


@pytest.mark.parametrize("code", ["INVALID_API_KEY", "UNAUTHORIZED", "TOKEN_EXPIRED"])
async def test_a_400_about_who_asks_is_about_the_credentials(redis_url: str, code: str) -> None:
    """v3 names its refusals in a way of its own."""
    found = await faulty(redis_url, Fault(**FOR_EVER, status=400, code=code), **V3)

    [finding] = found.not_well
    assert finding.check == "credentials"
    assert code in finding.says


def test_every_hint_of_the_wire_is_tried_here() -> None:
    assert HINTS.keys() <= {code for _, code in OAUTH_CODES}
