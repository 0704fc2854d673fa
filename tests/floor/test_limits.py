"""How a rate is written, and what a caller is told of it."""

from datetime import timedelta

import pytest

from app.limits import Quota, Rate


@pytest.mark.parametrize(
    ("text", "calls", "seconds"),
    [("60/60", 60, 60), ("500/5", 500, 5), (" 1 / 3600 ", 1, 3600)],
)
def test_a_rate_is_so_many_calls_in_so_many_seconds(text: str, calls: int, seconds: int) -> None:
    rate = Rate.read(text)

    assert rate == Rate(calls, timedelta(seconds=seconds))
    assert rate.seconds == seconds


@pytest.mark.parametrize("text", ["", "60", "60/", "/60", "a/b", "60/min", "-1/60", "1.5/60", "60/60/60", "²/60"])
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"write calls/seconds, for example 60/60"):
        Rate.read(text)


@pytest.mark.parametrize("text", ["0/60", "60/0", "0/0"])
def test_a_rate_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Rate.read(text)


def test_a_rate_over_more_time_than_there_is_is_refused() -> None:
    with pytest.raises(ValueError, match="60/60"):
        Rate.read("60/99999999999999999")


@pytest.mark.parametrize(("used", "exceeded"), [(1, False), (3, False), (4, True)])
def test_the_last_allowed_call_is_allowed_and_the_next_is_not(used: int, exceeded: bool) -> None:
    quota = Quota("links", Rate(3, timedelta(seconds=60)), used, timedelta(seconds=10))

    assert quota.exceeded is exceeded


@pytest.mark.parametrize(("used", "remaining"), [(1, 2), (3, 0), (9, 0)])
def test_a_caller_is_told_what_remains_and_never_less_than_nothing(used: int, remaining: int) -> None:
    quota = Quota("links", Rate(3, timedelta(seconds=60)), used, timedelta(seconds=10))

    assert quota.headers() == {
        "RateLimit-Policy": '"links";q=3;w=60',
        "RateLimit": f'"links";r={remaining};t=10',
    }


@pytest.mark.parametrize(("milliseconds", "told"), [(-5, 0), (0, 0), (1, 1), (1000, 1), (1001, 2)])
def test_the_wait_is_rounded_up_so_that_who_obeys_does_not_come_too_early(milliseconds: int, told: int) -> None:
    quota = Quota("links", Rate(3, timedelta(seconds=60)), 1, timedelta(milliseconds=milliseconds))

    assert quota.headers()["RateLimit"] == f'"links";r=2;t={told}'
