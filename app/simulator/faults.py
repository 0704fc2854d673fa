"""Failures on request: which calls fail, how, and how often.

Fault(on="links", status=500)                         the vendor's error body, for the next call
Fault(on="links", status=503, body="", times=None)    no body, until cleared
Fault(on="links", status=429, retry_after="7")        told when to come back
Fault(on="/v3/", status=200, code="INVALID_USER")     a 2xx that carries an error
Fault(on="links", status=200, body='{"data": ')       broken JSON
Fault(on="links", link="https://elsewhere.example/")  a good answer with this link in it
Fault(on="tokens", dropped=True)                      the connection breaks in the middle of the answer
Fault(on="/v2/", delay_seconds=3)                     late; goes with any of the others
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt, model_validator

from app.simulator.operations import OPERATIONS, operation_of


class Fault(BaseModel):
    """One failure, `on` an operation (links, users, contacts, deals, tokens) or the start of a path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: str
    times: PositiveInt | None = 1
    """How many calls it meets; None: all of them, until it is cleared."""

    delay_seconds: NonNegativeFloat = 0
    status: int | None = None
    code: str | None = None
    """The vendor's error code; by default the usual one of the status."""

    errors: tuple[str, ...] = ()
    body: str | None = None
    """Sent as it is, instead of the vendor's error body."""

    retry_after: str | None = None
    link: str | None = None
    dropped: bool = False

    @model_validator(mode="after")
    def _is_one_failure(self) -> Self:
        if not self.on.startswith("/") and self.on not in OPERATIONS.values():
            raise ValueError("`on` is an operation or a path that begins with /")
        if (self.status is not None) + (self.link is not None) + self.dropped > 1:
            raise ValueError("`status`, `link` and `dropped` exclude one another")
        if self.status is None and (self.code or self.errors or self.body is not None or self.retry_after):
            raise ValueError("`code`, `errors`, `body` and `retry_after` need a `status`")
        if not (self.status or self.link or self.dropped or self.delay_seconds):
            raise ValueError("nothing would fail")
        return self

    def meets(self, path: str) -> bool:
        """Say whether a call to this path is one that fails."""
        return path.startswith(self.on) if self.on.startswith("/") else operation_of(path) == self.on


class Faults:
    """The faults that are waiting for a call, oldest first. A call meets one of them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        """Let a fault wait for its calls."""
        self._waiting.append((fault, fault.times))

    def clear(self) -> None:
        """Let nothing fail any more."""
        self._waiting.clear()

    def take(self, path: str) -> Fault | None:
        """Find the fault that this call meets, and count the call."""
        for index, (fault, left) in enumerate(self._waiting):
            if not fault.meets(path):
                continue
            if left == 1:
                del self._waiting[index]
            elif left is not None:
                self._waiting[index] = (fault, left - 1)
            return fault
        return None
