"""The CRM's own server: what the gateway delivers to. It believes nothing unsigned, and makes one deal per event.

If we die before the answer, the gateway comes again with the same id, and finds the deal that was made.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.crm.book import Book, Deal
from app.crm.feed import Feed
from app.crm.signatures import NotGenuine, verify
from app.crm.teller import Teller

LARGEST: Final = 256 * 1024
CREATE: Final = "WZ_CREATE_ENTITY"


@dataclass(frozen=True)
class Receiver:
    """What is done with a delivery."""

    book: Book
    teller: Teller
    feed: Feed
    page_url: str
    secret: str = field(repr=False)
    now: Callable[[], datetime]

    async def receive(self, request: Request) -> Response:
        """`POST /wazzup`."""
        body = await _body(request)
        if body is None:
            return Response(status_code=413)
        try:
            event_id = verify(request.headers, body, secret=self.secret, now=self.now())
        except NotGenuine as error:
            self.feed.say("signature.refused", hint=str(error))
            return Response(status_code=401)
        self.feed.say("signature.checked", event_id=event_id)
        return JSONResponse(self._handled(event_id, json.loads(body)))

    def _handled(self, event_id: str, message: dict[str, Any]) -> dict[str, str]:
        is_example = message["context"]["trust"] == "test"
        if message["type"] != CREATE or is_example:
            return {}
        if deal := self.book.made_of(event_id):
            self.feed.say("deal.repeated", event_id=event_id, deal_id=deal.id)
            return self._answer(deal)
        deal = self.book.make(event_id, message["data"], self.now())
        self.feed.say("deal.made", event_id=event_id, deal_id=deal.id)
        self.teller.tell(deal.id, about=event_id)
        return self._answer(deal)

    def _answer(self, deal: Deal) -> dict[str, str]:
        return {"id": deal.id, "url": f"{self.page_url}#/deals/{deal.id}"}


def create_receiver(receiver: Receiver) -> Starlette:
    """The ASGI app that listens on the CRM's own port."""
    return Starlette(routes=[Route("/wazzup", receiver.receive, methods=["POST"])])


async def _body(request: Request) -> bytes | None:
    """The body as it came; None where it is too large to be an event."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    return body
