"""What breaks behind the edge, breaks off or never comes is told in our own words, and logged without its secrets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message

from app.edge import Intake, RequestLog
from app.main import Gateway as Application
from app.telemetry import Telemetry, configure
from tests.driver import CRM, Clock
from tests.edge.driver import SECRET, is_problem
from tests.hurry import HurriedLoop
from tests.output import Output


async def breaks(_request: Request) -> Response:
    raise LookupError(SECRET)


async def answers(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())}")


@asynccontextmanager
async def behind_the_edge(routes: list[Route]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(edged(routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        yield http


def edged(routes: list[Route]) -> ASGIApp:
    journal = Telemetry()
    return RequestLog(Intake(Router(routes), journal=journal), journal=journal, clock=Clock())


async def test_an_error_that_nobody_expected_is_a_500_problem_and_a_log_line_both_without_its_words(
    output: Output,
) -> None:
    async with behind_the_edge([Route("/breaks", breaks)]) as http:
        answer = await http.get("/breaks")
        await asyncio.sleep(0)

    is_problem(answer, 500, "INTERNAL_ERROR")
    [trouble] = output.lines("http.failed")
    [request] = output.lines("http.request")
    assert trouble["error"][0].startswith("LookupError in breaks")
    assert trouble["request_id"] == answer.headers["x-request-id"]
    assert (request["status"], request["code"]) == (500, "INTERNAL_ERROR")
    assert SECRET not in answer.text
    assert SECRET not in output.text


async def test_an_error_that_nobody_expected_is_told_in_a_log_for_people_too(output: Output) -> None:
    configure(level="info", form="console", output=output)

    async with behind_the_edge([Route("/breaks", breaks)]) as http:
        answer = await http.get("/breaks")

    is_problem(answer, 500, "INTERNAL_ERROR")
    assert "LookupError in breaks" in output.text
    assert SECRET not in output.text


@pytest.mark.parametrize("origin", [CRM, "https://evil.example"])
async def test_an_error_that_nobody_expected_in_a_route_of_the_gateway_is_a_500_problem(
    output: Output, origin: str
) -> None:
    application = Application(telemetry=Telemetry(), clock=Clock())
    application.state.services = SimpleNamespace(origins={None: {CRM}})
    application.add_route("/breaks", breaks)
    transport = httpx.ASGITransport(application)

    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        answer = await http.get("/breaks", headers={"Origin": origin})
        await asyncio.sleep(0)

    is_problem(answer, 500, "INTERNAL_ERROR")
    assert answer.headers.get("access-control-allow-origin") == (CRM if origin == CRM else None)
    assert len(output.lines("http.failed")) == 1
    assert SECRET not in output.text


async def test_an_answer_that_breaks_off_is_logged_and_nothing_is_added_to_it(output: Output) -> None:
    async def half(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise LookupError(SECRET)

    journal = Telemetry()
    sent: list[Message] = []

    await call(RequestLog(Intake(half, journal=journal), journal=journal, clock=Clock()), [BODY_END], sent)
    await asyncio.sleep(0)

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert len(output.lines("http.failed")) == 1
    assert SECRET not in output.text


BODY_END: Message = {"type": "http.request", "body": b"", "more_body": False}
HALF: Message = {"type": "http.request", "body": b'{"user', "more_body": True}
GONE: Message = {"type": "http.disconnect"}


async def call(app: ASGIApp, received: list[Message], sent: list[Message]) -> None:
    """One `POST /`, message by message; after the last one nothing more comes."""
    waiting = iter(received)

    async def receive() -> Message:
        for message in waiting:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": "POST",
        "path": "/",
        "headers": [],
        "app": None,
    }
    await app(scope | {"query_string": b"", "root_path": ""}, receive, send)


async def test_a_client_that_goes_away_in_the_middle_of_its_body_is_no_trouble(output: Output) -> None:
    sent: list[Message] = []

    await call(edged([Route("/", answers, methods=["POST"])]), [HALF, GONE], sent)
    await asyncio.sleep(0)

    [line] = output.lines("http.request")
    assert sent == []
    assert line["status"] == 499
    assert output.lines("http.failed") == []


async def test_a_body_in_pieces_arrives_whole(output: Output) -> None:
    sent: list[Message] = []

    await call(edged([Route("/", answers, methods=["POST"])]), [HALF, HALF, BODY_END], sent)

    assert sent[1]["body"] == b"12"


def test_a_body_that_does_not_come_is_a_408(output: Output) -> None:
    sent: list[Message] = []

    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        runner.run(call(edged([Route("/", answers, methods=["POST"])]), [HALF], sent))

    problem = orjson.loads(sent[1]["body"])
    assert sent[0]["status"] == 408
    assert (problem["status"], problem["code"]) == (408, "BODY_TOO_SLOW")
    assert output.lines("http.failed") == []


def test_a_body_that_drips_has_the_same_time_as_one_that_does_not_come() -> None:
    sent: list[Message] = []

    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        runner.run(dripping(edged([Route("/", answers, methods=["POST"])]), sent))

    assert sent[0]["status"] == 408


async def dripping(app: ASGIApp, sent: list[Message]) -> None:
    async def receive() -> Message:
        await asyncio.sleep(1)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0"}, "method": "POST", "path": "/", "headers": []}
    await app(scope, receive, send)


async def test_the_edge_lets_what_is_not_http_pass() -> None:
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    journal = Telemetry()
    await RequestLog(Intake(app, journal=journal), journal=journal, clock=Clock())({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # nothing is received or sent

    assert seen == ["lifespan"]


async def test_a_request_that_outlasts_the_gateways_end_is_told_to_come_again(output: Output) -> None:
    """The server waits a while, then cancels: the page gets a problem, not a broken connection."""
    asked = asyncio.Event()

    async def never_ready(_request: Request) -> Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    sent: list[Message] = []
    request = asyncio.create_task(call(edged([Route("/", never_ready, methods=["POST"])]), [BODY_END], sent))
    await asked.wait()

    request.cancel()
    await asyncio.wait([request])

    assert sent[0]["status"] == 503
    assert b"GATEWAY_STOPPING" in sent[1]["body"]
