"""What happens in the chat window reaches the CRM: signed, once for each meaning, just as Wazzup said it."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from standardwebhooks import Webhook

from tests.crm import Crm
from tests.driver import Clock, Gateway, running, simulated, user_token
from tests.ledger import balanced

pytestmark = pytest.mark.usefixtures("books")


async def test_an_event_reaches_the_crm_with_proof_of_who_sent_it(redis_url: str, crm: Crm) -> None:
    """By the specification's own library, with the secret that was told at registration."""
    async with running(redis_url) as gateway:
        secret = (await gateway.webhook(crm.url, "WZ_CREATE_ENTITY"))["secret"]

        accepted = await gateway.event()
        [received] = await crm.got(1)

        assert accepted.status_code == 202
        assert accepted.json() == {"id": received.id, "duplicate": False, "deliveries": 1}
        assert Webhook(secret).verify(received.raw.decode(), received.headers) == received.message


async def test_the_crm_is_told_what_happened_to_whom_and_when(gateway: Gateway, crm: Crm) -> None:
    await gateway.webhook(crm.url)

    accepted = await gateway.event(data={"userId": "anna", "chatId": 371}, occurred_at="2026-11-22T13:59:58+02:00")
    [received] = await crm.got(1)

    assert received.headers["content-type"] == "application/json"
    assert received.message == {
        "id": accepted.json()["id"],
        "type": "WZ_CREATE_ENTITY",
        "timestamp": "2026-11-22T12:00:00Z",
        "account": "default",
        "data": {"userId": "anna", "chatId": 371},
        "context": {
            "user_id": "anna",
            "trust": "server",
            "received_at": "2026-11-22T12:00:00Z",
            "occurred_at": "2026-11-22T13:59:58+02:00",
        },
    }


async def test_a_type_that_wazzup_does_not_document_is_carried_too(gateway: Gateway, crm: Crm) -> None:
    await gateway.webhook(crm.url, "WZ_SOMETHING_NEW")

    await gateway.event("WZ_OPEN_ENTITY")
    await gateway.event("WZ_SOMETHING_NEW", {"whatever": [1, {"x": None}]}, origin="elsewhere")
    [received] = await crm.got(1)

    assert (received.message["type"], received.message["data"]) == ("WZ_SOMETHING_NEW", {"whatever": [1, {"x": None}]})
    assert received.message["context"]["message"] == {"origin": "elsewhere"}


@pytest.mark.parametrize(
    "data",
    [
        '{"entity":{"id":12345678901234567890123,"deep":[[{"number":18446744073709551616}]]}}',
        '{"entity":{"id":"12345678901234567890123","price":0.1,"huge":1e300,"zero":-0.0,"int":9007199254740993}}',
        '{"имя":"Zoë 👩‍👧 \\u202e","\\u0000":"\\u001f","":"","a\\"b":"\\\\"}',
        '{"unknown":{"fields":[true,false,null,[],{}]},"chatId":371}',
    ],
)
async def test_what_wazzup_said_is_carried_unchanged(gateway: Gateway, crm: Crm, data: str) -> None:
    """Numbers beyond 64 bits, any script, control characters, whatever stands in fields that nobody documents."""
    await gateway.webhook(crm.url)

    answer = await posted(gateway, f'{{"type":"WZ_OPEN_ENTITY","data":{data}}}'.encode())
    [received] = await crm.got(1)
    told = await gateway.ask("GET", f"/events/{received.id}")

    assert answer.status_code == 202
    assert json.loads(received.raw)["data"] == json.loads(data)
    assert json.loads(told.text)["message"] == json.loads(received.raw)


async def test_several_webhooks_each_get_what_they_asked_for(gateway: Gateway, crm: Crm) -> None:
    for path, *kinds in (("/all",), ("/new", "WZ_CREATE_ENTITY"), ("/two", "WZ_CREATE_ENTITY", "WZ_X"), ("/x", "WZ_X")):
        await gateway.webhook(crm.url + path, *kinds)

    accepted = await gateway.event()
    received = await crm.got(3)

    assert accepted.json()["deliveries"] == 3
    assert {one.path.removeprefix("/wazzup") for one in received} == {"/all", "/new", "/two"}
    assert {one.id for one in received} == {accepted.json()["id"]}


