"""What happened, told once: a note becomes one wide log line and moves the metrics that belong to it.

Rooms know only `Journal`. A log line can hold nothing but the fields named here, so that a link, a token, a phone
number or a body cannot be logged by mistake: an unknown field is dropped, and its name is told.
"""

import asyncio
import atexit
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import cache
from typing import Any, BinaryIO, Protocol, TextIO

import orjson
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector
from structlog.typing import EventDict, WrappedLogger

from app.clock import SystemClock

FIELDS = frozenset({
    "event", "level", "timestamp",                                # every line
    "request_id", "traceparent", "account", "caller", "user_id",  # whose
    "method", "route", "status", "duration_ms", "code",           # a request
    "outcome", "scope", "chats", "links",                         # a link
    "contacts", "deals",                                          # how many of them
    "lifetime_seconds",                                           # a token
    "event_id", "type", "deliveries",                             # an event
    "webhook_id", "attempt", "follows",                           # a delivery
    "operation", "vendor_status", "vendor_code", "hint",          # a call that others answer
    "version", "host", "port", "accounts",                        # the process
    "logger", "error", "fields",                                  # trouble
})  # fmt: skip

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_CAUSES_TOLD, _FRAMES_TOLD = 4, 4

# What every line of one request has in common. Set by the edge, added to by whoever learns more.
_CONTEXT: ContextVar[dict[str, str] | None] = ContextVar("request", default=None)


def begin(**context: str) -> None:
    """From here on, lines of this request carry `context`."""
    _CONTEXT.set(context)


def learned(**context: str) -> None:
    """Adds to the context of the request that is under way, for its later lines."""
    if (known := _CONTEXT.get()) is not None:
        known.update(context)


class Journal(Protocol):
    """Where rooms tell what happened. `what` is `noun.verbed`; facts are fields named in `FIELDS`."""

    def note(self, what: str, /, **facts: Any) -> None: ...
    def trouble(self, what: str, /, error: BaseException | None = None, **facts: Any) -> None: ...


class Metrics:
    """The counters and histograms of one process, in a registry of its own."""

    def __init__(self) -> None:
        # They say when a series began, as a second series for each.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._requests = self._counter("http_requests", "HTTP requests answered.", "method", "route", "status")
        self._request_seconds = self._seconds("http_request_seconds", "From a request to its answer.", "route")
        self._links = self._counter("links", "Links given, by what the cache did.", "account", "outcome")
        self._told = self._counter("told", "Contacts and deals that Wazzup has taken.", "account", "kind")
        self._calls = self._counter("wazzup_calls", "Calls to Wazzup.", "account", "operation", "outcome")
        self._call_seconds = self._seconds("wazzup_call_seconds", "How long Wazzup took.", "operation")
        self._renewals = self._counter("token_renewals", "Tokens that Wazzup was asked for.", "account", "outcome")
        self._events = self._counter("events", "Events posted: accepted, or duplicate.", "account", "outcome")

    def count(self, what: str, facts: dict[str, Any]) -> None:
        """Moves what a note of this kind moves."""
        match what:
            case "http.request":
                self._requests(facts["method"], facts["route"], facts["status"]).inc()
                self._request_seconds(facts["route"]).observe(facts["duration_ms"] / 1000)
            case "link.issued":
                self._links(facts["account"], facts["outcome"]).inc()
            case "deals.told":
                self._told(facts["account"], "contacts").inc(facts["contacts"])
                self._told(facts["account"], "deals").inc(facts["deals"])
            case "wazzup.called":
                self._calls(facts["account"], facts["operation"], facts["outcome"]).inc()
                self._call_seconds(facts["operation"]).observe(facts["duration_ms"] / 1000)
            case "event.accepted":
                self._events(facts["account"], facts["outcome"]).inc()
            case "token.renewed" | "token.refused":
                self._renewals(facts["account"], what.removeprefix("token.")).inc()

    def serves(self, accounts: Iterable[str]) -> None:
        """Shows what operators are called for from 0 on: no rate sees the step that a series begins with."""
        for account in accounts:
            self._renewals(account, "refused")
            self._calls(account, "link", "wazzup_forbidden")

    def exposed(self, *beside: Metric) -> bytes:
        """All of it in Prometheus' text format, and what others have measured `beside`."""
        return generate_latest(self.registry) + generate_latest(_Measured(beside))

    # Looking a metric up by its labels takes a lock and a while; what it finds never changes.
    def _counter(self, name: str, what: str, *labels: str) -> Callable[..., Counter]:
        return cache(Counter(f"wazzup_gateway_{name}", what, labels, registry=self.registry).labels)

    def _seconds(self, name: str, what: str, *labels: str) -> Callable[..., Histogram]:
        histogram = Histogram(f"wazzup_gateway_{name}", what, labels, buckets=_BUCKETS, registry=self.registry)
        return cache(histogram.labels)


