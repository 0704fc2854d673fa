"""Fixtures for tests of the edge."""

from collections.abc import Iterator

import pytest

from tests.output import Output, logged


@pytest.fixture
def output() -> Iterator[Output]:
    """What is logged from here on. Ask for it before the gateway, so that the gateway logs there."""
    with logged() as output:
        yield output
