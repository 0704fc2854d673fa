"""The wire to Wazzup, each exchange in its turn: tokens are asked for within the same budget as links."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from app.errors import WazzupBusy
from app.wazzup.wire import Wire

# How long nobody calls when Wazzup asks for fewer requests and does not say for how long.
DEFAULT_RETRY_AFTER = timedelta(seconds=2)
# The gateway's own place among the users who wait.
OURSELVES = ""
# Seconds that the gateway itself waits for its turn.
OWN_PATIENCE = 5.0


class Turns(Protocol):
    """The account's calls: each waits for its turn, or raises `BudgetSpent`."""

    def turn(self, party: str, *, within: float) -> AbstractAsyncContextManager[None]: ...
    def pause(self, span: timedelta) -> None: ...


@dataclass(frozen=True)
class MeteredWire:
    """The way to one account's Wazzup, within its budget."""

    wire: Wire
    budget: Turns

    async def post(
        self,
        path: str,
        question: Any,
        *,
        authorization: str | None,
        secrets: Sequence[str],
        party: str = OURSELVES,
        within: float = OWN_PATIENCE,
    ) -> Any:
        """As `Wire.post`, for the user `party`, whose turn comes within so many seconds.

        Raises:
            BudgetSpent: it does not.
            WazzupError: as `Wire.post`; WazzupBusy always says when to come back.
        """
        async with self.budget.turn(party, within=within):
            try:
                return await self.wire.post(path, question, authorization=authorization, secrets=secrets)
            except WazzupBusy as error:
                if error.retry_after is None:
                    error.retry_after = DEFAULT_RETRY_AFTER
                self.budget.pause(error.retry_after)
                raise
