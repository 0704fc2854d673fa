"""One account, assembled: who may call for it, its way to Wazzup, its rooms. `wiring` puts the accounts together."""

from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr
from redis.asyncio import Redis

from app.accounts import DEFAULT, AccessToken, Account, ApiKey, RefreshGrant, TokenExchange, WayIn
from app.accounts_file import named
from app.auth import Keys, UserTokens
from app.clock import Clock
from app.deals.api import AccountDeals
from app.deals.question import Terms
from app.deals.teller import DealTeller
from app.events.waiting import Waiting
from app.links.api import AccountLinks
from app.links.cache import RedisLinkCache
from app.links.contacts import known_country
from app.links.issuer import Lifetimes, LinkIssuer
from app.links.models import ChatType, UseEvents
from app.links.question import Manners
from app.outgoing import Outgoing, outgoing
from app.sealing import KeyRing
from app.store import Store
from app.telemetry import Telemetry
from app.user_tokens import FixedKey, Jwks, JwtUserTokens, KeySource
from app.variables import Misconfigured
from app.wazzup.budget import Budget
from app.wazzup.circuit import Circuit
from app.wazzup.client import Tokens, WazzupClient
from app.wazzup.grants import Exchange, Grantor, Refresh
from app.wazzup.guard import own_end
from app.wazzup.metered import MeteredWire
from app.wazzup.tokens import SharedToken, StaticToken
from app.wazzup.users import IntroducedLinks
from app.wazzup.v2 import WazzupV2
from app.wazzup.v3 import WazzupV3
from app.wazzup.vault import TokenVault
from app.wazzup.wire import Wire

DIALECTS: dict[str, type[WazzupV2] | type[WazzupV3]] = {"v2": WazzupV2, "v3": WazzupV3}
LONGEST_USER_ID = {"v2": 64, "v3": 200}
# Seconds for what must be taken home where nobody says how long it may take.
HOME_PATIENCE = 1.5
# What an operator mends when Wazzup refuses us.
VARIABLES: dict[type[WayIn], str] = {
    AccessToken: "WAZZUP_ACCESS_TOKEN",
    RefreshGrant: "WAZZUP_CLIENT_ID and WAZZUP_REFRESH_TOKEN",
    TokenExchange: "WAZZUP_PARTNER_EMAIL, WAZZUP_PARTNER_PASSWORD and WAZZUP_ACCOUNT_ID",
    ApiKey: "WAZZUP_API_KEY",
}


@dataclass(frozen=True)
class Ground:
    """What all accounts stand on."""

    http: httpx.AsyncClient
    store: Store
    listener: Redis
    ring: KeyRing
    clock: Clock
    telemetry: Telemetry
    waiting: Waiting


@dataclass(frozen=True)
class Served:
    """One account as it is served."""

    account: Account
    keys: Keys
    wazzup: WazzupClient
    api: WazzupV2 | WazzupV3
    introduced: IntroducedLinks
    links: AccountLinks
    deals: AccountDeals
    outgoing: Outgoing

    async def rest(self, within: float = HOME_PATIENCE) -> None:
        """Finishes what must not be broken off, within so many seconds, and closes what is this account's own."""
        await self.links.issuer.rest()
        await self.introduced.rest()
        await self.wazzup.tokens.rest(within)
        await self.outgoing.http.aclose()


def assemble(name: str, account: Account, ground: Ground) -> Served:
    """The account `name`, ready to be served. Nothing is opened: what it uses belongs to the ground.

    Raises:
        Misconfigured: names the account's variables.
    """
    try:
        return _assembled(name, account, ground)
    except Misconfigured as refused:
        raise Misconfigured([named(name, sentence) for sentence in refused.problems]) from None


def _assembled(name: str, account: Account, ground: Ground) -> Served:
    way, manners = account.wazzup_way(), _manners(account)
    client = _client(name, account, way, ground)
    wazzup = DIALECTS[account.wazzup_api](client, account.wazzup_link_hosts)
    introduced = IntroducedLinks(
        wazzup, ground.store, ground.ring, name, ground.telemetry, account.wazzup_timeout_seconds
    )
    issuer = LinkIssuer(
        wazzup=introduced if account.wazzup_sync_users else wazzup,
        memory=RedisLinkCache(
            ground.store, ground.ring, ground.clock, account.link_rate_limit, _vendor(account, way, ground.ring)
        ),
        lifetimes=Lifetimes(account.link_cache_ttl_seconds, account.link_cache_max_ttl_seconds),
        read_end=own_end,
        patience=account.wazzup_timeout_seconds,
        clock=ground.clock,
        journal=ground.telemetry,
    )
    return Served(
        account=account,
        keys=Keys.of(
            name, server=_plain(account.api_keys), admin=_plain(account.admin_api_keys), users=_users(account, ground)
        ),
        wazzup=client,
        api=wazzup,
        introduced=introduced,
        links=AccountLinks(
            manners, issuer, "/events" if name == DEFAULT else f"/events?{urlencode({'account': name})}"
        ),
        deals=AccountDeals(_terms(manners, account), DealTeller(wazzup, name, ground.telemetry)),
        outgoing=outgoing(name, account, ground.store, ground.ring, ground.clock, ground.telemetry, ground.waiting),
    )


