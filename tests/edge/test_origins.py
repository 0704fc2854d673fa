"""A page of an allowed origin reads every answer, errors too (CORS); a page of any other reads none."""

from typing import Any

import httpx
import pytest

from tests.driver import CARD, CRM, SERVER_KEY, Gateway
from tests.edge.driver import is_problem

EXPOSED = {
    "Cache-Status", "Age", "RateLimit-Policy", "RateLimit", "Retry-After", "X-Request-Id", "WWW-Authenticate",
}  # fmt: skip


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
