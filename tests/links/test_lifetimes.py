"""How long a link is vouched for: never beyond its own end, never beyond the cap, never all at the same moment."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.links.issuer import ASSUMED_LIFETIME, MARGIN, Lifetimes
from tests.driver import NOON

HOUR, MINUTES = timedelta(hours=1), timedelta(minutes=5)


def lifetimes(unread: timedelta = MINUTES, longest: timedelta = HOUR, chance: float = 0.5) -> Lifetimes:
    return Lifetimes(unread, longest, jitter=lambda: chance)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 270), (0.5, 300), (1.0, 330)])
def test_a_link_without_a_readable_end_lives_its_ttl_give_or_take_a_tenth(chance: float, seconds: int) -> None:
    assert lifetimes(chance=chance).until(None, NOON) - NOON == timedelta(seconds=seconds)


def test_a_readable_end_counts_less_a_margin() -> None:
    assert lifetimes(chance=0).until(NOON + timedelta(minutes=30), NOON) == NOON + timedelta(minutes=30) - MARGIN


def test_a_far_end_is_capped() -> None:
    assert lifetimes(chance=0).until(NOON + timedelta(hours=8), NOON) == NOON + HOUR


def test_a_short_life_keeps_nine_tenths() -> None:
    assert lifetimes(chance=0).until(NOON + timedelta(seconds=20), NOON) == NOON + timedelta(seconds=18)


def test_an_end_that_has_passed_tells_of_a_wrong_clock_and_is_not_believed() -> None:
    assert lifetimes().until(NOON - HOUR, NOON) == NOON + MINUTES


def test_with_the_cache_off_the_page_is_still_told_when_to_come_again() -> None:
    assert lifetimes(unread=timedelta(0)).until(None, NOON) == NOON + ASSUMED_LIFETIME


@given(
    life=some.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=4000)),
    chance=some.floats(0, 1, exclude_max=True),
)
def test_no_link_is_vouched_for_beyond_its_end_or_the_cap(life: timedelta, chance: float) -> None:
    until = lifetimes(chance=chance).until(NOON + life, NOON)

    assert NOON < until <= NOON + min(life, HOUR)
