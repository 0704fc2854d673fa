"""What follows an attempt: a pure function of its outcome, its number and the schedule. Never early, always ends."""

from collections.abc import Sequence
from datetime import timedelta

from app.webhooks.attempt import (
    Delivered,
    Disable,
    Done,
    Failed,
    GiveUp,
    Hindered,
    Outcome,
    Postpone,
    Refused,
    TryAgain,
    Verdict,
)

HINDRANCE = timedelta(seconds=30)
LONGEST_HINT = timedelta(hours=10)

_LONGEST_JITTER = 0.1
_CLIENT_ERRORS = range(400, 500)
# Conflicts, floods and servers that are too busy to read: a later attempt may meet something else.
_MAY_PASS = {408, 409, 425, 429}
_ATTEMPTS_AT_A_REFUSAL = 3
# Where RFC 9110 and RFC 6585 give Retry-After this meaning.
_HEEDED = {429, 503}


def judge(outcome: Outcome, attempt: int, waits: Sequence[timedelta], chance: float) -> Verdict:
    """What follows `attempt`, which counts from 1.

    `waits` holds the wait before each attempt, so `waits[attempt]` is the one that comes next. `chance`, from 0 to 1,
    spreads what fell due together over 10 % of its wait.
    """
    match outcome:
        case Delivered():
            return Done()
        case Refused(reason):
            return Disable(reason)
        case Hindered():
            return Postpone(_spread(HINDRANCE, chance))
        case Failed(reason) if attempt >= _attempts(outcome, waits):
            return GiveUp(reason)
        case Failed():
            return TryAgain(_spread(max(waits[attempt], _hint(outcome)), chance))


def _attempts(failed: Failed, waits: Sequence[timedelta]) -> int:
    is_refusal = failed.status in _CLIENT_ERRORS and failed.status not in _MAY_PASS
    return min(_ATTEMPTS_AT_A_REFUSAL, len(waits)) if is_refusal else len(waits)


def _hint(failed: Failed) -> timedelta:
    asked = failed.retry_after if failed.status in _HEEDED else None
    return min(asked or timedelta(0), LONGEST_HINT)


def _spread(wait: timedelta, chance: float) -> timedelta:
    return wait * (1 + _LONGEST_JITTER * chance)
