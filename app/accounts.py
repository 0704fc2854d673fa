"""One Wazzup account: who may call for it, how Wazzup is entered for it, how its links are made.

The account `default` is what the environment says; others stand in `ACCOUNTS_FILE`. An account is what its own table
says, and the defaults else: nothing is inherited, so that no key or origin is another account's by accident.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from app.limits import Rate
from app.variables import (
    AccountId,
    BaseUrl,
    CallRate,
    ClientId,
    Country,
    Credential,
    Credentials,
    Events,
    Listed,
    Login,
    Misconfigured,
    Networks,
    Origins,
    PhoneChats,
    PositiveSeconds,
    Schedule,
    Seconds,
)

DEFAULT = "default"
BASE_URLS = {"v2": "https://tech.wazzup24.com", "v3": "https://api.wazzup24.com"}
RETRY_SECONDS = (0, 5, 30, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
# Each of v2's ways in, by the variables that make it whole.
_WAYS = (
    ("WAZZUP_ACCESS_TOKEN",),
    ("WAZZUP_CLIENT_ID", "WAZZUP_REFRESH_TOKEN"),
    ("WAZZUP_PARTNER_EMAIL", "WAZZUP_PARTNER_PASSWORD", "WAZZUP_ACCOUNT_ID"),
)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """v2: a ready Bearer token."""

    token: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """v2, Wazzup Label: the OAuth refresh grant."""

    client_id: str
    refresh_token: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """v2, White Label: a machine token of the partner's, exchanged for one of the account's."""

    email: SecretStr = field(repr=False)
    password: SecretStr = field(repr=False)
    account_id: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """v3: the API key."""

    key: SecretStr = field(repr=False)


WayIn = AccessToken | RefreshGrant | TokenExchange | ApiKey


class Account(BaseModel):
    """Every variable that each account has for itself. `.env.example` explains each in a line."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_keys: Credentials = ()
    admin_api_keys: Credentials = ()
    jwt_secret: SecretStr | None = None
    jwt_public_key: SecretStr | None = None
    jwt_jwks_url: str | None = Field(default=None, pattern=r"^https?://")
    jwt_audience: str = "wazzup-gateway"
    jwt_issuer: str | None = None
    allowed_origins: Origins = ()
    wazzup_api: Literal["v2", "v3"] = "v2"
    wazzup_base_url: BaseUrl | None = None
    wazzup_access_token: Credential | None = None
    wazzup_client_id: ClientId | None = None
    wazzup_refresh_token: Credential | None = None
    wazzup_partner_email: Login | None = None
    wazzup_partner_password: Login | None = None
    wazzup_account_id: AccountId | None = None
    wazzup_api_key: Credential | None = None
    wazzup_link_hosts: Listed = ("*.wazzup24.com",)
    wazzup_timeout_seconds: PositiveSeconds = timedelta(seconds=10)
    wazzup_rate_limit: CallRate = Rate(500, timedelta(seconds=5))
    wazzup_sync_users: bool = False
    wazzup_client_type: str = ""
    link_cache_ttl_seconds: Seconds = timedelta(seconds=300)
    link_cache_max_ttl_seconds: PositiveSeconds = timedelta(seconds=3600)
    link_rate_limit: CallRate = Rate(60, timedelta(seconds=60))
    default_events: Events = ("deals",)
    phone_chat_types: PhoneChats = ("whatsapp",)
    default_country: Country | None = None
    webhook_timeout_seconds: PositiveSeconds = timedelta(seconds=15)
    webhook_retry_seconds: Schedule = tuple(timedelta(seconds=wait) for wait in RETRY_SECONDS)
    webhook_allow_networks: Networks = ()
    webhook_use_proxy: bool = False
    event_retention_seconds: PositiveSeconds = timedelta(days=7)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(set(self.keys)) < len(self.keys):
            raise ValueError("API_KEYS, ADMIN_API_KEYS: each key once; one key cannot be both")
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
    def keys(self) -> list[str]:
        """The keys of servers and admins, laid open."""
        return [key.get_secret_value() for key in (*self.api_keys, *self.admin_api_keys)]

    @property
    def signer(self) -> str | None:
        """Whoever signs this account's user tokens: the same for accounts that could take each other's."""
        pem = self.jwt_public_key and _same_key(self.jwt_public_key.get_secret_value().replace("\\n", "\n"))
        return self.jwt_secret.get_secret_value() if self.jwt_secret else pem or self.jwt_jwks_url

    @property
    def knows_a_caller(self) -> bool:
        """Whether anybody at all may call."""
        return bool(self.keys or self.signer)

    @property
    def names_a_way_in(self) -> bool:
        """Whether any of Wazzup's credentials is set, of whichever API."""
        return bool(self.wazzup_api_key or any(self._set(name) for way in _WAYS for name in way))

    def wazzup_way(self) -> WayIn:
        """How Wazzup is entered.

        Raises:
            Misconfigured: no way is whole, or there are several; names the variables.
        """
        if self.wazzup_api == "v3":
            if not self.wazzup_api_key:
                raise Misconfigured(["WAZZUP_API_KEY: not set. Without it Wazzup gives no links (WAZZUP_API=v3)"])
            return ApiKey(self.wazzup_api_key)
        _one_whole_way([[name for name in way if self._set(name)] for way in _WAYS])
        if self.wazzup_access_token:
            return AccessToken(self.wazzup_access_token)
        if self.wazzup_client_id and self.wazzup_refresh_token:
            return RefreshGrant(self.wazzup_client_id, self.wazzup_refresh_token)
        assert self.wazzup_partner_email and self.wazzup_partner_password and self.wazzup_account_id  # noqa: S101, PT018 - the one way that is left, and whole
        return TokenExchange(self.wazzup_partner_email, self.wazzup_partner_password, self.wazzup_account_id)

    def _set(self, variable: str) -> bool:
        return bool(getattr(self, variable.lower()))


