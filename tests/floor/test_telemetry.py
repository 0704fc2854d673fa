"""What happened is told once, in one wide line; and nothing that must not be told can slip into it."""

import asyncio
import io
import logging
from collections.abc import Callable, Iterator
from contextvars import copy_context
from datetime import datetime

import orjson
import pytest
import structlog

from app.telemetry import FIELDS, Telemetry, begin, configure, learned

PHONE = "+37111234567"
PASSWORD = "correct-horse-battery-staple"


class Output(io.TextIOWrapper):
    """A file in memory, or a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def text(self) -> str:
        self.flush()
        written = self.buffer
        assert isinstance(written, io.BytesIO)
        return written.getvalue().decode()

    @property
    def lines(self) -> list[dict[str, object]]:
        return [orjson.loads(line) for line in self.text.splitlines()]

    @property
    def line(self) -> dict[str, object]:
        [line] = self.lines
        return line


@pytest.fixture(autouse=True)
def _logging_is_as_it_was_afterwards() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def output() -> Output:
    """Where this process logs, as JSON from `info` up."""
    output = Output()
    configure(level="info", form=None, output=output)
    return output


@pytest.fixture
def journal(output: Output) -> Telemetry:
    return Telemetry()


def in_a_request(story: Callable[[], None]) -> None:
    """Runs `story` where nothing that it learns reaches another test."""
    copy_context().run(story)


def sign_in(password: str) -> None:
    raise ValueError(f"wrong password {password}")


def broken() -> Exception:
    """An error whose message and whose frames hold secrets."""
    try:
        try:
            sign_in(PASSWORD)
        except ValueError as error:
            raise LookupError(PHONE) from error
    except LookupError as error:
        return error
    raise AssertionError


def test_what_happened_is_one_line_of_json(journal: Telemetry, output: Output) -> None:
    journal.note("link.issued", account="default", outcome="hit", scope="card", chats=1)

    line = output.line
    assert {name: line[name] for name in ("event", "level", "account", "outcome", "scope", "chats")} == {
        "event": "link.issued", "level": "info", "account": "default", "outcome": "hit", "scope": "card", "chats": 1,
    }  # fmt: skip
    assert datetime.fromisoformat(str(line["timestamp"])).tzinfo is not None


def test_an_unknown_field_is_dropped_and_named(journal: Telemetry, output: Output) -> None:
    journal.trouble("chat.odd", account="default", phone=PHONE, link=f"https://x/?token={PASSWORD}")

    assert output.line["fields"] == ["link", "phone"]
    assert output.line["account"] == "default"
    assert PHONE not in output.text
    assert PASSWORD not in output.text


def test_whoever_logs_past_the_journal_is_held_to_the_same_fields(output: Output) -> None:
    structlog.get_logger().warning("chat.odd", body=PHONE, exc_info=broken(), stack_info=True)

    assert output.line["fields"] == ["body", "exc_info", "stack_info"]
    assert PHONE not in output.text
    assert PASSWORD not in output.text


def test_nothing_that_may_be_told_is_named_like_a_secret() -> None:
    secretive = {"token", "link", "url", "phone", "name", "body", "password", "secret", "authorization", "key", "data"}

    assert FIELDS.isdisjoint(secretive)


def test_an_exception_is_told_by_type_and_place_with_its_causes(journal: Telemetry, output: Output) -> None:
    journal.trouble("http.failed", broken())

    told = output.line["error"]
    assert isinstance(told, list)
    assert [one.partition(" in ")[0] for one in told] == ["LookupError", "ValueError"]
    assert told[1].startswith("ValueError in sign_in (test_telemetry.py:")
    assert output.line["level"] == "warning"


def test_an_exception_is_told_without_its_message_and_without_locals(journal: Telemetry, output: Output) -> None:
    journal.trouble("http.failed", broken())

    assert PASSWORD not in output.text
    assert PHONE not in output.text


def test_an_exception_that_was_never_raised_can_be_told(journal: Telemetry, output: Output) -> None:
    journal.trouble("http.failed", TimeoutError(PHONE))

    assert output.line["error"] == ["TimeoutError"]


def test_an_exception_that_is_its_own_cause_ends(journal: Telemetry, output: Output) -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one

    journal.trouble("http.failed", one)

    assert len(output.lines) == 1


def test_a_librarys_log_record_shows_its_logger_and_no_message(output: Output) -> None:
    logging.getLogger("some.library").warning("sent %s to %s", PASSWORD, PHONE)

    assert (output.line["event"], output.line["logger"]) == ("library.warned", "some.library")
    assert PASSWORD not in output.text
    assert PHONE not in output.text


def test_a_librarys_exception_shows_where_it_hurt_and_no_message(output: Output) -> None:
    logging.getLogger("some.library").error("failed for %s", PHONE, exc_info=broken())

    told = output.line["error"]
    assert isinstance(told, list)
    assert told[0].startswith("LookupError in broken")
    assert PASSWORD not in output.text
    assert PHONE not in output.text


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_what_libraries_chat_about_is_never_shown(level: str) -> None:
    output = Output()
    configure(level=level, form=None, output=output)

    logging.getLogger("some.library").info("sending %s", PASSWORD)
    logging.getLogger("some.library").warning("enough")

    assert [line["logger"] for line in output.lines] == ["some.library"]


def test_lines_of_a_request_carry_what_it_began_with_and_what_was_learned(journal: Telemetry, output: Output) -> None:
    def story() -> None:
        begin(request_id="r-1")
        journal.trouble("one.thing")
        learned(account="default", caller="server")
        journal.trouble("another.thing")

    in_a_request(story)

    one, another = output.lines
    assert (one["request_id"], one.get("account")) == ("r-1", None)
    assert (another["request_id"], another["account"], another["caller"]) == ("r-1", "default", "server")


def test_a_request_knows_nothing_of_the_one_before(journal: Telemetry, output: Output) -> None:
    def story() -> None:
        begin(request_id="r-1")
        learned(account="default")
        begin(request_id="r-2")
        journal.trouble("one.thing")

    in_a_request(story)

    assert (output.line["request_id"], "account" in output.line) == ("r-2", False)


async def test_requests_that_run_at_the_same_time_do_not_mix(journal: Telemetry, output: Output) -> None:
    both_began = asyncio.Barrier(2)

    async def request(name: str) -> None:
        begin(request_id=name)
        await both_began.wait()
        learned(account=f"account of {name}")
        await both_began.wait()
        journal.trouble("one.thing")

    await asyncio.gather(request("r-1"), request("r-2"))

    assert sorted((str(line["request_id"]), str(line["account"])) for line in output.lines) == [
        ("r-1", "account of r-1"),
        ("r-2", "account of r-2"),
    ]


async def test_what_a_task_of_a_request_learns_stands_in_the_requests_later_lines(
    journal: Telemetry, output: Output
) -> None:
    async def task() -> None:
        learned(account="default")

    async def request() -> None:
        begin(request_id="r-1")
        await asyncio.create_task(task())
        journal.trouble("one.thing")

    await asyncio.create_task(request())

    assert output.line["account"] == "default"


def test_to_learn_outside_a_request_changes_nothing(journal: Telemetry, output: Output) -> None:
    def story() -> None:
        learned(account="default")
        journal.trouble("one.thing")

    in_a_request(story)

    assert "account" not in output.line


def test_a_line_says_what_it_was_told_even_where_the_context_says_otherwise(journal: Telemetry, output: Output) -> None:
    def story() -> None:
        begin(account="of the context")
        journal.trouble("one.thing", account="of the line")

    in_a_request(story)

    assert output.line["account"] == "of the line"


def test_only_what_reaches_the_level_is_shown() -> None:
    output = Output()
    configure(level="warning", form=None, output=output)
    journal = Telemetry()

    journal.note("gateway.started")
    journal.trouble("jwks.failed")

    assert output.line["event"] == "jwks.failed"


@pytest.mark.parametrize(("level", "shown"), [("info", ["/links"]), ("debug", ["/health/ready", "/metrics", "/links"])])
def test_what_machines_ask_every_few_seconds_is_shown_for_debugging_only(level: str, shown: list[str]) -> None:
    output = Output()
    configure(level=level, form=None, output=output)
    journal = Telemetry()

    for route in ("/health/ready", "/metrics", "/links"):
        journal.note("http.request", method="GET", route=route, status=200, duration_ms=1.5)

    assert [line["route"] for line in output.lines] == shown


@pytest.mark.parametrize(
    ("form", "terminal", "readable"),
    [(None, True, True), (None, False, False), ("json", True, False), ("console", False, True)],
)
def test_a_terminal_is_written_for_people_and_a_file_for_machines_unless_log_format_says_otherwise(
    form: str | None, terminal: bool, readable: bool
) -> None:
    output = Output(terminal=terminal)
    configure(level="info", form=form, output=output)

    Telemetry().trouble("jwks.failed", account="default", phone=PHONE)

    assert "jwks.failed" in output.text
    assert output.text.startswith("{") is not readable
    assert PHONE not in output.text


def test_a_file_that_is_written_for_people_holds_no_colours() -> None:
    output = Output()
    configure(level="info", form="console", output=output)

    Telemetry().trouble("jwks.failed")

    assert "\x1b" not in output.text


def test_a_note_moves_its_metrics(journal: Telemetry) -> None:
    journal.note("http.request", method="POST", route="/links", status=200, duration_ms=20)
    journal.note("link.issued", account="default", outcome="hit")
    journal.note("wazzup.called", account="default", operation="links", outcome="ok", duration_ms=300)

    value = journal.metrics.registry.get_sample_value
    request = {"method": "POST", "route": "/links", "status": "200"}
    assert value("wazzup_gateway_http_requests_total", request) == 1
    assert value("wazzup_gateway_http_request_seconds_sum", {"route": "/links"}) == pytest.approx(0.02)
    assert value("wazzup_gateway_links_total", {"account": "default", "outcome": "hit"}) == 1
    call = {"account": "default", "operation": "links", "outcome": "ok"}
    assert value("wazzup_gateway_wazzup_calls_total", call) == 1
    assert value("wazzup_gateway_wazzup_call_seconds_sum", {"operation": "links"}) == pytest.approx(0.3)


def test_two_gateways_in_one_process_count_for_themselves(output: Output) -> None:
    one, other = Telemetry(), Telemetry()

    one.note("link.issued", account="default", outcome="hit")

    labels = {"account": "default", "outcome": "hit"}
    assert one.metrics.registry.get_sample_value("wazzup_gateway_links_total", labels) == 1
    assert other.metrics.registry.get_sample_value("wazzup_gateway_links_total", labels) is None


def test_an_event_is_counted_by_what_became_of_it(journal: Telemetry) -> None:
    for outcome in ("accepted", "accepted", "duplicate"):
        journal.note("event.accepted", account="default", event_id="evt_1", outcome=outcome)

    value = journal.metrics.registry.get_sample_value
    assert value("wazzup_gateway_events_total", {"account": "default", "outcome": "accepted"}) == 2
    assert value("wazzup_gateway_events_total", {"account": "default", "outcome": "duplicate"}) == 1


def test_what_operators_are_called_for_is_shown_before_it_has_happened(journal: Telemetry) -> None:
    """A rate sees no step of a series that begins with it."""
    journal.metrics.serves(["north"])

    value = journal.metrics.registry.get_sample_value
    assert value("wazzup_gateway_token_renewals_total", {"account": "north", "outcome": "refused"}) == 0
    call = {"account": "north", "operation": "link", "outcome": "wazzup_forbidden"}
    assert value("wazzup_gateway_wazzup_calls_total", call) == 0


def test_metrics_tell_when_no_series_began(journal: Telemetry) -> None:
    """It would be a second series for each."""
    journal.note("link.issued", account="default", outcome="hit")

    told = journal.metrics.exposed()
    assert b"wazzup_gateway_links_total" in told
    assert b"_created" not in told


def test_a_value_that_cannot_be_written_costs_no_line(journal: Telemetry, output: Output) -> None:
    journal.trouble("one.thing", user_id="half a character \ud800")

    assert output.line["event"] == "one.thing"
