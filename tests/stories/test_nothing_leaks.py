"""Links, credentials, phone numbers and names pass through; nothing of them stays where somebody might read it."""

import re
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from app.simulator.faults import Fault
from tests.driver import (
    ACCESS_TOKEN,
    ADMIN_KEY,
    CRM,
    JWT_SECRET,
    SECRET_KEY,
    SERVER_KEY,
    Clock,
    Gateway,
    running,
    user_token,
)
from tests.output import Output, logged

PHONE = "37129876543"
CONTACT = "Zebulon Quackenbush"
AUTHOR = "Wilhelmina Featherstone"
USERNAME = "zebulon_the_quiet"
WRONG = "wrong-credential-0123456789abcdef"
FOREIGN = "https://elsewhere.example/a-foreign-link"
CARD: dict[str, Any] = {
    "user": {"id": "crm-user-1", "name": AUTHOR},
    "contact": {"name": CONTACT, "phone": f"+{PHONE}", "telegram": f"@{USERNAME}"},
}
TOLD: dict[str, Any] = {**CARD["contact"], "id": "C-5", "user_id": "crm-user-1"}
DEAL: dict[str, Any] = {"id": "D-77", "user_id": "crm-user-1", "name": AUTHOR, "contact_ids": ["C-5"]}
HEADER = "Basic emVidWxvbjpxdWFja2VuYnVzaA=="
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DATA = {"userId": "crm-user-1", "chatId": PHONE, "name": CONTACT, USERNAME: FOREIGN}
GIVEN = [SECRET, SECRET[6:], HEADER, PHONE, CONTACT, AUTHOR, USERNAME, WRONG, FOREIGN]
OURS = [ACCESS_TOKEN, SERVER_KEY, ADMIN_KEY, JWT_SECRET, SECRET_KEY]


@pytest.fixture(params=["json", "console"])
def output(request: pytest.FixtureRequest) -> Iterator[Output]:
    """Everything that is logged, for machines and for people."""
    with logged(level="debug", form=request.param) as output:
        yield output


@pytest.fixture
async def watched(output: Output, redis_url: str, clock: Clock) -> AsyncIterator[Gateway]:
    """A gateway whose log is kept; it is opened after the log is."""
    async with running(redis_url, clock, wazzup_timeout_seconds="0.3") as opened:
        yield opened


