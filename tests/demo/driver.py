"""A demo in this process: gateway, simulated Wazzup and the CRM on sockets of their own, on the tests' store."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.clock import SystemClock
from app.crm.page import PATH, Element
from app.crm.server import Crm, CrmOptions, open_crm
from app.demo import HOST, Beside, Console, Reception, listen_in
from app.serving import Server, listen
from app.web.files import load
from tests.driver import ADMIN_KEY, JWT_SECRET, SERVER_KEY, WAZZUP, Gateway, running, simulated
from tests.waiting import PATIENCE, eventually

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1kZW1vLXNlY3JldC1vZi10aGUtZGVtbw=="
WHATSAPP = {"chatType": "whatsapp", "chatId": "37111234567", "userId": "crm-user-1"}
STRANGER = {"chatType": "telegram", "chatId": "7001002003", "userId": "crm-user-1"}
RETRY_SECONDS = (0, *([0.1] * 100))


@dataclass(frozen=True)
class Demo:
    """What a browser and a colleague see of it. `http` is the browser on the demo's own page."""

    http: httpx.AsyncClient
    url: str
    receiver_url: str
    crm: Crm = field(repr=False)
    gateway: Gateway = field(repr=False)

    async def token(self) -> str:
        """The page's user token."""
        return str((await self.http.get("/demo/token")).json()["token"])

    async def event(
        self, data: dict[str, Any] = WHATSAPP, *, kind: str = "WZ_CREATE_ENTITY", wait: int = 5, **fields: Any
    ) -> httpx.Response:
        """What the element posts after a click in the window."""
        headers = {"Authorization": f"Bearer {await self.token()}"} | ({"Prefer": f"wait={wait}"} if wait else {})
        return await self.http.post("/events", json={"type": kind, "data": data} | fields, headers=headers)

    async def made(self, data: dict[str, Any] = WHATSAPP) -> Any:
        """What the CRM answered to such a click."""
        return answer_of(await self.event(data))

    async def state(self) -> Any:
        return (await self.http.get("/demo/state")).json()

    async def deal(self, deal_id: str) -> Any:
        """The deal of this id, as the page sees it."""
        return next(one for one in (await self.state())["deals"] if one["id"] == deal_id)

    async def made_of(self, event_id: str) -> Any:
        """The deals that were made of this event, once there is one."""
        found: list[Any] = []

        async def is_there() -> bool:
            found[:] = [one for one in (await self.state())["deals"] if one["event_id"] == event_id]
            return bool(found)

        await eventually(is_there)
        return found

    async def turn(self, on: bool) -> httpx.Response:
        """The switch."""
        return await self.http.put("/demo/server", json={"on": on})

    async def change(self, deal_id: str, **fields: Any) -> httpx.Response:
        return await self.http.patch(f"/demo/deals/{deal_id}", json=fields)

    async def told(self, *kinds: str, after: str = "") -> list[Any]:
        """The feed from `after` on, until each of these was told as often as it is named. Each entry with its `id`."""
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE), self.http.stream("GET", "/demo/live", params={"after": after}) as live:
            name = ""
            async for line in live.aiter_lines():
                if line.startswith("id: "):
                    name = line.removeprefix("id: ")
                elif line.startswith("data: "):
                    found.append(json.loads(line.removeprefix("data: ")) | {"id": name})
                if line == "" and Counter(kinds) <= Counter(one["what"] for one in found):
                    return found
        return found


def answer_of(response: httpx.Response) -> Any:
    """What the CRM said, as the element reads it."""
    assert response.status_code == 200, response.text
    [result] = response.json()["results"]
    assert result["status"] == "delivered", result
    return json.loads(result["response"]["body"])


@asynccontextmanager
async def demonstrating(redis_url: str, folder: Path) -> AsyncIterator[Demo]:
    """A demo that has begun."""
    with listen(HOST, 0) as front, listen(HOST, 0) as door:
        url, receiver_url = (f"http://{HOST}:{sock.getsockname()[1]}" for sock in (front, door))
        options = _options(url, f"{receiver_url}/wazzup", folder)
        async with httpx.AsyncClient(base_url=url) as own, open_crm(options, own) as crm:
            listen_in(crm.feed, Console("critical", "console"))
            async with _gateway(redis_url, url) as gateway:
                reception = Reception(crm.receiver, door)
                await reception.turn(True)
                server = Server(Beside(gateway.app, PATH, crm.page(reception)))
                serving = asyncio.create_task(server.serve([front]))
                try:
                    await crm.begin()
                    async with httpx.AsyncClient(base_url=url) as http:
                        yield Demo(http, url, f"{receiver_url}/wazzup", crm, gateway)
                finally:
                    crm.feed.close()
                    server.should_exit = True
                    await asyncio.gather(reception.close(), serving)


def _gateway(redis_url: str, url: str) -> Any:
    return running(
        redis_url,
        wazzup=simulated(unknown_users_refused=True),
        allowed_origins=url,
        wazzup_sync_users="true",
        webhook_retry_seconds=",".join(map(str, RETRY_SECONDS)),
    )


def _options(url: str, receiver_url: str, folder: Path) -> CrmOptions:
    element, clock = load().element, SystemClock()
    return CrmOptions(
        gateway_url=url,
        receiver_url=receiver_url,
        wazzup_url=WAZZUP,
        element=Element(element.versioned, element.integrity),
        server_key=SERVER_KEY,
        admin_key=ADMIN_KEY,
        jwt_secret=JWT_SECRET,
        webhook_secret=SECRET,
        retry_seconds=RETRY_SECONDS,
        folder=folder,
        now=clock.now,
        monotonic=clock.monotonic,
        waits=(0.05,) * 40,
    )
