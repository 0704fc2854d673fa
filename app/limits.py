"""Rates: so many in so many seconds. What a rate means to a caller is told in the IETF's RateLimit headers."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

# More than any service answers; and a span of so many seconds still fits a date.
_MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`calls` in each span of `per`."""

    calls: int
    per: timedelta

    @classmethod
    def read(cls, text: str) -> Self:
        """`60/60` is sixty calls in sixty seconds.

        Raises:
            ValueError: says how a rate is written.
        """
        calls, slash, seconds = text.partition("/")
        if not (slash and calls.strip().isdecimal() and seconds.strip().isdecimal()):
            raise ValueError("write calls/seconds, for example 60/60")
        if not (1 <= int(calls) <= _MOST and 1 <= int(seconds) <= _MOST):
            raise ValueError(f"both numbers of a rate are at least 1 and at most {_MOST}, for example 60/60")
        return cls(int(calls), timedelta(seconds=int(seconds)))

    @property
    def seconds(self) -> int:
        """The span in whole seconds."""
        return int(self.per.total_seconds())


@dataclass(frozen=True, slots=True)
class Quota:
    """Where one caller stands within a rate, this request included."""

    policy: str
    rate: Rate
    used: int
    resets_in: timedelta

    @property
    def exceeded(self) -> bool:
        """True when this request is one too many."""
        return self.used > self.rate.calls

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10)."""
        remaining = max(0, self.rate.calls - self.used)
        reset = max(0, math.ceil(self.resets_in.total_seconds()))
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.rate.calls};w={self.rate.seconds}',
            "RateLimit": f'"{self.policy}";r={remaining};t={reset}',
        }
