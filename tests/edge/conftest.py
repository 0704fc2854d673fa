"""Fixtures for tests of the edge."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from app.telemetry import configure
from tests.edge.driver import Output


@pytest.fixture
def output() -> Iterator[Output]:
    """What is logged from here on. Ask for it before the gateway, so that the gateway logs there."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    output = Output()
    configure(level="info", form="json", output=output)
    yield output
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)
