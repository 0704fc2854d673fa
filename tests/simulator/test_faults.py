"""Failures on request, asked for in Python or by HTTP."""

import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from pydantic import ValidationError

from app.simulator.faults import Fault
from app.simulator.options import Options
from tests.simulator.driver import Wazzup
from tests.simulator.examples import V2_CARD, V2_GLOBAL, V3_GLOBAL

V2_LINKS = "/iframe-links/chats"
CREDENTIALS = {"Authorization": "Bearer demo-access-token"}


@asynccontextmanager
async def served(wazzup: Wazzup) -> AsyncIterator[httpx.AsyncClient]:
    """Put the simulation behind a real server, with a real connection to it."""
    config = uvicorn.Config(wazzup.app, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        async with anyio.create_task_group() as tasks:
            # It listens already: a call waits for the server to come up.
            tasks.start_soon(server.serve, [listening])
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=CREDENTIALS) as client:
                yield client
            server.should_exit = True


async def test_a_status_comes_with_the_vendors_error_and_goes_after_one_call(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="links", status=500))

    failed = await wazzup.v2(V2_LINKS, V2_GLOBAL)
    mended = await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert (failed.status_code, failed.json()["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert mended.status_code == 200


async def test_each_generation_fails_in_its_own_words(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="/", status=401, times=None))

    v2 = await wazzup.v2(V2_LINKS, V2_GLOBAL)
    v3 = await wazzup.v3("/iframe", V3_GLOBAL)
    v3_users = await wazzup.v3("/users", [])

    assert v2.json()["code"] == "OAUTH_TOKEN_INVALID_OR_EXPIRED"
    assert v3.json()["error"]["code"] == "INVALID_API_KEY"
    assert v3_users.json()["error"] == "INVALID_API_KEY"


async def test_the_code_and_the_fields_can_be_chosen(wazzup: Wazzup) -> None:
    errors = ("chats.0.chat_id must match the form of its chat_type",)
    wazzup.world.faults.add(Fault(on="links", status=400, errors=errors))
    wazzup.world.faults.add(Fault(on="links", status=403, code="OAUTH_CRM_INTEGRATION_REQUIRED"))

    invalid = await wazzup.v2(V2_LINKS, V2_GLOBAL)
    forbidden = await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert invalid.json()["errors"] == list(errors)
    assert forbidden.json()["code"] == "OAUTH_CRM_INTEGRATION_REQUIRED"


async def test_a_status_can_come_without_a_body_and_say_when_to_come_back(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="links", status=429, body="", retry_after="7"))

    answer = await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (429, b"", "7")


async def test_v3_can_carry_an_error_in_a_200(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="/v3/", status=200, code="INVALID_USER"))

    answer = await wazzup.v3("/iframe", V3_GLOBAL)

    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == "INVALID_USER"


async def test_the_json_can_be_broken(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="links", status=200, body='{"data": '))

    with pytest.raises(json.JSONDecodeError):
        await wazzup.v2(V2_LINKS, V2_GLOBAL)


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/1234-1234/chat?token=t",
        "http://app.wazzup24.com/1234-1234/chat?token=t",
        "https://user:password@app.wazzup24.com/1234-1234/chat?token=t",
        "https://app.wazzup24.com/1234-1234/chat?token=" + "t" * 5000,
    ],
)
async def test_the_link_can_be_another(wazzup: Wazzup, link: str) -> None:
    wazzup.world.faults.add(Fault(on="links", link=link, times=2))

    v2 = await wazzup.v2(V2_LINKS, V2_CARD)
    v3 = await wazzup.v3("/iframe", V3_GLOBAL)

    assert v2.json()["data"]["link"] == link
    assert v3.json()["url"] == link


async def test_a_fault_meets_only_the_calls_it_is_for(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="tokens", status=500, times=None))
    wazzup.world.faults.add(Fault(on="/v3/", status=500, times=None))

    answer = await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert answer.status_code == 200


async def test_a_fault_can_last_for_some_calls(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="links", status=503, times=2))

    statuses = [(await wazzup.v2(V2_LINKS, V2_GLOBAL)).status_code for _ in range(3)]

    assert statuses == [503, 503, 200]


