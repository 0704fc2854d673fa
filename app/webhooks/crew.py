"""Those who deliver in this process: one dispatcher for each account, and a sign of life for all replicas to see."""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from app.clock import Clock
from app.errors import StoreUnavailable
from app.store import Store
from app.webhooks.dispatcher import Dispatcher

# Seconds between two signs of life, and how old the last one of a living crew may be.
BEAT: Final = 10
ALIVE_FOR: Final = 35
_CREWS: Final = "wg:{-}:crews"


@dataclass
class Crew:
    """Runs dispatchers. `follow` says which; what is not among them any more ends what it began."""

    store: Store
    clock: Clock
    _name: str = field(default_factory=lambda: secrets.token_hex(8))
    _running: dict[str, tuple[Dispatcher, asyncio.Task[None]]] = field(default_factory=dict)
    _ending: set[asyncio.Task[None]] = field(default_factory=set)
    _stopping: bool = False

    def follow(self, dispatchers: Mapping[str, Dispatcher]) -> None:
        """Delivers for these accounts, and for no others."""
        for account, (dispatcher, task) in list(self._running.items()):
            if dispatchers.get(account) is not dispatcher:
                del self._running[account]
                task.cancel()
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
        for account, dispatcher in dispatchers.items():
            if account not in self._running and not self._stopping:
                self._running[account] = dispatcher, asyncio.create_task(dispatcher.run())

    @property
    def is_alive(self) -> bool:
        """Whether every dispatcher runs."""
        return all(not task.done() for _, task in self._running.values())

    def ring(self, account: str) -> None:
        """Something is due for this account; "": perhaps for any."""
        for name, (dispatcher, _) in self._running.items():
            if account in {"", name}:
                dispatcher.ring()

    async def live(self) -> None:
        """Gives signs of life until cancelled."""
        while True:
            if self.is_alive:
                with suppress(StoreUnavailable):
                    await self.store.do("ZADD", _CREWS, int(self.clock.now().timestamp()), self._name)
                    await self.store.do("EXPIRE", _CREWS, 10 * ALIVE_FOR)
            await asyncio.sleep(BEAT)

    def stop(self) -> None:
        """Begins nothing more. What is under way is ended, or handed back."""
        if not self._stopping:  # Once: told again, they would leave what they are ending.
            self._stopping = True
            for _, task in self._running.values():
                task.cancel()

    async def rest(self) -> None:
        """Returns when what was under way has ended, or is handed back."""
        self.stop()
        await asyncio.gather(*(task for _, task in self._running.values()), *self._ending, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self.store.do("ZREM", _CREWS, self._name)


async def somebody_delivers(store: Store, clock: Clock) -> bool:
    """Whether any process gave a sign of life of late.

    Raises:
        StoreUnavailable: nobody knows.
    """
    return bool(await store.do("ZCOUNT", _CREWS, int(clock.now().timestamp()) - ALIVE_FOR, "+inf"))
