"""One gateway, several accounts: each has its callers, its Wazzup, its links, and nothing of another's."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from redis.asyncio import Redis
from starlette.responses import JSONResponse

from app.simulator.faults import Fault
from app.simulator.options import Options
from app.simulator.server import create_simulator
from app.simulator.world import World
from tests.driver import CRM, NOON, SERVER_KEY, Clock, Gateway, running, simulated, user_token
from tests.output import Output, logged
from tests.waiting import wait_until

ACCOUNTS = ("default", "north", "south")
KEY = RSAKey.generate_key(2048, {"kid": "of-south"}, private=True)
END = int(NOON.timestamp()) + 3600
NORTHERN = "the-secret-of-north-the-secret-of-north"
SOUTHERN = "the-secret-of-south-the-secret-of-south"
NORTH = """
[accounts.north]
api_keys = ["server-key-of-north"]
admin_api_keys = ["admin-key-of-north"]
jwt_secret = "the-secret-of-north-the-secret-of-north"
allowed_origins = ["https://north.example"]
wazzup_api = "v3"
wazzup_api_key = "wazzup-key-of-north"
wazzup_base_url = "http://127.0.0.1:9002"
wazzup_link_hosts = ["127.0.0.1"]
"""
SOUTH = """
[accounts.south]
api_keys = ["server-key-of-south"]
admin_api_keys = ["admin-key-of-south"]
jwt_secret = "the-secret-of-south-the-secret-of-south"
allowed_origins = ["https://south.example"]
wazzup_access_token = "wazzup-token-of-south"
wazzup_base_url = "http://127.0.0.1:9003"
wazzup_link_hosts = ["127.0.0.1"]
link_rate_limit = "2/60"
"""
BROKEN = f"{NORTH}\n[accounts.south]\napi_key = 'hunter2'\n"


@dataclass
class Wazzups:
    """A simulated Wazzup for each account, told apart by port: 9001 for `default`, north has 9002, south 9003."""

    apps: dict[int, Any]
    state: SimpleNamespace = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.apps[9001].state

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await self.apps[scope["server"][1]](scope, receive, send)

    def world(self, port: int) -> World:
        found: World = self.apps[port].state.world
        return found


@dataclass
class SlowJwks:
    """A CRM's keys, given once it is told to."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        self.asked.set()
        await self.answers.wait()
        await JSONResponse({"keys": [KEY.as_dict(private=False)]})(scope, receive, send)


@dataclass
class House:
    """A gateway with a file of accounts that can be changed."""

    gateway: Gateway
    wazzups: Wazzups
    file: Path

    @property
    def north(self) -> World:
        return self.wazzups.world(9002)

    @property
    def south(self) -> World:
        return self.wazzups.world(9003)

    def rereads(self, *tables: str) -> None:
        """What SIGHUP does, after the file was written anew."""
        self.file.write_text("".join(tables))
        self.gateway.app.reread()

    async def statuses(self, *keys: str) -> list[int]:
        return [(await self.gateway.link(key=key)).status_code for key in keys]


def wazzups(clock: Clock) -> Wazzups:
    south = Options(access_tokens=frozenset({"wazzup-token-of-south"}))
    north = Options(api_keys=frozenset({"wazzup-key-of-north"}))
    return Wazzups(
        {
            9001: simulated(clock),
            9002: create_simulator(public_url="http://127.0.0.1:9002", options=north, now=clock.now),
            9003: create_simulator(public_url="http://127.0.0.1:9003", options=south, now=clock.now),
        }
    )


@asynccontextmanager
async def opened(redis_url: str, folder: Path, clock: Clock, *tables: str) -> AsyncIterator[House]:
    vendors, file = wazzups(clock), folder / "accounts.toml"
    file.write_text("".join(tables))
    async with running(redis_url, clock, wazzup=vendors, accounts_file=file) as gateway:
        yield House(gateway, vendors, file)


