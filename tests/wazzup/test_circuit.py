"""A Wazzup that keeps failing is left alone, and found again when it is back."""

from contextlib import suppress
from datetime import timedelta

import pytest

from app.errors import (
    BudgetSpent,
    CircuitOpen,
    VendorSaid,
    WazzupBusy,
    WazzupError,
    WazzupForbidden,
    WazzupRefused,
    WazzupTimeout,
    WazzupUnavailable,
    WazzupUnreadable,
)
from app.wazzup.circuit import FAILURES, PAUSE, QUESTIONS, Circuit
from tests.driver import Clock
from tests.notes import Notes


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def circuit(clock: Clock, notes: Notes) -> Circuit:
    return Circuit("default", clock, notes)


BROKEN = WazzupUnavailable(vendor=VendorSaid(500))


def ends(circuit: Circuit, error: BaseException | None = None, question: str = "the same") -> None:
    """One question that ends so."""
    with suppress(BaseException), circuit.passing(question):
        if error is not None:
            raise error


def fails_for_good(circuit: Circuit) -> None:
    for _ in range(FAILURES):
        ends(circuit, WazzupUnavailable())


@pytest.mark.parametrize("error", [WazzupUnavailable(), WazzupTimeout()])
def test_it_opens_when_every_question_fails(circuit: Circuit, notes: Notes, error: WazzupError) -> None:
    for _ in range(FAILURES):
        assert not circuit.is_open
        ends(circuit, error)

    assert circuit.is_open
    assert len(notes.of("circuit.opened")) == 1
    with pytest.raises(CircuitOpen) as refused, circuit.passing("?"):
        pytest.fail("the question was asked")
    assert refused.value.retry_after == PAUSE


@pytest.mark.parametrize("questions", [1, QUESTIONS - 1])
def test_few_broken_questions_do_not_close_the_way_for_others(circuit: Circuit, questions: int) -> None:
    for number in range(10 * FAILURES):
        ends(circuit, BROKEN, f"question {number % questions}")

    assert not circuit.is_open


def test_it_opens_when_different_questions_are_answered_with_a_failure(circuit: Circuit) -> None:
    for number in range(FAILURES):
        assert not circuit.is_open
        ends(circuit, BROKEN, f"question {number % QUESTIONS}")

    assert circuit.is_open


def test_a_broken_question_among_lost_connections_is_still_one_question(circuit: Circuit) -> None:
    for error in [WazzupTimeout()] * (FAILURES - 1) + [BROKEN]:
        ends(circuit, error)

    assert not circuit.is_open


@pytest.mark.parametrize(
    "answer", [None, WazzupRefused(), WazzupForbidden(vendor=VendorSaid(403)), WazzupBusy(retry_after=PAUSE)]
)
def test_any_answer_proves_that_wazzup_is_there(circuit: Circuit, answer: WazzupError | None) -> None:
    for _ in range(3):
        for _ in range(FAILURES - 1):
            ends(circuit, WazzupUnavailable())
        ends(circuit, answer)

    assert not circuit.is_open


@pytest.mark.parametrize("nothing", [WazzupUnreadable(), BudgetSpent(), KeyboardInterrupt()])
def test_what_proves_nothing_changes_nothing(circuit: Circuit, nothing: BaseException) -> None:
    for _ in range(FAILURES - 1):
        ends(circuit, WazzupUnavailable())
    for _ in range(FAILURES):
        ends(circuit, nothing)

    assert not circuit.is_open
    ends(circuit, WazzupUnavailable())
    assert circuit.is_open


def test_after_a_pause_one_question_at_a_time_finds_out(circuit: Circuit, clock: Clock) -> None:
    fails_for_good(circuit)
    clock.advance(seconds=PAUSE.total_seconds())

    with circuit.passing("?"), pytest.raises(CircuitOpen) as second, circuit.passing("?"):
        pytest.fail("two were asked at once")

    assert second.value.retry_after == timedelta(seconds=1)


def test_a_question_from_before_it_opened_does_not_let_a_second_find_out(circuit: Circuit, clock: Clock) -> None:
    late = circuit.passing("late")
    late.__enter__()
    fails_for_good(circuit)
    clock.advance(seconds=PAUSE.total_seconds())

    with circuit.passing("the one that finds out"):
        late.__exit__(BudgetSpent, BudgetSpent(), None)

        with pytest.raises(CircuitOpen), circuit.passing("another"):
            pytest.fail("two were asked at once")


def test_when_the_question_is_answered_all_are_asked_again(circuit: Circuit, clock: Clock, notes: Notes) -> None:
    fails_for_good(circuit)
    clock.advance(seconds=PAUSE.total_seconds())

    ends(circuit)

    assert not circuit.is_open
    assert len(notes.of("circuit.closed")) == 1
    with circuit.passing("?"), circuit.passing("?"):
        pass


def test_when_the_question_fails_nobody_asks_for_another_pause(circuit: Circuit, clock: Clock, notes: Notes) -> None:
    fails_for_good(circuit)
    clock.advance(seconds=PAUSE.total_seconds())
    ends(circuit, WazzupUnavailable())

    clock.advance(seconds=PAUSE.total_seconds() - 0.1)

    with pytest.raises(CircuitOpen), circuit.passing("?"):
        pytest.fail("the question was asked")
    assert len(notes.of("circuit.opened")) == 1


@pytest.mark.parametrize("nothing", [WazzupUnreadable(), BudgetSpent(), KeyboardInterrupt()])
def test_a_question_that_proved_nothing_lets_the_next_find_out(
    circuit: Circuit, clock: Clock, nothing: BaseException
) -> None:
    fails_for_good(circuit)
    clock.advance(seconds=PAUSE.total_seconds())
    ends(circuit, nothing)

    ends(circuit)

    assert not circuit.is_open
