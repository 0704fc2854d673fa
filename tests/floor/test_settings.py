"""The environment is read as it is documented, and what is wrong in it is refused with a sentence that helps."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from app.limits import Rate
from app.settings import Settings, StorePlace
from app.variables import Misconfigured, sentences

SECRET = "correct-horse-battery-staple-correct-horse"
OLDER = "an-older-secret-an-older-secret-an-older-secret"
EXAMPLE = Path(__file__).parents[2] / ".env.example"

# An uncommented variable, or one that is commented out. A comment for people has a space after its #.
VARIABLE = re.compile(r"#?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")

SetEnvironment = Callable[..., None]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> SetEnvironment:
    """Sets variables in an environment where nothing else of ours is set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def set_environment(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_environment


def plain(value: Any) -> Any:
    """A setting with its secrets laid open."""
    if isinstance(value, tuple):
        return tuple(plain(one) for one in value)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.mark.parametrize(
    ("variable", "text", "meant"),
    [
        ("HOST", "0.0.0.0", "0.0.0.0"),
        ("PORT", "9000", 9000),
        ("REDIS_URL", "redis://:pw@redis:6379/1", "redis://:pw@redis:6379/1"),
        ("REDIS_URL", "rediss://redis:6380", "rediss://redis:6380"),
        ("REDIS_URL", "redis+sentinel://a:26379,b:26379/main/0", "redis+sentinel://a:26379,b:26379/main/0"),
        ("REDIS_URL", "redis+cluster://a:7000", "redis+cluster://a:7000"),
        ("DATA_DIR", "/var/lib/gateway", Path("/var/lib/gateway")),
        ("SECRET_KEY", SECRET, (SECRET,)),
        ("SECRET_KEY", f"{SECRET}, {OLDER}", (SECRET, OLDER)),
        ("API_KEYS", "one,two", ("one", "two")),
        ("API_KEYS", " one , two , ", ("one", "two")),
        ("ADMIN_API_KEYS", "boss", ("boss",)),
        ("JWT_SECRET", SECRET, SECRET),
        ("JWT_PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----\\n…", "-----BEGIN PUBLIC KEY-----\\n…"),
        ("JWT_JWKS_URL", "https://crm.example/jwks.json", "https://crm.example/jwks.json"),
        ("JWT_AUDIENCE", "chats", "chats"),
        ("JWT_ISSUER", "https://crm.example", "https://crm.example"),
        ("ALLOWED_ORIGINS", "https://crm.example", ("https://crm.example",)),
        (
            "ALLOWED_ORIGINS",
            "https://CRM.example, http://localhost:3000",
            ("https://crm.example", "http://localhost:3000"),
        ),
        ("WAZZUP_API", "v3", "v3"),
        ("WAZZUP_BASE_URL", "https://proxy.example/wazzup/", "https://proxy.example/wazzup"),
        ("WAZZUP_BASE_URL", "http://127.0.0.1:9001", "http://127.0.0.1:9001"),
        ("WAZZUP_ACCESS_TOKEN", "token", "token"),
        ("WAZZUP_CLIENT_ID", "client", "client"),
        ("WAZZUP_REFRESH_TOKEN", "refresh", "refresh"),
        ("WAZZUP_PARTNER_EMAIL", "partner@crm.example", "partner@crm.example"),
        ("WAZZUP_PARTNER_PASSWORD", "pass,word", "pass,word"),
        ("WAZZUP_ACCOUNT_ID", "1234-1234", "12341234"),
        ("WAZZUP_ACCOUNT_ID", "12341234", "12341234"),
        ("WAZZUP_API_KEY", "key", "key"),
        ("WAZZUP_LINK_HOSTS", "*.wazzup24.com,127.0.0.1", ("*.wazzup24.com", "127.0.0.1")),
        ("WAZZUP_TIMEOUT_SECONDS", "2.5", seconds(2.5)),
        ("WAZZUP_RATE_LIMIT", "100/1", Rate(100, seconds(1))),
        ("WAZZUP_SYNC_USERS", "true", True),
        ("WAZZUP_CLIENT_TYPE", "crm", "crm"),
        ("LINK_CACHE_TTL_SECONDS", "0", seconds(0)),
        ("LINK_CACHE_MAX_TTL_SECONDS", "60", seconds(60)),
        ("LINK_RATE_LIMIT", "5/10", Rate(5, seconds(10))),
        ("DEFAULT_EVENTS", "deals,messages", ("deals", "messages")),
        ("PHONE_CHAT_TYPES", "whatsapp,viber", ("whatsapp", "viber")),
        ("DEFAULT_COUNTRY", "lv", "LV"),
        ("ACCOUNTS_FILE", "/etc/gateway/accounts.toml", Path("/etc/gateway/accounts.toml")),
        ("LOG_LEVEL", "debug", "debug"),
        ("LOG_FORMAT", "console", "console"),
    ],
)
def test_a_variable_reads_as_it_is_documented(
    environment: SetEnvironment, variable: str, text: str, meant: object
) -> None:
    environment(SECRET_KEY=SECRET)
    environment(**{variable: text})

    settings = Settings.from_environment()

    assert plain(getattr(settings, variable.lower())) == meant


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        ("HOST", "127.0.0.1"),
        ("PORT", 8000),
        ("REDIS_URL", None),
        ("DATA_DIR", Path("./data")),
        ("SECRET_KEY", ()),
        ("API_KEYS", ()),
        ("ADMIN_API_KEYS", ()),
        ("JWT_SECRET", None),
        ("JWT_PUBLIC_KEY", None),
        ("JWT_JWKS_URL", None),
        ("JWT_AUDIENCE", "wazzup-gateway"),
        ("JWT_ISSUER", None),
        ("ALLOWED_ORIGINS", ()),
        ("WAZZUP_API", "v2"),
        ("WAZZUP_BASE_URL", None),
        ("WAZZUP_ACCESS_TOKEN", None),
        ("WAZZUP_CLIENT_ID", None),
        ("WAZZUP_REFRESH_TOKEN", None),
        ("WAZZUP_PARTNER_EMAIL", None),
        ("WAZZUP_PARTNER_PASSWORD", None),
        ("WAZZUP_ACCOUNT_ID", None),
        ("WAZZUP_API_KEY", None),
        ("WAZZUP_LINK_HOSTS", ("*.wazzup24.com",)),
        ("WAZZUP_TIMEOUT_SECONDS", seconds(10)),
        ("WAZZUP_RATE_LIMIT", Rate(500, seconds(5))),
        ("WAZZUP_SYNC_USERS", False),
        ("WAZZUP_CLIENT_TYPE", ""),
        ("LINK_CACHE_TTL_SECONDS", seconds(300)),
        ("LINK_CACHE_MAX_TTL_SECONDS", seconds(3600)),
        ("LINK_RATE_LIMIT", Rate(60, seconds(60))),
        ("DEFAULT_EVENTS", ("deals",)),
        ("PHONE_CHAT_TYPES", ("whatsapp",)),
        ("DEFAULT_COUNTRY", None),
        ("ACCOUNTS_FILE", None),
        ("LOG_LEVEL", "info"),
        ("LOG_FORMAT", None),
    ],
)
def test_an_empty_value_is_no_value_and_means_the_default(
    environment: SetEnvironment, variable: str, default: object
) -> None:
    environment(**{variable: ""})

    set_empty = Settings.from_environment()

    assert getattr(set_empty, variable.lower()) == default
    assert getattr(Settings.given(), variable.lower()) == default


