"""What the gateway logs, to be read."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import orjson
import structlog

from app.telemetry import configure


class Output(io.TextIOWrapper):
    """Where the gateway logs, to be read."""

    def __init__(self) -> None:
        self.written = io.BytesIO()
        super().__init__(self.written, encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        return self.written.getvalue().decode()

    def lines(self, event: str) -> list[dict[str, Any]]:
        lines = [orjson.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["event"] == event]


@contextmanager
def logged(*, level: Literal["debug", "info"] = "info", form: Literal["json", "console"] = "json") -> Iterator[Output]:
    """What is logged from here on. To be opened before the gateway, so that the gateway logs there."""
    root = logging.getLogger()
    handlers, before = root.handlers, root.level
    output = Output()
    configure(level=level, form=form, output=output)
    try:
        yield output
    finally:
        structlog.reset_defaults()
        root.handlers = handlers
        root.setLevel(before)
