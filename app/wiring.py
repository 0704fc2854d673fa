"""The one place where everything is put together; what is opened here is closed here, by the same line."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from app.accounts import Account
from app.assembly import Ground, Served, assemble
from app.auth import Authenticator
from app.clock import Clock, SystemClock
from app.deals.api import AccountDeals
from app.embedded import embedded_valkey
from app.keepsake import kept
from app.links.api import AccountLinks
from app.sealing import KeyRing
from app.settings import Settings
from app.store import Store, connected
from app.telemetry import Telemetry
from app.variables import Misconfigured
from app.wazzup.circuit import Circuit

# How long what a re-read replaced is still looked after: longer than any request that began before it.
LINGERING = timedelta(minutes=10)


@dataclass(frozen=True)
class Services:
    """Everything that the faces use, assembled: one state of the world, which a re-read replaces whole."""

    clock: Clock
    telemetry: Telemetry
    store: Store
    auth: Authenticator
    links: Mapping[str, AccountLinks]
    deals: Mapping[str, AccountDeals]
    circuits: Mapping[str, Circuit]
    origins: Mapping[str | None, AbstractSet[str]]
    """Which pages may read the answers of an account; under None, those of any account."""


class House:
    """What is open: the services as they are now, and how they follow `ACCOUNTS_FILE`."""

    def __init__(self, settings: Settings, accounts: Mapping[str, Account], ground: Ground) -> None:
        self._settings = settings
        self._ground = ground
        self._served: dict[str, Served] = {}
        self._retired: list[tuple[float, Served]] = []
        self.services = self._moved_to(accounts)

    def reread(self) -> Services:
        """The services by `ACCOUNTS_FILE` as it is now. An account that did not change keeps its very objects.

        What is replaced still answers the requests that began with it: nothing of it is closed.

        Raises:
            Misconfigured: the file cannot be served from; the services are what they were.
        """
        self.services = self._moved_to(self._settings.accounts())
        return self.services

    async def rest(self) -> None:
        """Finishes what must not be broken off, in accounts that are served no more too."""
        await asyncio.gather(*(one.rest() for one in self._served.values()), *(one.rest() for _, one in self._retired))

    def _moved_to(self, accounts: Mapping[str, Account]) -> Services:
        served = {
            name: self._kept(name, account) or assemble(name, account, self._ground)
            for name, account in accounts.items()
        }
        now = self._ground.clock.monotonic()
        self._retired = [(since, one) for since, one in self._retired if now - since < LINGERING.total_seconds()]
        self._retired += [(now, one) for name, one in self._served.items() if served.get(name) is not one]
        self._served = served
        return self._services()

    def _kept(self, name: str, account: Account) -> Served | None:
        known = self._served.get(name)
        return known if known and known.account == account else None

    def _services(self) -> Services:
        ground, served = self._ground, self._served
        origins: dict[str | None, frozenset[str]] = {
            name: frozenset(one.account.allowed_origins) for name, one in served.items()
        }
        return Services(
            clock=ground.clock,
            telemetry=ground.telemetry,
            store=ground.store,
            # Anew each time: what it remembers of tokens must not outlive their accounts and keys.
            auth=Authenticator([one.keys for one in served.values()], ground.ring, ground.clock),
            links={name: one.links for name, one in served.items()},
            deals={name: one.deals for name, one in served.items()},
            circuits={name: one.wazzup.circuit for name, one in served.items()},
            origins=origins | {None: frozenset[str]().union(*origins.values())},
        )


@asynccontextmanager
async def open_services(
    settings: Settings,
    telemetry: Telemetry,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[House]:
    """The gateway's services for as long as the context lasts. `transport` stands in for the network.

    Raises:
        Misconfigured: the settings cannot be served from.
        DataDirTaken, EmbeddedStoreFailed: as `open_ground`.
    """
    accounts = settings.accounts()
    for account in accounts.values():
        account.wazzup_way()  # Refused before anything is opened.
    async with open_ground(settings, telemetry, clock=clock or SystemClock(), transport=transport) as ground:
        house = House(settings, accounts, ground)
        try:
            yield house
        finally:
            await house.rest()


@asynccontextmanager
async def open_ground(
    settings: Settings, telemetry: Telemetry, *, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Ground]:
    """What all accounts stand on, for as long as the context lasts.

    Raises:
        Misconfigured: `DATA_DIR` cannot be written.
        DataDirTaken: another gateway owns it.
        EmbeddedStoreFailed: the embedded store did not start.
    """
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
        yield Ground(http, store, ring, clock, telemetry)


def _transport() -> httpx.AsyncBaseTransport:
    # No cookies: a session that a peer sets must not travel from one account's call to another's.
    return AiohttpTransport(
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=100), cookie_jar=aiohttp.DummyCookieJar()
        )
    )


def _secrets(settings: Settings) -> list[str]:
    if settings.secret_key:
        return [secret.get_secret_value() for secret in settings.secret_key]
    try:
        return [kept(settings.data_dir / "secret_key", lambda: secrets.token_urlsafe(32))]
    except OSError as error:
        raise Misconfigured([f"DATA_DIR: {settings.data_dir} cannot be written ({error.strerror})"]) from None
