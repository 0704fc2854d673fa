"""What the browser asks for: the page, a token, what there is, what happens; and to change a deal, or turn a switch."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, TypeVar

from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from app.crm.book import STAGES, Amount, Book, Deal, Stage
from app.crm.feed import Feed
from app.crm.people import CONTACTS, USER
from app.crm.teller import Teller

PATH: Final = "/demo"
# Long enough for a request; the element asks for another one each time.
TOKEN_LIFETIME: Final = timedelta(minutes=5)
LARGEST: Final = 4096

_FOLDER = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES: Final = {file.name: _TYPES[file.suffix] for file in sorted(_FOLDER.iterdir()) if file.suffix in _TYPES}

Body = TypeVar("Body", bound=BaseModel)


class Unswitched(Exception):
    """The CRM's server could not be turned on or off. Says why."""


class Power(Protocol):
    """The switch of the CRM's own server. `turn` may raise `Unswitched`."""

    @property
    def is_on(self) -> bool: ...
    async def turn(self, on: bool) -> None: ...


class ChangedDeal(BaseModel):
    """What of a deal is to be another; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)] = ""
    amount: Amount = 0
    stage: Stage = "New"
    contact_id: Literal["C-1", "C-2", "C-3", "C-4", "C-5"] = "C-1"


class Switched(BaseModel):
    """Whether the CRM's server shall be reachable."""

    model_config = ConfigDict(extra="forbid", strict=True)

    on: bool


@dataclass(frozen=True)
class Element:
    """Where the gateway serves its browser element, and the hash that pins its content."""

    path: str
    integrity: str


@dataclass(frozen=True)
class Page:
    """The page of one CRM. `retry_seconds` is told to it, so that it can say when the next attempt is due."""

    book: Book
    teller: Teller
    feed: Feed
    power: Power
    element: Element
    retry_seconds: tuple[float, ...]
    receiver_url: str
    jwt_secret: str = field(repr=False)
    now: Callable[[], datetime]

    def routes(self) -> list[Route]:
        """Everything below `/demo`."""
        return [
            *(Route(path, self.show, methods=["GET"]) for path in (PATH, f"{PATH}/")),
            Route(f"{PATH}/state", self.state, methods=["GET"]),
            Route(f"{PATH}/token", self.token, methods=["GET"]),
            Route(f"{PATH}/live", self.live, methods=["GET"]),
            Route(f"{PATH}/server", self.switch, methods=["PUT"]),
            Route(f"{PATH}/deals/{{deal_id}}", self.change_deal, methods=["PATCH"]),
            *(Route(f"{PATH}/{name}", self.file, methods=["GET"]) for name in FILES),
        ]

    async def show(self, _: Request) -> Response:
        """The page itself."""
        return Response(self._html, media_type="text/html", headers={"Cache-Control": "no-cache"})

    async def file(self, request: Request) -> Response:
        """A script, a style or a picture of the page."""
        name = request.url.path.rpartition("/")[2]
        content = (_FOLDER / name).read_bytes()
        headers = {"Cache-Control": "no-cache", "ETag": f'"{sha256(content).hexdigest()[:16]}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=FILES[name], headers=headers)

    async def state(self, _: Request) -> Response:
        """Everything that the page shows."""
        return _fresh(
            {
                "user": asdict(USER),
                "contacts": [asdict(one) for one in CONTACTS],
                "deals": [asdict(deal) | {"closed": deal.closed} for deal in self.book.deals],
                "stages": STAGES,
                "server": {"on": self.power.is_on, "url": self.receiver_url},
                "retry_seconds": self.retry_seconds,
            }
        )

    async def token(self, _: Request) -> Response:
        """A user token for the gateway, which speaks for this user only: the keys stay here."""
        now = self.now()
        claims = {
            "sub": USER.id,
            "name": USER.name,
            "aud": "wazzup-gateway",
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFETIME).timestamp()),
        }
        return _fresh({"token": jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(self.jwt_secret))})

    async def live(self, request: Request) -> Response:
        """What happens, as Server-Sent Events; `after` or `Last-Event-ID` says from where on."""
        cursor = request.headers.get("last-event-id") or request.query_params.get("after", "")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self.feed.follow(cursor), media_type="text/event-stream", headers=headers)

    async def switch(self, request: Request) -> Response:
        """Turns the CRM's own server on or off; the page lives on."""
        asked = await _read(Switched, request)
        if asked.on != self.power.is_on:
            try:
                await self.power.turn(asked.on)
            except Unswitched as error:
                raise HTTPException(409, str(error)) from error
            self.feed.say("server.switched", on=asked.on)
        return _fresh({"on": self.power.is_on, "url": self.receiver_url})

    async def change_deal(self, request: Request) -> Response:
        """Changes a deal, and tells Wazzup of it afterwards."""
        asked = await _read(ChangedDeal, request)
        deal = self.book.find(request.path_params["deal_id"])
        if deal is None:
            raise HTTPException(404, "There is no deal of this id.")
        changed = self.book.change(deal, **asked.model_dump(include=asked.model_fields_set))
        if changed != deal:
            self._tell_of(changed, asked.model_fields_set)
        return _fresh(asdict(changed) | {"closed": changed.closed})

    def _tell_of(self, deal: Deal, fields: AbstractSet[str]) -> None:
        about = f"{deal.id}-{int(self.now().timestamp() * 1000)}"
        named = sorted(field.removesuffix("_id") for field in fields)
        self.feed.say("deal.changed", request_id=about, deal_id=deal.id, fields=named)
        self.teller.tell(deal.id, about=about)

    @cached_property
    def _html(self) -> str:
        named = {"element": self.element.path, "integrity": self.element.integrity}
        html = (_FOLDER / "page.html").read_text(encoding="utf-8")
        for name, value in named.items():
            html = html.replace(f"{{{{{name}}}}}", escape(value))
        return html


def _fresh(answer: dict[str, Any]) -> Response:
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


async def _read(model: type[Body], request: Request) -> Body:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise HTTPException(413, f"Send at most {LARGEST} bytes.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise HTTPException(422, f"{place}: {first['msg']}".removeprefix(": ")) from None