def _same_key(pem: str) -> str:
    """The same text for the same public key, in whichever form it is written."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):  # That is refused elsewhere.
        return "".join(pem.split())
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()


def _one_whole_way(begun: list[list[str]]) -> None:
    """Refuses anything but one way of `_WAYS` with all its variables set; `begun` says which are."""
    named = [name for way in begun for name in way]
    if not named:
        raise Misconfigured(
            [
                "WAZZUP_ACCESS_TOKEN: not set. Without it Wazzup gives no links (WAZZUP_API=v2). Other ways in are "
                "WAZZUP_CLIENT_ID with WAZZUP_REFRESH_TOKEN, or WAZZUP_PARTNER_EMAIL and WAZZUP_PARTNER_PASSWORD "
                "with WAZZUP_ACCOUNT_ID"
            ]
        )
    if sum(bool(way) for way in begun) > 1:
        raise Misconfigured([f"{', '.join(named)}: set one way in, not several"])
    [missing] = [set(way) - set(named) for way, names in zip(_WAYS, begun, strict=True) if names]
    if missing:
        raise Misconfigured([f"{', '.join(sorted(missing))}: not set, but needed together with {', '.join(named)}"])


def apart(accounts: Mapping[str, Account]) -> None:
    """Whoever calls is of one account, and no account takes the other's way in.

    Raises:
        Misconfigured: names the accounts that have in common what must be each one's own.
    """
    grants = {
        name: [account.wazzup_refresh_token.get_secret_value()] if account.wazzup_refresh_token else []
        for name, account in accounts.items()
    }
    problems = [
        f"ACCOUNTS_FILE: the accounts {one} and {other} have a key in common (api_keys, admin_api_keys). "
        "A key opens one account: give each its own"
        for one, other in _sharing({name: account.keys for name, account in accounts.items()})
    ]
    problems += [
        f"ACCOUNTS_FILE: the accounts {one} and {other} have the same wazzup_refresh_token. "
        "Each use replaces it, so they would lock each other out"
        for one, other in _sharing(grants)
    ]
    problems += [
        f"ACCOUNTS_FILE: the accounts {one} and {other} have the same {variable}. Each counts its calls for itself, "
        "so together they would pass wazzup_rate_limit: let them be one account"
        for variable in ("wazzup_access_token", "wazzup_api_key")
        for one, other in _sharing({name: _in_use(account, variable) for name, account in accounts.items()})
    ]
    if problems := [*problems, *_shared_tokens(accounts)]:
        raise Misconfigured(problems)


def _in_use(account: Account, variable: str) -> list[str]:
    used = {"v2": "wazzup_access_token", "v3": "wazzup_api_key"}[account.wazzup_api] == variable
    secret: SecretStr | None = getattr(account, variable)
    return [secret.get_secret_value()] if used and secret else []


def _sharing(secrets: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """The accounts that have a secret in common."""
    owners: dict[str, str] = {}
    return sorted(
        {
            (owner, name)
            for name, own in secrets.items()
            for secret in own
            if (owner := owners.setdefault(secret, name)) != name
        }
    )


def _shared_tokens(accounts: Mapping[str, Account]) -> Iterator[str]:
    known: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
    for name, account in accounts.items():
        if account.signer is None:
            continue
        alike = known.setdefault((account.signer, account.jwt_audience), [])
        for other, issuer in alike:
            # An account that asks for no issuer takes tokens of any.
            if issuer is None or account.jwt_issuer is None or issuer == account.jwt_issuer:
                yield (
                    f"ACCOUNTS_FILE: the accounts {other} and {name} would take each other's user tokens. "
                    "Give each its own secret, jwt_audience or jwt_issuer"
                )
        alike.append((name, account.jwt_issuer))
