"""Webhooks are the admins': they say where events go, see what became of them, and learn a secret once."""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from standardwebhooks import Webhook, WebhookVerificationError

from app.webhooks.signing import new_secret, signed_headers
from tests.crm import Crm, Received, answering
from tests.driver import NOON, SERVER_KEY, Clock, Gateway, running, user_token
from tests.ledger import balanced, says
from tests.stories.test_several_accounts import NORTH, SOUTH

pytestmark = pytest.mark.usefixtures("books")

SEEN = {"id", "url", "events", "description", "headers", "enabled", "disabled_reason", "disabled_at", "created_at"}


def signed_by(received: Received, *secrets: str) -> bool:
    """Whether it is signed by exactly these."""
    expected = [signed_headers(received.id, received.raw, [one], NOON)["webhook-signature"] for one in secrets]
    at_noon = {**received.headers, "webhook-timestamp": str(int(NOON.timestamp()))}
    assert at_noon["webhook-timestamp"] == received.headers["webhook-timestamp"]
    return received.headers["webhook-signature"].split() == expected


async def test_a_webhook_is_told_whole_but_for_its_secrets(gateway: Gateway, crm: Crm) -> None:
    made = await gateway.webhook(crm.url, "WZ_A", "WZ_A", description="Zoë's", headers={"X-Tenant": "north"})

    told = (await gateway.ask("GET", f"/webhooks/{made['id']}")).json()
    listed = (await gateway.ask("GET", "/webhooks")).json()

    assert told.keys() == SEEN
    assert told == {name: value for name, value in made.items() if name != "secret"}
    assert listed == {"data": [told], "next": None}
    assert (told["events"], told["headers"], told["description"]) == (["WZ_A"], ["X-Tenant"], "Zoë's")
    assert made["secret"].startswith("whsec_")


async def test_a_delivery_carries_the_webhooks_own_headers_and_the_crms_own_secret(gateway: Gateway, crm: Crm) -> None:
    secret = new_secret()
    made = await gateway.webhook(crm.url, headers={"X-Tenant": "north", "Authorization": "Basic eA=="}, secret=secret)

    await gateway.event()
    [received] = await crm.got(1)

    assert made["secret"] == secret
    assert (received.headers["x-tenant"], received.headers["authorization"]) == ("north", "Basic eA==")
    assert signed_by(received, secret)


async def test_a_webhook_is_changed_field_by_field(gateway: Gateway, crm: Crm) -> None:
    made = await gateway.webhook(f"{crm.url}/old", "WZ_A", headers={"X-Tenant": "north"})

    changed = await gateway.ask(
        "PATCH", f"/webhooks/{made['id']}", {"url": f"{crm.url}/new", "events": ["WZ_B"], "headers": {}}
    )
    await gateway.event("WZ_A")
    await gateway.event("WZ_B")
    [received] = await crm.got(1)

    assert changed.json() == {name: value for name, value in made.items() if name != "secret"} | {
        "url": f"{crm.url}/new", "events": ["WZ_B"], "headers": []
    }  # fmt: skip
    assert (received.path, received.message["type"]) == ("/wazzup/new", "WZ_B")
    assert "x-tenant" not in received.headers
    assert signed_by(received, made["secret"])


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"url": "ftp://127.0.0.1/"}, "#/url"),
        ({"url": "http://user:password@127.0.0.1/"}, "#/url"),
        ({"url": "http://10.0.0.1/"}, "#/url"),
        ({"url": "http://169.254.169.254/latest"}, "#/url"),
        ({"url": ""}, "#/url"),
        ({"url": "x" * 3000}, "#/url"),
        ({"events": []}, "#/events"),
        ({"events": ["deals"]}, "#/events/0"),
        ({"events": "WZ_A"}, "#/events"),
        ({"headers": {"webhook-id": "evt_1"}}, "#/headers"),
        ({"headers": {"X": "a\r\nY: b"}}, "#/headers"),
        ({"headers": {"X": 1}}, "#/headers/X"),
        ({"secret": "whsec_short"}, "#/secret"),
        ({"secret": "hunter2"}, "#/secret"),
        ({"description": "a\nb"}, "#/description"),
        ({"unknown": 1}, "#/unknown"),
    ],
)
async def test_a_webhook_that_cannot_work_is_refused(gateway: Gateway, crm: Crm, given: Any, pointer: str) -> None:
    made = await gateway.webhook(crm.url)

    answers = [await gateway.ask("POST", "/webhooks", {"url": crm.url} | given)]
    if "secret" not in given:
        answers.append(await gateway.ask("PATCH", f"/webhooks/{made['id']}", given))

    for answer in answers:
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert len((await gateway.ask("GET", "/webhooks")).json()["data"]) == 1