async def test_an_answer_can_be_late(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="links", delay_seconds=60))

    with anyio.move_on_after(0.01) as patience:
        await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert patience.cancelled_caught
    assert len(wazzup.world.calls) == 1


async def test_a_late_answer_comes_at_last(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="links", delay_seconds=0.001))

    answer = await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert answer.status_code == 200


async def test_a_connection_can_break(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="links", dropped=True))

    with pytest.raises(httpx.TransportError):
        await wazzup.v2(V2_LINKS, V2_GLOBAL)


async def test_a_real_connection_really_breaks_without_a_traceback(
    wazzup: Wazzup, caplog: pytest.LogCaptureFixture
) -> None:
    wazzup.world.faults.add(Fault(on="links", dropped=True))
    caplog.set_level(logging.ERROR)

    async with served(wazzup) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/v2/iframe-links/chats", json=V2_GLOBAL)
        mended = await client.post("/v2/iframe-links/chats", json=V2_GLOBAL)

    assert mended.status_code == 200
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_server_that_closes_does_not_wait_for_an_answer_that_nobody_awaits(wazzup: Wazzup) -> None:
    wazzup.world.faults.add(Fault(on="links", delay_seconds=3600))

    with anyio.fail_after(10):
        async with served(wazzup) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/v2/iframe-links/chats", json=V2_GLOBAL, timeout=0.1)


async def test_faults_are_asked_for_and_cleared_by_http(wazzup: Wazzup) -> None:
    async with wazzup.client() as client:
        added = await client.post("/_simulator/faults", json={"on": "links", "status": 500, "times": None})
        failed = await wazzup.v2(V2_LINKS, V2_GLOBAL)
        cleared = await client.delete("/_simulator/faults")
        mended = await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert (added.status_code, cleared.status_code) == (204, 204)
    assert (failed.status_code, mended.status_code) == (500, 200)


NO_FAULTS: list[dict[str, Any]] = [
    {"on": "links"},
    {"on": "windows", "status": 500},
    {"on": "links", "status": 500, "dropped": True},
    {"on": "links", "link": "https://elsewhere.example/", "body": ""},
    {"on": "links", "status": 500, "times": 0},
    {"on": "links", "status": 500, "colour": "red"},
]


@pytest.mark.parametrize("fault", NO_FAULTS)
async def test_what_is_no_fault_is_refused(wazzup: Wazzup, fault: dict[str, Any]) -> None:
    async with wazzup.client() as client:
        answer = await client.post("/_simulator/faults", json=fault)

    assert answer.status_code == 400
    assert answer.json()["errors"]
    with pytest.raises(ValidationError):
        Fault(**fault)


async def test_calls_are_recorded_without_their_credentials(wazzup: Wazzup) -> None:
    await wazzup.v2(V2_LINKS, V2_GLOBAL)
    await wazzup.v3("/iframe", V3_GLOBAL, authorization="Bearer wrong")

    v2, v3 = wazzup.world.calls_to("links")
    assert (v2.method, v2.path, v2.body) == ("POST", "/v2/iframe-links/chats", V2_GLOBAL)
    assert v2.headers["authorization"] == "Bearer"
    assert v2.headers["content-type"] == "application/json"
    assert v3.path == "/v3/iframe"


async def test_calls_can_be_read_and_forgotten_by_http(wazzup: Wazzup) -> None:
    await wazzup.v2("/users", {"users": [{"id": "crm-user-1", "name": "John Smith"}]})

    async with wazzup.client() as client:
        before = await client.get("/_simulator/calls")
        forgotten = await client.post("/_simulator/reset")
        after = await client.get("/_simulator/calls")

    assert [call["path"] for call in before.json()["calls"]] == ["/v2/users"]
    assert forgotten.status_code == 204
    assert after.json() == {"calls": []}
    assert wazzup.world.users == {}


@pytest.mark.parametrize(("kept", "ids"), [(2, ["1", "2"]), (0, [])])
async def test_only_so_many_calls_are_kept(kept: int, ids: list[str]) -> None:
    wazzup = Wazzup(Options(calls_kept=kept))

    for number in range(3):
        await wazzup.v2("/users", {"users": [{"id": str(number), "name": "John"}]})

    assert [call.body["users"][0]["id"] for call in wazzup.world.calls] == ids
