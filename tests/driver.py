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

    async def link(self, question: Any = CARD, key: str = SERVER_KEY, **headers: str) -> httpx.Response:
        """`POST /links`."""
        return await self.http.post("/links", json=question, headers={"Authorization": f"Bearer {key}", **headers})

    async def tell(self, question: Any, key: str = SERVER_KEY) -> httpx.Response:
        """`POST /deals`."""
        return await self.http.post("/deals", json=question, headers={"Authorization": f"Bearer {key}"})

    async def forget(self, user_id: str, key: str = ADMIN_KEY) -> httpx.Response:
        """`DELETE /links`."""
        return await self.http.delete("/links", params={"user_id": user_id}, headers={"Authorization": f"Bearer {key}"})

    @property
    def questions(self) -> int:
        """How often Wazzup was asked for a link."""
        return len(self.wazzup.calls_to("links"))


@asynccontextmanager
async def running(
    redis_url: str, clock: Clock | None = None, *, wazzup: Any = None, through: Any = None, **settings: Any
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
    }
    transport = httpx.ASGITransport(through or simulator)
    app = create_app(Settings.given(**(given | settings)), clock=clock, transport=transport)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http,
    ):
        yield Gateway(http, simulator.state.world, app)


def simulated(clock: Clock | None = None, **options: Any) -> Any:
    """A simulated Wazzup that accepts the tests' credentials."""
    chosen = Options(access_tokens=frozenset({ACCESS_TOKEN}), **options)
    return create_simulator(public_url=WAZZUP, options=chosen, **({"now": clock.now} if clock else {}))


def user_token(user_id: str = "crm-user-1", *, at: datetime = NOON, secret: str = JWT_SECRET, **claims: Any) -> str:
    """A user token as the CRM's back end signs it; a claim of None is left out."""
    usual = {"sub": user_id, "aud": "wazzup-gateway", "exp": int(at.timestamp()) + 3600}
    chosen = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode({"alg": "HS256"}, chosen, OctKey.import_key(secret))
