"""What follows an attempt: a table, and three laws: never early, never later than promised, and an end."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from app.webhooks.retry import judge

HOURS = timedelta(hours=1)
SECONDS = timedelta(seconds=1)
WAITS = [
    SECONDS * each for each in (0, 5, 30, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
]  # of webhook-delivery.md
DOWN = Failed("status 500", 500)
REFUSED = Failed("status 400", 400)

durations = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400))
chances = st.floats(0, 1)
failures = st.builds(
    Failed,
    reason=st.just("status"),
    status=st.none() | st.integers(100, 999),
    retry_after=st.none() | durations,
)


def asked(status: int, wait: timedelta) -> Failed:
    return Failed(f"status {status}", status, retry_after=wait)


@pytest.mark.parametrize(
    ("outcome", "attempt", "verdict"),
    [
        (Delivered(200, ""), 1, Done()),
        (Delivered(204, ""), 11, Done()),
        (Refused("status 410", 410, ""), 1, Disable("status 410")),
        (Refused("status 410", 410, ""), 11, Disable("status 410")),
        (Hindered("no network"), 1, Postpone(30 * SECONDS)),
        (Hindered("no network"), 11, Postpone(30 * SECONDS)),
        # The whole schedule.
        (DOWN, 1, TryAgain(5 * SECONDS)),
        (DOWN, 2, TryAgain(30 * SECONDS)),
        (DOWN, 10, TryAgain(24 * HOURS)),
        (DOWN, 11, GiveUp("status 500")),
        (DOWN, 12, GiveUp("status 500")),
        (Failed("timeout"), 10, TryAgain(24 * HOURS)),
        (Failed("address not allowed"), 10, TryAgain(24 * HOURS)),
        (Failed("redirect 302", 302), 10, TryAgain(24 * HOURS)),
        (Failed("status 101", 101), 10, TryAgain(24 * HOURS)),
        (Failed("status 600", 600), 10, TryAgain(24 * HOURS)),
        # A refusal: three attempts.
        (REFUSED, 1, TryAgain(5 * SECONDS)),
        (REFUSED, 2, TryAgain(30 * SECONDS)),
        (REFUSED, 3, GiveUp("status 400")),
        (Failed("status 401", 401), 3, GiveUp("status 401")),
        (Failed("status 499", 499), 3, GiveUp("status 499")),
        # Attempts of any kind count: after three others, a refusal is the last.
        (REFUSED, 7, GiveUp("status 400")),
        # Client errors that may pass.
        *((Failed(f"status {status}", status), 3, TryAgain(300 * SECONDS)) for status in (408, 409, 425, 429)),
        *((Failed(f"status {status}", status), 11, GiveUp(f"status {status}")) for status in (408, 409, 425, 429)),
        # Retry-After.
        (asked(429, 7 * SECONDS), 1, TryAgain(7 * SECONDS)),
        (asked(503, 7 * SECONDS), 1, TryAgain(7 * SECONDS)),
        (asked(503, 7 * SECONDS), 2, TryAgain(30 * SECONDS)),
        (asked(503, 0 * SECONDS), 1, TryAgain(5 * SECONDS)),
        (asked(503, 10 * HOURS), 1, TryAgain(10 * HOURS)),
        (asked(503, 11 * HOURS), 1, TryAgain(10 * HOURS)),
        (asked(503, 11 * HOURS), 10, TryAgain(24 * HOURS)),
        (asked(429, 7 * SECONDS), 11, GiveUp("status 429")),
        (asked(500, 7 * SECONDS), 1, TryAgain(5 * SECONDS)),
        (asked(400, 7 * SECONDS), 1, TryAgain(5 * SECONDS)),
        (asked(302, 7 * SECONDS), 1, TryAgain(5 * SECONDS)),
    ],
)
def test_what_follows(outcome: Outcome, attempt: int, verdict: Verdict) -> None:
    assert judge(outcome, attempt, WAITS, chance=0) == verdict


@pytest.mark.parametrize(
    ("outcome", "longest"),
    [(DOWN, TryAgain(5.5 * SECONDS)), (Hindered("no network"), Postpone(33 * SECONDS))],
)
def test_what_fell_due_together_is_spread_over_a_tenth_of_its_wait(outcome: Outcome, longest: Verdict) -> None:
    assert judge(outcome, 1, WAITS, chance=1) == longest


def test_a_schedule_of_one_attempt_knows_no_second() -> None:
    assert judge(REFUSED, 1, WAITS[:1], chance=0) == GiveUp("status 400")
    assert judge(DOWN, 1, WAITS[:1], chance=0) == GiveUp("status 500")


@given(outcome=failures, attempt=st.integers(1, 30), waits=st.lists(durations, min_size=1, max_size=20), chance=chances)
def test_never_early_and_never_later_than_schedule_or_cap(
    outcome: Failed, attempt: int, waits: Sequence[timedelta], chance: float
) -> None:
    match judge(outcome, attempt, waits, chance):
        case TryAgain(wait):
            assert wait >= waits[attempt]
            assert wait <= max(waits[attempt], 10 * HOURS) * 1.1
            if outcome.status in {429, 503} and outcome.retry_after:
                assert wait >= min(outcome.retry_after, 10 * HOURS)
        case verdict:
            assert isinstance(verdict, GiveUp)


@given(outcomes=st.lists(failures, min_size=20, max_size=20), waits=st.lists(durations, min_size=1, max_size=20))
def test_failures_of_any_kind_come_to_an_end(outcomes: list[Failed], waits: Sequence[timedelta]) -> None:
    verdicts = (
        judge(outcome, attempt, waits, chance=0.5) for outcome, attempt in zip(outcomes, count(1), strict=False)
    )
    attempts = next(attempt for attempt, verdict in enumerate(verdicts, 1) if isinstance(verdict, GiveUp))

    assert attempts <= len(waits)


@given(attempt=st.integers(1, 30), chance=chances)
def test_what_is_our_own_fault_never_kills_a_delivery(attempt: int, chance: float) -> None:
    assert isinstance(judge(Hindered("no network"), attempt, WAITS, chance), Postpone)
