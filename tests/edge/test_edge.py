"""Whatever a network can do to a request, what leaves is a good answer or a problem document."""

import asyncio
import io
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message

from app.edge import BODY_CAP, Intake, RequestLog
from app.main import Gateway as Application
from app.telemetry import Telemetry, configure
from tests.driver import CARD, CRM, SERVER_KEY, Clock, Gateway
from tests.hurry import HurriedLoop

PROBLEM = "application/problem+json"
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "method", "errors", "request_id"}
EXPOSED = {
    "Cache-Status", "Age", "RateLimit-Policy", "RateLimit", "Retry-After", "X-Request-Id", "WWW-Authenticate",
}  # fmt: skip
SECRET = "correct-horse-battery-staple"
JSON = {"Content-Type": "application/json"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


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


async def post(gateway: Gateway, content: Any, **headers: str) -> httpx.Response:
    """`POST /links` with a body byte by byte as it is given."""
    named = {"Authorization": f"Bearer {SERVER_KEY}"} | JSON
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await gateway.http.post("/links", content=content, headers=named)


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Asserts that `answer` is the problem document of `code`."""
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["cache-control"] == "no-store"
    assert problem.keys() >= MEMBERS
    assert problem["type"].startswith("urn:")
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert (problem["instance"], problem["method"]) == (answer.request.url.path, answer.request.method)
    return problem


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null x",
        b"user_id=crm-user-1",
        b"\xef\xbb\xbf{}",
        b'{"user_id": "\xff"}',
        b'{"user_id": "\\ud800"}',
        b'{"user_id": "\\udc00\\ud800"}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        '{"user_id": "u"}'.encode("utf-16"),
        b"\x00",
    ],
)
async def test_what_is_not_json_is_a_400(gateway: Gateway, body: bytes) -> None:
    answer = await post(gateway, body)

    is_problem(answer, 400, "BODY_NOT_JSON")


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"7",
        b"[]",
        b'"x"',
        b"{}",
        b'{"user_id": "u", "max_age": NaN}',
        b'{"user_id": "u", "max_age": Infinity}',
        b'{"user_id": "u", "max_age": -1}',
        b'{"user_id": "u", "max_age": 1.5}',
        b'{"user_id": "u", "max_age": 1e400}',
        b'{"user_id": 7}',
        b'{"user_id": "u\\u0000"}',
        b'{"user_id": "u", "chats": {}}',
        b'{"user_id": "u", "chats": [[[[]]]]}',
        b'{"user_id": "u", "chats": [' + b",".join([b"{}"] * 51) + b"]}",
        b'{"user_id": "u", "unknown": 1}',
        b'{"user_id": "u", "\\u0000": 1}',
        b'{"user_id": "u", "~/\\"": 1}',
        b'{"' + b"x" * 60_000 + b'": 1}',
    ],
)
async def test_json_that_breaks_the_contract_is_a_422_that_says_where(gateway: Gateway, body: bytes) -> None:
    answer = await post(gateway, body)

    problem = is_problem(answer, 422, "VALIDATION_FAILED")
    assert problem["errors"]
    assert all(one.keys() == {"detail", "pointer"} for one in problem["errors"])
    assert all(one["pointer"].startswith("#") for one in problem["errors"])


@pytest.mark.parametrize("field", ["user_id", "max_age", "chats", "unknown"])
async def test_a_number_that_no_machine_holds_is_the_callers_mistake(gateway: Gateway, field: str) -> None:
    answer = await post(gateway, b'{"%s": %s}' % (field.encode(), b"9" * 5000))

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == PROBLEM


async def test_a_refusal_does_not_repeat_what_was_sent(gateway: Gateway) -> None:
    answer = await gateway.link({"user_id": ["+37111234567"], "chats": [{"chat_type": SECRET}]})

    assert answer.status_code == 422
    assert "37111234567" not in answer.text
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"user_id": "u", "max_age": 1%s}' % (b"0" * 30),
        b'{"user_id": "v", "user_id": "u"}',
        b'{"user_id": "u", "scope": "card", "scope": "global"}',
        b' \n\t{"user_id": "u"}\r\n ',
        '{"user_id": "ю😀"}'.encode(),
        b'{"user_id": "\\ud83d\\ude00"}',
    ],
)
async def test_odd_json_that_is_no_error_is_answered(gateway: Gateway, body: bytes) -> None:
    answer = await post(gateway, body)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "text/json"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Content-Type": "application/json, text/plain"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "br, gzip"}, 415),
        ({"Content-Encoding": "identity"}, 200),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "Application/JSON ;charset=UTF-8"}, 200),
    ],
)
async def test_only_plain_json_is_read(gateway: Gateway, headers: dict[str, str], status: int) -> None:
    answer = await post(gateway, orjson.dumps(CARD), **headers)

    assert answer.status_code == status
    if status == 415:
        is_problem(answer, 415, "CONTENT_TYPE_UNSUPPORTED")


async def test_a_body_of_no_announced_type_is_not_read(gateway: Gateway) -> None:
    answer = await gateway.http.post(
        "/links", content=orjson.dumps(CARD), headers={"Authorization": f"Bearer {SERVER_KEY}"}
    )

    is_problem(answer, 415, "CONTENT_TYPE_UNSUPPORTED")


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/links/", "/LINKS", "/links/x", "/%00", "/%ff", "/..%2flinks", "//"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_path_where_nothing_lives_is_a_404(gateway: Gateway, path: str, method: str) -> None:
    answer = await gateway.http.request(method, "http://gateway" + path)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (404, "NOT_FOUND")
    assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/links", {"POST", "DELETE"}),
        ("PUT", "/links", {"POST", "DELETE"}),
        ("HEAD", "/links", {"POST", "DELETE"}),
        ("OPTIONS", "/links", {"POST", "DELETE"}),
        ("PROPFIND", "/links", {"POST", "DELETE"}),
        ("POST", "/health/live", {"GET"}),
        ("DELETE", "/metrics", {"GET"}),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_a_405_that_names_all_it_takes(
    gateway: Gateway, method: str, path: str, allowed: set[str]
) -> None:
    answer = await gateway.http.request(method, path)

    named = {one.strip() for one in answer.headers["allow"].split(",")}
    assert answer.status_code == 405
    assert named - {"HEAD"} == allowed
    if method != "HEAD":
        is_problem(answer, 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_a_monitor_that_asks_by_head_is_told_the_same(gateway: Gateway, path: str) -> None:
    by_get, by_head = await gateway.http.get(path), await gateway.http.head(path)

    assert (by_head.status_code, by_head.headers["content-length"]) == (200, by_get.headers["content-length"])


def padded(size: int) -> bytes:
    return orjson.dumps(CARD).ljust(size)


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 5000):
        yield body[start : start + 5000]


async def test_64_kib_are_read(gateway: Gateway) -> None:
    announced = await post(gateway, padded(BODY_CAP))
    chunked = await post(gateway, in_pieces(padded(BODY_CAP)))

    assert [announced.status_code, chunked.status_code] == [200, 200]


async def test_a_byte_more_than_64_kib_is_a_413_announced_or_not(gateway: Gateway) -> None:
    announced = await post(gateway, padded(BODY_CAP + 1))
    chunked = await post(gateway, in_pieces(padded(BODY_CAP + 1)))

    is_problem(announced, 413, "BODY_TOO_LARGE")
    is_problem(chunked, 413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("length", ["65537", "9" * 30, "9" * 5000])
async def test_a_body_that_announces_too_much_is_not_waited_for(gateway: Gateway, length: str) -> None:
    answer = await post(gateway, b"{}", Content_Length=length)

    is_problem(answer, 413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("length", ["", "-1", "x", "²", "1.5", "0x10"])
async def test_a_length_that_is_no_number_is_no_failure_of_ours(gateway: Gateway, length: str) -> None:
    headers = [(b"content-length", length.encode("latin-1")), (b"content-type", b"application/json")]

    answer = await gateway.http.post("/links", content=b"{}", headers=headers)

    is_problem(answer, 401, "CREDENTIAL_MISSING")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer \xff\xfe\x80")],
        [(b"authorization", b"\xff \xff")],
        [(b"authorization", b"Bearer " + b"x" * 60_000)],
        [(b"authorization", b"Bearer a.b.c")],
        [(b"authorization", b"Bearer wgr_\xff.\xff")],
        [(b"authorization", b"Bearer wgr_.")],
        [(b"authorization", b"Bearer wgr_bnVsbA.AAAA")],
        [(b"authorization", b"Bearer"), (b"authorization", f"Bearer {SERVER_KEY}".encode())],
        [(b"authorization", b"Basic " + SERVER_KEY.encode())],
        [(b"authorization", b"")],
        [(b"origin", b"\xff"), (b"host", b"\xff"), (b"cookie", b"\xff"), (b"x-request-id", b"\xff")],
        [(b"origin", b""), (b"origin", CRM.encode())],
        [(b"traceparent", b"\xff"), (b"content-type", b"\xff/\xff"), (b"content-encoding", b"\xff")],
    ],
)
async def test_hostile_headers_are_refused_like_any_other_stranger(
    gateway: Gateway, headers: list[tuple[bytes, bytes]]
) -> None:
    answer = await gateway.http.post("/links", content=b"{}", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["www-authenticate"].startswith('Bearer realm="wazzup-gateway"')


@pytest.mark.parametrize(
    "headers",
    [
        [(b"cache-control", b"\xff")],
        [(b"cache-control", b"max-age=\xff"), (b"cache-control", b"no-cache")],
        [(b"accept", b"text/html"), (b"accept-encoding", b"\xff")],
        [(b"x-forwarded-for", b"\xff, 1"), (b"forwarded", b"=;=;\x80")],
        [(b"content-type", b"application/json; charset=\xff")],
    ],
)
async def test_odd_headers_change_nothing_for_a_caller_that_we_know(
    gateway: Gateway, headers: list[tuple[bytes, bytes]]
) -> None:
    known = [(b"authorization", f"Bearer {SERVER_KEY}".encode())]
    typed = [] if headers[0][0] == b"content-type" else [(b"content-type", b"application/json")]

    answer = await gateway.http.post("/links", content=orjson.dumps(CARD), headers=known + typed + headers)

    assert answer.status_code == 200


# CORS


def varies(answer: httpx.Response) -> bool:
    return "origin" in [one.strip().lower() for one in answer.headers.get("vary", "").split(",")]


@pytest.mark.parametrize(
    ("question", "key", "status"), [(CARD, SERVER_KEY, 200), (CARD, "x", 401), ({}, SERVER_KEY, 422)]
)
async def test_an_allowed_origin_reads_good_answers_and_errors(
    gateway: Gateway, question: Any, key: str, status: int
) -> None:
    answer = await gateway.link(question, key, Origin=CRM)

    exposed = {one.strip() for one in answer.headers["access-control-expose-headers"].split(",")}
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == CRM
    assert exposed >= EXPOSED
    assert varies(answer)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://crm.example",
        "https://crm.example:444",
        "https://crm.example.evil",
        "*",
        "x",
    ],
)
@pytest.mark.parametrize("key", [SERVER_KEY, "x"])
async def test_an_unknown_origin_reads_nothing(gateway: Gateway, origin: str, key: str) -> None:
    answer = await gateway.link(key=key, Origin=origin)

    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-credentials" not in answer.headers
    assert varies(answer)


@pytest.mark.parametrize("path", ["/links", "/nothing", "/health/live"])
async def test_every_answer_tells_shared_caches_that_it_depends_on_the_origin(gateway: Gateway, path: str) -> None:
    without = await gateway.http.get(path)
    allowed = await gateway.http.get(path, headers={"Origin": CRM})
    unknown = await gateway.http.get(path, headers={"Origin": "https://evil.example"})

    assert [varies(answer) for answer in (without, allowed, unknown)] == [True, True, True]


async def preflight(gateway: Gateway, origin: str | None, method: str, headers: str = "") -> httpx.Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return await gateway.http.options("/links", headers=asked | ({"Origin": origin} if origin else {}))


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_page_of_an_allowed_origin_may_ask(gateway: Gateway, method: str) -> None:
    answer = await preflight(gateway, CRM, method, "authorization, content-type, cache-control, x-request-id")

    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] == CRM
    assert method in answer.headers["access-control-allow-methods"]
    assert varies(answer)


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://evil.example", "POST", ""),
        (None, "POST", ""),
        (CRM, "TRACE", ""),
        (CRM, "POST", "x-evil"),
        (CRM, "POST", "authorization, x-evil"),
    ],
)
async def test_a_refused_preflight_is_a_problem_that_a_browser_blocks(
    gateway: Gateway, origin: str | None, method: str, headers: str
) -> None:
    answer = await preflight(gateway, origin, method, headers)

    is_problem(answer, 403, "FORBIDDEN")
    assert "access-control-allow-origin" not in answer.headers
    assert varies(answer)


# Names


@pytest.mark.parametrize("name", ["r-1", "A.b_c-9", "x" * 64])
async def test_a_sane_request_id_is_kept(gateway: Gateway, name: str) -> None:
    answer = await gateway.link(**{"X-Request-Id": name})

    assert answer.headers["x-request-id"] == name


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 65, 'a"b', "a;b", "a/b", "<b>", "a%0ab", "ü"])
async def test_an_odd_request_id_is_replaced(gateway: Gateway, name: str) -> None:
    answer = await gateway.http.get("/nothing", headers=[(b"x-request-id", name.encode("latin-1"))])

    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_each_request_gets_a_name_of_its_own(gateway: Gateway) -> None:
    names = {(await gateway.http.get("/nothing")).headers["x-request-id"] for _ in range(20)}

    assert len(names) == 20


async def test_the_log_line_of_a_request_bears_its_name(output: Output, gateway: Gateway) -> None:
    await gateway.link(**{"X-Request-Id": "r-1"})
    await asyncio.sleep(0)

    [line] = output.lines("http.request")
    assert (line["request_id"], line["method"], line["route"], line["status"]) == ("r-1", "POST", "/links", 200)


async def trace_of(gateway: Gateway, output: Output, traceparent: str | None) -> str:
    headers = [] if traceparent is None else [(b"traceparent", traceparent.encode())]
    await gateway.http.get("/nothing", headers=headers)
    await asyncio.sleep(0)
    [line] = output.lines("http.request")
    return str(line["traceparent"])


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_the_callers_trace_is_continued_with_a_span_of_ours(output: Output, gateway: Gateway, flags: str) -> None:
    told = await trace_of(gateway, output, f"00-{TRACE}-b7ad6b7169203331-{flags}")

    version, trace, span, kept = told.split("-")
    assert (version, trace, kept) == ("00", TRACE, flags)
    assert span != "b7ad6b7169203331"


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "",
        "nonsense",
        f"00-{TRACE}-b7ad6b7169203331",
        f"00-{TRACE}-b7ad6b7169203331-01-x",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-zz",
        f"00-{TRACE}0-b7ad6b7169203331-01",
    ],
)
async def test_a_trace_that_is_none_is_begun_anew(output: Output, gateway: Gateway, odd: str | None) -> None:
    told = await trace_of(gateway, output, odd)

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", told)
    assert TRACE not in told


# What happens behind the edge


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