@pytest.mark.parametrize(
    ("variables", "name", "advice"),
    [
        ({"PORT": "http"}, "PORT", "integer"),
        ({"PORT": "70000"}, "PORT", "65535"),
        ({"REDIS_URL": "localhost:6379", "SECRET_KEY": SECRET}, "REDIS_URL", "write redis://"),
        ({"REDIS_URL": "http://localhost", "SECRET_KEY": SECRET}, "REDIS_URL", "write redis://"),
        ({"REDIS_URL": "redis://localhost"}, "SECRET_KEY", "required with REDIS_URL"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY", "at least 32 characters"),
        ({"SECRET_KEY": f"{SECRET},short"}, "SECRET_KEY", "at least 32 characters"),
        ({"JWT_SECRET": SECRET, "JWT_JWKS_URL": "https://crm.example/jwks"}, "JWT_SECRET", "set one of them"),
        ({"JWT_SECRET": SECRET, "JWT_PUBLIC_KEY": "-----BEGIN"}, "JWT_PUBLIC_KEY", "set one of them"),
        ({"JWT_PUBLIC_KEY": "-----BEGIN", "JWT_JWKS_URL": "https://x.example"}, "JWT_JWKS_URL", "set one of them"),
        ({"JWT_JWKS_URL": "crm.example/jwks"}, "JWT_JWKS_URL", "http"),
        ({"ALLOWED_ORIGINS": "*"}, "ALLOWED_ORIGINS", "https://crm.example"),
        ({"ALLOWED_ORIGINS": "https://*.crm.example"}, "ALLOWED_ORIGINS", "exact origins"),
        ({"ALLOWED_ORIGINS": "https://crm.example/"}, "ALLOWED_ORIGINS", "without a path"),
        ({"ALLOWED_ORIGINS": "https://crm.example,null"}, "ALLOWED_ORIGINS", "exact origins"),
        ({"ALLOWED_ORIGINS": "crm.example"}, "ALLOWED_ORIGINS", "https://crm.example"),
        ({"WAZZUP_API": "v4"}, "WAZZUP_API", "'v2' or 'v3'"),
        ({"WAZZUP_BASE_URL": "tech.wazzup24.com"}, "WAZZUP_BASE_URL", "https://tech.wazzup24.com"),
        ({"WAZZUP_BASE_URL": "http://tech.wazzup24.com"}, "WAZZUP_BASE_URL", "loopback"),
        ({"WAZZUP_BASE_URL": "https://me:pw@wazzup.example"}, "WAZZUP_BASE_URL", "plain URL"),
        ({"WAZZUP_BASE_URL": "https://:pw@wazzup.example"}, "WAZZUP_BASE_URL", "plain URL"),
        ({"WAZZUP_BASE_URL": "https://@wazzup.example"}, "WAZZUP_BASE_URL", "plain URL"),
        ({"WAZZUP_BASE_URL": "https://wazzup.example/v2#pw"}, "WAZZUP_BASE_URL", "plain URL"),
        ({"WAZZUP_BASE_URL": "https://api.wazzup24.com"}, "WAZZUP_BASE_URL", "tech.wazzup24.com"),
        ({"WAZZUP_ACCOUNT_ID": "1234/1234"}, "WAZZUP_ACCOUNT_ID", "1234-1234"),
        ({"WAZZUP_ACCOUNT_ID": "-1234"}, "WAZZUP_ACCOUNT_ID", "1234-1234"),
        ({"WAZZUP_ACCOUNT_ID": "١٢٣٤"}, "WAZZUP_ACCOUNT_ID", "1234-1234"),
        ({"WAZZUP_RATE_LIMIT": "500"}, "WAZZUP_RATE_LIMIT", "calls/seconds"),
        ({"WAZZUP_SYNC_USERS": "perhaps"}, "WAZZUP_SYNC_USERS", "boolean"),
        ({"LINK_RATE_LIMIT": "60"}, "LINK_RATE_LIMIT", "calls/seconds"),
        ({"LINK_RATE_LIMIT": "0/60"}, "LINK_RATE_LIMIT", "at least 1"),
        ({"DEFAULT_EVENTS": "deals,phones"}, "DEFAULT_EVENTS", "'deals' or 'messages'"),
        ({"PHONE_CHAT_TYPES": "telegram"}, "PHONE_CHAT_TYPES", "'whatsapp' or 'viber'"),
        ({"DEFAULT_COUNTRY": "Latvia"}, "DEFAULT_COUNTRY", "two letters such as LV"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL", "'debug', 'info', 'warning' or 'error'"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT", "'json' or 'console'"),
    ],
    ids=lambda value: ",".join(f"{k}={v}"[:40] for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_refused_by_the_variables_name_with_what_to_do(
    environment: SetEnvironment, variables: dict[str, str], name: str, advice: str
) -> None:
    environment(**variables)

    with pytest.raises(Misconfigured) as refused:
        Settings.from_environment()

    [problem] = refused.value.problems
    assert name in problem.partition(":")[0]
    assert advice in problem


SENT = [
    "API_KEYS",
    "ADMIN_API_KEYS",
    "WAZZUP_ACCESS_TOKEN",
    "WAZZUP_API_KEY",
    "WAZZUP_REFRESH_TOKEN",
    "WAZZUP_CLIENT_ID",
]
LOGIN = ["WAZZUP_PARTNER_EMAIL", "WAZZUP_PARTNER_PASSWORD"]


@pytest.mark.parametrize("variable", [*SENT, *LOGIN])
def test_the_line_break_at_the_end_of_a_mounted_secret_is_no_part_of_it(variable: str) -> None:
    read = plain(getattr(Settings.given(**{variable.lower(): "secret\r\n"}), variable.lower()))

    assert read in ("secret", ("secret",))


@pytest.mark.parametrize("variable", [*SENT, *LOGIN])
@pytest.mark.parametrize("unfit", ["hunter\n2", "hunter\x002", "hunter\x7f2"])
def test_a_credential_with_a_control_character_in_it_is_refused_by_its_variable(variable: str, unfit: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.given(**{variable.lower(): unfit})

    [problem] = sentences(refused.value)
    assert problem.startswith(f"{variable}: ")
    assert "hunter" not in problem


@pytest.mark.parametrize("variable", SENT)
@pytest.mark.parametrize("unfit", ["gehe\u00efm", "\u200bsecret", "\u0441ecret"])
def test_a_credential_that_no_header_carries_is_refused_by_its_variable(variable: str, unfit: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.given(**{variable.lower(): unfit})

    [problem] = sentences(refused.value)
    assert problem.startswith(f"{variable}: write plain printable ASCII")


@pytest.mark.parametrize("variable", LOGIN)
def test_a_login_may_be_written_in_any_script(variable: str) -> None:
    assert plain(getattr(Settings.given(**{variable.lower(): "пароль для нас"}), variable.lower())) == "пароль для нас"


@pytest.mark.parametrize("text", ["soon", "nan", "inf", "1e300", "99999999999", "-1", "0"])
def test_a_span_that_is_no_sensible_number_of_seconds_is_refused_in_plain_words(
    environment: SetEnvironment, text: str
) -> None:
    environment(WAZZUP_TIMEOUT_SECONDS=text)

    with pytest.raises(Misconfigured) as refused:
        Settings.from_environment()

    name, _, advice = str(refused.value).partition(": ")
    assert name == "WAZZUP_TIMEOUT_SECONDS"
    assert "seconds" in advice
    assert not re.search(r"timedelta|float", advice)


def test_a_rate_over_more_time_than_there_is_is_refused(environment: SetEnvironment) -> None:
    environment(LINK_RATE_LIMIT="60/99999999999999999")

    with pytest.raises(Misconfigured, match=r"^LINK_RATE_LIMIT: "):
        Settings.from_environment()


def test_everything_that_is_wrong_is_told_at_once(environment: SetEnvironment) -> None:
    environment(PORT="http", LOG_LEVEL="loud", ALLOWED_ORIGINS="*")

    with pytest.raises(Misconfigured) as refused:
        Settings.from_environment()

    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["ALLOWED_ORIGINS", "PORT", "LOG_LEVEL"]
    assert "; ".join(refused.value.problems) == str(refused.value)


@pytest.mark.parametrize(
    ("settings", "base_url"),
    [
        (Settings.given(), "https://tech.wazzup24.com"),
        (Settings.given(wazzup_api="v3"), "https://api.wazzup24.com"),
        (Settings.given(wazzup_api="v3", wazzup_base_url="https://proxy.example"), "https://proxy.example"),
    ],
)
def test_wazzup_is_asked_where_its_api_lives_unless_told_otherwise(settings: Settings, base_url: str) -> None:
    assert settings.base_url == base_url


def test_secrets_are_never_shown() -> None:
    settings = Settings.given(
        redis_url=f"redis://:{SECRET}-redis@localhost",
        secret_key=f"{SECRET}-sealing",
        api_keys=f"{SECRET}-server",
        admin_api_keys=f"{SECRET}-admin",
        jwt_secret=f"{SECRET}-jwt",
        wazzup_access_token=f"{SECRET}-v2",
        wazzup_client_id="client",
        wazzup_refresh_token=f"{SECRET}-refresh",
        wazzup_partner_email=f"{SECRET}@crm.example",
        wazzup_partner_password=f"{SECRET}-partner",
        wazzup_api_key=f"{SECRET}-v3",
    )

    shown = f"{settings!r} {settings!s} {settings.model_dump()!r} {settings.model_dump_json()}"

    assert SECRET not in shown


@pytest.mark.parametrize(
    "variables",
    [
        {"SECRET_KEY": "hunter2"},
        {"REDIS_URL": "https://:hunter2@localhost", "SECRET_KEY": SECRET},
        {"REDIS_URL": "redis://:hunter2@localhost"},
        {"JWT_SECRET": "hunter2", "JWT_PUBLIC_KEY": "hunter2"},
        {"WAZZUP_BASE_URL": "https://me:hunter2@wazzup.example"},
        {"WAZZUP_BASE_URL": "https://:hunter2@wazzup.example"},
        {"WAZZUP_ACCESS_TOKEN": "hunter2\u00a0hunter2"},
        {"WAZZUP_PARTNER_PASSWORD": "hunter2\nhunter2"},
        {"API_KEYS": "hunter2", "ADMIN_API_KEYS": "hunter2", "WAZZUP_ACCESS_TOKEN": "hunter2", "PORT": "http"},
    ],
    ids=" ".join,
)
def test_a_refusal_never_shows_a_secret(environment: SetEnvironment, variables: dict[str, str]) -> None:
    environment(**variables)

    with pytest.raises(Misconfigured) as refused:
        Settings.from_environment()

    with pytest.raises(ValidationError) as refused_in_a_test:
        Settings.given(**{name.lower(): value for name, value in variables.items()})

    assert "hunter2" not in f"{refused.value} {refused.value!r} {refused.value.__cause__!r}"
    assert "hunter2" not in str(refused_in_a_test.value)


def test_settings_do_not_change_once_they_are_read() -> None:
    settings = Settings.given()

    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # that it cannot be set is what is told here


def test_given_settings_do_not_read_the_environment(environment: SetEnvironment) -> None:
    environment(PORT="9000")

    assert Settings.given().port == 8000


def test_the_environment_wins_over_the_env_file(environment: SetEnvironment, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=7000\nHOST=0.0.0.0\nPATH_OF_ANOTHER_PROGRAM=/x\n")
    environment(PORT="9000")

    settings = Settings.from_environment(tmp_path / ".env")

    assert (settings.port, settings.host) == (9000, "0.0.0.0")


def test_an_env_file_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    assert Settings.from_environment(tmp_path / ".env") == Settings.from_environment()


def test_an_env_file_that_is_not_text_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("WAZZUP_ACCESS_TOKEN=gehe\u00efm".encode("latin-1"))

    for place in (Settings, StorePlace):
        with pytest.raises(Misconfigured) as refused:
            place.from_environment(tmp_path / ".env")
        assert refused.value.problems == [f"{tmp_path / '.env'}: not text in UTF-8"]


def test_a_directory_in_the_place_of_an_env_file_is_refused(tmp_path: Path) -> None:
    """A container runtime makes one where the file to be mounted is not there."""
    with pytest.raises(Misconfigured) as refused:
        Settings.from_environment(tmp_path)

    assert refused.value.problems == [f"{tmp_path}: cannot be read (Is a directory)"]


# --- .env.example ---------------------------------------------------------------------------------


def example() -> dict[str, str]:
    """Every variable of `.env.example` with the value it shows, commented out or not."""
    found = [VARIABLE.fullmatch(line) for line in EXAMPLE.read_text().splitlines()]
    return {one["name"]: one["value"] for one in found if one}


def test_env_example_holds_every_variable_and_nothing_else() -> None:
    assert sorted(example()) == sorted(name.upper() for name in Settings.model_fields)


def test_env_example_holds_no_variable_twice_and_no_line_that_is_neither_variable_nor_comment() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("# ")]

    variables = [VARIABLE.fullmatch(line) for line in lines]

    assert [line for line, variable in zip(lines, variables, strict=True) if not variable] == []
    assert len(variables) == len(example())


def test_env_example_explains_every_variable_in_the_line_above() -> None:
    lines = EXAMPLE.read_text().splitlines()
    above = {found["name"]: lines[at - 1] for at, line in enumerate(lines) if (found := VARIABLE.fullmatch(line))}

    unexplained = [name for name, line in above.items() if not re.match(r"# (?!---)\S.{10,}", line)]

    assert unexplained == []


@pytest.mark.parametrize("variable", [name for name, value in example().items() if value])
def test_a_value_shown_in_env_example_is_accepted(variable: str) -> None:
    # A store's URL is accepted only together with a secret.
    given = {"SECRET_KEY": SECRET, variable: example()[variable]}

    settings = Settings.given(**{name.lower(): value for name, value in given.items()})

    assert getattr(settings, variable.lower()) is not None


def test_env_example_as_it_is_says_what_is_still_missing() -> None:
    """Copied and not filled in, it must not start: a made-up credential would only fail later."""
    settings = Settings.from_environment(EXAMPLE)

    with pytest.raises(Misconfigured, match="WAZZUP_ACCESS_TOKEN"):
        settings.accounts()["default"].wazzup_way()


def test_env_example_shows_the_defaults() -> None:
    defaults = Settings.given()
    shown = {name.lower(): value for name, value in example().items() if value and getattr(defaults, name.lower())}

    assert Settings.given(**shown) == defaults