async def test_lists_are_read_page_by_page(gateway: Gateway, crm: Crm, clock: Clock) -> None:
    hooks, events = [], []
    for _ in range(5):
        hooks.append((await gateway.webhook(crm.url, "WZ_A"))["id"])
        clock.advance(seconds=1)
    for _ in range(5):
        events.append((await gateway.event("WZ_A")).json()["id"])
        clock.advance(milliseconds=1)
    await crm.got(25)

    assert [one["id"] for one in await everything(gateway, "/webhooks")] == hooks[::-1]
    assert [one["id"] for one in await everything(gateway, "/events")] == events[::-1]
    assert [one["event_id"] for one in await everything(gateway, f"/webhooks/{hooks[0]}/deliveries")] == events[::-1]
    for path in ("/webhooks", "/events", f"/webhooks/{hooks[0]}/deliveries"):
        for wrong in ({"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "nonsense"}):
            assert (await gateway.ask("GET", path, params=wrong)).status_code == 422


async def test_an_account_has_a_hundred_webhooks_at_most(gateway: Gateway, crm: Crm) -> None:
    for _ in range(100):
        await gateway.webhook(crm.url)

    answer = await gateway.ask("POST", "/webhooks", {"url": crm.url})

    assert (answer.status_code, answer.json()["code"]) == (409, "WEBHOOKS_EXHAUSTED")


# --- secrets --------------------------------------------------------------------------------------


async def test_after_a_rotation_both_secrets_sign_for_a_day_and_then_one(redis_url: str, crm: Crm) -> None:
    clock = Clock()
    async with running(redis_url, clock) as gateway:
        made = await gateway.webhook(crm.url)
        new = (await gateway.ask("POST", f"/webhooks/{made['id']}/rotate-secret")).json()

        await gateway.event()
        [both] = await crm.got(1)
        await gateway.delivery(made["id"], "delivered")
        clock.advance(hours=24, seconds=1)
        await gateway.event()
        only = (await crm.got(2))[1]

        assert new["id"] == made["id"]
        assert signed_by(both, new["secret"], made["secret"])
        assert len(only.headers["webhook-signature"].split()) == 1
        with pytest.raises(WebhookVerificationError):
            Webhook(made["secret"]).verify(only.raw.decode(), only.headers)


async def test_who_rotates_twice_within_a_day_still_has_the_day(gateway: Gateway, crm: Crm) -> None:
    """And who rotates all day long has the last few."""
    made = await gateway.webhook(crm.url)
    secrets = [made["secret"]] + [
        (await gateway.ask("POST", f"/webhooks/{made['id']}/rotate-secret")).json()["secret"] for _ in range(6)
    ]

    await gateway.event()
    [received] = await crm.got(1)

    assert signed_by(received, *secrets[:1:-1])


# --- a trial --------------------------------------------------------------------------------------


async def test_a_trial_tells_what_the_crm_said(gateway: Gateway, crm: Crm, redis: Redis) -> None:
    """Even where the webhook is disabled; and it is no delivery, whatever comes of it."""
    made = await gateway.webhook(crm.url)
    await gateway.ask("PATCH", f"/webhooks/{made['id']}", {"enabled": False})
    crm.moods = [answering(201, "welcome"), answering(410, "gone")]

    good, bad = [(await gateway.ask("POST", f"/webhooks/{made['id']}/test")).json() for _ in range(2)]

    assert good | {"duration_ms": 0} == {
        "delivered": True, "status": 201, "error": None, "body": "welcome", "duration_ms": 0
    }  # fmt: skip
    assert (bad["delivered"], bad["status"], bad["error"], bad["body"]) == (False, 410, "status 410", "gone")
    assert crm.received[0].message["type"] == "WZ_CREATE_ENTITY"
    assert crm.received[0].message["context"]["trust"] == "test"
    assert signed_by(crm.received[0], made["secret"])
    assert (await balanced(redis))["accepted"] == 0
    assert (await gateway.ask("GET", "/events")).json()["data"] == []


# --- whose they are -------------------------------------------------------------------------------

ADMINS = [
    ("POST", "/webhooks"), ("GET", "/webhooks"), ("GET", "/webhooks/x"), ("PATCH", "/webhooks/x"),
    ("DELETE", "/webhooks/x"), ("POST", "/webhooks/x/rotate-secret"), ("POST", "/webhooks/x/test"),
    ("GET", "/webhooks/x/deliveries?limit=x"), ("POST", "/webhooks/x/replay"), ("GET", "/events?cursor=x"),
    ("GET", "/events/x"), ("POST", "/events/x/replay"), ("POST", "/deliveries/x/retry"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ADMINS)
async def test_only_admins_are_let_in_whatever_they_send(gateway: Gateway, method: str, path: str) -> None:
    """The body and the parameters are not even looked at."""
    relay = (await gateway.link()).json()["relay"]["token"]

    refused = [
        await gateway.ask(method, path, content=b"nonsense", key=key) for key in (SERVER_KEY, user_token(), relay)
    ]
    unknown = await gateway.ask(method, path, content=b"nonsense", key="nobody")

    assert [(one.status_code, one.json()["code"]) for one in refused] == [(403, "FORBIDDEN")] * 3
    assert unknown.status_code == 401


async def test_accounts_never_meet(redis_url: str, redis: Redis, tmp_path: Path, clock: Clock, crm: Crm) -> None:
    file = tmp_path / "accounts.toml"
    allowed = 'webhook_allow_networks = ["127.0.0.0/8"]\n'
    file.write_text(NORTH + allowed + SOUTH + allowed)
    async with running(redis_url, clock, accounts_file=file) as gateway:
        north, south = "admin-key-of-north", "admin-key-of-south"
        of_north = await gateway.webhook(f"{crm.url}/north", key=north)
        await gateway.webhook(f"{crm.url}/south", key=south)

        accepted = [(await gateway.event(key=key, id="click-1")).json() for key in (north, south)]
        received = {one.path: one.message["account"] for one in await crm.got(2)}
        id_of_north = accepted[0]["id"]
        seen = [
            await gateway.ask(method, path, body, key=south)
            for method, path, body in (
                ("GET", f"/webhooks/{of_north['id']}", None),
                ("PATCH", f"/webhooks/{of_north['id']}", {"enabled": False}),
                ("DELETE", f"/webhooks/{of_north['id']}", None),
                ("POST", f"/webhooks/{of_north['id']}/rotate-secret", None),
                ("GET", f"/webhooks/{of_north['id']}/deliveries", None),
                ("GET", f"/events/{id_of_north}", None),
                ("POST", f"/events/{id_of_north}/replay", None),
                ("POST", f"/deliveries/{id_of_north}:{of_north['id']}/retry", None),
            )
        ]

        assert [one["duplicate"] for one in accepted] == [False, False]
        assert received == {"/wazzup/north": "north", "/wazzup/south": "south"}
        assert {one.status_code for one in seen} == {404}
        assert len((await gateway.ask("GET", "/events", key=south)).json()["data"]) == 1
        for account in ("north", "south"):
            await says(redis, "delivered", 1, account)
        assert (await balanced(redis))["accepted"] == 0


async def everything(gateway: Gateway, path: str) -> list[Any]:
    """The whole list, two at a time."""
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await gateway.ask("GET", path, params={"limit": "2"} | cursor)).json()
        assert len(page["data"]) <= 2
        found += page["data"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}
