"""The README's receivers do what the README says: verify, deduplicate, answer fast, and answer with the new deal."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.webhooks.signing import new_secret, signed_headers
from tests.driver import Gateway, running
from tests.ports import free_port
from tests.receivers.driver import Receiver, need_node, receiver, receiving, sample, url_at
from tests.waiting import PATIENCE, wait_until

MOST_LINES = 20
LONGEST_LINE = 130
FIVE_MINUTES = 300
EVENT = {
    "id": "evt_01KAP2V1M0QH6Y3JZ9W4T8RB5C",
    "type": "WZ_CREATE_ENTITY",
    "data": {"userId": "crm-user-1", "name": "Jānis"},
    "context": {"user_id": "crm-user-1", "trust": "browser"},
}


@dataclass(frozen=True)
class Listening:
    """A gateway, a receiver of the README, and the webhook that joins them."""

    gateway: Gateway
    receiver: Receiver
    webhook: Any

    async def post(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Somebody posts to the receiver, who may not be the gateway."""
        async with httpx.AsyncClient() as http:
            sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
            return await http.post(self.receiver.url, content=body, headers=sent)


@pytest.fixture
async def gateway(redis_url: str) -> AsyncIterator[Gateway]:
    """One whose clock is the machine's: receivers look at theirs."""
    async with running(redis_url) as opened:
        yield opened


@pytest.fixture(params=["receiver.py", "receiver.js"])
async def listening(request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path) -> AsyncIterator[Listening]:
    if request.param.endswith(".js"):
        need_node("express")
    webhook = await gateway.webhook(url_at(port := free_port()))
    async with receiving(tmp_path, request.param, webhook["secret"], port) as opened:
        yield Listening(gateway, opened, webhook)


def signed(secret: str, *, at: float | None = None, body: bytes | None = None) -> tuple[bytes, dict[str, str]]:
    """An event as the gateway sends it, `at` this time."""
    body = json.dumps(EVENT, ensure_ascii=False).encode() if body is None else body
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return body, signed_headers(str(EVENT["id"]), body, [secret], moment) | {"content-type": "application/json"}


@pytest.mark.parametrize("name", ["receiver.py", "receiver.js"])
def test_a_receiver_is_short(name: str) -> None:
    lines = receiver(name).splitlines()

    assert len(lines) <= MOST_LINES
    assert [line for line in lines if len(line) > LONGEST_LINE] == []


async def test_an_event_that_is_delivered_twice_is_handled_once(listening: Listening) -> None:
    gateway, webhook = listening.gateway, listening.webhook
    first = (await gateway.event("WZ_OPEN_ENTITY", wait=10)).json()
    replayed = await gateway.ask("POST", f"/events/{first['id']}/replay")
    await _attempts(gateway, webhook, 2)
    second = (await gateway.event("WZ_OPEN_ENTITY", wait=10)).json()

    assert [one["response"]["status"] for one in first["results"]] == [200]
    assert replayed.json() == {"deliveries": 1}
    await wait_until(lambda: second["id"] in listening.receiver.handled)
    assert listening.receiver.handled == [first["id"], second["id"]]


async def test_a_page_that_waits_is_told_of_the_new_deal(listening: Listening) -> None:
    """And a page that asks again is told of the same deal."""
    token = (await listening.gateway.link()).json()["relay"]["token"]

    answers = [
        (await listening.gateway.event(key=token, wait=10, id=name)).json()["results"]
        for name in ("click-1", "click-1", "click-2")
    ]

    assert [json.loads(result["response"]["body"]) for [result] in answers] == [
        {"url": "https://crm.example/d/1", "id": "D-1"},
        {"url": "https://crm.example/d/1", "id": "D-1"},
        {"url": "https://crm.example/d/2", "id": "D-2"},
    ]


async def test_a_repeat_gets_the_first_answer(listening: Listening) -> None:
    """Its signature is new, since it is another attempt."""
    now, secret = time.time(), listening.webhook["secret"]

    answers = [await listening.post(*signed(secret, at=now - ago)) for ago in (10, 5, 0)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json()["id"] for answer in answers] == ["D-1", "D-1", "D-1"]


