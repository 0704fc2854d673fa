"""Accounts as an operator writes them: each speaks for itself, and what is wrong is told without quoting a secret."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from app.accounts import AccessToken, Account, ApiKey, RefreshGrant, TokenExchange
from app.accounts_file import named
from app.limits import Rate
from app.settings import Settings
from app.variables import Misconfigured

SECRET = "correct-horse-battery-staple-correct-horse"
WAY = 'wazzup_access_token = "token"\n'
NORTH, SOUTH = f"[accounts.north]\n{WAY}", '[accounts.south]\nwazzup_access_token = "another-token"\n'


def read(folder: Path, text: str | bytes, **environment: str) -> dict[str, Account]:
    """The accounts of a gateway with this file and this environment."""
    file = folder / "accounts.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Settings.given(accounts_file=str(file), **environment).accounts()


def refusal(folder: Path, text: str | bytes, **environment: str) -> list[str]:
    """What the operator is told."""
    with pytest.raises(Misconfigured) as refused:
        read(folder, text, **environment)
    assert "hunter2" not in f"{refused.value} {refused.value!r} {refused.value.__cause__!r}"
    return refused.value.problems


def way(**variables: str) -> Any:
    return Settings.given(**variables).accounts()["default"].wazzup_way()


# --- the way in -----------------------------------------------------------------------------------

TOKEN = {"wazzup_access_token": "token"}
REFRESH = {"wazzup_client_id": "client", "wazzup_refresh_token": "refresh"}
PARTNER = {
    "wazzup_partner_email": "partner@crm.example",
    "wazzup_partner_password": "password",
    "wazzup_account_id": "1234-1234",
}
V3 = {"wazzup_api": "v3", "wazzup_api_key": "key"}


@pytest.mark.parametrize(
    ("variables", "meant"),
    [
        (TOKEN, AccessToken(SecretStr("token"))),
        (REFRESH, RefreshGrant("client", SecretStr("refresh"))),
        (PARTNER, TokenExchange(SecretStr("partner@crm.example"), SecretStr("password"), "12341234")),
        (V3, ApiKey(SecretStr("key"))),
        (V3 | TOKEN | REFRESH, ApiKey(SecretStr("key"))),
        (TOKEN | {"wazzup_api_key": "key"}, AccessToken(SecretStr("token"))),
    ],
    ids=["token", "refresh", "partner", "v3", "v3 looks at its key only", "v2 does not look at the key"],
)
def test_wazzup_is_entered_in_one_way(variables: dict[str, str], meant: object) -> None:
    assert way(**variables) == meant


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, r"^WAZZUP_ACCESS_TOKEN: not set.*WAZZUP_CLIENT_ID with WAZZUP_REFRESH_TOKEN.*WAZZUP_ACCOUNT_ID$"),
        ({"wazzup_api_key": "key"}, r"^WAZZUP_ACCESS_TOKEN: not set"),
        ({"wazzup_api": "v3"} | TOKEN, r"^WAZZUP_API_KEY: not set"),
        ({"wazzup_client_id": "client"}, r"^WAZZUP_REFRESH_TOKEN: not set, but needed together with WAZZUP_CLIENT_ID$"),
        ({"wazzup_refresh_token": "hunter2"}, r"^WAZZUP_CLIENT_ID: not set, but needed"),
        ({"wazzup_account_id": "1"}, r"^WAZZUP_PARTNER_EMAIL, WAZZUP_PARTNER_PASSWORD: not set, but needed"),
        (PARTNER | {"wazzup_account_id": ""}, r"^WAZZUP_ACCOUNT_ID: not set, but needed"),
        (
            TOKEN | REFRESH,
            r"^WAZZUP_ACCESS_TOKEN, WAZZUP_CLIENT_ID, WAZZUP_REFRESH_TOKEN: set one way in",
        ),
        (TOKEN | {"wazzup_partner_email": "x"}, r"^WAZZUP_ACCESS_TOKEN, WAZZUP_PARTNER_EMAIL: set one way in"),
        (REFRESH | PARTNER, r"set one way in, not several$"),
    ],
)
def test_a_way_in_that_is_not_whole_or_not_the_only_one_is_refused_by_its_variables(
    variables: dict[str, str], sentence: str
) -> None:
    given_ones = {name: value for name, value in variables.items() if value}

    with pytest.raises(Misconfigured, match=sentence) as refused:
        way(**given_ones)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("variables", [TOKEN, REFRESH, PARTNER, V3], ids=["token", "refresh", "partner", "v3"])
def test_a_way_in_shows_no_secret(variables: dict[str, str]) -> None:
    shown = repr(way(**{name: f"{value}{SECRET}" if "id" not in name and name != "wazzup_api" else value
                        for name, value in variables.items()}))  # fmt: skip

    assert SECRET not in shown


# --- what a file says -----------------------------------------------------------------------------


def test_the_environment_alone_is_the_account_default() -> None:
    accounts = Settings.given(api_keys="one", wazzup_access_token="token", link_rate_limit="5/10").accounts()

    assert list(accounts) == ["default"]
    assert accounts["default"].keys == ["one"]
    assert accounts["default"].link_rate_limit == Rate(5, timedelta(seconds=10))


def test_an_account_of_a_file_stands_beside_the_one_of_the_environment_and_inherits_nothing(tmp_path: Path) -> None:
    accounts = read(
        tmp_path,
        NORTH + 'api_keys = ["of north"]\n',
        api_keys="of default",
        jwt_secret=SECRET,
        allowed_origins="https://crm.example",
        wazzup_access_token="token of default",
        link_rate_limit="5/10",
    )

    assert list(accounts) == ["default", "north"]
    north = accounts["north"]
    assert north.keys == ["of north"]
    assert (north.jwt_secret, north.allowed_origins) == (None, ())
    assert north.link_rate_limit == Account().link_rate_limit


def test_without_credentials_and_callers_the_environment_is_no_account(tmp_path: Path) -> None:
    assert list(read(tmp_path, NORTH, default_country="LV")) == ["north"]
    assert list(read(tmp_path, "[accounts.default]\n" + WAY)) == ["default"]


@pytest.mark.parametrize(
    "half", [{"api_keys": "one"}, {"jwt_secret": SECRET}, {"wazzup_api_key": "key"}, {"wazzup_refresh_token": "x"}]
)
def test_an_environment_that_is_half_an_account_is_one_so_that_the_other_half_is_missed(
    tmp_path: Path, half: dict[str, str]
) -> None:
    assert list(read(tmp_path, NORTH, **half)) == ["default", "north"]


def test_values_are_written_as_in_the_environment_or_as_toml_has_them(tmp_path: Path) -> None:
    as_text = """
        api_keys = " one , two "
        allowed_origins = "https://north.example"
        wazzup_account_id = "1234-1234"
        wazzup_timeout_seconds = "2.5"
        wazzup_rate_limit = "100/1"
        wazzup_sync_users = "true"
        default_events = "deals,messages"
        jwt_issuer = ""
    """
    as_toml = """
        api_keys = ["one", " two ", ""]
        allowed_origins = ["https://north.example"]
        wazzup_account_id = 12341234
        wazzup_timeout_seconds = 2.5
        wazzup_rate_limit = "100/1"
        wazzup_sync_users = true
        default_events = ["deals", "messages"]
    """
    partner = 'wazzup_partner_email = "x"\nwazzup_partner_password = "y"\n'

    one = read(tmp_path, f"[accounts.north]\n{partner}{as_text}")
    other = read(tmp_path, f"[accounts.north]\n{partner}{as_toml}")

    assert one == other
    assert one["north"].keys == ["one", "two"]
    assert one["north"].wazzup_sync_users is True


def test_a_file_with_the_mark_that_some_editors_put_in_front_is_read(tmp_path: Path) -> None:
    assert list(read(tmp_path, b"\xef\xbb\xbf" + NORTH.replace("\n", "\r\n").encode())) == ["north"]


@pytest.mark.parametrize("name", ["n", "0", "north-1", "a_b", "x" * 32])
def test_a_name_that_fits_is_a_name(tmp_path: Path, name: str) -> None:
    assert list(read(tmp_path, f"[accounts.{name}]\n{WAY}")) == [name]


# --- what is wrong in a file ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "ACCOUNTS_FILE: there is no account. Write a table [accounts.<name>]"),
        ("[accounts]", "ACCOUNTS_FILE: there is no account. Write a table [accounts.<name>]"),
        ("accounts = 5", "ACCOUNTS_FILE: there is no account. Write a table [accounts.<name>]"),
        ('[accounts.north]\n  api_keys "hunter2"', "ACCOUNTS_FILE: line 2, column 12 is not TOML"),
        ('[accounts.north]\njwt_secret = "hunter2', "ACCOUNTS_FILE: the end is not TOML"),
        (2 * '["line 9, column 9"]\n', "ACCOUNTS_FILE: line 2, column 20 is not TOML"),
        (f"{NORTH}{NORTH}", "ACCOUNTS_FILE: line 3, column 16 is not TOML"),
        (f"{NORTH}x = {'[' * 5000}", "ACCOUNTS_FILE: not TOML that can be read"),
        (f"{NORTH}wazzup_timeout_seconds = {'9' * 5000}", "ACCOUNTS_FILE: not TOML that can be read"),
        (f"{NORTH}[account.south]", "ACCOUNTS_FILE: account: only tables [accounts.<name>] stand here"),
        (f"port = 1\n{NORTH}", "ACCOUNTS_FILE: port: only tables [accounts.<name>] stand here"),
        (f'"hunter2 hunter2" = 1\n{NORTH}',
         "ACCOUNTS_FILE: (a name that cannot be one): only tables [accounts.<name>] stand here"),
        ("[accounts]\nnorth = 'hunter2'", "ACCOUNTS_FILE: accounts.north: write a table [accounts.north]"),
        (f"[[accounts.north]]\n{WAY}", "ACCOUNTS_FILE: accounts.north: write a table [accounts.north]"),
        (f"{NORTH}api_key = 'hunter2'",
         "ACCOUNTS_FILE: accounts.north.api_key: no variable of an account has this name"),
        (f"{NORTH}[accounts.north.hunter]\nx = 'hunter2'",
         "ACCOUNTS_FILE: accounts.north.hunter: no variable of an account has this name"),
        (f"{NORTH}API_KEYS = 'hunter2'", "ACCOUNTS_FILE: accounts.north.API_KEYS: write api_keys"),
        (f"{NORTH}redis_url = 'redis://:hunter2@localhost'",
         "ACCOUNTS_FILE: accounts.north.redis_url: holds for the whole process; set REDIS_URL in the environment"),
        (f"{NORTH}HOST = '0.0.0.0'",
         "ACCOUNTS_FILE: accounts.north.HOST: holds for the whole process; set HOST in the environment"),
        (f"{NORTH}accounts_file = 'x'",
         "ACCOUNTS_FILE: accounts.north.accounts_file: holds for the whole process; set ACCOUNTS_FILE in the "
         "environment"),
        (f"{NORTH}wazzup_timeout_seconds = 0",
         "ACCOUNTS_FILE: accounts.north.wazzup_timeout_seconds: must be more than 0 seconds"),
        (f"{NORTH}wazzup_timeout_seconds = true",
         "ACCOUNTS_FILE: accounts.north.wazzup_timeout_seconds: write plain seconds, for example 300"),
        (f"{NORTH}link_cache_ttl_seconds = nan",
         "ACCOUNTS_FILE: accounts.north.link_cache_ttl_seconds: write plain seconds, for example 300"),
        (f"{NORTH}link_rate_limit = 60",
         "ACCOUNTS_FILE: accounts.north.link_rate_limit: write calls/seconds, for example 60/60"),
        (f"{NORTH}api_keys = {{one = 'hunter2'}}",
         "ACCOUNTS_FILE: accounts.north.api_keys: write a list, or its parts with commas between them"),
        (f"{NORTH}api_keys = [['hunter2']]", "ACCOUNTS_FILE: accounts.north.api_keys: Input should be a valid string"),
        (f"{NORTH}jwt_audience = 5", "ACCOUNTS_FILE: accounts.north.jwt_audience: Input should be a valid string"),
        (f"{NORTH}wazzup_account_id = false",
         "ACCOUNTS_FILE: accounts.north.wazzup_account_id: write the number that Wazzup shows for the account, "
         "for example 1234-1234"),
        (f"{NORTH}wazzup_api = 'hunter2'", "ACCOUNTS_FILE: accounts.north.wazzup_api: Input should be 'v2' or 'v3'"),
        (f"{NORTH}allowed_origins = ['https://hunter2.example/']",
         "ACCOUNTS_FILE: accounts.north.allowed_origins: write exact origins such as https://crm.example, "
         "without a path; * is refused"),
        (f"{NORTH}api_keys = ['hunter2', 'hunter2']",
         "ACCOUNTS_FILE: accounts.north.api_keys, admin_api_keys: each key once; one key cannot be both"),
        (f"{NORTH}api_keys = 'hunter2'\nadmin_api_keys = 'hunter2'",
         "ACCOUNTS_FILE: accounts.north.api_keys, admin_api_keys: each key once; one key cannot be both"),
        (f"{NORTH}jwt_secret = 'hunter2'\njwt_jwks_url = 'https://crm.example/hunter2'",
         "ACCOUNTS_FILE: accounts.north.jwt_secret, jwt_public_key, jwt_jwks_url: set one of them, not several"),
        (f"{NORTH}wazzup_refresh_token = 'hunter2'",
         "ACCOUNTS_FILE: accounts.north.wazzup_access_token, wazzup_refresh_token: set one way in, not several"),
        ("[accounts.north]\nwazzup_api = 'v3'\nwazzup_access_token = 'hunter2'",
         "ACCOUNTS_FILE: accounts.north.wazzup_api_key: not set. Without it Wazzup gives no links (wazzup_api=v3)"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_told_where_it_is(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path, text) == [sentence]


def test_everything_that_is_wrong_in_a_file_is_told_at_once(tmp_path: Path) -> None:
    problems = refusal(
        tmp_path,
        f"x = 1\n{NORTH}wazzup_api = 'v4'\nhost = 'h'\ndefault_country = 'Latvia'\n{SOUTH}log_level = 'info'\n",
    )

    assert [problem.removeprefix("ACCOUNTS_FILE: ").partition(":")[0] for problem in problems] == [
        *("x", "accounts.north.host", "accounts.north.wazzup_api", "accounts.north.default_country"),
        "accounts.south.log_level",
    ]


@pytest.mark.parametrize("name", ["North", "-north", "_north", "x" * 33, "nörth", "a b", "a.b", "a{b}", "a\\nb", ""])
def test_a_name_that_would_not_fit_into_redis_is_refused(tmp_path: Path, name: str) -> None:
    [problem] = refusal(tmp_path, f'[accounts."{name}"]\n{WAY}')

    assert "a name is up to 32 of a-z, 0-9, _ and -" in problem


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda file: None, "No such file or directory"),
        (lambda file: file.mkdir(), "Is a directory"),
        (lambda file: file.write_bytes(b"\xff"), "not text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, make: Any, reason: str) -> None:
    file = tmp_path / "accounts.toml"
    make(file)

    with pytest.raises(Misconfigured, match=reason) as refused:
        Settings.given(accounts_file=str(file)).accounts()

    assert str(refused.value).startswith(f"ACCOUNTS_FILE: {file} ")


quick = settings(deadline=None, database=None)


@quick
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_no_file_is_more_than_refused(tmp_path_factory: pytest.TempPathFactory, text: str | bytes) -> None:
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text

    assert refusal(tmp_path_factory.getbasetemp(), content)


texts = st.sampled_from(["''", "'hunter2'", "2026-11-22", "12:00:00"])
values = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)


@quick
@given(st.sampled_from(sorted(Account.model_fields)), values)
def test_no_value_of_any_variable_is_more_than_refused(
    tmp_path_factory: pytest.TempPathFactory, variable: str, value: object
) -> None:
    written = str(value).lower().replace('"', "")
    text = f"[accounts.north]\n{variable} = {written}\n" + (WAY if variable != "wazzup_access_token" else "")

    told = ""
    try:
        read(tmp_path_factory.getbasetemp(), text)
    except Misconfigured as refused:
        told = str(refused)

    assert "hunter2" not in told


# --- accounts are told apart ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("api_keys = 'hunter2'", "api_keys = 'another,hunter2'"),
        ("api_keys = 'hunter2'", "admin_api_keys = ['hunter2']"),
        ("admin_api_keys = 'hunter2,x'", "admin_api_keys = 'hunter2,x'"),
    ],
)
def test_a_key_of_two_accounts_is_refused_by_the_names_of_both(tmp_path: Path, one: str, other: str) -> None:
    [problem] = refusal(tmp_path, f"{NORTH}{one}\n{SOUTH}{other}")

    assert problem.startswith("ACCOUNTS_FILE: the accounts north and south have a key in common")


def test_a_key_of_the_environment_and_of_a_file_is_refused_too(tmp_path: Path) -> None:
    [problem] = refusal(tmp_path, f"{NORTH}api_keys = 'hunter2'", admin_api_keys="hunter2")

    assert "the accounts default and north have a key in common" in problem


def test_a_refresh_token_of_two_accounts_is_refused_since_each_use_replaces_it(tmp_path: Path) -> None:
    grant = "wazzup_client_id = 'client'\nwazzup_refresh_token = 'hunter2'\n"

    [problem] = refusal(tmp_path, f"[accounts.north]\n{grant}[accounts.south]\n{grant}")

    assert problem.startswith("ACCOUNTS_FILE: the accounts north and south have the same wazzup_refresh_token")


@pytest.mark.parametrize(
    ("variable", "way"),
    [
        ("wazzup_access_token", "wazzup_access_token = 'hunter2'\n"),
        ("wazzup_api_key", "wazzup_api = 'v3'\nwazzup_api_key = 'hunter2'\n"),
    ],
)
def test_a_credential_of_two_accounts_is_refused_since_each_counts_its_own_calls(
    tmp_path: Path, variable: str, way: str
) -> None:
    [problem] = refusal(tmp_path, f"[accounts.north]\n{way}[accounts.south]\n{way}")

    assert problem.startswith(f"ACCOUNTS_FILE: the accounts north and south have the same {variable}. ")
    assert "wazzup_rate_limit" in problem


def test_a_credential_that_is_not_used_may_be_anothers(tmp_path: Path) -> None:
    unused = "wazzup_api_key = 'key'\n"

    assert list(read(tmp_path, f"{NORTH}{unused}{SOUTH}{unused}")) == ["north", "south"]


def test_a_public_key_is_the_same_in_whichever_form_it_is_written(tmp_path: Path) -> None:
    key = generate_private_key(65537, 2048).public_key()
    forms = (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1)
    one, other = (f'jwt_public_key = """{key.public_bytes(Encoding.PEM, form).decode()}"""\n' for form in forms)

    [problem] = refusal(tmp_path, f"{NORTH}{one}{SOUTH}{other}")

    assert "would take each other's user tokens" in problem


PEM = "-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jwt_secret = 'hunter2'", "jwt_secret = 'hunter2'"),
        ("jwt_secret = 'hunter2'\njwt_issuer = 'crm'", "jwt_secret = 'hunter2'\njwt_issuer = 'crm'"),
        ("jwt_secret = 'hunter2'", "jwt_secret = 'hunter2'\njwt_issuer = 'crm'"),
        ("jwt_secret = 'hunter2'\njwt_issuer = 'crm'", "jwt_secret = 'hunter2'"),
        (f"jwt_public_key = '{PEM}'", f'jwt_public_key = """{PEM}\n"""'),
        ("jwt_jwks_url = 'https://crm.example/jwks'", "jwt_jwks_url = 'https://crm.example/jwks'"),
    ],
)
def test_accounts_that_would_take_each_others_user_tokens_are_refused(tmp_path: Path, one: str, other: str) -> None:
    [problem] = refusal(tmp_path, f"{NORTH}{one}\n{SOUTH}{other}")

    assert problem == (
        "ACCOUNTS_FILE: the accounts north and south would take each other's user tokens. "
        "Give each its own secret, jwt_audience or jwt_issuer"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jwt_secret = 'one'", "jwt_secret = 'other'"),
        ("jwt_secret = 'one'", "jwt_secret = 'one'\njwt_audience = 'south'"),
        ("jwt_secret = 'one'\njwt_issuer = 'north'", "jwt_secret = 'one'\njwt_issuer = 'south'"),
        ("", ""),
    ],
)
def test_accounts_with_a_secret_an_audience_or_an_issuer_of_their_own_are_apart(
    tmp_path: Path, one: str, other: str
) -> None:
    assert list(read(tmp_path, f"{NORTH}{one}\n{SOUTH}{other}")) == ["north", "south"]


def test_the_account_default_is_one_only(tmp_path: Path) -> None:
    [problem] = refusal(tmp_path, f"[accounts.default]\n{WAY}", api_keys="hunter2")

    assert problem.startswith("ACCOUNTS_FILE: accounts.default: the environment is the account default already")


def test_a_sentence_names_variables_as_the_operator_has_written_them() -> None:
    sentence = "API_KEYS, ADMIN_API_KEYS: use RS256"

    assert named("default", sentence) == sentence
    assert named("north", sentence) == "ACCOUNTS_FILE: accounts.north.api_keys, admin_api_keys: use RS256"


def test_accounts_are_equal_when_they_say_the_same(tmp_path: Path) -> None:
    first = read(tmp_path, NORTH, api_keys="one")

    assert read(tmp_path, f"{NORTH}# a remark\njwt_audience = 'wazzup-gateway'\n", api_keys="one") == first
    assert read(tmp_path, f"{NORTH}jwt_audience = 'x'\n", api_keys="one") != first
