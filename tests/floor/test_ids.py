"""Names sort by the time they were made, and say it."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as some

from app.ids import made_at, new_id, oldest_since
from tests.driver import NOON

INSTANTS = some.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=some.just(UTC))


def to_the_millisecond(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


@given(one=INSTANTS, other=INSTANTS)
def test_ids_sort_as_their_times_do(one: datetime, other: datetime) -> None:
    earlier, later = sorted([one, other])

    if to_the_millisecond(earlier) < to_the_millisecond(later):
        assert new_id("evt", earlier) < new_id("evt", later)


@given(at=INSTANTS)
def test_an_id_says_when_it_was_made(at: datetime) -> None:
    assert abs(at - made_at(new_id("evt", at))) <= timedelta(milliseconds=1)


@given(at=INSTANTS)
def test_an_id_is_written_as_the_specification_of_webhook_ids_wants(at: datetime) -> None:
    assert re.fullmatch(r"evt_[0-9A-HJKMNP-TV-Z]{22}", new_id("evt", at))


def test_no_two_ids_are_the_same() -> None:
    assert len({new_id("evt", NOON) for _ in range(10_000)}) == 10_000


def test_a_bound_lies_before_everything_made_since_and_behind_everything_older() -> None:
    bound = oldest_since(NOON)

    assert new_id("evt", NOON - timedelta(milliseconds=1)) < bound
    assert all(bound < new_id("evt", NOON) for _ in range(1000))


def test_before_1970_there_is_nothing() -> None:
    assert oldest_since(datetime(1, 1, 1, tzinfo=UTC)) == "evt_0000000000"
