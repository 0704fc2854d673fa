"""The one entry to the demo CRM: its page and its own server, as two ASGI apps that share deals and feed."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from app.crm.book import Book
from app.crm.feed import Feed
from app.crm.gateway import Gateway
from app.crm.page import FILES, PATH, Element, Page, Power
from app.crm.receiver import Receiver, create_receiver
from app.crm.teller import WAITS, Teller
from app.crm.visitors import Visitors, render

# By this name the journal's lines about the start belong together.
START: Final = "demo-start"


@dataclass(frozen=True, kw_only=True)
class CrmOptions:
    """Where everything is, and what the operator of the gateway gave to this CRM."""

    gateway_url: str
    receiver_url: str
    wazzup_url: str
    element: Element
    server_key: str = field(repr=False)
    admin_key: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    retry_seconds: tuple[float, ...]
    folder: Path
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    waits: Sequence[float] = WAITS


@dataclass(frozen=True)
class Crm:
    """A CRM that is open. `page` is for the browser; `receiver` listens where the gateway delivers."""

    feed: Feed
    book: Book
    gateway: Gateway
    teller: Teller
    receiver: ASGIApp
    options: CrmOptions = field(repr=False)

    def page(self, power: Power) -> ASGIApp:
        """The page and its routes, with the switch of the receiver in it."""
        options = self.options
        page = Page(
            book=self.book,
            teller=self.teller,
            feed=self.feed,
            power=power,
            element=options.element,
            retry_seconds=options.retry_seconds,
            receiver_url=options.receiver_url,
            jwt_secret=options.jwt_secret,
            now=options.now,
        )
        app = Starlette(routes=page.routes(), exception_handlers={HTTPException: render})
        app.router.redirect_slashes = False
        port = urlsplit(options.gateway_url).port
        return Visitors(
            app,
            hosts={f"{name}:{port}" for name in ("127.0.0.1", "localhost")},
            frames=options.wazzup_url,
            files={PATH, *(f"{PATH}/{name}" for name in FILES)},
        )

    async def begin(self) -> None:
        """Registers the webhook, and begins to tell Wazzup of all that the CRM has.

        Raises:
            GatewayRefused: no event will come.
        """
        await self.gateway.register(self.options.receiver_url, self.options.webhook_secret)
        self.feed.say("webhook.registered", request_id=START, url=self.options.receiver_url)
        await self.gateway.introduce_user(START)
        self.teller.tell(*(deal.id for deal in self.book.deals), about=START)


@asynccontextmanager
async def open_crm(options: CrmOptions, http: httpx.AsyncClient) -> AsyncIterator[Crm]:
    """A CRM whose gateway is asked by `http`; at the end it leaves nothing running."""
    options.folder.mkdir(parents=True, exist_ok=True)
    page_url = f"{options.gateway_url}{PATH}"
    book, feed = Book(options.folder / "deals.json"), Feed(options.now)
    gateway = Gateway(http, options.server_key, options.admin_key)
    teller = Teller(book, gateway, feed, page_url, options.monotonic, options.waits)
    receiver = Receiver(book, teller, feed, page_url, options.webhook_secret, options.now)
    try:
        yield Crm(feed, book, gateway, teller, create_receiver(receiver), options)
    finally:
        feed.close()
        await teller.rest()
