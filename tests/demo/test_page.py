"""What the browser gets: a page that may do little, knows no key, and loads the gateway's own element."""

import re
from base64 import b64encode
from hashlib import sha384

import httpx
import pytest

from app.crm.page import FILES
from tests.demo.driver import Demo
from tests.driver import ADMIN_KEY, JWT_SECRET, SERVER_KEY, WAZZUP, Gateway

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def test_the_page_may_run_its_own_scripts_and_show_wazzups_window_and_nothing_else(shared: Demo) -> None:
    page = await shared.http.get("/demo")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert policy["frame-src"] == WAZZUP
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors", "trusted-types")} == {"'none'"}
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_the_page_is_found_with_a_slash_at_its_end_too(shared: Demo) -> None:
    page, same = await shared.http.get("/demo"), await shared.http.get("/demo/")

    assert (same.status_code, same.content) == (200, page.content)


async def test_nothing_in_the_page_needs_more_than_its_policy(shared: Demo) -> None:
    html = (await shared.http.get("/demo")).text

    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:|https?://", html) == []
    assert "{{" not in html


async def test_every_file_of_the_page_is_there_and_is_asked_about_each_time(shared: Demo) -> None:
    named = set(re.findall(r'"/demo/([\w.]+)"', (await shared.http.get("/demo")).text))

    files = {name: await shared.http.get(f"/demo/{name}") for name in FILES}

    assert named <= files.keys()
    for name, file in files.items():
        assert file.status_code == 200
        assert file.headers["content-type"].startswith(TYPES["." + name.rpartition(".")[2]])
        again = await shared.http.get(f"/demo/{name}", headers={"If-None-Match": file.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_the_scripts_load_only_each_other(shared: Demo) -> None:
    scripts = [(await shared.http.get(f"/demo/{name}")).text for name in FILES if name.endswith(".js")]

    loaded = {name for script in scripts for name in re.findall(r'from "/demo/([\w.]+)"', script)}

    assert loaded <= FILES.keys()
    assert sum(len(re.findall(r"^import |\bimport\(", script, re.MULTILINE)) for script in scripts) == sum(
        len(re.findall(r'from "/demo/', script)) for script in scripts
    )


async def test_the_element_is_loaded_by_its_version_and_by_the_hash_of_its_content(shared: Demo) -> None:
    html = (await shared.http.get("/demo")).text
    found = re.search(r'<script type="module" src="([^"]+)" integrity="sha384-([^"]+)"', html)
    assert found

    element = await shared.http.get(found[1])

    assert element.status_code == 200
    assert "immutable" in element.headers["cache-control"]
    assert b64encode(sha384(element.content).digest()).decode() == found[2]


async def test_no_key_is_in_the_page(shared: Demo) -> None:
    paths = ["/demo", "/demo/state", *(f"/demo/{name}" for name in FILES)]

    said = "".join([(await shared.http.get(path)).text for path in paths])
    said += str(await shared.told("wazzup.told"))

    assert [key for key in (SERVER_KEY, ADMIN_KEY, JWT_SECRET, shared.crm.options.webhook_secret) if key in said] == []


async def test_the_pages_token_is_one_that_the_gateway_accepts_for_this_user_only(shared: Demo) -> None:
    token = await shared.token()
    contact = (await shared.state())["contacts"][0]

    ours = await shared.gateway.link({"contact": {"name": contact["name"], "phone": contact["phone"]}}, token)
    others = await shared.gateway.link({"user_id": "crm-user-2", "scope": "global"}, token)

    assert (ours.status_code, ours.json()["user_id"]) == (200, "crm-user-1")
    assert others.status_code == 403
    assert shared.gateway.wazzup.users["crm-user-1"]["name"] == "Anna Berg"


async def test_every_contact_of_the_crm_has_a_chat(shared: Demo) -> None:
    token = await shared.token()

    for contact in (await shared.state())["contacts"]:
        known = {name: contact[name] for name in ("name", "phone", "telegram") if contact[name]}
        answer = await shared.gateway.link({"contact": known}, token)
        assert (answer.status_code, answer.json()["warnings"]) == (200, [])


@pytest.mark.parametrize("path", ["/demo", "/demo/", "/demo/state", "/demo/token", "/demo/live"])
async def test_a_gateway_that_is_no_demo_has_none_of_it(gateway: Gateway, path: str) -> None:
    answer = await gateway.http.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_beside_the_demo_the_gateway_is_as_always(shared: Demo) -> None:
    live, unknown = await shared.http.get("/health/live"), await shared.http.get("/demonstration")

    assert live.status_code == 200
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")


async def test_a_page_of_another_origin_may_load_the_picture_of_nothing(shared: Demo) -> None:
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}

    answers: list[httpx.Response] = [
        await shared.http.get(path, headers=foreign) for path in ("/demo", "/demo/page.js", "/demo/icon.svg")
    ]

    assert {answer.headers["cross-origin-resource-policy"] for answer in answers} == {"same-origin"}
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)
