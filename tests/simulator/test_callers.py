"""Who may call, and the code that everybody else is refused with."""

from base64 import b64encode

import pytest

from app.simulator.options import Options, RateLimit
from tests.simulator.driver import NOBODY, Wazzup
from tests.simulator.examples import V2_GLOBAL, V3_GLOBAL

MACHINE = {"grant_type": "client_credentials", "client_credentials_data": {"scope": "transport,crm"}}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def basic(email: str = "partner@example.com", password: str = "demo-partner-password") -> str:
    return "Basic " + b64encode(f"{email}:{password}".encode()).decode()


def refresh(refresh_token: str, client_id: str = "demo-client") -> dict[str, object]:
    data = {"refresh_token": refresh_token, "client_id": client_id}
    return {"grant_type": "refresh_token", "refresh_token_data": data}


def exchange(subject_token: str, account_id: str = "12341234") -> dict[str, object]:
    data = {
        "subject_token": subject_token,
        "subject_token_type": "urn:wazzup:oauth:token-type:machine_token",
        "requested_subject": account_id,
        "scope": "transport,crm",
    }
    return {"grant_type": EXCHANGE, "token_exchange_data": data}


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (NOBODY, 401, "OAUTH_AUTH_HEADER_MISSING"),
        ("Digest abc", 401, "OAUTH_UNKNOWN_SCHEME"),
        (basic(), 403, "OAUTH_BASIC_SCHEME_FORBIDDEN"),
        ("Bearer of-nobody", 401, "OAUTH_TOKEN_UNKNOWN_OR_REVOKED"),
        ("Bearer", 401, "OAUTH_TOKEN_UNKNOWN_OR_REVOKED"),
    ],
)
@pytest.mark.parametrize("path", ["/iframe-links/chats", "/users", "/contacts", "/deals"])
async def test_v2_takes_an_access_token_and_nothing_else(
    wazzup: Wazzup, path: str, authorization: str, status: int, code: str
) -> None:
    answer = await wazzup.v2(path, {}, authorization=authorization)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("authorization", [NOBODY, "Bearer of-nobody", "Basic ZGVtbw==", "demo-api-key"])
@pytest.mark.parametrize("path", ["/iframe", "/users", "/contacts", "/deals"])
async def test_v3_takes_an_api_key_and_nothing_else(wazzup: Wazzup, path: str, authorization: str) -> None:
    answer = await wazzup.v3(path, {}, authorization=authorization)

    assert answer.status_code == 401
    assert "INVALID_API_KEY" in answer.text


async def test_a_refresh_token_gives_an_access_token_that_works(wazzup: Wazzup) -> None:
    granted = await wazzup.v2("/oauth/token", refresh("demo-refresh-token"), authorization=NOBODY)
    access_token = granted.json()["data"]["access_token"]

    answer = await wazzup.v2("/iframe-links/chats", V2_GLOBAL, authorization=f"Bearer {access_token}")

    assert answer.status_code == 200
    assert granted.json()["data"]["expires_in"] == 3600


async def test_a_used_refresh_token_is_dead_and_the_new_one_lives(wazzup: Wazzup) -> None:
    granted = await wazzup.v2("/oauth/token", refresh("demo-refresh-token"), authorization=NOBODY)

    again = await wazzup.v2("/oauth/token", refresh("demo-refresh-token"), authorization=NOBODY)
    newer = await wazzup.v2("/oauth/token", refresh(granted.json()["data"]["refresh_token"]), authorization=NOBODY)

    assert (again.status_code, again.json()["code"]) == (400, "invalid_grant")
    assert newer.status_code == 200


async def test_a_refresh_token_of_another_client_is_refused_and_stays_alive(wazzup: Wazzup) -> None:
    stolen = await wazzup.v2("/oauth/token", refresh("demo-refresh-token", "thief"), authorization=NOBODY)
    own = await wazzup.v2("/oauth/token", refresh("demo-refresh-token"), authorization=NOBODY)

    assert stolen.json()["code"] == "invalid_grant"
    assert own.status_code == 200


async def test_an_access_token_expires() -> None:
    wazzup = Wazzup(Options(token_lifetime_seconds=60))
    granted = await wazzup.v2("/oauth/token", refresh("demo-refresh-token"), authorization=NOBODY)
    bearer = f"Bearer {granted.json()['data']['access_token']}"

    wazzup.clock.forward(60)
    answer = await wazzup.v2("/iframe-links/chats", V2_GLOBAL, authorization=bearer)

    assert (answer.status_code, answer.json()["code"]) == (401, "OAUTH_TOKEN_INVALID_OR_EXPIRED")


async def test_access_can_be_revoked_while_refresh_tokens_live_on(wazzup: Wazzup) -> None:
    wazzup.world.tokens.revoke_access()

    answer = await wazzup.v2("/iframe-links/chats", V2_GLOBAL)
    granted = await wazzup.v2("/oauth/token", refresh("demo-refresh-token"), authorization=NOBODY)

    assert answer.json()["code"] == "OAUTH_TOKEN_UNKNOWN_OR_REVOKED"
    assert granted.status_code == 200