class _Measured(Collector):
    """Metrics that were measured for this one answer."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class Telemetry:
    """The journal that logs through structlog and counts for Prometheus."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self._log = structlog.get_logger().bind()  # bound once: a lazy logger would assemble itself for each line

    def note(self, what: str, /, **facts: Any) -> None:
        """Something happened as it should."""
        self.metrics.count(what, facts)
        # What machines ask every few seconds would drown what people did.
        if what == "http.request" and facts["route"].startswith(("/health/", "/metrics")):
            self._log.debug(what, **facts)
        else:
            self._log.info(what, **facts)

    def trouble(self, what: str, /, error: BaseException | None = None, **facts: Any) -> None:
        """Something happened that an operator should look at."""
        self.metrics.count(what, facts)
        if error is not None:
            facts["error"] = where(error)
        self._log.warning(what, **facts)


def configure(*, level: str, form: str | None, output: TextIO = sys.stdout) -> None:
    """Sets up logging for this process: JSON lines, or readable ones when `output` is a terminal."""
    console = form == "console" or (form is None and output.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    writer = structlog.PrintLogger(output) if console else LineWriter(output.buffer)
    structlog.configure(
        processors=[
            assembled,
            structlog.dev.ConsoleRenderer(colors=output.isatty()) if console else _json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Foreign(max(threshold, logging.WARNING))]
    root.setLevel(threshold)


def assembled(_logger: WrappedLogger, method: str, facts: EventDict) -> EventDict:
    """A whole line: when, what, whose. A field that is not in `FIELDS` is dropped, and only its name is told."""
    line = {"timestamp": SystemClock().now(), "level": method, **(_CONTEXT.get() or {}), **facts}
    if line.keys() <= FIELDS:
        return line
    known = {name: value for name, value in line.items() if name in FIELDS}
    return known | {"fields": sorted(line.keys() - FIELDS)}


def where(error: BaseException) -> list[str]:
    """An exception and its causes as types and places. Messages are left out: they quote what was handled."""
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(told) < _CAUSES_TOLD:
        frames = traceback.extract_tb(cause.__traceback__)[-_FRAMES_TOLD:]
        places = [f"{one.name} ({one.filename.rpartition('/')[2]}:{one.lineno})" for one in reversed(frames)]
        told.append(" in ".join([type(cause).__name__, *places]))
        cause = cause.__cause__ or cause.__context__
    return told


class LineWriter:
    """Writes the lines of one turn of the event loop in one go: the system call costs more than the line."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._lines: list[bytes] = []
        atexit.register(self.flush)

    def msg(self, line: bytes) -> None:
        """Takes a line; it is written before the event loop looks at the network again."""
        self._lines.append(line)
        if len(self._lines) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:  # No loop runs: before the start, and after the end.
            self.flush()

    debug = info = warning = error = critical = msg

    def flush(self) -> None:
        """Writes what has gathered."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._output.write(b"\n".join(lines) + b"\n")
            self._output.flush()


class _Foreign(logging.Handler):
    """What libraries log: their name and where it hurt, since their messages may quote anything."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        facts = {"error": where(error)} if error else {}
        structlog.get_logger().warning("library.warned", logger=record.name, **facts)


def _json(_logger: WrappedLogger, _method: str, line: EventDict) -> bytes:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:  # Half a surrogate pair, which UTF-8 cannot write: the line is worth more.
        return json.dumps(line, default=str, ensure_ascii=False).encode("utf-8", "replace")
