"""A client of Wazzup that is free to call as often as it likes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx

from app.telemetry import Journal
from app.wazzup.circuit import Circuit
from app.wazzup.client import WazzupClient
from app.wazzup.metered import MeteredWire
from app.wazzup.tokens import StaticToken
from app.wazzup.wire import Wire
from tests.driver import Clock


class Free:
    """A budget without end."""

    @asynccontextmanager
    async def turn(self, party: str, *, within: float) -> AsyncIterator[None]:
        yield

    def pause(self, span: timedelta) -> None:
        pass


def client_on(
    http: httpx.AsyncClient, base_url: str, token: str, *, journal: Journal, patience: float = 5
) -> WazzupClient:
    clock = Clock()
    return WazzupClient(
        wire=MeteredWire(Wire(http, base_url, "WAZZUP_ACCESS_TOKEN", clock), Free()),
        tokens=StaticToken(token),
        circuit=Circuit("default", clock, journal),
        patience=timedelta(seconds=patience),
        account="default",
        clock=clock,
        journal=journal,
    )