@pytest.fixture
async def house(redis_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with opened(redis_url, tmp_path, clock, NORTH, SOUTH) as opened_house:
        yield opened_house


@pytest.fixture
def output() -> Iterator[Output]:
    """What is logged from here on. Ask for it before the house, so that it logs there."""
    with logged() as output:
        yield output


# --- nothing meets --------------------------------------------------------------------------------


async def test_the_same_question_of_two_accounts_is_asked_of_each_ones_own_wazzup(house: House) -> None:
    of_north = await house.gateway.link(key="server-key-of-north")
    of_south = await house.gateway.link(key="server-key-of-south")

    assert of_north.json()["link"].startswith("http://127.0.0.1:9002/")
    assert of_south.json()["link"].startswith("http://127.0.0.1:9003/")
    assert [answer.json()["cached"] for answer in (of_north, of_south)] == [False, False]
    assert len(house.north.calls_to("links")) == len(house.south.calls_to("links")) == 1
    assert house.gateway.questions == 0


async def test_every_credential_leads_to_its_own_account(house: House) -> None:
    """Whatever north holds, south's links are not to be had with it."""
    await house.gateway.link(key="server-key-of-south")

    for credential in ("server-key-of-north", "admin-key-of-north", user_token(secret=NORTHERN)):
        answer = await house.gateway.link(key=credential)
        assert answer.json()["link"].startswith("http://127.0.0.1:9002/")

    assert len(house.south.calls_to("links")) == 1


async def test_a_user_token_for_one_account_says_nothing_to_another(house: House) -> None:
    northern = user_token("anna", secret=NORTHERN)
    southern = user_token("anna", secret=SOUTHERN)

    links = [(await house.gateway.link({"scope": "global"}, key=token)).json() for token in (northern, southern)]

    assert [link["user_id"] for link in links] == ["anna", "anna"]
    assert [link["link"][:21] for link in links] == ["http://127.0.0.1:9002", "http://127.0.0.1:9003"]


async def test_relay_tokens_are_told_apart(house: House) -> None:
    """Each is known as its own account's: what it may do there is that account's matter."""
    tokens = [
        (await house.gateway.link(key=f"server-key-of-{name}")).json()["relay"]["token"] for name in ("north", "south")
    ]
    auth = house.gateway.app.state.services.auth

    callers = [await auth.identify(f"Bearer {token}") for token in tokens]

    assert tokens[0] != tokens[1]
    assert [caller.account for caller in callers] == ["north", "south"]


async def test_events_of_each_account_are_posted_to_a_url_of_its_own(house: House) -> None:
    """A page knows by it what it has kept for a namesake in another account. What the account is, the token says."""
    relays = [
        (await house.gateway.link(key=key)).json()["relay"]
        for key in (SERVER_KEY, "server-key-of-north", "server-key-of-south")
    ]

    event = {"type": "WZ_CREATE_ENTITY", "data": {"userId": "crm-user-1"}, "id": "7-7-7"}
    posted = [
        (await house.gateway.ask("POST", relay["url"], event, key=relay["token"])).json()
        for relay in relays
        for _ in "12"
    ]

    assert [relay["url"] for relay in relays] == ["/events", "/events?account=north", "/events?account=south"]
    assert [one["duplicate"] for one in posted] == [False, True] * 3


async def test_deals_are_told_to_the_wazzup_of_the_account_that_tells_them(house: House) -> None:
    contact = {"id": "C-5", "user_id": "crm-user-1", "name": "Anthony Stone", "phone": "+37111234567"}

    told = await house.gateway.tell({"contacts": [contact]}, key="server-key-of-north")

    assert told.status_code == 200
    assert [len(world.contacts) for world in (house.north, house.south, house.gateway.wazzup)] == [1, 0, 0]


async def test_an_admin_makes_its_own_account_forget_and_no_other(house: House) -> None:
    for name in ("north", "south"):
        await house.gateway.link(key=f"server-key-of-{name}")

    await house.gateway.forget("crm-user-1", key="admin-key-of-north")

    assert (await house.gateway.link(key="server-key-of-south")).json()["cached"] is True
    assert (await house.gateway.link(key="server-key-of-north")).json()["cached"] is False


async def test_an_admin_key_of_one_account_is_none_of_another(house: House) -> None:
    forgotten = await house.gateway.forget("crm-user-1", key="server-key-of-south")

    assert forgotten.status_code == 403


async def test_a_user_who_asks_too_often_in_one_account_may_still_ask_in_another(house: House) -> None:
    south = await house.statuses(*["server-key-of-south"] * 3)

    assert south == [200, 200, 429]
    assert await house.statuses("server-key-of-north", SERVER_KEY) == [200, 200]


async def test_a_wazzup_that_fails_is_one_accounts_trouble(house: House) -> None:
    house.north.faults.add(Fault(on="links", dropped=True, times=100))

    assert await house.statuses(*["server-key-of-north"] * 12) == [502] * 10 + [503] * 2
    assert await house.statuses("server-key-of-south") == [200]


async def test_the_names_in_redis_of_different_accounts_do_not_meet(house: House, redis: Redis) -> None:
    for key in ("server-key-of-north", "server-key-of-south", SERVER_KEY):
        await house.gateway.link(key=key)

    names = [name.decode() async for name in redis.scan_iter("*") if not name.startswith(b"wg:{-}:")]
    by_account = {name: {one for one in names if one.startswith(f"wg:{{{name}}}:")} for name in ACCOUNTS}

    assert sorted(one for found in by_account.values() for one in found) == sorted(names)
    assert all(any(":links:link:" in one for one in found) for found in by_account.values())


async def test_a_link_that_is_moved_to_another_account_in_redis_is_nobodys(house: House, redis: Redis) -> None:
    """Whoever can write to Redis cannot give one account's link to another."""
    for name in ("north", "south"):
        await house.gateway.link(key=f"server-key-of-{name}")
    [norths], [souths] = [
        [one async for one in redis.scan_iter(f"wg:{{{name}}}:links:link:*")] for name in ("north", "south")
    ]
    await redis.set(norths, await redis.get(souths) or b"", keepttl=True)

    answer = await house.gateway.link(key="server-key-of-north")

    assert answer.json()["link"].startswith("http://127.0.0.1:9002/")
    assert answer.json()["cached"] is False


async def test_metrics_tell_accounts_apart(house: House) -> None:
    await house.gateway.link(key="server-key-of-north")
    await house.gateway.link(key="server-key-of-south")
    await house.gateway.link(key="server-key-of-south")

    metrics = (await house.gateway.http.get("/metrics")).text

    assert 'wazzup_gateway_links_total{account="north",outcome="stored"} 1.0' in metrics
    assert 'wazzup_gateway_links_total{account="south",outcome="hit"} 1.0' in metrics
    assert 'wazzup_gateway_wazzup_calls_total{account="south",operation="link",outcome="answered"} 1.0' in metrics


# --- origins --------------------------------------------------------------------------------------


async def allowed(house: House, key: str, origin: str) -> bool:
    answer = await house.gateway.link(key=key, Origin=origin)
    told = answer.headers.get("access-control-allow-origin")
    assert ("access-control-expose-headers" in answer.headers) == (told is not None)
    assert "origin" in answer.headers["vary"].lower()
    return bool(told == origin)


async def test_a_page_reads_the_answers_of_its_own_account_only(house: House) -> None:
    readable = {
        (name, origin)
        for name in ("north", "south")
        for origin in ("north", "south")
        if await allowed(house, f"server-key-of-{name}", f"https://{origin}.example")
    }

    assert readable == {("north", "north"), ("south", "south")}
    assert await allowed(house, SERVER_KEY, CRM)
    assert not await allowed(house, SERVER_KEY, "https://north.example")


async def test_a_refusal_of_a_known_caller_is_read_by_its_own_page_only(house: House) -> None:
    question = {"user_id": ""}
    of_north = {"key": "server-key-of-north", "Origin": "https://north.example"}
    of_south = {"key": "server-key-of-north", "Origin": "https://south.example"}

    own, other = await house.gateway.link(question, **of_north), await house.gateway.link(question, **of_south)

    assert (own.status_code, other.status_code) == (422, 422)
    assert own.headers["access-control-allow-origin"] == "https://north.example"
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("origin", [CRM, "https://north.example", "https://south.example"])
async def test_what_is_nobodys_is_read_by_the_pages_of_every_account(house: House, origin: str) -> None:
    """A page must read why its credential is not good, and a preflight brings none."""
    refused = await house.gateway.link(key="nobodys-key", Origin=origin)
    unknown = await house.gateway.http.get("/nothing", headers={"Origin": origin})
    asked = await preflight(house, origin)

    assert (refused.status_code, unknown.status_code, asked.status_code) == (401, 404, 200)
    assert {one.headers["access-control-allow-origin"] for one in (refused, unknown, asked)} == {origin}


async def preflight(house: House, origin: str) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return await house.gateway.http.options("/links", headers=headers)


# --- the file is read again -----------------------------------------------------------------------


async def test_a_file_that_is_read_again_brings_accounts_and_takes_them_away(house: House) -> None:
    west = SOUTH.replace("south", "west").replace("wazzup-token-of-west", "wazzup-token-of-south")

    house.rereads(NORTH, west)

    assert await house.statuses("server-key-of-west", "server-key-of-north", SERVER_KEY) == [200, 200, 200]
    assert await house.statuses("server-key-of-south", user_token(secret=SOUTHERN)) == [401, 401]


async def test_a_token_that_was_good_before_is_not_remembered_beyond_its_account(house: House) -> None:
    token = user_token(secret=SOUTHERN)
    relay = (await house.gateway.link(key=token)).json()["relay"]["token"]

    house.rereads(NORTH, SOUTH.replace(SOUTHERN, "a-new-secret-of-south-a-new-secret-of-south"))
    changed = await house.statuses(token)
    house.rereads(NORTH)

    assert changed == [401]
    assert await house.statuses(token, relay) == [401, 401]


async def test_origins_change_at_once(house: House) -> None:
    assert await allowed(house, "server-key-of-south", "https://south.example")

    house.rereads(NORTH, SOUTH.replace("https://south", "https://new"))

    assert not await allowed(house, "server-key-of-south", "https://south.example")
    assert await allowed(house, "server-key-of-south", "https://new.example")
    assert [(await preflight(house, f"https://{one}.example")).status_code for one in ("south", "new")] == [403, 200]


async def test_a_request_under_way_ends_as_it_began_although_its_account_is_gone(house: House) -> None:
    """Its link, its relay token and the page that reads it are still those of the account that asked."""
    house.south.faults.add(Fault(on="links", delay_seconds=0.2))
    headers = {"Origin": "https://south.example"}
    asking = asyncio.create_task(house.gateway.link(key="server-key-of-south", **headers))
    await wait_until(lambda: len(house.south.calls_to("links")) == 1)

    house.rereads(NORTH)
    answer = await asking

    assert answer.status_code == 200
    assert answer.json()["link"].startswith("http://127.0.0.1:9003/")
    assert answer.headers["access-control-allow-origin"] == "https://south.example"
    assert await house.statuses("server-key-of-south") == [401]


async def test_a_caller_whose_account_goes_while_it_is_being_identified_is_answered(house: House) -> None:
    """Identified in one world and served in another, it would find nothing."""
    jwks = SlowJwks()
    house.wazzups.apps[9004] = jwks
    by_jwks = 'jwt_jwks_url = "http://127.0.0.1:9004/jwks"'
    house.rereads(NORTH, SOUTH.replace(f'jwt_secret = "{SOUTHERN}"', by_jwks))
    token = jwt.encode({"alg": "RS256", "kid": "of-south"}, {"sub": "anna", "aud": "wazzup-gateway", "exp": END}, KEY)
    asking = asyncio.create_task(house.gateway.link({"scope": "global"}, key=token))
    await jwks.asked.wait()

    house.rereads(NORTH)
    jwks.answers.set()

    assert (await asking).status_code == 200
    assert await house.statuses(token) == [401]


async def test_equal_questions_meet_although_the_file_was_read_again_between_them(house: House) -> None:
    """An account that did not change keeps its very objects, its questions under way among them."""
    house.south.faults.add(Fault(on="links", delay_seconds=0.2))
    first = asyncio.create_task(house.gateway.link(key="server-key-of-south"))
    await wait_until(lambda: len(house.south.calls_to("links")) == 1)
    links = house.gateway.app.state.services.links

    house.rereads(NORTH.replace("server-key-of-north", "another-key-of-north"), SOUTH)
    second = await house.gateway.link(key="server-key-of-south")

    assert (await first).json()["link"] == second.json()["link"]
    assert house.gateway.app.state.services.links["south"] is links["south"]
    assert house.gateway.app.state.services.links["north"] is not links["north"]


async def test_a_gateway_that_ends_looks_after_what_a_re_read_has_replaced(
    redis_url: str, redis: Redis, tmp_path: Path, clock: Clock
) -> None:
    """A question whose asker went away gives up its claim, so that another replica asks at once."""
    async with opened(redis_url, tmp_path, clock, NORTH, SOUTH) as house:
        house.south.faults.add(Fault(on="links", delay_seconds=60))
        asking = asyncio.create_task(house.gateway.link(key="server-key-of-south"))
        await wait_until(lambda: len(house.south.calls_to("links")) == 1)
        house.rereads(NORTH)
        asking.cancel()

    assert [one async for one in redis.scan_iter("wg:{south}:links:lock:*")] == []


@pytest.mark.parametrize("broken", [BROKEN, "[accounts", "", f"{NORTH}{SOUTH}default_country = 'XX'\n"])
async def test_a_file_that_is_broken_changes_nothing(house: House, broken: str) -> None:
    before = house.gateway.app.state.services

    house.rereads(broken)

    assert house.gateway.app.state.services is before
    assert await house.statuses("server-key-of-north", "server-key-of-south") == [200, 200]


async def test_why_a_file_was_refused_is_logged_and_no_secret_of_it(output: Output, house: House) -> None:
    house.rereads(BROKEN)
    house.rereads(NORTH)
    await asyncio.sleep(0)

    [refused], [reread] = output.lines("accounts.refused"), output.lines("accounts.reread")
    assert refused["hint"].startswith("ACCOUNTS_FILE: accounts.south.api_key: no variable of an account has this name")
    assert reread["accounts"] == 2
    assert "hunter2" not in output.text
