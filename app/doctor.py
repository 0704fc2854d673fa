"""A door: looks at the configuration, the store and Wazzup, and says in plain words what is wrong and what mends it.

It harms nothing. A gateway that runs on the same `DATA_DIR` goes on, and its store is used with it; a token that is
renewed meanwhile is kept where the gateway finds it, or not renewed at all.
"""

import asyncio
import secrets
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import typer
from pydantic import SecretStr

from app.accounts import Account, RefreshGrant
from app.assembly import VARIABLES, Ground, Served, assemble
from app.clock import Clock, SystemClock
from app.diagnosis.causes import in_plain_words
from app.diagnosis.configured import findings_of
from app.diagnosis.examination import Examination, User, unasked
from app.diagnosis.findings import (
    Finding,
    Status,
    all_is_well,
    failed,
    for_machines,
    for_people,
    misconfigured,
    named_in,
    of_account,
    ok,
    skipped,
    warning,
)
from app.diagnosis.published import published_keys
from app.embedded import DataDirTaken, EmbeddedStoreFailed, embedded_valkey, running_valkey
from app.errors import StoreUnavailable
from app.settings import Settings, StorePlace
from app.store import Store, connected
from app.telemetry import Telemetry, configure
from app.variables import Misconfigured
from app.wiring import open_ground

NOWHERE = "unix:///nowhere"

_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red", Status.SKIPPED: "bright_black"}
_WRONG = "Not asked, since the configuration is wrong."
_WITHOUT_A_KEEPER = (
    "Not asked: renewing the token would use up the refresh token, and nothing could keep its successor. "
    "Mend the store first."
)


@dataclass(frozen=True)
class Wish:
    """What is to be looked at: one account or all, and a link for `user` or none."""

    account: str | None = None
    user: User | None = None


def doctor(env_file: Path, wish: Wish, *, as_json: bool) -> bool:
    """Prints what it finds; whether all is well."""
    configure(level="error", form=None, output=sys.stderr)  # What happened is told once, and by the findings.
    findings = asyncio.run(_until_told_to_stop(env_file, wish))
    told = for_machines(findings) if as_json else for_people(findings, mark=_coloured)
    # A path may have a name that this terminal cannot write.
    typer.echo(told.encode(sys.stdout.encoding, "backslashreplace"))
    return all_is_well(findings)


def _coloured(status: Status, text: str) -> str:
    return typer.style(text, fg=_COLOURS[status]) if sys.stdout.isatty() else text


async def _until_told_to_stop(env_file: Path, wish: Wish) -> list[Finding]:
    """Ends in order when it is asked to: an embedded store must not outlive it."""
    loop, examining = asyncio.get_running_loop(), asyncio.create_task(examine_environment(env_file, wish))
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, examining.cancel)
    try:
        return await examining
    except asyncio.CancelledError:
        raise typer.Exit(1) from None


async def examine_environment(env_file: Path, wish: Wish) -> list[Finding]:
    """What is found in the environment and `env_file`; what can still be looked at when they are wrong, is."""
    try:
        settings = Settings.from_environment(env_file)
    except Misconfigured as refused:
        return [*map(misconfigured, refused.problems), *await _store_alone(env_file), *unasked(_WRONG)]
    beside = f" and {env_file}" if env_file.is_file() else f"; there is no {env_file} here"
    return [ok("configuration", f"Read from the environment{beside}."), *await examine(settings, wish)]


