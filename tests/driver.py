"""What the tests drive: a gateway with a simulated Wazzup and a real store, and a clock that is set by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey

from app.main import Gateway as Application
from app.main import create_app
from app.settings import Settings
from app.simulator.options import Options
from app.simulator.server import create_simulator
from app.simulator.world import World
from tests.waiting import eventually

WAZZUP = "http://127.0.0.1:9001"
ACCESS_TOKEN = "wazzup-access-token-of-the-tests"
SERVER_KEY = "server-key-of-the-tests"
ADMIN_KEY = "admin-key-of-the-tests"
JWT_SECRET = "jwt-secret-of-the-tests-jwt-secret-of-the-tests"
SECRET_KEY = "secret-key-of-the-tests-secret-key-of-the-tests"
CRM = "https://crm.example"

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CARD = {"user_id": "crm-user-1", "chats": [{"chat_type": "whatsapp", "chat_id": "37111234567"}]}


@dataclass
class Clock:
    """A clock that stands still until it is told to go on."""

    time: datetime = NOON
    ran: float = field(default=1000.0)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.ran

    def advance(self, **span: float) -> None:
        passed = timedelta(**span)
        self.time += passed
        self.ran += passed.total_seconds()


@dataclass(frozen=True)
class Gateway:
    """A gateway as its callers see it, and the Wazzup behind it."""

    http: httpx.AsyncClient
    wazzup: World
    app: Application = field(repr=False)
    clock: Clock | None = None

    async def link(self, question: Any = CARD, key: str = SERVER_KEY, **headers: str) -> httpx.Response:
        """`POST /links`."""
        return await self.http.post("/links", json=question, headers={"Authorization": f"Bearer {key}", **headers})

    async def tell(self, question: Any, key: str = SERVER_KEY) -> httpx.Response:
        """`POST /deals`."""
        return await self.http.post("/deals", json=question, headers={"Authorization": f"Bearer {key}"})

    async def forget(self, user_id: str, key: str = ADMIN_KEY) -> httpx.Response:
        """`DELETE /links`."""
        return await self.http.delete("/links", params={"user_id": user_id}, headers={"Authorization": f"Bearer {key}"})

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str = ADMIN_KEY, **sent: Any
    ) -> httpx.Response:
        """Any route, as an admin."""
        headers = {"Authorization": f"Bearer {key}"} | sent.pop("headers", {})
        if body is not None:
            sent["json"] = body
        return await self.http.request(method, path, headers=headers, **sent)

    async def event(
        self, kind: str = "WZ_CREATE_ENTITY", data: Any = None, *, key: str = SERVER_KEY, wait: int = 0, **fields: Any
    ) -> httpx.Response:
        """`POST /events`; `wait`: with that preference."""
        body = {"type": kind, "data": {"userId": "crm-user-1"} if data is None else data} | fields
        return await self.ask("POST", "/events", body, key=key, headers={"Prefer": f"wait={wait}"} if wait else {})

    async def webhook(self, url: str, *events: str, key: str = ADMIN_KEY, **fields: Any) -> Any:
        """A webhook that was registered for these types, or for all; as it was told."""
        made = await self.ask("POST", "/webhooks", {"url": url, "events": events or ["*"]} | fields, key=key)
        assert made.status_code == 201, made.text
        return made.json()

    async def deliveries(self, webhook_id: str, **params: Any) -> Any:
        """The deliveries of a webhook, newest first."""
        return (await self.ask("GET", f"/webhooks/{webhook_id}/deliveries", params=params)).json()["data"]

    async def delivery(self, webhook_id: str, status: str) -> Any:
        """Its newest delivery, once that is so far."""
        found: Any = None

        async def is_so_far() -> bool:
            nonlocal found
            found = next(iter(await self.deliveries(webhook_id)), {"status": None})
            return bool(found["status"] == status)

        await eventually(is_so_far)
        return found

    def later(self, **span: float) -> None:
        """The clock goes on; those who deliver look at it."""
        assert self.clock
        self.clock.advance(**span)
        self.app.state.services.crew.ring("")

    @property
    def questions(self) -> int:
        """How often Wazzup was asked for a link."""
        return len(self.wazzup.calls_to("links"))


@asynccontextmanager
async def running(
    redis_url: str,
    clock: Clock | None = None,
    *,
    wazzup: Any = None,
    through: Any = None,
    delivers: Any = True,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """A gateway on `redis_url`. Two of them with the same `wazzup` (a `create_simulator` app) are two replicas.

    `through` is an application that stands between the gateway and `wazzup`.
    """
    simulator = wazzup or simulated(clock)
    given = {
        "redis_url": redis_url,
        "secret_key": SECRET_KEY,
        "api_keys": SERVER_KEY,
        "admin_api_keys": ADMIN_KEY,
        "jwt_secret": JWT_SECRET,
        "allowed_origins": CRM,
        "wazzup_base_url": WAZZUP,
        "wazzup_access_token": ACCESS_TOKEN,
        "wazzup_link_hosts": "127.0.0.1",
        "webhook_allow_networks": "127.0.0.0/8",
    }
    transport = httpx.ASGITransport(through or simulator)
    app = create_app(Settings.given(**(given | settings)), clock=clock, transport=transport, delivers=delivers)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http,
    ):
        yield Gateway(http, simulator.state.world, app, clock)


def simulated(clock: Clock | None = None, **options: Any) -> Any:
    """A simulated Wazzup that accepts the tests' credentials."""
    chosen = Options(access_tokens=frozenset({ACCESS_TOKEN}), **options)
    return create_simulator(public_url=WAZZUP, options=chosen, **({"now": clock.now} if clock else {}))


def user_token(user_id: str = "crm-user-1", *, at: datetime = NOON, secret: str = JWT_SECRET, **claims: Any) -> str:
    """A user token as the CRM's back end signs it; a claim of None is left out."""
    usual = {"sub": user_id, "aud": "wazzup-gateway", "exp": int(at.timestamp()) + 3600}
    chosen = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode({"alg": "HS256"}, chosen, OctKey.import_key(secret))