async def test_a_partner_exchanges_its_machine_token_for_an_accounts(wazzup: Wazzup) -> None:
    machine = await wazzup.v2("/oauth/token", MACHINE, authorization=basic())
    subject = machine.json()["data"]["access_token"]

    granted = await wazzup.v2("/oauth/token", exchange(subject), authorization=basic())
    bearer = f"Bearer {granted.json()['data']['access_token']}"

    assert (await wazzup.v2("/iframe-links/chats", V2_GLOBAL, authorization=bearer)).status_code == 200
    assert granted.json()["data"]["refresh_token"]


async def test_a_machine_token_opens_nothing_of_an_accounts(wazzup: Wazzup) -> None:
    machine = await wazzup.v2("/oauth/token", MACHINE, authorization=basic())
    bearer = f"Bearer {machine.json()['data']['access_token']}"

    answer = await wazzup.v2("/iframe-links/chats", V2_GLOBAL, authorization=bearer)

    assert (answer.status_code, answer.json()["code"]) == (403, "OAUTH_SCOPE_FORBIDDEN")


async def test_an_expired_machine_token_is_exchanged_for_nothing(wazzup: Wazzup) -> None:
    machine = await wazzup.v2("/oauth/token", MACHINE, authorization=basic())

    wazzup.clock.forward(3600)
    subject = machine.json()["data"]["access_token"]
    granted = await wazzup.v2("/oauth/token", exchange(subject), authorization=basic())

    assert granted.json()["code"] == "invalid_grant"


async def test_an_accounts_token_is_no_machine_token(wazzup: Wazzup) -> None:
    granted = await wazzup.v2("/oauth/token", exchange("demo-access-token"), authorization=basic())

    assert granted.json()["code"] == "invalid_grant"


async def test_a_partner_gets_no_tokens_of_somebody_elses_account(wazzup: Wazzup) -> None:
    machine = await wazzup.v2("/oauth/token", MACHINE, authorization=basic())
    question = exchange(machine.json()["data"]["access_token"], account_id="99999999")

    granted = await wazzup.v2("/oauth/token", question, authorization=basic())

    assert granted.json()["code"] == "OAUTH_CLIENT_NOT_CHILD_OF_PARTNER"


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (NOBODY, 401, "OAUTH_AUTH_HEADER_MISSING"),
        ("Bearer demo-access-token", 403, "OAUTH_BEARER_SCHEME_FORBIDDEN"),
        (basic(email="other@example.com"), 403, "OAUTH_PARTNER_NOT_FOUND"),
        (basic(password="wrong"), 401, "OAUTH_INVALID_PARTNER_TOKEN"),
        ("Basic ***", 401, "OAUTH_INVALID_PARTNER_TOKEN"),
    ],
)
async def test_a_machine_token_is_for_the_partner_alone(
    wazzup: Wazzup, authorization: str, status: int, code: str
) -> None:
    granted = await wazzup.v2("/oauth/token", MACHINE, authorization=authorization)

    assert (granted.status_code, granted.json()["code"]) == (status, code)


async def test_a_code_from_a_browser_is_not_simulated_and_the_answer_says_so(wazzup: Wazzup) -> None:
    data = {"code": "c", "redirect_uri": "https://crm.example", "client_id": "demo-client"}
    body = {"grant_type": "authorization_code", "authorize_code_data": {**data, "code_verifier": "v"}}

    granted = await wazzup.v2("/oauth/token", body, authorization=NOBODY)

    assert granted.json()["errors"] == ["grant_type authorization_code is not offered by this simulation"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"grant_type": "password"},
        {"grant_type": ["refresh_token"]},
        {"grant_type": "refresh_token"},
        {**refresh("demo-refresh-token"), "scope": "crm"},
        {"grant_type": "client_credentials", "client_credentials_data": {"scope": "everything"}},
        exchange("some-token", account_id="1234-1234"),
    ],
)
async def test_a_grant_in_another_form_is_refused(wazzup: Wazzup, body: object) -> None:
    granted = await wazzup.v2("/oauth/token", body, authorization=basic())

    assert (granted.status_code, granted.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_v3_answers_so_many_calls_in_a_while_and_no_more() -> None:
    wazzup = Wazzup(Options(v3_rate_limit=RateLimit(calls=2, seconds=5)))

    statuses = [(await wazzup.v3("/iframe", V3_GLOBAL)).status_code for _ in range(3)]
    wazzup.clock.forward(5)
    later = await wazzup.v3("/iframe", V3_GLOBAL)

    assert statuses == [200, 200, 429]
    assert later.status_code == 200


async def test_v3s_limit_is_500_in_5_seconds_unless_told_otherwise(wazzup: Wazzup) -> None:
    admitted = [wazzup.world.admits("/v3/iframe") for _ in range(501)]

    assert admitted == [True] * 500 + [False]


async def test_v2_can_be_told_to_have_a_limit_of_its_own() -> None:
    wazzup = Wazzup(Options(v2_rate_limit=RateLimit(calls=1, seconds=5)))

    await wazzup.v2("/iframe-links/chats", V2_GLOBAL)
    refused = await wazzup.v2("/iframe-links/chats", V2_GLOBAL)

    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert (await wazzup.v3("/iframe", V3_GLOBAL)).status_code == 200
