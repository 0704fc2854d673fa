"""Where the network meets the gateway: pure ASGI, so that a request costs microseconds here.

Outside in: `RequestLog` names the request and tells its outcome, `Cors` answers browsers, `Intake` takes the body in
and renders every error, `Express` takes the short way to a JSON route. So what leaves is always a good answer or a
problem document, with CORS headers and a request id.
"""

import asyncio
import random
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from http import HTTPStatus
from typing import Protocol

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.clock import Clock
from app.errors import BodyTooLarge, BodyTooSlow, Forbidden, GatewayError, Stopping
from app.problems import problem_response
from app.routes import JsonRoute, header, services_for
from app.telemetry import Journal, begin

BODY_CAP = 64 * 1024
# Seconds for a whole body. A page sends its few hundred bytes at once; who takes longer holds a connection hostage.
BODY_PATIENCE = 10.0
# What nginx calls it when the client went away before it was answered.
CLIENT_GONE = 499

EXPOSED = (
    "Cache-Status", "Age", "RateLimit-Policy", "RateLimit", "Retry-After", "X-Request-Id", "WWW-Authenticate",
)  # fmt: skip
ACCEPTED = (
    "Authorization", "Cache-Control", "Content-Type", "Idempotency-Key", "Prefer", "Traceparent", "X-Request-Id",
)  # fmt: skip

_DIGITS = len(str(BODY_CAP))
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_ORIGIN = b"origin"
_VARY = (b"vary", b"Origin")
_EXPOSED = (b"access-control-expose-headers", ", ".join(EXPOSED).encode())


class RequestLog:
    """One `http.request` line for each request, and an `X-Request-Id` on each answer."""

    def __init__(self, app: ASGIApp, *, journal: Journal, clock: Clock) -> None:
        self.app = app
        self.journal = journal
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = self.clock.monotonic()
        request_id, traceparent = _names(scope)
        scope["request_id"] = request_id
        begin(request_id=request_id, traceparent=traceparent)
        status = CLIENT_GONE

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self.app(scope, receive, named)
        finally:
            facts = {"code": scope["problem"]} if "problem" in scope else {}
            self.journal.note(
                "http.request",
                method=scope["method"] if scope["method"] in _METHODS else "OTHER",
                route=_route(scope),
                status=status,
                duration_ms=round((self.clock.monotonic() - started) * 1000, 2),
                **facts,
            )


class Services(Protocol):
    """What this door needs of the wiring: who may read the answers of an account, and under None of any."""

    origins: Mapping[str | None, AbstractSet[str]]


