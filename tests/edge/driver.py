"""What asks at the gateway's edge, what a problem must be, and where what is logged can be read."""

from typing import Any

import httpx

from tests.driver import SERVER_KEY, Gateway

PROBLEM = "application/problem+json"
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "method", "errors", "request_id"}
SECRET = "correct-horse-battery-staple"
JSON = {"Content-Type": "application/json"}


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
