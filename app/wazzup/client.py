"""One call to Wazzup: within its time and the account's budget, once more where that may help, and told once."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from app.clock import Clock
from app.errors import (
    BudgetSpent,
    GatewayError,
    WazzupError,
    WazzupForbidden,
    WazzupTimeout,
    WazzupUnavailable,
    WazzupUnreadable,
)
from app.telemetry import Journal, where
from app.wazzup.circuit import Circuit
from app.wazzup.metered import MeteredWire

ATTEMPTS = 2
# Seconds, drawn evenly, before the second attempt: replicas that failed together shall not come back together.
PAUSE = (0.05, 0.25)
# The share of a call's time that it may wait for its turn: what is left must do for the call itself.
WAITING_SHARE = 0.5

_UNAUTHORIZED = 401

Read = TypeVar("Read")


class Tokens(Protocol):
    """Where the Bearer token comes from. It may raise `WazzupError` and `StoreUnavailable`."""

    async def current(self) -> str: ...
    async def replaced(self, refused: str) -> bool: ...
    def accepted(self, token: str) -> None: ...
    async def rest(self, within: float) -> None: ...


@dataclass(frozen=True)
class WazzupClient:
    """Calls Wazzup for one account."""

    wire: MeteredWire
    tokens: Tokens
    circuit: Circuit
    patience: timedelta
    account: str
    clock: Clock
    journal: Journal

    async def post(self, path: str, question: Any, *, operation: str, party: str, read: Callable[[Any], Read]) -> Read:
        """What `read` finds in the JSON that Wazzup answers with a 2xx. `party` is the user for whom it is asked.

        Raises:
            WazzupRefused: 400, the question is wrong.
            WazzupForbidden: 401 or 403, the credentials are, and a new token did not help.
            WazzupBusy: 429, or the budget is spent.
            WazzupTimeout: no whole answer in time, waiting and both attempts included.
            WazzupUnreadable: a 2xx that is not JSON.
            WazzupUnavailable: 5xx, no connection, or an open circuit.
            StoreUnavailable: a token must be renewed, which is not safe without the store.
        """
        started = self.clock.monotonic()
        told: dict[str, Any] = {"outcome": "cancelled"}
        try:
            with self.circuit.passing(f"{path} {party}"):
                found = read(await self._in_time(path, question, party))
        except GatewayError as error:
            told = {"outcome": error.code.lower()} | _why(error)
            raise
        else:
            told = {"outcome": "answered"}
            return found
        finally:
            taken = (self.clock.monotonic() - started) * 1000
            self.journal.note(
                "wazzup.called", account=self.account, operation=operation, duration_ms=round(taken, 2), **told
            )

    async def _in_time(self, path: str, question: Any, party: str) -> Any:
        try:
            async with asyncio.timeout(self.patience.total_seconds()) as span:
                return await self._persistently(path, question, party, span)
        except TimeoutError:
            raise WazzupTimeout(
                f"Wazzup did not answer within {self.patience.total_seconds():g} seconds. Try again, or let the "
                "operator raise WAZZUP_TIMEOUT_SECONDS."
            ) from None

    async def _persistently(self, path: str, question: Any, party: str, span: asyncio.Timeout) -> Any:
        attempt, renewed = 1, False
        while True:
            token = await self.tokens.current()
            try:
                return await self._once(path, question, token, party, span)
            except WazzupForbidden as error:
                if renewed or not _is_about_the_token(error) or not await self.tokens.replaced(token):
                    raise
                renewed = True
            except (WazzupUnreadable, BudgetSpent):
                raise
            except WazzupUnavailable as error:
                pause = max(random.uniform(*PAUSE), _seconds(error.retry_after))  # noqa: S311 - spreads, hides nothing
                longest = _left(span) if error.retry_after is None else self._may_wait(span)
                if attempt == ATTEMPTS or pause >= longest:
                    raise
                attempt += 1
                await asyncio.sleep(pause)

    async def _once(self, path: str, question: Any, token: str, party: str, span: asyncio.Timeout) -> Any:
        answer = await self.wire.post(
            path,
            question,
            authorization=f"Bearer {token}",
            secrets=(token,),
            party=party,
            within=self._may_wait(span),
        )
        self.tokens.accepted(token)
        return answer

    def _may_wait(self, span: asyncio.Timeout) -> float:
        """Seconds that are left for waiting until others let us call."""
        return max(0.0, _left(span) - (1 - WAITING_SHARE) * self.patience.total_seconds())


def _is_about_the_token(error: WazzupError) -> bool:
    return error.vendor is not None and error.vendor.status == _UNAUTHORIZED


def _left(span: asyncio.Timeout) -> float:
    return (span.when() or 0.0) - asyncio.get_running_loop().time()


def _seconds(span: timedelta | None) -> float:
    return span.total_seconds() if span else 0.0


def _why(error: GatewayError) -> dict[str, Any]:
    """What an operator needs to know of a failure: the vendor's words for it, or where the connection broke."""
    said = {"vendor_status": error.vendor.status, "vendor_code": error.vendor.code} if error.vendor else {}
    return {**said, "hint": error.detail, **({"error": where(error.__cause__)} if error.__cause__ else {})}


def sent(**fields: Any) -> dict[str, Any]:
    """A body without what is empty: Wazzup refuses what it does not expect, and what is absent surprises nobody."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
