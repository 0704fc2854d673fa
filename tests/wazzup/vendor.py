"""Wazzup as its client meets it: it answers as a test says, and counts how often it was asked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import respx

from app.wazzup.client import WazzupClient
from tests.notes import Notes
from tests.wazzup_client import client_on

WAZZUP = "https://wazzup.test"
SECRET = "access-token-that-nobody-may-see"
PATIENCE = 5.0
# Longer than the client's patience: a failure that says so is not tried again.
MUCH_LATER = {"Retry-After": "60"}
LINK = {"data": {"link": "https://app.wazzup24.com/"}}


def as_it_is(answer: Any) -> Any:
    return answer


@dataclass
class Vendor:
    """Wazzup's side of the wire, and a client that asks it."""

    http: httpx.AsyncClient
    route: respx.Route
    notes: Notes = field(default_factory=Notes)

    def client(self, *, patience: float = PATIENCE, base_url: str = WAZZUP) -> WazzupClient:
        return client_on(self.http, base_url, SECRET, journal=self.notes, patience=patience)

    def answers(self, *answers: httpx.Response | Exception) -> None:
        """In this order; the last one for ever."""
        *first, last = answers
        waiting: Iterator[httpx.Response | Exception] = iter(first)

        def answer(_request: httpx.Request) -> httpx.Response:
            one = next(waiting, last)
            if isinstance(one, Exception):
                raise one
            return one

        self.route.mock(side_effect=answer)

    async def asked(self, *, patience: float = PATIENCE) -> Any:
        return await self.client(patience=patience).post(
            "/v2/iframe-links/chats", {"a": "é"}, operation="link", party="crm-user-1", read=as_it_is
        )

    @property
    def attempts(self) -> int:
        return int(self.route.call_count)


def problem(status: int, code: str = "SOME_CODE", **members: Any) -> httpx.Response:
    """The vendor's error answer; one that a client of little patience does not try again."""
    body = {"code": code, "title": "T", "status": status, "detail": "What it says.", "method": "POST"} | members
    return httpx.Response(status, json=body, headers=MUCH_LATER)
