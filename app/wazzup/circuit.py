"""Does not ask a Wazzup that keeps failing; lets one question at a time find out whether it is back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from app.clock import Clock
from app.errors import BudgetSpent, CircuitOpen, WazzupBusy, WazzupForbidden, WazzupRefused, WazzupUnavailable
from app.errors import WazzupUnreadable as Unreadable
from app.telemetry import Journal

# Calls in a row, each tried twice: no single broken question opens it.
FAILURES = 10
# How long nobody asks, and how far the questions that find out are apart.
PAUSE = timedelta(seconds=5)


@dataclass
class Circuit:
    """The state of one account's Wazzup, as this replica sees it.

    Wazzup fails when it is out of reach, too slow, or answers 5xx. A refusal is an answer: it proves that Wazzup
    is there. What is unreadable proves nothing.
    """

    account: str
    clock: Clock
    journal: Journal
    _failures: int = 0
    _open_until: float | None = None
    _probing: bool = False

    @property
    def is_open(self) -> bool:
        """Whether questions are refused, but for those that find out whether Wazzup is back."""
        return self._open_until is not None

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Surrounds one question, and learns from how it ends.

        Raises:
            CircuitOpen: the question is not asked.
        """
        self._enter()
        try:
            yield
        except (WazzupRefused, WazzupForbidden):
            self._answered()
            raise
        except (Unreadable, BudgetSpent):
            raise
        except WazzupBusy:
            self._answered()
            raise
        except WazzupUnavailable:
            self._failed()
            raise
        else:
            self._answered()
        finally:
            self._probing = False

    def _enter(self) -> None:
        if self._open_until is None:
            return
        left = self._open_until - self.clock.monotonic()
        if left > 0 or self._probing:
            raise CircuitOpen(
                "Wazzup keeps failing, so it is not asked now. Wait as long as Retry-After says.",
                retry_after=timedelta(seconds=max(left, 1)),
            )
        self._probing = True

    def _answered(self) -> None:
        self._failures = 0
        if self._open_until is not None:
            self._open_until = None
            self.journal.note("circuit.closed", account=self.account)

    def _failed(self) -> None:
        self._failures += 1
        if self._failures < FAILURES:
            return
        if self._open_until is None:
            self.journal.trouble("circuit.opened", account=self.account, hint="Wazzup keeps failing; see wazzup.called")
        self._open_until = self.clock.monotonic() + PAUSE.total_seconds()
