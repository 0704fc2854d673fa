"""Whatever is asked for, and with whatever headers, the answer is a good one or a problem document."""

import orjson
import pytest

from tests.driver import CARD, CRM, SERVER_KEY, Gateway
from tests.edge.driver import PROBLEM, is_problem


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
