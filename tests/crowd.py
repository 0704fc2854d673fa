"""More users than Wazzup's budget serves at once: each asks, and comes back when told, until it has a link."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.driver import CARD, Gateway


@dataclass
class Turnstile:
    """Stands before a simulated Wazzup, and notes when calls come."""

    app: ASGIApp
    times: list[float] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.times.append(asyncio.get_running_loop().time())
        await self.app(scope, receive, send)

    def most_within(self, seconds: float) -> int:
        """The most calls that came in any span of so many seconds."""
        times = sorted(self.times)
        return max(sum(start <= other < start + seconds for other in times) for start in times)


@dataclass
class Crowd:
    """What became of the users. `late` are those whose turn came when no time was left, as on a machine that stalls."""

    refusals: list[httpx.Response] = field(default_factory=list)
    late: list[httpx.Response] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    async def come(self, replicas: Sequence[Gateway], *, users: int, over: float) -> None:
        """So many users come, evenly spread over so many seconds, and stay until each has its link."""
        await asyncio.gather(
            *(self._persist(replicas[number % len(replicas)], number, number * over / users) for number in range(users))
        )

    async def _persist(self, replica: Gateway, number: int, comes_after: float) -> None:
        await asyncio.sleep(comes_after)
        time = asyncio.get_running_loop().time
        came_at = time()
        while (answer := await replica.link({**CARD, "user_id": f"crm-user-{number}"})).status_code != httpx.codes.OK:
            (self.late if answer.status_code == httpx.codes.GATEWAY_TIMEOUT else self.refusals).append(answer)
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
        self.waits.append(time() - came_at)
