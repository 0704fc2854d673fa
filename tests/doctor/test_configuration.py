"""The doctor says in words how the gateway is configured, and what of that is wrong, by the variables' names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from app.diagnosis.findings import Finding, Status, all_is_well, failed, for_machines, for_people, ok, skipped, warning
from app.doctor import Wish, examine_environment
from app.settings import Settings
from tests.doctor.driver import ANNA, LABEL, SECRETS, V3, WHITE_LABEL, Findings, examined
from tests.driver import ACCESS_TOKEN, SERVER_KEY, WAZZUP, simulated

PEM = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----"
)


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ({}, f"Wazzup's partner API (v2) at {WAZZUP}, by an access token."),
        (LABEL, "by the refresh grant of an OAuth client."),
        (WHITE_LABEL, "by a partner's token, exchanged for one of the account 12341234."),
        (V3, f"Wazzup's public API (v3) at {WAZZUP}, by an API key."),
    ],
    ids=["token", "label", "white-label", "v3"],
)
async def test_the_way_into_wazzup_is_told_in_words(redis_url: str, way: dict[str, Any], says: str) -> None:
    found = await examined(redis_url, **way)

    assert found.of("configuration").says.endswith(says)
    assert found.of("configuration").status is Status.OK


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "1 server key, 1 admin key, users by tokens that JWT_SECRET signs (HS256)."),
        ({"api_keys": f"{SERVER_KEY},{SERVER_KEY}-2", "admin_api_keys": None, "jwt_secret": None}, ": 2 server keys."),
        ({"jwt_secret": None, "jwt_public_key": PEM}, "users by tokens that JWT_PUBLIC_KEY verifies."),
        (
            {"jwt_secret": None, "jwt_jwks_url": "https://hunter2@crm.example/keys?hunter2"},
            "users by tokens that the keys at JWT_JWKS_URL verify.",
        ),
    ],
    ids=["all", "keys", "PEM", "JWKS"],
)
async def test_who_may_call_is_told_in_words(redis_url: str, settings: dict[str, Any], says: str) -> None:
    found = await examined(redis_url, **{"jwt_public_key": None} | settings)

    assert found.of("callers").says.endswith(says)
    assert found.warnings == []


@pytest.mark.parametrize(
    ("settings", "check", "mends"),
    [
        ({"api_keys": None, "admin_api_keys": None, "jwt_secret": None}, "callers", ("API_KEYS",)),
        ({"api_keys": "hunter2"}, "callers", ("API_KEYS", "ADMIN_API_KEYS")),
        ({"jwt_secret": "hunter2"}, "callers", ("JWT_SECRET",)),
        ({"allowed_origins": None}, "origins", ("ALLOWED_ORIGINS",)),
    ],
    ids=["nobody", "weak key", "weak secret", "no origin"],
)
async def test_what_an_operator_should_think_over_is_a_warning(
    redis_url: str, settings: dict[str, Any], check: str, mends: tuple[str, ...]
) -> None:
    found = await examined(redis_url, **settings)

    assert [(one.check, one.mends) for one in found.warnings] == [(check, mends)]
    assert all_is_well(found.all)


async def test_limits_and_introductions_are_told(redis_url: str) -> None:
    found = await examined(redis_url, wazzup_rate_limit="7/1")
    introduced = await examined(redis_url, wazzup_sync_users="true")

    assert found.of("limits").says == "7 calls in 1 second to Wazzup; 60 calls in 60 seconds of each user."
    assert "WAZZUP_SYNC_USERS" in found.of("users").says
    assert introduced.of("users").says == "Introduced to Wazzup before their first link."


@pytest.mark.parametrize(
    ("settings", "mends"),
    [
        ({"wazzup_access_token": None}, [("WAZZUP_ACCESS_TOKEN",)]),
        ({"wazzup_api": "v3"}, [("WAZZUP_API_KEY",)]),
        (LABEL | {"wazzup_refresh_token": None}, [("WAZZUP_REFRESH_TOKEN",)]),
        (LABEL | {"wazzup_access_token": ACCESS_TOKEN}, [("WAZZUP_ACCESS_TOKEN", *map(str.upper, list(LABEL)[1:]))]),
        ({"default_country": "XX"}, [("DEFAULT_COUNTRY",)]),
        ({"jwt_secret": None, "jwt_public_key": "hunter2"}, [("JWT_PUBLIC_KEY",)]),
    ],
    ids=["no way in", "no key", "half a way", "two ways", "country", "PEM"],
)
async def test_an_account_that_cannot_be_served_names_the_variable_and_wazzup_is_not_asked(
    redis_url: str, settings: dict[str, Any], mends: list[tuple[str, ...]]
) -> None:
    found = await examined(redis_url, **settings)

    assert [one.mends for one in found.not_well] == mends
    assert found.of("wazzup").status is Status.SKIPPED
    assert found.of("store", None).status is Status.OK


async def test_one_account_that_cannot_be_served_leaves_the_others_their_examination(
    redis_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text("[accounts.north]\nwazzup_access_token = 'hunter2'\ndefault_country = 'XX'\n")

    found = await examined(redis_url, accounts_file=file)

    [finding] = found.not_well
    assert (finding.account, finding.mends) == ("north", ("accounts.north.default_country",))
    assert set(found.statuses().values()) == {Status.OK}


async def test_a_broken_file_of_accounts_names_each_place_and_the_store_is_looked_at(
    redis_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text("[accounts.north]\napi_key = 'hunter2'\n[accounts.south]\nwazzup_access_token = 'x'\nport = 1\n")

    found = await examined(redis_url, accounts_file=file)
    gone = await examined(redis_url, accounts_file=tmp_path / "none.toml")

    assert [one.mends for one in found.not_well] == [
        ("accounts.north.api_key",),
        ("accounts.north.wazzup_access_token",),
        ("accounts.south.port",),
    ]
    assert [one.mends for one in gone.not_well] == [("ACCOUNTS_FILE",)]
    assert found.of("store", None).status is gone.of("store", None).status is Status.OK


async def test_what_no_account_inherits_is_a_warning(redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(
        f"[accounts.north]\napi_keys = ['{SERVER_KEY}']\nwazzup_access_token = '{ACCESS_TOKEN}'\n"
        f"wazzup_base_url = '{WAZZUP}'\nwazzup_link_hosts = ['127.0.0.1']\n"
    )
    unset: dict[str, Any] = dict.fromkeys(
        ["api_keys", "admin_api_keys", "jwt_secret", "wazzup_access_token", "wazzup_base_url", "wazzup_link_hosts"]
    )

    found = await examined(redis_url, accounts_file=file, **unset)

    [finding] = found.warnings
    assert (finding.check, finding.mends) == ("configuration", ("ALLOWED_ORIGINS",))
    assert all_is_well(found.all)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


async def test_every_variable_that_is_wrong_is_named_and_the_store_is_looked_at(
    environment: pytest.MonkeyPatch, redis_url: str
) -> None:
    for name, value in {"PORT": "hunter2", "WAZZUP_API": "hunter2", "REDIS_URL": redis_url}.items():
        environment.setenv(name, value)

    found = Findings(await examine_environment(Path(".env"), ANNA))

    assert [one.mends for one in found.not_well] == [("WAZZUP_API",), ("PORT",)]
    assert found.of("store", None).status is Status.OK
    assert found.of("wazzup", None).status is Status.SKIPPED
    assert "hunter2" not in for_machines(found.all)


@pytest.mark.parametrize(
    ("variables", "mends"),
    [
        ({"REDIS_URL": "hunter2://"}, ("REDIS_URL",)),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, ("SECRET_KEY",)),
        ({"SECRET_KEY": "hunter2"}, ("SECRET_KEY",)),
        ({"API_KEYS": "hunter2,hunter2"}, ("API_KEYS", "ADMIN_API_KEYS")),
    ],
)
async def test_what_does_not_fit_together_is_named(
    environment: pytest.MonkeyPatch, variables: dict[str, str], mends: tuple[str, ...]
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)

    found = Findings(await examine_environment(Path(".env"), ANNA))

    assert found.not_well[0].mends == mends
    assert "hunter2" not in for_machines(found.all)


async def test_where_the_configuration_was_read_is_told(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without = Findings(await examine_environment(Path(".env"), Wish()))
    (tmp_path / ".env").write_text("WAZZUP_API=v3\n")
    beside = Findings(await examine_environment(Path(".env"), Wish()))

    assert without.of("configuration", None).says == "Read from the environment; there is no .env here."
    assert beside.of("configuration", None).says == "Read from the environment and .env."
    assert beside.not_well[0].mends == ("WAZZUP_API_KEY",)


FOUND = [
    ok("store", "It is there."),
    Finding("callers", Status.WARNING, "Nobody.", ("API_KEYS",), "north"),
    Finding("link", Status.SKIPPED, "Not asked.", (), "north"),
]


def test_people_read_a_line_for_each_finding_with_its_variable_at_the_end() -> None:
    assert for_people(FOUND).splitlines() == [
        "The gateway",
        "  ok       store          It is there.",
        "",
        "Account north",
        "  warning  callers        Nobody. -> API_KEYS",
        "  skipped  link           Not asked.",
        "",
        "All is well, with 1 warning.",
    ]


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([ok("a", "b")], "All is well."),
        ([warning("a", "b"), warning("a", "b")], "All is well, with 2 warnings."),
        ([failed("a", "b"), warning("a", "b"), skipped("a", "b")], "1 thing to mend."),
        ([failed("a", "b"), failed("a", "b")], "2 things to mend."),
    ],
)
def test_the_last_line_says_it_all(findings: list[Finding], verdict: str) -> None:
    assert for_people(findings).splitlines()[-1] == verdict
    assert json.loads(for_machines(findings))["ok"] is all_is_well(findings) is verdict.startswith("All")


def test_machines_read_one_document() -> None:
    assert json.loads(for_machines(FOUND))["findings"][1] == {
        "check": "callers",
        "status": "warning",
        "says": "Nobody.",
        "mends": ["API_KEYS"],
        "account": "north",
    }


def test_a_path_that_is_no_text_can_be_told() -> None:
    found = [ok("store", "in \udcff")]

    assert json.loads(for_machines(found))["findings"][0]["says"] == "in \udcff"


def test_what_must_not_be_told_is_a_list_that_means_something() -> None:
    assert {SERVER_KEY, ACCESS_TOKEN} <= SECRETS


JWKS: dict[str, Any] = {"jwt_secret": None, "jwt_jwks_url": "https://crm.example/hunter2"}


def publishing(answers: Callable[[], JSONResponse]) -> Any:
    """A network where the CRM answers so, and Wazzup as ever."""
    wazzup = simulated()

    async def network(scope: Scope, receive: Receive, send: Send) -> None:
        await (answers() if scope["path"] == "/hunter2" else wazzup)(scope, receive, send)

    return network


def refused() -> JSONResponse:
    raise ConnectionRefusedError


async def test_keys_that_the_crm_publishes_are_read(redis_url: str) -> None:
    key = ECKey.generate_key("P-256", {"kid": "k"}, private=True).as_dict(private=False)

    found = await examined(redis_url, wazzup=publishing(lambda: JSONResponse({"keys": [key]})), **JWKS)

    assert found.of("keys").status is Status.OK


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (refused, "nobody listens there"),
        (lambda: JSONResponse({}, 404), "it answers 404"),
        (lambda: JSONResponse({"keys": []}), "what is there is no JWKS with a key that can be used"),
        (lambda: JSONResponse(["hunter2"]), "what is there is no JWKS with a key that can be used"),
    ],
    ids=["closed", "404", "no key", "no JWKS"],
)
async def test_keys_that_cannot_be_read_are_told_with_the_reason(
    redis_url: str, answers: Callable[[], JSONResponse], why: str
) -> None:
    found = await examined(redis_url, wazzup=publishing(answers), **JWKS)

    [finding] = found.not_well
    assert (finding.check, finding.mends) == ("keys", ("JWT_JWKS_URL",))
    assert finding.says.endswith(f": {why}.")


async def test_who_publishes_no_keys_is_not_asked_for_them(redis_url: str) -> None:
    assert "keys" not in (await examined(redis_url)).statuses()
