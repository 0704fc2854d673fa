"""The one place where everything is put together; what is opened here is closed here, by the same line."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import SecretStr

from app.auth import Authenticator, Keys, UserTokens
from app.clock import Clock, SystemClock
from app.embedded import embedded_valkey
from app.keepsake import kept
from app.links.api import AccountLinks
from app.links.cache import RedisLinkCache
from app.links.contacts import known_country
from app.links.issuer import Lifetimes, LinkIssuer
from app.links.models import ChatType, UseEvents
from app.links.question import Manners
from app.sealing import KeyRing
from app.settings import Misconfigured, Settings
from app.store import Store, connected
from app.telemetry import Telemetry
from app.user_tokens import FixedKey, Jwks, JwtUserTokens, KeySource
from app.wazzup.client import WazzupClient
from app.wazzup.guard import own_end
from app.wazzup.v2 import WazzupV2
from app.wazzup.v3 import WazzupV3

DEFAULT_ACCOUNT = "default"
DIALECTS: dict[str, type[WazzupV2] | type[WazzupV3]] = {"v2": WazzupV2, "v3": WazzupV3}
LONGEST_USER_ID = {"v2": 64, "v3": 200}


@dataclass(frozen=True)
class Services:
    """Everything that the faces use, assembled."""

    clock: Clock
    telemetry: Telemetry
    store: Store
    auth: Authenticator
    links: dict[str, AccountLinks]


@asynccontextmanager
async def open_services(
    settings: Settings,
    telemetry: Telemetry,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Services]:
    """The gateway's services for as long as the context lasts. `transport` stands in for the network.

    Raises:
        Misconfigured: the settings cannot be served from.
        DataDirTaken: another gateway owns `DATA_DIR`.
        EmbeddedStoreFailed: the embedded store did not start.
    """
    clock = clock or SystemClock()
    credential = settings.wazzup_credential()
    ring = KeyRing.of(_secrets(settings))
    async with (
        AsyncExitStack() as stack,
        httpx.AsyncClient(transport=transport or _transport(), timeout=None, trust_env=False) as http,  # noqa: S113 - each caller brings its own time-out, for a whole call
    ):
        url = (
            settings.redis_url.get_secret_value()
            if settings.redis_url
            else await stack.enter_async_context(embedded_valkey(settings.data_dir))
        )
        store = await stack.enter_async_context(connected(url, clock, telemetry))
        users = _user_tokens(settings, http, clock, telemetry)
        keys = Keys.of(
            DEFAULT_ACCOUNT,
            server=_plain(settings.api_keys),
            admin=_plain(settings.admin_api_keys),
            users=users,
        )
        links = _links(settings, credential, store, ring, http, clock, telemetry)
        stack.push_async_callback(links.issuer.rest)
        yield Services(
            clock=clock,
            telemetry=telemetry,
            store=store,
            auth=Authenticator([keys], ring, clock),
            links={DEFAULT_ACCOUNT: links},
        )


def _links(
    settings: Settings,
    credential: SecretStr,
    store: Store,
    ring: KeyRing,
    http: httpx.AsyncClient,
    clock: Clock,
    telemetry: Telemetry,
) -> AccountLinks:
    client = WazzupClient(
        http=http,
        base_url=settings.base_url,
        credential=credential.get_secret_value,
        patience=settings.wazzup_timeout_seconds,
        account=DEFAULT_ACCOUNT,
        clock=clock,
        journal=telemetry,
    )
    vendor = (settings.wazzup_api, settings.base_url, ring.hashed(credential.get_secret_value().encode()))
    issuer = LinkIssuer(
        wazzup=DIALECTS[settings.wazzup_api](client, settings.wazzup_link_hosts),
        memory=RedisLinkCache(store, ring, clock, settings.link_rate_limit, vendor),
        lifetimes=Lifetimes(settings.link_cache_ttl_seconds, settings.link_cache_max_ttl_seconds),
        read_end=own_end,
        patience=settings.wazzup_timeout_seconds,
        clock=clock,
        journal=telemetry,
    )
    return AccountLinks(_manners(settings), issuer)


def _manners(settings: Settings) -> Manners:
    if settings.default_country and not known_country(settings.default_country):
        raise Misconfigured(["DEFAULT_COUNTRY: no country has this code; write two letters such as LV (ISO 3166)"])
    return Manners(
        default_events=UseEvents(
            deals="deals" in settings.default_events, messages="messages" in settings.default_events
        ),
        phone_chat_types=tuple(ChatType(one) for one in settings.phone_chat_types),
        country=settings.default_country,
        client_type=settings.wazzup_client_type,
        longest_user_id=LONGEST_USER_ID[settings.wazzup_api],
        channel_required=settings.wazzup_api == "v3",
    )


def _user_tokens(settings: Settings, http: httpx.AsyncClient, clock: Clock, telemetry: Telemetry) -> UserTokens | None:
    keys: KeySource
    if settings.jwt_secret:
        keys = FixedKey.secret(settings.jwt_secret.get_secret_value())
    elif settings.jwt_public_key:
        try:
            keys = FixedKey.pem(settings.jwt_public_key.get_secret_value())
        except ValueError:
            raise Misconfigured(["JWT_PUBLIC_KEY: not a public key in PEM for RS256, ES256 or EdDSA"]) from None
    elif settings.jwt_jwks_url:
        keys = Jwks(settings.jwt_jwks_url, http, clock, telemetry)
    else:
        return None
    return JwtUserTokens(keys, settings.jwt_audience, settings.jwt_issuer, clock)


def _transport() -> httpx.AsyncBaseTransport:
    # No cookies: a session that a peer sets must not travel from one account's call to another's.
    return AiohttpTransport(
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=100), cookie_jar=aiohttp.DummyCookieJar()
        )
    )


def _secrets(settings: Settings) -> list[str]:
    if settings.secret_key:
        return _plain(settings.secret_key)
    try:
        return [kept(settings.data_dir / "secret_key", lambda: secrets.token_urlsafe(32))]
    except OSError as error:
        raise Misconfigured([f"DATA_DIR: {settings.data_dir} cannot be written ({error.strerror})"]) from None


def _plain(values: tuple[SecretStr, ...]) -> list[str]:
    return [value.get_secret_value() for value in values]
