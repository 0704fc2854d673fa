"""What no client would send: refused in the vendor's form, and nothing of it stays to break a later answer."""

import json

import httpx
import pytest

from tests.simulator.driver import ACCESS_TOKEN, API_KEY, Wazzup
from tests.simulator.examples import V2_CARD
from tests.simulator.window import Window, v2_window
from tests.vendor_contract import check_answer

ODD = [
    rb'{"id": "\ud800"}',
    rb'{"\udfff": 1}',
    b'{"id": NaN}',
    b'{"id": 1e999}',
    b'{"id": ' + b"9" * 5000 + b"}",
    b'{"id": ' + b"[" * 30 + b"]" * 30 + b"}",
    b'{"id": ' + b"[" * 900 + b"]" * 900 + b"}",
    b"[" * 100_000,
    b'{"id": "\xff"}',
    b"",
]
KEY = "whatsapp:37111234567"


async def sent(wazzup: Wazzup, path: str, body: bytes, authorization: str) -> httpx.Response:
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    async with wazzup.client() as client:
        return await client.post(path, content=body, headers=headers)


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("path", ["/iframe-links/chats", "/users", "/contacts", "/deals", "/oauth/token"])
async def test_v2_refuses_what_cannot_be_read_and_said_again(wazzup: Wazzup, path: str, body: bytes) -> None:
    answer = await sent(wazzup, f"/v2{path}", body, ACCESS_TOKEN)

    check_answer("v2", "POST", f"/v2{path}", answer.status_code, answer.json())
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    assert answer.json()["errors"] == ["body must be JSON"]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("path", ["/iframe", "/users", "/contacts", "/deals"])
async def test_v3_refuses_what_cannot_be_read_and_said_again(wazzup: Wazzup, path: str, body: bytes) -> None:
    answer = await sent(wazzup, f"/v3{path}", body, API_KEY)

    check_answer("v3", "POST", f"/v3{path}", answer.status_code, answer.json())
    assert answer.status_code == 400
    assert "VALIDATION_FAILED" in answer.text
    assert "body must be JSON" in answer.text


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
async def test_a_fault_that_cannot_be_read_is_refused(wazzup: Wazzup, body: bytes) -> None:
    answer = await sent(wazzup, "/_simulator/faults", body, "")

    assert answer.status_code == 400
    assert answer.json()["errors"]


async def test_the_recorded_calls_can_be_listed_whatever_came(wazzup: Wazzup) -> None:
    for body in ODD:
        await sent(wazzup, "/v3/users", body, API_KEY)

    listed = await wazzup.get("/_simulator/calls")

    assert listed.status_code == 200
    assert [call["body"] for call in listed.json()["calls"]] == [None] * len(ODD)


@pytest.mark.parametrize("field", ["chat", "id", "text"])
async def test_half_an_emoji_is_no_message_and_poisons_no_chat(wazzup: Wazzup, field: str) -> None:
    window = await v2_window(wazzup, V2_CARD)
    before = await window.view(KEY)
    message = {"chat": KEY, "id": "m-1", "text": "Hello!"}

    answer = await said(window, json.dumps(message | {field: "\ud83d"}).encode())

    assert (answer.status_code, answer.json()["errors"]) == (400, ["body must be JSON"])
    assert await window.view(KEY) == before
    assert (await wazzup.get(window.link)).status_code == 200


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
async def test_a_window_that_sends_nonsense_is_refused(wazzup: Wazzup, body: bytes) -> None:
    window = await v2_window(wazzup, V2_CARD)

    answer = await said(window, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


async def said(window: Window, body: bytes) -> httpx.Response:
    return await sent(window.wazzup, "/_window/1234-1234/messages", body, f"Bearer {window.token}")
