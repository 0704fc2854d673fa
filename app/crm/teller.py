"""Tells Wazzup of deals, behind the answer and not before it: the user waits for nothing of this.

If we die before Wazzup was told, it is told at the next start, of everything.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.crm.book import Book, told_to_wazzup
from app.crm.feed import Feed
from app.crm.gateway import Gateway, GatewayRefused

# Seconds before each further attempt; then the next start has to do it.
WAITS: Final = (1, 2, 4, 8, 15, 30, 30, 30, 30, 30, 30, 30)


@dataclass
class Teller:
    """Tells of deals as they are when it is their turn, so that what comes late is not out of date."""

    book: Book
    gateway: Gateway
    feed: Feed
    page_url: str
    monotonic: Callable[[], float]
    waits: Sequence[float] = WAITS
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    def tell(self, *deal_ids: str, about: str) -> None:
        """Begins to tell Wazzup of these deals."""
        task = asyncio.create_task(self._tell(deal_ids, about))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def rest(self) -> None:
        """Breaks off what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell(self, deal_ids: tuple[str, ...], about: str) -> None:
        for number, wait in enumerate((*self.waits, None)):
            try:
                await self._try(deal_ids, about, anew=number > 0)
            except GatewayRefused as error:
                self.feed.say("wazzup.untold", request_id=about, code=error.code, wait=wait)
                if wait is None:
                    return
                await asyncio.sleep(wait)
            else:
                return

    async def _try(self, deal_ids: tuple[str, ...], about: str, *, anew: bool) -> None:
        started = self.monotonic()
        told = told_to_wazzup([deal for one in deal_ids if (deal := self.book.find(one))], self.page_url)
        if not told["deals"]:
            self.feed.say("wazzup.unasked", request_id=about)
            return
        if anew:  # It may have forgotten whose deals these are.
            await self.gateway.introduce_user(about)
        await self.gateway.tell(told, about)
        took = round((self.monotonic() - started) * 1000, 1)
        self.feed.say("wazzup.told", request_id=about, deals=len(told["deals"]), duration_ms=took)
