"""Does not ask a Wazzup that keeps failing; lets one question at a time find out whether it is back."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from app.clock import Clock
from app.errors import (
    BudgetSpent,
    CircuitOpen,
    WazzupBusy,
    WazzupForbidden,
    WazzupRefused,
    WazzupUnavailable,
    WazzupUnreadable,
)
from app.telemetry import Journal

# Calls in a row, each tried twice.
FAILURES = 10
# So many different questions must be among them: a broken one that is repeated tells nothing about the others. Where
# Wazzup does not answer at all, the question is not what is wrong, and any will do.
QUESTIONS = 3
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
    # The latest failures in a row: of which question, and whether Wazzup answered it at all.
    _failures: deque[tuple[str, bool]] = field(default_factory=lambda: deque(maxlen=FAILURES), repr=False)
    _open_until: float | None = None
    _probing: bool = False

    @property
    def is_open(self) -> bool:
        """Whether questions are refused, but for those that find out whether Wazzup is back."""
        return self._open_until is not None

    @contextmanager
    def passing(self, question: str) -> Iterator[None]:
        """Surrounds one question, and learns from how it ends. `question` tells it from others.

        Raises:
            CircuitOpen: the question is not asked.
        """
        probing = self._entered()
        try:
            yield
        except (WazzupRefused, WazzupForbidden):
            self._answered()
            raise
        except (WazzupUnreadable, BudgetSpent):
            raise
        except WazzupBusy:
            self._answered()
            raise
        except WazzupUnavailable as error:
            self._failed(question, answered=error.vendor is not None)
            raise
        else:
            self._answered()
        finally:
            if probing:
                self._probing = False

    def _entered(self) -> bool:
        """Whether this question is the one that finds out."""
        if self._open_until is None:
            return False
        left = self._open_until - self.clock.monotonic()
        if left > 0 or self._probing:
            raise CircuitOpen(
                "Wazzup keeps failing, so it is not asked now. Wait as long as Retry-After says.",
                retry_after=timedelta(seconds=max(left, 1)),
            )
        self._probing = True
        return True

    def _answered(self) -> None:
        self._failures.clear()
        if self._open_until is not None:
            self._open_until = None
            self.journal.note("circuit.closed", account=self.account)

    def _failed(self, question: str, *, answered: bool) -> None:
        self._failures.append((question, answered))
        if not (self.is_open or self._is_down()):
            return
        if self._open_until is None:
            self.journal.trouble("circuit.opened", account=self.account, hint="Wazzup keeps failing; see wazzup.called")
        self._open_until = self.clock.monotonic() + PAUSE.total_seconds()

    def _is_down(self) -> bool:
        questions, answers = {question for question, _ in self._failures}, (answered for _, answered in self._failures)
        return len(self._failures) == FAILURES and (len(questions) >= QUESTIONS or not any(answers))