class Visit:
    """Somebody who uses the gateway in every way, and keeps what came back."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.errors: list[httpx.Response] = []
        self.secrets: set[str] = {*GIVEN, *OURS, user_token(name=AUTHOR)}

    async def asks(self, question: Any, key: str = SERVER_KEY, **headers: str) -> None:
        self._keep(await self.gateway.link(question, key, **headers))

    async def fails(self, **fault: Any) -> None:
        """A link request while Wazzup fails in this way, for somebody who has no remembered link."""
        self.gateway.wazzup.faults.add(Fault(on="links", times=None, **fault))
        await self.asks(CARD | {"user": {"id": f"crm-user-{len(self.errors)}", "name": AUTHOR}})
        self.gateway.wazzup.faults.clear()

    async def sends(self, method: str, path: str, key: str = ADMIN_KEY, **sent: Any) -> None:
        headers = {"Authorization": f"Bearer {key}", "Origin": CRM, "Content-Type": "application/json"}
        self._keep(await self.gateway.http.request(method, path, headers=headers, **sent))

    def _keep(self, answer: httpx.Response) -> None:
        if answer.status_code >= 400:
            self.errors.append(answer)
            return
        given = answer.json() if answer.content[:1] == b"{" else {}
        if "secret" in given:
            self.secrets |= {given["secret"], given["secret"][6:]}
        if "relay" in given:
            self.secrets |= {given["link"], given["link"].partition("token=")[2], given["relay"]["token"]}


async def visited(gateway: Gateway) -> Visit:
    """Every route, well and badly asked, while Wazzup is well and while it is not."""
    visit = Visit(gateway)
    await visit.asks(CARD)
    await visit.asks(CARD)
    await visit.asks(CARD, ADMIN_KEY, **{"Cache-Control": "no-cache"})
    await visit.asks({"contact": CARD["contact"]}, user_token(name=AUTHOR))
    await visit.asks({"user_id": "somebody-else", "scope": "global"}, user_token(name=AUTHOR))
    await visit.asks(CARD, WRONG)
    await visit.asks(CARD, user_token(name=AUTHOR, secret="x" * 40))
    await visit.asks(CARD | {"contact": CONTACT, PHONE: AUTHOR})
    await visit.asks(CARD | {"chats": [{"chat_type": USERNAME, "chat_id": PHONE}]})
    await visit.asks({"user_id": "u", "contact": {"name": CONTACT, "phone": PHONE[3:]}})
    await visit.asks({"user_id": "u", "chats": [{"chat_type": "vk", "username": USERNAME}]})
    await visit.asks({"user_id": "u", "scope": "global", "max_age": PHONE})
    for body in (f'{{"user": "{CONTACT} {PHONE}', f'["{PHONE}"]', CONTACT, PHONE * 6000):
        await visit.sends("POST", "/links", SERVER_KEY, content=body)
    await visit.sends("POST", "/deals", SERVER_KEY, json={"contacts": [TOLD]})
    await visit.sends("POST", "/deals", SERVER_KEY, json={"contacts": [TOLD], "deals": [{**DEAL, "user_id": "nobody"}]})
    await visit.sends("POST", "/deals", SERVER_KEY, json={"contacts": [{**TOLD, "url": FOREIGN + " "}, TOLD]})
    await visit.sends("POST", "/deals", SERVER_KEY, json={"deals": [{**DEAL, "url": USERNAME, PHONE: CONTACT}]})
    await visit.sends("POST", "/deals", user_token(name=AUTHOR), json={"contacts": [TOLD]})
    await visit.fails(status=400, errors=("user_id must be a known user",))
    await visit.fails(status=401)
    await visit.fails(status=500, body=f"{PHONE} {CONTACT} {ACCESS_TOKEN}")
    await visit.fails(status=200, body=f'{{"data": {{"url": "{FOREIGN}"}}}}')
    await visit.fails(status=200, body=f"<html>{PHONE} {CONTACT}")
    await visit.fails(link=FOREIGN)
    await visit.fails(dropped=True)
    await visit.fails(delay_seconds=30)
    await visit.fails(status=429, retry_after="60")  # Last, since it silences the gateway for a minute.
    await hooked(visit)
    await visit.sends("GET", "/health/live")
    await visit.sends("GET", "/health/ready")
    await visit.sends("GET", "/metrics")
    await visit.sends("GET", "/docs")
    await visit.sends("GET", f"/links?phone={PHONE}&token={WRONG}")
    await visit.sends("PUT", f"/links?phone={PHONE}")
    await visit.sends("DELETE", "/links?user_id=", SERVER_KEY)
    await visit.sends("DELETE", f"/links?user={PHONE}")
    await visit.sends("DELETE", "/links?user_id=crm-user-3")
    return visit


async def hooked(visit: Visit) -> None:
    """Events in, webhooks out, and all that admins look at."""
    relay = next(secret for secret in visit.secrets if secret.startswith("wgr_"))
    # Nobody listens there: what an attempt says of it must not name it either.
    hook = {"url": f"http://127.0.0.1:1/{USERNAME}?token={WRONG}", "headers": {"X-Auth": HEADER}, "secret": SECRET}
    await visit.sends("POST", "/webhooks", json=hook | {"description": CONTACT})
    page = (await visit.gateway.ask("GET", "/webhooks")).json()
    name = page["data"][0]["id"]
    for wrong in (
        {"url": f"http://10.0.0.1/{PHONE}"}, {"url": FOREIGN.replace("https", CONTACT)}, {"secret": f"{SECRET}{WRONG}"},
        {"headers": {"X-Auth": f"{HEADER}\n{WRONG}"}}, {"headers": {"Host": WRONG}}, {"events": [CONTACT]},
    ):  # fmt: skip
        await visit.sends("POST", "/webhooks", json=hook | wrong)
    for key in (relay, SERVER_KEY):
        await visit.sends(
            "POST", "/events", key, json={"type": "WZ_CREATE_ENTITY", "data": DATA, "id": f"{WRONG}-{key[:3]}"}
        )
    for bad in (
        {"type": CONTACT}, {"data": DATA | {"userId": AUTHOR}}, {"data": PHONE}, {"id": f"{WRONG} {PHONE}"},
        {"occurred_at": CONTACT},
    ):  # fmt: skip
        await visit.sends("POST", "/events", relay, json={"type": "WZ_A", "data": DATA} | bad)
    event = (await visit.gateway.ask("GET", "/events")).json()["data"][0]["id"]
    for method, path in (
        ("POST", f"/webhooks/{name}/rotate-secret"), ("POST", f"/webhooks/{name}/test"),
        ("POST", f"/events/{event}/replay"), ("POST", f"/deliveries/{event}:{name}/retry"),
        ("GET", "/webhooks/nobody"), ("GET", "/events/nobody"), ("GET", f"/events?cursor={PHONE}"),
        ("POST", "/deliveries/nobody/retry"), ("GET", f"/webhooks/{name}/deliveries?status={WRONG}"),
    ):  # fmt: skip
        await visit.sends(method, path)
    await visit.sends("PATCH", f"/webhooks/{name}", json={"url": f"http://10.0.0.1/{PHONE}"})
    await visit.sends("PATCH", f"/webhooks/{name}", json={"enabled": False})
    await visit.sends("POST", f"/webhooks/{name}/replay", json={"since": PHONE})
    await visit.sends("POST", f"/webhooks/{name}/replay", json={"since": "2026-11-22T00:00:00Z"})


def found(secrets: set[str], text: str) -> list[str]:
    return [secret for secret in secrets if secret in text]


async def test_the_log_holds_nothing_that_was_entrusted_to_us(watched: Gateway, output: Output) -> None:
    visit = await visited(watched)

    output.flush()
    log = output.written.getvalue().decode()

    assert "link.issued" in log
    assert "wazzup.called" in log
    assert "delivery.attempted" in log
    assert "webhook.registered" in log
    assert found(visit.secrets, log) == []


async def test_the_store_holds_nothing_that_can_be_read(watched: Gateway, redis: Redis) -> None:
    visit = await visited(watched)

    stored = await everything_in(redis)

    assert any(":links:link:" in name for name in stored)
    assert any(":links:of:" in name for name in stored)
    assert any(":hooks:all" in name for name in stored)
    for name, value in stored.items():
        # What is to be delivered lies there as it is sent, until it is kept no more; what signs it does not.
        said = GIVEN[3:] if ":events:e:" in name else []
        assert found((visit.secrets | {"crm-user-1"}) - {*said, *(["crm-user-1"] if said else [])}, name + value) == []


async def test_the_metrics_hold_nothing_that_was_entrusted_to_us(watched: Gateway) -> None:
    visit = await visited(watched)

    metrics = (await watched.http.get("/metrics")).text

    assert "wazzup_gateway_links_total" in metrics
    assert found(visit.secrets | {"crm-user-1"}, metrics) == []


async def test_no_error_repeats_what_was_sent_or_what_wazzup_said(watched: Gateway) -> None:
    visit = await visited(watched)

    assert {answer.status_code for answer in visit.errors} >= {400, 401, 403, 405, 413, 422, 502, 503, 504}
    for answer in visit.errors:
        said = f"{answer.text} {answer.headers}"
        # A field that is not known is named by its pointer: that is the caller's own spelling, not a value.
        assert found(visit.secrets - {PHONE}, said) == []
        assert PHONE not in re.sub(rf"#/(deals/0/)?{PHONE}", "", said)


async def everything_in(redis: Redis) -> dict[str, str]:
    """Every key with its value, whatever its type, as text."""
    readers: dict[Any, Any] = {
        b"string": redis.get,
        b"zset": partial(redis.zrange, start=0, end=-1, withscores=True),
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"list": partial(redis.lrange, start=0, end=-1),
        b"stream": redis.xrange,
    }
    names = [name async for name in redis.scan_iter("*")]
    return {name.decode(): str(await readers[await redis.type(name)](name)) for name in names}
