"""A fresh simulated Wazzup for every test."""

import pytest

from tests.simulator.driver import Wazzup


@pytest.fixture
def wazzup() -> Wazzup:
    return Wazzup()