# --- once -----------------------------------------------------------------------------------------


async def test_an_event_that_is_posted_again_is_the_same_event(gateway: Gateway, crm: Crm, clock: Clock) -> None:
    webhook = await gateway.webhook(crm.url)

    first = await gateway.event(id="click-1")
    await gateway.delivery(webhook["id"], "delivered")
    clock.advance(hours=23)
    again = await gateway.event("WZ_OPEN_ENTITY", id="click-1")
    other = await gateway.event(id="click-2")
    received = await crm.got(2)

    assert again.status_code == 202
    assert again.json() == first.json() | {"duplicate": True}
    assert {one.id for one in received} == {first.json()["id"], other.json()["id"]}


@pytest.mark.parametrize("key", ["click-1", '"click-1"', "x" * 4000, "clé"])
async def test_an_idempotency_key_stands_for_an_id(gateway: Gateway, crm: Crm, key: str) -> None:
    await gateway.webhook(crm.url)
    body, named = {"type": "WZ_X", "data": {}}, {"Idempotency-Key": key.encode()}

    answers = [(await gateway.ask("POST", "/events", body, headers=named)).json() for _ in range(2)]

    assert answers[1] == answers[0] | {"duplicate": True}
    assert [one.id for one in await crm.got(1)] == [answers[0]["id"]]


async def test_events_without_an_id_are_events_of_their_own(gateway: Gateway, crm: Crm) -> None:
    await gateway.webhook(crm.url)

    ids = {(await gateway.event()).json()["id"] for _ in range(3)}

    assert {one.id for one in await crm.got(3)} == ids


async def test_the_same_event_on_two_replicas_at_once_is_one(redis_url: str, redis: Redis, crm: Crm) -> None:
    wazzup = simulated()
    async with running(redis_url, wazzup=wazzup) as one, running(redis_url, wazzup=wazzup) as other:
        await one.webhook(crm.url)

        answers = await asyncio.gather(*(replica.event(id="click-1") for replica in (one, other) * 5))
        await one.event(id="click-2")
        received = await crm.got(2)

        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + [True] * 9
        assert len({got.id for got in received}) == len(received) == 2
        assert (await balanced(redis))["accepted"] == 2


# --- who may post for whom ------------------------------------------------------------------------


async def test_a_user_token_posts_what_happened_to_its_user(gateway: Gateway, crm: Crm) -> None:
    await gateway.webhook(crm.url)

    answers = [
        await gateway.event(data=data, key=user_token("371"))
        for data in ({"userId": "371"}, {"userId": 371}, {}, {"userId": None})
    ]
    received = await crm.got(4)

    assert [answer.status_code for answer in answers] == [202] * 4
    assert [(one.message["context"]["user_id"], one.message["context"]["trust"]) for one in received] == [
        ("371", "browser")
    ] * 4


async def test_a_relay_token_posts_and_does_nothing_else(gateway: Gateway, crm: Crm) -> None:
    await gateway.webhook(crm.url)
    relay = (await gateway.link()).json()["relay"]

    posted_by_it = await gateway.event(key=relay["token"])
    others = [await gateway.link(key=relay["token"]), await gateway.ask("GET", "/events", key=relay["token"])]
    [received] = await crm.got(1)

    assert (relay["url"], posted_by_it.status_code) == ("/events", 202)
    assert received.message["context"]["user_id"] == "crm-user-1"
    assert [answer.status_code for answer in others] == [403, 403]


@pytest.mark.parametrize("user", ["somebody-else", "", 1, True, ["crm-user-1"], {"id": "crm-user-1"}])
async def test_nobody_speaks_for_another_user(gateway: Gateway, redis: Redis, user: Any) -> None:
    relay = (await gateway.link()).json()["relay"]["token"]

    answers = [await gateway.event(data={"userId": user}, key=key) for key in (relay, user_token())]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "OTHER_USER")] * 2
    assert (await balanced(redis))["accepted"] == 0


