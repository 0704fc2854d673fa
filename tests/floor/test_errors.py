"""What a caller meets when something is wrong: the drawn tree is the real one."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

import app.main
from app import errors
from app.errors import CallerUnknown, CredentialMissing, GatewayError, KeysUnavailable, TokenExpired

# With every room on board, no error can hide from the drawing.
assert app.main

LINE = re.compile(r"^    (?P<branches>[ │├└─]*)(?P<name>[A-Z]\w+)\s+(?P<status>\d{3}) (?P<code>[A-Z0-9_]+)$", re.M)
STEP = len("├── ")

Entry = tuple[str, str | None, int, str]


def drawn() -> Iterator[Entry]:
    """Each error of the drawing: name, parent, status, code."""
    above: list[str] = []
    for line in LINE.finditer(errors.__doc__ or ""):
        depth = len(line["branches"]) // STEP
        above[depth:] = [line["name"]]
        yield line["name"], above[depth - 1] if depth else None, int(line["status"]), line["code"]


def real(error: type[GatewayError] = GatewayError, parent: str | None = None) -> Iterator[Entry]:
    """The same of the classes."""
    yield error.__name__, parent, error.status, error.code
    for child in error.__subclasses__():
        yield from real(child, error.__name__)


def every_error(error: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield error
    for child in error.__subclasses__():
        yield from every_error(child)


def test_the_drawing_of_the_error_tree_is_true() -> None:
    assert sorted(drawn(), key=repr) == sorted(real(), key=repr)


def test_no_line_of_the_drawing_is_overlooked_by_this_test() -> None:
    lines = [line for line in (errors.__doc__ or "").splitlines() if re.search(r"\d{3} [A-Z]", line)]

    assert len(lines) == len(list(drawn()))


def test_no_two_errors_choose_the_same_code() -> None:
    chosen = Counter(error.__dict__["code"] for error in every_error() if "code" in error.__dict__)

    assert [code for code, times in chosen.items() if times > 1] == []


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: error.__name__)
def test_an_error_can_be_shown_to_a_caller(error: type[GatewayError]) -> None:
    assert 400 <= error.status <= 599
    assert re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", error.code)
    assert error.title
    assert error("Do this instead.").detail == "Do this instead."


@pytest.mark.parametrize(
    ("wait", "told"),
    [(0.0, "1"), (0.001, "1"), (1.0, "1"), (1.001, "2"), (29.5, "30"), (30.0, "30")],
)
def test_retry_after_is_rounded_up_so_that_who_obeys_does_not_come_too_early(wait: float, told: str) -> None:
    error = KeysUnavailable(retry_after=timedelta(seconds=wait))

    assert error.headers() == {"Retry-After": told}


def test_an_error_without_a_wait_asks_nobody_to_come_back() -> None:
    assert GatewayError().headers() == {}


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        (CredentialMissing, 'Bearer realm="wazzup-gateway"'),
        (CallerUnknown, 'Bearer realm="wazzup-gateway", error="invalid_token"'),
        (
            TokenExpired,
            'Bearer realm="wazzup-gateway", error="invalid_token", error_description="The token expired"',
        ),
    ],
)
def test_a_401_says_how_to_sign_in_and_blames_the_token_only_if_there_was_one(
    error: type[GatewayError], challenge: str
) -> None:
    assert error().headers() == {"WWW-Authenticate": challenge}


def test_every_401_carries_a_challenge() -> None:
    without = [error for error in every_error() if error.status == 401 and "WWW-Authenticate" not in error().headers()]

    assert without == []