class Cors:
    """CORS for exact origins: an answer is read by the pages of the account whose answer it is, and no others.

    A preflight names no account, since browsers send it without credentials, and neither does a caller whom nobody
    knows: there the pages of every account are welcome. What is public says so itself, and is the same for everybody.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
            await self._preflight(scope)(scope, receive, send)
        elif origin := header(scope, _ORIGIN):
            await self.app(scope, receive, _readable(scope, origin, send))
        else:
            await self.app(scope, receive, _varying(scope, send))

    def _preflight(self, scope: Scope) -> Response:
        services: Services = services_for(scope)
        # Starlette knows how browsers ask; what it refuses is a problem document like every other error.
        cors = CORSMiddleware(self.app, services.origins[None], ("GET", "POST", "PATCH", "DELETE"), ACCEPTED)
        answer = cors.preflight_response(Headers(scope=scope)) if header(scope, _ORIGIN) else None
        if answer and answer.status_code == HTTPStatus.OK:
            return answer
        problem = problem_response(
            Forbidden("This origin, method or header is not allowed. The operator names origins in ALLOWED_ORIGINS."),
            scope,
        )
        problem.headers["Vary"] = cors.preflight_headers["Vary"]
        return problem


def _readable(scope: Scope, origin: str, send: Send) -> Send:
    services: Services = services_for(scope)

    async def readable(message: Message) -> None:
        if message["type"] == "http.response.start" and not scope.get("public"):
            message["headers"].append(_VARY)
            if origin in services.origins.get(scope.get("account"), ()):
                message["headers"] += [(b"access-control-allow-origin", origin.encode("latin-1")), _EXPOSED]
        await send(message)

    return readable


def _varying(scope: Scope, send: Send) -> Send:
    async def varying(message: Message) -> None:
        if message["type"] == "http.response.start" and not scope.get("public"):
            message["headers"].append(_VARY)
        await send(message)

    return varying


class Intake:
    """Takes a whole body in, within a size and a time, and turns whatever goes wrong behind it into a problem."""

    def __init__(self, app: ASGIApp, *, journal: Journal) -> None:
        self.app = app
        self.journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            body = await _whole_body(scope, receive)
            if body is None:
                return  # The client hung up half-way: there is nobody to answer.
            scope["body"] = body
            await self.app(scope, _replay(body, receive), watched)
        except asyncio.CancelledError:
            # The server ends, and has waited as long as it may.
            if not started:
                stopping = Stopping("The gateway is being restarted. Try again.", retry_after=timedelta(seconds=1))
                await problem_response(stopping, scope)(scope, receive, send)
            raise
        except Exception as error:
            answer = error if isinstance(error, GatewayError) else GatewayError()
            if answer.status == GatewayError.status:
                self.journal.trouble("http.failed", error, route=_route(scope))
            if not started:
                await problem_response(answer, scope)(scope, receive, send)


class Express:
    """The short way to JSON routes of a fixed path: without the router's search, stacks and handlers.

    FastAPI still documents these routes and answers for their other methods; errors are rendered by `Intake`.
    """

    def __init__(self, app: ASGIApp, *, routes: Mapping[tuple[str, str], JsonRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        route = self.routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        response = await route.handle_json(Request(scope, receive))
        await response(scope, receive, send)


async def _whole_body(scope: Scope, receive: Receive) -> bytes | None:
    length = header(scope, b"content-length")
    if length.isdecimal() and (len(length) > _DIGITS or int(length) > BODY_CAP):
        raise _too_large()
    reading = asyncio.current_task()
    late = False

    def give_up() -> None:
        nonlocal late
        late = True
        if reading:
            reading.cancel()

    # What asyncio.timeout does, without what it costs: this timer is set for every request, and hardly ever rings.
    timer = asyncio.get_running_loop().call_later(BODY_PATIENCE, give_up)
    try:
        return await _joined(receive)
    except asyncio.CancelledError:
        if not late or not reading or reading.uncancel():
            raise
        raise BodyTooSlow(f"The body did not arrive within {BODY_PATIENCE:.0f} seconds. Send it in one go.") from None
    finally:
        timer.cancel()


async def _joined(receive: Receive) -> bytes | None:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        if len(body) > BODY_CAP:
            raise _too_large()
        message = await receive()
        body += message.get("body", b"")
    if len(body) > BODY_CAP:
        raise _too_large()
    return None if message["type"] == "http.disconnect" else body


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {BODY_CAP // 1024} KiB. No request of this API needs that.")


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _names(scope: Scope) -> tuple[str, str]:
    """The request's id, and our span in the caller's trace (W3C Trace Context, level 1) or in a new one."""
    chance = f"{random.getrandbits(256):064x}"  # names, not secrets
    asked = header(scope, b"x-request-id")
    request_id = asked if _REQUEST_ID.fullmatch(asked) else chance[:16]
    known = _TRACEPARENT.fullmatch(header(scope, b"traceparent"))
    trace, flags = (known[1], known[2]) if known else (chance[16:48], "00")
    return request_id, f"00-{trace}-{chance[48:]}-{flags}"


def _route(scope: Scope) -> str:
    # The pattern, never the path: a path may hold anything, and would be a new time series each time.
    return getattr(scope.get("route"), "path", "unknown")
