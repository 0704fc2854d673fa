"""The whole environment, read once at a door, frozen, and refused with sentences that name the variable.

Nothing else reads the environment. Secrets are `SecretStr` up to the line that hands them over.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from app.limits import Rate

SECRET_LENGTH = 32
BASE_URLS = {"v2": "https://tech.wazzup24.com", "v3": "https://api.wazzup24.com"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Misconfigured(Exception):
    """The environment cannot be served from. Each problem names its variable and says what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _seconds(value: object) -> object:
    if not isinstance(value, str | int | float):
        return value
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        raise ValueError("write plain seconds, for example 300") from None


def _sensible(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= timedelta(days=365):
        raise ValueError("write seconds between 0 and a year")
    return value


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be more than 0 seconds")
    return value


def _rate(value: object) -> object:
    return Rate.read(value) if isinstance(value, str) else value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.netloc
        or value != f"{parts.scheme}://{parts.netloc}"
        or "*" in value
    ):
        raise ValueError("write exact origins such as https://crm.example, without a path; * is refused")
    return value.lower()


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ValueError("write a plain URL such as https://tech.wazzup24.com")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("plain http is only for a loopback address: the credentials would travel in the clear")
    return value.rstrip("/")


def _store_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"redis", "rediss", "redis+sentinel", "redis+cluster", "unix"}:
        raise ValueError("write redis://, rediss://, redis+sentinel:// or redis+cluster://")
    if parts.scheme != "unix":
        ports = [host.rpartition(":")[2] for host in parts.netloc.rpartition("@")[2].split(",") if ":" in host]
        if not parts.netloc or not all(port.isdecimal() or port.endswith("]") for port in ports):
            raise ValueError("write host:port behind the //, for example redis://localhost:6379/0")
    return value


def _country(value: str) -> str:
    if not (len(value) == 2 and value.isascii() and value.isalpha()):  # noqa: PLR2004 - ISO 3166 alpha-2
        raise ValueError("write two letters such as LV (ISO 3166)")
    return value.upper()


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_listed)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_listed)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_sensible)]
PositiveSeconds = Annotated[Seconds, AfterValidator(_positive)]
Events = Annotated[tuple[Literal["deals", "messages"], ...], NoDecode, BeforeValidator(_listed)]
PhoneChats = Annotated[tuple[Literal["whatsapp", "viber"], ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """Every variable that the gateway knows. `.env.example` explains each in a line."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    redis_url: (
        Annotated[SecretStr, AfterValidator(lambda url: SecretStr(_store_url(url.get_secret_value())))] | None
    ) = None
    data_dir: Path = Path("./data")
    secret_key: Secrets = ()
    api_keys: Secrets = ()
    admin_api_keys: Secrets = ()
    jwt_secret: SecretStr | None = None
    jwt_public_key: SecretStr | None = None
    jwt_jwks_url: str | None = Field(default=None, pattern=r"^https?://")
    jwt_audience: str = "wazzup-gateway"
    jwt_issuer: str | None = None
    allowed_origins: Origins = ()
    wazzup_api: Literal["v2", "v3"] = "v2"
    wazzup_base_url: Annotated[str, AfterValidator(_base_url)] | None = None
    wazzup_access_token: SecretStr | None = None
    wazzup_api_key: SecretStr | None = None
    wazzup_link_hosts: Listed = ("*.wazzup24.com",)
    wazzup_timeout_seconds: PositiveSeconds = timedelta(seconds=10)
    wazzup_client_type: str = ""
    link_cache_ttl_seconds: Seconds = timedelta(seconds=300)
    link_cache_max_ttl_seconds: PositiveSeconds = timedelta(seconds=3600)
    link_rate_limit: Annotated[Rate, NoDecode, BeforeValidator(_rate)] = Rate(60, timedelta(seconds=60))
    default_events: Events = ("deals",)
    phone_chat_types: PhoneChats = ("whatsapp",)
    default_country: Annotated[str, AfterValidator(_country)] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] | None = None

    @classmethod
    def from_environment(cls, env_file: Path | None = None) -> Self:
        """What the environment (and `env_file`, which it overrides) says.

        Raises:
            Misconfigured: names every variable that is wrong.
        """
        try:
            return cls(_env_file=env_file)
        except ValidationError as error:
            raise Misconfigured([_sentence(problem) for problem in error.errors()]) from None

    @classmethod
    def given(cls, **values: Any) -> "Settings":
        """Settings of these values only, written as in the environment; the environment itself is not read."""
        return _Given(**values)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if any(len(secret.get_secret_value()) < SECRET_LENGTH for secret in self.secret_key):
            raise ValueError(f"SECRET_KEY: each secret needs at least {SECRET_LENGTH} characters")
        keys = [key.get_secret_value() for key in (*self.api_keys, *self.admin_api_keys)]
        if len(set(keys)) < len(keys):
            raise ValueError("API_KEYS, ADMIN_API_KEYS: each key once; one key cannot be both")
        if not all(key.isascii() for key in keys):
            raise ValueError("API_KEYS, ADMIN_API_KEYS: plain ASCII, since a header carries nothing else safely")
        if self.redis_url and not self.secret_key:
            raise ValueError("SECRET_KEY: required with REDIS_URL, so that every replica can open what one sealed")
        if sum(bool(way) for way in (self.jwt_secret, self.jwt_public_key, self.jwt_jwks_url)) > 1:
            raise ValueError("JWT_SECRET, JWT_PUBLIC_KEY, JWT_JWKS_URL: set one of them, not several")
        if self.wazzup_api == "v2" and urlsplit(self.base_url).hostname == "api.wazzup24.com":
            raise ValueError("WAZZUP_BASE_URL: api.wazzup24.com has no partner API; v2 lives at tech.wazzup24.com")
        return self

    @property
    def base_url(self) -> str:
        """Where Wazzup is asked."""
        return self.wazzup_base_url or BASE_URLS[self.wazzup_api]

    @property
    def knows_a_caller(self) -> bool:
        """Whether anybody at all may call."""
        return bool(self.api_keys or self.admin_api_keys or self.jwt_secret or self.jwt_public_key or self.jwt_jwks_url)

    def wazzup_credential(self) -> SecretStr:
        """What authorises the calls to Wazzup.

        Raises:
            Misconfigured: none is set; names the variable that is missing.
        """
        if self.wazzup_api == "v3":
            name, credential = "WAZZUP_API_KEY", self.wazzup_api_key
        else:
            name, credential = "WAZZUP_ACCESS_TOKEN", self.wazzup_access_token
        if credential is None:
            raise Misconfigured([f"{name}: not set. Without it Wazzup gives no links (WAZZUP_API={self.wazzup_api})"])
        return credential


class _Given(Settings):
    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _sentence(problem: ErrorDetails) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    path = problem["loc"]
    return f"{str(path[0]).upper()}: {message}" if path else message
