"""Tells Wazzup of a CRM's contacts and deals: contacts first, batch after batch; who is refused is named.

If we die half-way, what Wazzup has taken stays there. Everything goes by id, so telling all of it again loses and
doubles nothing.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from app.deals.models import ContactCard, Deal
from app.errors import Fault, GatewayError, WazzupRefused
from app.telemetry import Journal

# As many as Wazzup takes in one call.
BATCH = 100
_UNEXPLAINED = "Wazzup refuses this item even alone, and does not say what is wrong with it."

Item = TypeVar("Item", ContactCard, Deal)
Put = Callable[[Sequence[Item]], Awaitable[None]]


class DealBook(Protocol):
    """Who keeps contacts and deals: Wazzup. Each takes a batch or raises `WazzupError`; a refusal may name items."""

    async def put_contacts(self, contacts: Sequence[ContactCard]) -> None: ...
    async def put_deals(self, deals: Sequence[Deal]) -> None: ...


@dataclass(frozen=True)
class DealTeller:
    """Tells Wazzup for one account."""

    wazzup: DealBook
    account: str
    journal: Journal

    async def tell(self, contacts: Sequence[ContactCard], deals: Sequence[Deal]) -> None:
        """Wazzup has all of it when this returns.

        Raises:
            WazzupRefused: its faults name the items; what went before them is stored.
            WazzupError: as the dialects do; `detail` says how far we came.
        """
        stored = Counter(contacts=0, deals=0)
        outcome = "cancelled"
        try:
            # Wazzup refuses a deal whose contact it does not know.
            async for count in _told(contacts, self.wazzup.put_contacts):
                stored["contacts"] += count
            async for count in _told(deals, self.wazzup.put_deals):
                stored["deals"] += count
            outcome = "told"
        except GatewayError as error:
            outcome = error.code.lower()
            raise error.restated(f"{error.detail} {_so_far(stored, len(contacts), len(deals))}") from error
        finally:
            self.journal.note("deals.told", account=self.account, outcome=outcome, **stored)


async def _told(items: Sequence[Item], put: Put[Item]) -> AsyncIterator[int]:
    """Puts `items` in batches, and says after each how many Wazzup has taken."""
    for start in range(0, len(items), BATCH):
        async for count in _put(items[start : start + BATCH], put):
            yield count


async def _put(items: Sequence[Item], put: Put[Item]) -> AsyncIterator[int]:
    try:
        await put(items)
    except WazzupRefused as error:
        if error.faults:
            raise
        if len(items) == 1:
            error.detail = "Wazzup refused an item; see errors."
            error.faults = (Fault(_UNEXPLAINED, items[0].place),)
            raise
    else:
        yield len(items)
        return
    async for count in _put_halves(items, put):
        yield count


async def _put_halves(refused: Sequence[Item], put: Put[Item]) -> AsyncIterator[int]:
    """Looks for the first item that Wazzup will not have: it refused these together, and named none.

    Eight calls at most, where an item is to blame. It is blamed only when it was refused alone, for the fault may have
    lain in the batch.
    """
    first, rest = refused[: len(refused) // 2], refused[len(refused) // 2 :]
    async for count in _put(first, put):
        yield count
    # Taking the first half, Wazzup has refused the rest: to ask for all of it once more would tell us nothing.
    async for count in _put_halves(rest, put) if len(rest) > 1 else _put(rest, put):
        yield count


def _so_far(stored: Counter[str], contacts: int, deals: int) -> str:
    asked = {"contacts": contacts, "deals": deals}
    # "Surely", since what was under way may be stored as well: its answer can have been lost.
    surely = " and ".join(f"{stored[kind]} of {count} {kind}" for kind, count in asked.items() if count)
    return f"Surely stored: {surely}. Nothing is lost by sending all of it again."
