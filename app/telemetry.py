"""What happened, told once: a note becomes one wide log line and moves the metrics that belong to it.

Rooms know only `Journal.note`. A log line can hold nothing but the fields named here, so that a link, a token,
a phone number or a body cannot be logged by mistake: an unknown field is dropped and its name is told.
"""

import logging
import sys
import traceback
from typing import Any, Protocol, TextIO

import orjson
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from structlog.typing import EventDict, WrappedLogger

FIELDS = frozenset({
    "event", "level", "timestamp",                                # every line
    "request_id", "traceparent", "account", "caller", "user_id",  # whose
    "method", "route", "status", "duration_ms", "code",           # a request
    "outcome", "scope", "chats", "events", "expires_in",          # a link
    "operation", "attempt", "vendor_status", "vendor_code",       # a call to Wazzup
    "version", "host", "port", "store", "accounts", "wazzup_api", "reason", "hint",  # the process
    "logger", "exception", "fields",                              # trouble
})  # fmt: skip

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Journal(Protocol):
    """Where rooms tell what happened. `what` is `noun.verbed`; facts are fields named in `FIELDS`."""

    def note(self, what: str, /, **facts: Any) -> None: ...
    def trouble(self, what: str, /, error: BaseException | None = None, **facts: Any) -> None: ...


class Telemetry:
    """The journal that logs through structlog and counts for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._log = structlog.get_logger()
        self._requests = Counter(
            "wazzup_gateway_http_requests",
            "HTTP requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "wazzup_gateway_http_request_seconds", "Seconds from a request to its answer.", ("route",),
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._links = Counter(
            "wazzup_gateway_links",
            "Links given, by what the cache did.",
            ("account", "outcome"),
            registry=self.registry,
        )
        self._calls = Counter(
            "wazzup_gateway_wazzup_calls", "Calls to Wazzup, by outcome.", ("account", "operation", "outcome"),
            registry=self.registry,
        )  # fmt: skip
        self._call_seconds = Histogram(
            "wazzup_gateway_wazzup_call_seconds", "Seconds that Wazzup took.", ("operation",),
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip

    def note(self, what: str, /, **facts: Any) -> None:
        """Something happened as it should."""
        match what:
            case "link.issued":
                self._links.labels(facts["account"], facts["outcome"]).inc()
            case "wazzup.called":
                self._calls.labels(facts["account"], facts["operation"], facts["outcome"]).inc()
                self._call_seconds.labels(facts["operation"]).observe(facts["duration_ms"] / 1000)
            case "http.request":
                self._requests.labels(facts["method"], facts["route"], facts["status"]).inc()
                self._request_seconds.labels(facts["route"]).observe(facts["duration_ms"] / 1000)
                if _is_routine(facts["route"]):
                    self._log.debug(what, **facts)
                    return
        self._log.info(what, **facts)

    def trouble(self, what: str, /, error: BaseException | None = None, **facts: Any) -> None:
        """Something happened that an operator should look at."""
        if error is not None:
            facts["exception"] = where(error)
        self._log.warning(what, **facts)


def configure(*, level: str, form: str | None, output: TextIO = sys.stdout) -> None:
    """Sets up logging for this process: JSON lines, or colours when `output` is a terminal."""
    console = form == "console" or (form is None and output.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer(colors=output.isatty()) if console else structlog.processors.JSONRenderer(_json)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_known_fields,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(output) if console else structlog.BytesLoggerFactory(output.buffer),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Foreign(max(threshold, logging.WARNING))]
    root.setLevel(threshold)


def only_known_fields(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Drops every field that is not in `FIELDS`, and says which names it dropped, never their values."""
    unknown = line.keys() - FIELDS
    if not unknown:
        return line
    kept = {name: value for name, value in line.items() if name in FIELDS}
    return kept | {"fields": sorted(unknown)}


def where(error: BaseException) -> list[str]:
    """An exception as types and places, outermost last. Its messages are left out: they quote what was handled."""
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(told) < 4:  # noqa: PLR2004 - deep enough for any chain that we build
        frames = traceback.extract_tb(cause.__traceback__)[-4:]
        places = " < ".join(
            f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in reversed(frames)
        )
        told.append(f"{type(cause).__name__} in {places}" if places else type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return told


class _Foreign(logging.Handler):
    """What libraries log: their name and level only, since their messages may quote anything."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        facts = {"exception": where(error)} if error else {}
        structlog.get_logger().warning("library.warned", logger=record.name, **facts)


def _is_routine(route: str) -> bool:
    return route.startswith("/health/") or route == "/metrics"


def _json(line: EventDict, **_: Any) -> bytes:
    return orjson.dumps(line, default=str)
