"""Speaks to a simulated Wazzup. Whatever it answers is checked against the vendor's contract."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
from starlette.applications import Starlette

from app.simulator.options import Options
from app.simulator.server import create_simulator
from app.simulator.world import World
from tests.vendor_contract import check_answer

ORIGIN = "https://wazzup.test"
ACCESS_TOKEN = "Bearer demo-access-token"
API_KEY = "Bearer demo-api-key"
NOBODY = ""


@dataclass
class Clock:
    """Time that is told."""

    time: datetime = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class Wazzup:
    """One simulated Wazzup and a client that knows its demo credentials."""

    options: Options = field(default_factory=Options)
    clock: Clock = field(default_factory=Clock)
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        self.app = create_simulator(public_url=ORIGIN, options=self.options, now=self.clock)

    @property
    def world(self) -> World:
        world: World = self.app.state.world
        return world

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ORIGIN)

    async def v2(self, path: str, body: object, *, authorization: str = ACCESS_TOKEN) -> httpx.Response:
        return await self._post("v2", path, body, authorization)

    async def v3(self, path: str, body: object, *, authorization: str = API_KEY) -> httpx.Response:
        return await self._post("v3", path, body, authorization)

    async def get(self, url: str) -> httpx.Response:
        async with self.client() as client:
            return await client.get(url)

    async def _post(
        self, generation: Literal["v2", "v3"], path: str, body: object, authorization: str
    ) -> httpx.Response:
        headers = {"Authorization": authorization} if authorization else {}
        async with self.client() as client:
            answer = await client.post(f"/{generation}{path}", json=body, headers=headers)
        content = answer.json() if answer.content else None
        check_answer(generation, "POST", f"/{generation}{path}", answer.status_code, content)
        return answer