def _client(name: str, account: Account, way: WayIn, ground: Ground) -> WazzupClient:
    budget = Budget(
        store=ground.store,
        ring=ground.ring,
        clock=ground.clock,
        account=name,
        rate=account.wazzup_rate_limit,
        longest=account.wazzup_timeout_seconds,
    )
    wire = MeteredWire(Wire(ground.http, account.base_url, VARIABLES[type(way)], ground.clock), budget)
    return WazzupClient(
        wire=wire,
        tokens=_tokens(name, _granted(way, wire), ground),
        circuit=Circuit(name, ground.clock, ground.telemetry),
        patience=account.wazzup_timeout_seconds,
        account=name,
        clock=ground.clock,
        journal=ground.telemetry,
    )


def _granted(way: WayIn, wire: MeteredWire) -> StaticToken | Grantor:
    """The token itself, or who asks for it."""
    match way:
        case AccessToken(secret) | ApiKey(secret):
            return StaticToken(secret.get_secret_value())
        case RefreshGrant(client_id, refresh_token):
            return Refresh(wire, client_id, refresh_token.get_secret_value())
        case TokenExchange(email, password, account_id):
            return Exchange(wire, email.get_secret_value(), password.get_secret_value(), account_id)


def _tokens(name: str, source: StaticToken | Grantor, ground: Ground) -> Tokens:
    if isinstance(source, StaticToken):
        return source
    vault = TokenVault(ground.store, ground.ring, name, source.identity, ground.telemetry)
    return SharedToken(source, vault, clock=ground.clock, journal=ground.telemetry)


def _vendor(account: Account, way: WayIn, ring: KeyRing) -> tuple[str, str, str]:
    """What, besides a request, shapes a link: another API or other credentials are another Wazzup."""
    match way:
        case AccessToken(secret) | ApiKey(secret) | RefreshGrant(_, secret):
            identity = secret.get_secret_value()
        case TokenExchange(email, _, account_id):
            identity = f"{email.get_secret_value()}\n{account_id}"
    return account.wazzup_api, account.base_url, ring.hashed(identity.encode())


def _manners(account: Account) -> Manners:
    if account.default_country and not known_country(account.default_country):
        raise Misconfigured(["DEFAULT_COUNTRY: no country has this code; write two letters such as LV (ISO 3166)"])
    return Manners(
        default_events=UseEvents(
            deals="deals" in account.default_events, messages="messages" in account.default_events
        ),
        phone_chat_types=tuple(ChatType(one) for one in account.phone_chat_types),
        country=account.default_country,
        client_type=account.wazzup_client_type,
        longest_user_id=LONGEST_USER_ID[account.wazzup_api],
        channel_required=account.wazzup_api == "v3",
        introduces_users=account.wazzup_sync_users,
    )


def _terms(manners: Manners, account: Account) -> Terms:
    return Terms(
        phone_chat_types=manners.phone_chat_types,
        country=manners.country,
        longest_user_id=manners.longest_user_id,
        takes_usernames=account.wazzup_api == "v2",
    )


def _users(account: Account, ground: Ground) -> UserTokens | None:
    keys: KeySource
    if account.jwt_secret:
        keys = FixedKey.secret(account.jwt_secret.get_secret_value())
    elif account.jwt_public_key:
        try:
            keys = FixedKey.pem(account.jwt_public_key.get_secret_value())
        except ValueError:
            raise Misconfigured(["JWT_PUBLIC_KEY: not a public key in PEM for RS256, ES256 or EdDSA"]) from None
    elif account.jwt_jwks_url:
        keys = Jwks(account.jwt_jwks_url, ground.http, ground.clock, ground.telemetry)
    else:
        return None
    return JwtUserTokens(keys, account.jwt_audience, account.jwt_issuer, ground.clock)


def _plain(values: tuple[SecretStr, ...]) -> list[str]:
    return [value.get_secret_value() for value in values]