async def test_a_relay_token_ends(gateway: Gateway, clock: Clock) -> None:
    relay = (await gateway.link()).json()["relay"]["token"]
    clock.advance(hours=12, minutes=1)

    answer = await gateway.event(key=relay)

    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_EXPIRED")


@pytest.mark.parametrize("key", ["nobody-knows-this-key", "wgr_x.y", ""])
async def test_a_stranger_posts_nothing(gateway: Gateway, key: str) -> None:
    assert (await gateway.event(key=key)).status_code == 401


# --- odd bodies -----------------------------------------------------------------------------------

NEST = 5000


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b""),
        (400, b"\xff"),
        (400, b'{"type":"WZ_X","data":{"a":"\\ud800"}}'),
        (400, b'{"type":"WZ_X","data":' + b'{"a":' * NEST + b"1" + b"}" * NEST + b"}"),
        (400, b'{"type":"WZ_X","data":{"userId":' + b"9" * 5000 + b"}}"),
        (413, b'{"type":"WZ_X","data":{"a":"' + b"x" * 65536 + b'"}}'),
        (422, b"[]"),
        (422, b'"WZ_X"'),
        (422, b'{"type":"WZ_X"}'),
        (422, b'{"type":"WZ_X","data":[]}'),
        (422, b'{"type":"wz_x","data":{}}'),
        (422, b'{"type":"WZ_X\\n","data":{}}'),
        (422, b'{"type":"WZ_' + b"X" * 62 + b'","data":{}}'),
        (422, b'{"type":"WZ_X","data":{},"id":"a b"}'),
        (422, b'{"type":"WZ_X","data":{},"id":7}'),
        (422, b'{"type":"WZ_X","data":{},"occurred_at":"yesterday"}'),
        (422, b'{"type":"WZ_X","data":{},"occurred_at":"2026-11-22T12:00:00"}'),
        (422, b'{"type":"WZ_X","data":{},"occurred_at":1e300}'),
        (422, b'{"type":"WZ_X","data":{"a":[1,{"b":1e400}]}}'),
        (422, b'{"type":"WZ_X","data":{"a":NaN}}'),
        (422, b'{"type":"WZ_X","data":{},"more":-1e999}'),
        (202, b'{"type":"WZ_X","data":{"userId":' + b"9" * 4000 + b"}}"),
        (202, b'{"type":"WZ_X","data":{"userId":{"id":[1]}}}'),
        (202, b'{"type":"WZ_X","data":{"a":' + b"[" * 150 + b"9" * 30 + b"]" * 150 + b"}}"),
        (202, b'{"type":"WZ_X","data":{"a":"' + b"x" * 60000 + b'"}}'),
        (202, b'{"type":"WZ_X","data":{},"occurred_at":"0001-01-01T00:00:00+10:00"}'),
    ],
)
async def test_an_odd_body_is_carried_or_refused_and_never_our_fault(
    gateway: Gateway, crm: Crm, status: int, body: bytes
) -> None:
    """What is carried arrives; a number that no receiver could read is refused, not turned into another."""
    await gateway.webhook(crm.url)

    answer = await posted(gateway, body)

    assert answer.status_code == status, answer.text
    if status == 202:
        [received] = await crm.got(1)
        assert received.message["data"].keys() == json.loads(body)["data"].keys()


async def test_who_an_event_happened_to_is_a_name_or_unknown(gateway: Gateway, crm: Crm) -> None:
    """A server key may post whatever Wazzup said; what is no id is not made into one."""
    await gateway.webhook(crm.url)

    for user in ("anna", 371, {"id": 1}, True):
        await gateway.event(data={"userId": user})
    received = await crm.got(4)

    assert {str(one.message["data"]["userId"]): one.message["context"]["user_id"] for one in received} == {
        "anna": "anna",
        "371": "371",
        "{'id': 1}": None,
        "True": None,
    }


async def posted(gateway: Gateway, body: bytes) -> httpx.Response:
    return await gateway.ask("POST", "/events", content=body, headers={"Content-Type": "application/json"})
