"""A fresh simulated Wazzup for every test."""

import tempfile
from pathlib import Path

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.simulator.driver import Wazzup

# Left in the checkout, its folder would be met, and warned of, by pytest's next run.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")


@pytest.fixture
def wazzup() -> Wazzup:
    return Wazzup()