async def test_while_two_secrets_live_either_is_enough(listening: Listening) -> None:
    await listening.gateway.ask("POST", f"/webhooks/{listening.webhook['id']}/rotate-secret")

    tested = (await listening.gateway.ask("POST", f"/webhooks/{listening.webhook['id']}/test")).json()

    assert (tested["delivered"], json.loads(tested["body"])["id"]) == (True, "D-1")


async def test_what_is_forged_or_old_is_refused(listening: Listening) -> None:
    """With a 4xx, whatever it looks like, and nothing is made of it."""
    now, secret = time.time(), listening.webhook["secret"]
    body, headers = signed(secret)
    signature = headers["webhook-signature"]
    attempts: dict[str, tuple[bytes, dict[str, str]]] = {
        "another's secret": signed(new_secret()),
        "another body": (body.replace(b"crm-user-1", b"crm-user-2"), headers),
        "another id": (body, headers | {"webhook-id": "evt_01KAP2V1M0000000000000000"}),
        "another time": (body, headers | {"webhook-timestamp": str(int(now) + 1 if int(now) % 2 else int(now) - 1)}),
        "too old": signed(secret, at=now - FIVE_MINUTES - 5),
        "from the future": signed(secret, at=now + FIVE_MINUTES + 5),
        "no headers": (body, {}),
        "no signature": (body, {name: value for name, value in headers.items() if name != "webhook-signature"}),
        "no time": (body, {name: value for name, value in headers.items() if name != "webhook-timestamp"}),
        "time is no number": (body, headers | {"webhook-timestamp": "now"}),
        "an empty signature": (body, headers | {"webhook-signature": ""}),
        "another version": (body, headers | {"webhook-signature": signature.replace("v1,", "v2,")}),
        "half a signature": (body, headers | {"webhook-signature": signature[:20]}),
        "no base64": (body, headers | {"webhook-signature": "v1,!"}),
        "no version": (body, headers | {"webhook-signature": signature.removeprefix("v1,")}),
        "letters of no alphabet": (body, headers | {"webhook-signature": "é" * len(signature)}),
        "no body": (b"", headers),
        "a body in no encoding": (b"\xff" + body, headers),
    }

    answers = {what: (await listening.post(*attempt)).status_code for what, attempt in attempts.items()}
    genuine = await listening.post(body, headers)

    assert {what: status for what, status in answers.items() if not 400 <= status < 500} == {}
    assert genuine.json()["id"] == "D-1"
    await wait_until(lambda: bool(listening.receiver.handled))
    assert listening.receiver.handled == [EVENT["id"]]


async def test_what_has_nearly_five_minutes_is_still_good(listening: Listening) -> None:
    answer = await listening.post(*signed(listening.webhook["secret"], at=time.time() - FIVE_MINUTES + 20))

    assert answer.status_code == 200


async def test_the_largest_event_is_received(listening: Listening) -> None:
    """Numbers that were written shortly arrive at length: 64 KiB may become 250."""
    body = b'{"type":"WZ_X","data":{"n":[%s]}}' % b",".join([b"1e15"] * 13000)

    answer = await listening.gateway.ask(
        "POST", "/events", headers={"Prefer": "wait=10", "Content-Type": "application/json"}, content=body
    )

    assert [one["response"]["status"] for one in answer.json()["results"]] == [200]


async def test_the_readme_shows_an_event_as_it_arrives(gateway: Gateway) -> None:
    shown = json.loads(sample('{\n  "id": "evt_'))
    token = (await gateway.link()).json()["relay"]["token"]

    posted = await gateway.event(shown["type"], shown["data"], key=token, occurred_at="2026-11-22T10:00:00.1Z")
    sent = (await gateway.ask("GET", f"/events/{posted.json()['id']}")).json()["message"]

    arrival = {"received_at": sent["context"]["received_at"], "occurred_at": shown["context"]["occurred_at"]}
    assert len(shown["id"]) == len(sent["id"])
    assert sent == shown | {
        "id": sent["id"],
        "timestamp": sent["timestamp"],
        "context": shown["context"] | arrival,
    }


async def _attempts(gateway: Gateway, webhook: Any, number: int) -> None:
    """Returns when the webhook's newest delivery was tried so often, and is delivered."""
    async with asyncio.timeout(PATIENCE):
        while len((await gateway.delivery(webhook["id"], "delivered"))["attempts"]) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
