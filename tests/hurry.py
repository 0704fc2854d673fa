"""An event loop on which spans pass at once: for what a process does after seconds that no test should wait."""

import asyncio
import selectors
from typing import Any


class HurriedLoop(asyncio.SelectorEventLoop):
    """Where everybody would wait for the clock, the clock jumps."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return super().time() + self._impatient.jumped


class _Impatient(selectors.DefaultSelector):
    jumped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.jumped += timeout
        return ready