async def examine(
    settings: Settings,
    wish: Wish,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> list[Finding]:
    """What is found of the store, and of each account. `transport` stands in for the network."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        store, url = await _store(settings, stack, clock)
        process = [*_unheard(settings), *store]
        try:
            accounts = _chosen(settings.accounts(), wish.account)
            opening = open_ground(_on(url, settings), Telemetry(), clock=clock, transport=transport)
            ground = await stack.enter_async_context(opening)
        except Misconfigured as refused:
            return [*process, *map(misconfigured, refused.problems), *unasked(_WRONG)]
        patients = [Patient(name, account, ground, all_is_well(store)) for name, account in accounts.items()]
        found = await asyncio.gather(*(patient.findings(wish.user) for patient in patients))
        return [*process, *(finding for group in found for finding in group)]


def _unheard(settings: Settings) -> list[Finding]:
    says = "No account inherits what the environment says here: write it into each account's table in ACCOUNTS_FILE."
    return [warning("configuration", says, *settings.unheard)] if settings.unheard else []


def _chosen(accounts: dict[str, Account], name: str | None) -> dict[str, Account]:
    if name is None:
        return accounts
    if name not in accounts:
        raise Misconfigured([f"--account: there is none of this name. These are served: {', '.join(accounts)}"])
    return {name: accounts[name]}


def _on(url: str | None, settings: Settings) -> Settings:
    """The settings, on the store that was found."""
    update: dict[str, Any] = {"redis_url": SecretStr(url or NOWHERE)}
    if url is None and not settings.secret_key:
        update["secret_key"] = (SecretStr(secrets.token_urlsafe(32)),)  # Seals nothing: there is no store.
    return settings.model_copy(update=update)


async def _store_alone(env_file: Path) -> list[Finding]:
    try:
        place = StorePlace.from_environment(env_file)
    except Misconfigured:
        return [skipped("store", "Nobody knows where it is.")]
    async with AsyncExitStack() as stack:
        findings, _ = await _store(place, stack, SystemClock())
        return findings


async def _store(place: StorePlace, stack: AsyncExitStack, clock: Clock) -> tuple[list[Finding], str | None]:
    """What is found of the store, and its URL: an embedded one runs as long as `stack` is open."""
    mends = ("REDIS_URL",) if place.redis_url else ("DATA_DIR", "REDIS_URL")
    try:
        url, words = await _found(place, stack)
    except EmbeddedStoreFailed as error:
        return [failed("store", str(error), *mends)], None
    except OSError as error:
        return [failed("store", f"{place.data_dir} cannot be used ({error.strerror}).", *mends)], None
    try:
        store = await stack.enter_async_context(connected(url, clock))
    except ValueError:
        return [failed("store", f"{words}: the rest of its URL cannot be read.", *mends)], None
    return await _fitness(store, words, mends), url


async def _found(place: StorePlace, stack: AsyncExitStack) -> tuple[str, str]:
    """The store's URL, and what to call it."""
    if place.redis_url:
        url = place.redis_url.get_secret_value()
        return url, f"Redis at {_without_login(url)}"
    home = place.data_dir.resolve()
    try:
        url = await stack.enter_async_context(embedded_valkey(place.data_dir))
    except DataDirTaken:
        return running_valkey(place.data_dir), f"The embedded Valkey of the gateway that runs on {home}"
    return url, f"The embedded Valkey in {home}"


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    # With an @ further on, a password holds a mark that ends the host for URLs, and what looks like one is no host.
    hidden = "@" in f"{parts.path}{parts.query}{parts.fragment}"
    return f"{parts.scheme}://{'' if hidden else parts.netloc.rpartition('@')[2] + parts.path}"


async def _fitness(store: Store, words: str, mends: tuple[str, ...]) -> list[Finding]:
    try:
        await store.probe("doctor")
        reasons = await store.unfitness()
    except StoreUnavailable as error:
        return [failed("store", f"{words} cannot be used: {in_plain_words(error.__cause__)}.", *mends)]
    if reasons:
        return [failed("store", f"{words} may lose what it is given. {reason}", *mends) for reason in reasons]
    return [ok("store", f"{words} can be written, and keeps what it is given.")]


@dataclass(frozen=True)
class Patient:
    """One account. `keeps`: the store may be trusted with what can be asked for only once."""

    name: str
    account: Account
    ground: Ground
    keeps: bool

    async def findings(self, user: User | None) -> list[Finding]:
        """How it is configured, and what Wazzup makes of it."""
        try:
            configured = findings_of(self.account)
            served = assemble(self.name, self.account, self.ground)
        except Misconfigured as refused:
            wrong = [replace(misconfigured(sentence), account=self.name) for sentence in refused.problems]
            return [*wrong, *(of_account(self.name, one) for one in unasked(_WRONG))]
        published = await published_keys(served.keys.users)
        return [of_account(self.name, one) for one in (*configured, *published, *await self._asked(served, user))]

    async def _asked(self, served: Served, user: User | None) -> list[Finding]:
        if isinstance(self.account.wazzup_way(), RefreshGrant) and not self.keeps:
            return unasked(_WITHOUT_A_KEEPER)
        try:
            return await self._examination(served).findings(user)
        finally:
            await served.rest()

    def _examination(self, served: Served) -> Examination:
        return Examination(
            name=self.name,
            account=self.account,
            credentials=named_in(VARIABLES[type(self.account.wazzup_way())]),
            door=served.api,
            tokens=served.wazzup.tokens,
            links=served.links.issuer.wazzup,
            manners=served.links.manners,
            clock=self.ground.clock,
        )
