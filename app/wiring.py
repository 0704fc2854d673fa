"""The one place where everything is put together; what is opened here is closed here, by the same line."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import httpx

from app.accounts import Account
from app.assembly import HOME_PATIENCE, Ground, Served, assemble
from app.auth import Authenticator
from app.bells import Bells
from app.clock import Clock, SystemClock
from app.connections import pooled
from app.deals.api import AccountDeals
from app.embedded import embedded_valkey
from app.errors import StoreUnavailable
from app.events.relay import EventRelay
from app.events.waiting import Waiting
from app.keepsake import kept
from app.links.api import AccountLinks
from app.redis_clients import listener_for
from app.sealing import KeyRing
from app.settings import Settings
from app.store import HOLD_OFF, Store, connected
from app.telemetry import Journal, Telemetry
from app.variables import Misconfigured
from app.wazzup.circuit import Circuit
from app.web.files import Files, load
from app.webhooks.crew import Crew
from app.webhooks.desk import WebhookDesk
from app.webhooks.scripts import BELL

# How long what a re-read replaced is still looked after: longer than any request that began before it.
LINGERING = timedelta(minutes=10)
# Of the ten seconds that orchestrators give, so many are for what must be taken home.
LAST_SECONDS = 9.0
_ALLOW = "ALLOW_VOLATILE_STORE: true lets it start all the same; then accepted events may be lost"


@dataclass(frozen=True)
class Services:
    """Everything that the faces use, assembled: one state of the world, which a re-read replaces whole."""

    clock: Clock
    telemetry: Telemetry
    store: Store
    auth: Authenticator
    links: Mapping[str, AccountLinks]
    deals: Mapping[str, AccountDeals]
    events: Mapping[str, EventRelay]
    webhooks: Mapping[str, WebhookDesk]
    circuits: Mapping[str, Circuit]
    crew: Crew | None
    """Who delivers in this process, if anybody does."""
    origins: Mapping[str | None, AbstractSet[str]]
    """Which pages may read the answers of an account; under None, those of any account."""
    files: Files


class House:
    """What is open: the services as they are now, and how they follow `ACCOUNTS_FILE`."""

    def __init__(self, settings: Settings, accounts: Mapping[str, Account], ground: Ground, crew: Crew | None) -> None:
        self._settings = settings
        self._ground = ground
        self._crew = crew
        self._resting: set[asyncio.Task[None]] = set()
        self._stopped_at: float | None = None
        self._served: dict[str, Served] = {}
        self._retired: list[tuple[float, Served]] = []
        self.services = self._moved_to(accounts)

    def follow(self, journal: Journal) -> None:
        """Reads `ACCOUNTS_FILE` again; a file that is broken changes nothing but a line in the log."""
        try:
            self.reread()
        except Misconfigured as refused:
            journal.trouble("accounts.refused", hint=str(refused))
        else:
            journal.note("accounts.reread", accounts=len(self.services.links))

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
        if self._crew:
            await self._crew.rest()
        open_ones = [*self._served.values(), *(one for _, one in self._retired)]
        await asyncio.gather(*(one.rest(self._left()) for one in open_ones), *self._resting)

    async def reseal(self) -> None:
        """Lets what older secrets of SECRET_KEY have sealed outlive them. What fails is done at the next start."""
        with suppress(StoreUnavailable):
            for one in self._served.values():
                await one.outgoing.registry.reseal()

    def stop(self) -> None:
        """The process is to end: deliveries end, or are handed back, while requests are still answered."""
        self._stopped_at = asyncio.get_running_loop().time()
        if self._crew:
            self._crew.stop()

    def _left(self) -> float:
        """Seconds until nobody waits for us any more."""
        if self._stopped_at is None:
            return HOME_PATIENCE
        return max(HOME_PATIENCE, self._stopped_at + LAST_SECONDS - asyncio.get_running_loop().time())

    def _moved_to(self, accounts: Mapping[str, Account]) -> Services:
        served = {
            name: self._kept(name, account) or assemble(name, account, self._ground)
            for name, account in accounts.items()
        }
        self._retire([one for name, one in self._served.items() if served.get(name) is not one])
        self._served = served
        if self._crew:
            self._crew.follow({name: one.outgoing.dispatcher for name, one in served.items()})
        return self._services()

    def _retire(self, replaced: Sequence[Served]) -> None:
        now = self._ground.clock.monotonic()
        for _, one in (gone := [old for old in self._retired if now - old[0] >= LINGERING.total_seconds()]):
            resting = asyncio.create_task(one.rest())
            self._resting.add(resting)
            resting.add_done_callback(self._resting.discard)
        self._retired = [old for old in self._retired if old not in gone] + [(now, one) for one in replaced]

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
            events={name: one.outgoing.relay for name, one in served.items()},
            webhooks={name: one.outgoing.desk for name, one in served.items()},
            circuits={name: one.wazzup.circuit for name, one in served.items()},
            crew=self._crew,
            origins=origins | {None: frozenset[str]().union(*origins.values())},
            files=load(),
        )


@asynccontextmanager
async def open_services(
    settings: Settings,
    telemetry: Telemetry,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    delivers: bool = True,
) -> AsyncIterator[House]:
    """The gateway's services for as long as the context lasts. `transport` stands in for the way to Wazzup.

    With `delivers`, this process delivers what is due to webhooks; else a worker has to.

    Raises:
        Misconfigured: the settings, or the store, cannot be served from.
        DataDirTaken, EmbeddedStoreFailed: as `open_ground`.
    """
    accounts = settings.accounts()
    for account in accounts.values():
        account.wazzup_way()  # Refused before anything is opened.
    async with open_ground(settings, telemetry, clock=clock or SystemClock(), transport=transport) as ground:
        examined = await _keeps_promises(ground.store, telemetry, refuses=not settings.allow_volatile_store)
        crew = Crew(ground.store, ground.clock) if delivers else None
        house = House(settings, accounts, ground, crew)
        heard = {ground.waiting.channel: ground.waiting.heard} | ({BELL: crew.ring} if crew else {})
        beside = [asyncio.create_task(Bells(ground.listener, heard).run())]
        beside += [asyncio.create_task(crew.live())] if crew else []
        beside += [asyncio.create_task(house.reseal())]
        beside += [] if examined else [asyncio.create_task(_keeps_promises_later(ground.store, telemetry))]
        try:
            yield house
        finally:
            for task in beside:
                task.cancel()
            await house.rest()
            await asyncio.gather(*beside, return_exceptions=True)


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
        httpx.AsyncClient(transport=transport or pooled(limit=100), timeout=None, trust_env=False) as http,  # noqa: S113 - each caller brings its own time-out, for a whole call
    ):
        url = (
            settings.redis_url.get_secret_value()
            if settings.redis_url
            else await stack.enter_async_context(embedded_valkey(settings.data_dir))
        )
        store = await stack.enter_async_context(connected(url, clock, telemetry))
        waiting = Waiting(f"wg:answers:{secrets.token_hex(8)}")
        yield Ground(http, store, listener_for(url, stack), ring, clock, telemetry, waiting)


async def _keeps_promises(store: Store, journal: Journal, *, refuses: bool = False) -> bool:
    """Names a store that may lose accepted events. False: it does not answer, and is served without until it is back.

    Raises:
        Misconfigured: it may, and nobody has allowed that.
    """
    try:
        reasons = await store.unfitness()
    except StoreUnavailable:
        return False
    if reasons and refuses:
        raise Misconfigured([*(f"REDIS_URL: {reason}" for reason in reasons), _ALLOW])
    for reason in reasons:
        journal.trouble("store.volatile", hint=reason)
    return True


async def _keeps_promises_later(store: Store, journal: Journal) -> None:
    """As soon as it answers. We serve by now: what is wrong with it makes us unready, and ends nothing."""
    while not await _keeps_promises(store, journal):  # noqa: ASYNC110 - it tells nobody that it is back
        await asyncio.sleep(HOLD_OFF)


def _secrets(settings: Settings) -> list[str]:
    if settings.secret_key:
        return [secret.get_secret_value() for secret in settings.secret_key]
    try:
        return [kept(settings.data_dir / "secret_key", lambda: secrets.token_urlsafe(32))]
    except OSError as error:
        raise Misconfigured([f"DATA_DIR: {settings.data_dir} cannot be written ({error.strerror})"]) from None
