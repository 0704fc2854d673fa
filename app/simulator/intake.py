"""What every call meets before its route: it is recorded, and may be late, broken, or one too many.

Calls to the simulation itself (`/_simulator`) and to the window pass untouched.
"""

from typing import Any

import anyio
import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.simulator.checks import read_json
from app.simulator.faults import Fault
from app.simulator.refusals import RefusedError, error_body, refuse, usual_code
from app.simulator.world import Call, World


class Intake:
    """The outermost middleware of the vendor's routes."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self.app = app
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the call, let its fault happen, and pass on what is left."""
        if scope["type"] != "http" or not scope["path"].startswith(("/v2/", "/v3/")):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        self.world.record(_recorded(request, body))
        fault = self.world.faults.take(scope["path"])
        if fault and fault.delay_seconds and await _gives_up(receive, fault.delay_seconds):
            return
        if fault and fault.dropped:
            await _drop(scope, send)
            return
        answer = self._instead_of_route(request, fault)
        scope.setdefault("state", {})["link"] = fault.link if fault else None
        await (answer or self.app)(scope, _replayed(body, receive), send)

    def _instead_of_route(self, request: Request, fault: Fault | None) -> Response | None:
        if fault and fault.status is not None:
            return _failure(request, fault, fault.status)
        if not self.world.admits(request.url.path):
            return refuse(request, RefusedError(429, "TOO_MANY_REQUESTS"))
        return None


def _recorded(request: Request, body: bytes) -> Call:
    headers = dict(request.headers)
    if "authorization" in headers:
        headers["authorization"] = headers["authorization"].partition(" ")[0]
    return Call(method=request.method, path=request.url.path, headers=headers, body=_parsed(body))


def _parsed(body: bytes) -> Any:
    try:
        return read_json(body)
    except ValueError:
        return None


def _failure(request: Request, fault: Fault, status: int) -> Response:
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    if fault.body is not None:
        return Response(fault.body, status, headers, "application/json")
    path = request.url.path
    refusal = RefusedError(status, fault.code or usual_code(path, status), fault.errors)
    return JSONResponse(error_body(path, request.method, refusal), status, headers)


async def _gives_up(receive: Receive, delay_seconds: float) -> bool:
    """Wait, but not for a caller who has gone: a server that is closing would have to wait for us."""
    with anyio.move_on_after(delay_seconds):
        while (await receive())["type"] != "http.disconnect":
            pass
        return True
    return False


async def _drop(scope: Scope, send: Send) -> None:
    """Break the connection in the middle of an answer.

    A server closes a connection whose answer stays behind the length it announced, once we simply return.
    httpx's in-process transport has no connection to break (and, unlike a server, names no ASGI version):
    there we raise what its caller would have met on a wire.
    """
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"data": ', "more_body": True})
    if "spec_version" not in scope["asgi"]:
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


def _replayed(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
