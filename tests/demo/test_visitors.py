"""Nobody but the demo's own page may use its API, and nothing that can be sent breaks it."""

from typing import Any

import pytest

from tests.demo.driver import Demo

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "127.0.0.1"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
async def test_a_foreign_page_can_change_nothing(shared: Demo, foreign: dict[str, str]) -> None:
    before = await shared.state()

    switched = await shared.http.put("/demo/server", content=b'{"on": false}', headers=JSON | foreign)
    changed = await shared.http.patch("/demo/deals/D-1001", content=b'{"amount": 1}', headers=JSON | foreign)

    assert (switched.status_code, changed.status_code) == (403, 403)
    assert switched.headers["content-type"] == "application/problem+json"
    assert await shared.state() == before


@pytest.mark.parametrize("path", ["/demo/token", "/demo/state", "/demo/live"])
@pytest.mark.parametrize(
    "foreign", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}, {"Host": "evil.example:8000"}]
)
async def test_a_foreign_page_gets_no_token_and_learns_nothing(
    shared: Demo, path: str, foreign: dict[str, str]
) -> None:
    answer = await shared.http.get(path, headers=foreign)

    assert answer.status_code == 403
    assert "eyJ" not in answer.text


async def test_the_page_may_be_opened_from_anywhere_but_under_no_other_name(shared: Demo) -> None:
    linked = await shared.http.get("/demo", headers={"Sec-Fetch-Site": "cross-site"})
    rebound = await shared.http.get("/demo", headers={"Host": "evil.example:8000"})

    assert (linked.status_code, rebound.status_code) == (200, 403)


async def test_the_page_works_by_the_name_localhost_too(shared: Demo) -> None:
    port = shared.url.rpartition(":")[2]
    headers = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}", "Sec-Fetch-Site": "same-origin"}

    answer = await shared.http.patch("/demo/deals/D-1001", json={"amount": 4800}, headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/demo/server", b"", 422),
        ("PUT", "/demo/server", b"{", 422),
        ("PUT", "/demo/server", b"\xff\xfe", 422),
        ("PUT", "/demo/server", b'{"on": "no"}', 422),
        ("PUT", "/demo/server", b'{"on": true, "off": true}', 422),
        ("PUT", "/demo/server", b"[" * 3000, 422),
        ("PUT", "/demo/server", b" " * 5000, 413),
        ("PATCH", "/demo/deals/D-1001", b'{"title": "  "}', 422),
        ("PATCH", "/demo/deals/D-1001", b'{"title": null}', 422),
        ("PATCH", "/demo/deals/D-1001", b'{"amount": -1}', 422),
        ("PATCH", "/demo/deals/D-1001", b'{"amount": 1e999}', 422),
        ("PATCH", "/demo/deals/D-1001", b'{"stage": "Sold"}', 422),
        ("PATCH", "/demo/deals/D-1001", b'{"contact_id": "C-99"}', 422),
        ("PATCH", "/demo/deals/D-1001", b'{"id": "D-1"}', 422),
        ("PATCH", "/demo/deals/D-1001", b'{"title": "\\ud800"}', 422),
        ("PATCH", "/demo/deals/D-0", b'{"amount": 1}', 404),
        ("PATCH", "/demo/deals/%2e%2e%2f%00", b'{"amount": 1}', 404),
        ("DELETE", "/demo/deals/D-1001", b"", 405),
        ("POST", "/demo", b"{}", 405),
        ("GET", "/demo/nothing", b"", 404),
        ("GET", "/demo/page.html", b"", 404),
        ("GET", "/demo/../demo/book.py", b"", 404),
        ("GET", "/demo/%2e%2e/crm/book.py", b"", 404),
    ],
)
async def test_what_cannot_be_is_refused_with_a_problem(
    shared: Demo, method: str, path: str, body: bytes, status: int
) -> None:
    before = await shared.state()

    answer = await shared.http.request(method, path, content=body, headers=JSON)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem: Any = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert await shared.state() == before
