"""One attempt at a delivery, in values: what goes where, what came of it, what follows. They decide nothing."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Target:
    """Where a delivery goes. Its URL is not shown either: people write tokens into queries."""

    id: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """`whsec_…`, newest first: each of them signs."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is delivered: these very bytes, at every attempt."""

    event_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The CRM has it. `body`, here and below: the first KiB of the answer, as text that is safe to show."""

    status: int
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """The CRM does not have it, or did not say so. `reason`, here and below: short, stable, without a secret or URL."""

    reason: str
    status: int | None = None
    body: str = field(default="", repr=False)
    retry_after: timedelta | None = None
    """As the CRM asked, from now; neither judged nor capped."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The CRM wants nothing more from us. With a 2xx, it has this one."""

    reason: str
    status: int
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hindered:
    """We could not try: the fault is on our side, and the CRM must not pay for it."""

    reason: str


Outcome = Delivered | Failed | Refused | Hindered


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing follows."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The attempt counts, and another follows after `wait`."""

    wait: timedelta


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The delivery is dead."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disable:
    """The webhook gets nothing more until someone enables it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Postpone:
    """The attempt does not count; it is made after `wait`."""

    wait: timedelta


Verdict = Done | TryAgain | GiveUp | Disable | Postpone
