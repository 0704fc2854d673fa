"""The HTTP door: `create_app` puts routers, middleware and error rendering around the services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from app import health
from app.clock import Clock, SystemClock
from app.contract import PROBLEM_SCHEMA, SECURITY_SCHEMES
from app.deals import api as deals
from app.edge import Cors, Express, Intake, RequestLog
from app.errors import GatewayError, Invalid, MethodUnknown, RouteUnknown
from app.events import api as events
from app.events import published
from app.links import api as links
from app.problems import faults, problem_response
from app.routes import JsonRoute
from app.settings import Settings
from app.telemetry import Telemetry
from app.web import api as web
from app.webhooks import api as webhooks
from app.webhooks import records_api as records
from app.wiring import House, open_services

VERSION = "0.1.0"
ROUTERS = (
    links.router, events.router, records.router, webhooks.router, deals.router, web.router, health.router,
)  # fmt: skip

DESCRIPTION = """
Stands between a CRM and Wazzup: holds the Wazzup credentials, gives CRM pages the link of the chat
window, and tells Wazzup of the deals that a CRM made there.

Every error is `application/problem+json` (RFC 9457) with a stable `code`.
"""


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    delivers: bool = True,
) -> "Gateway":
    """The gateway as an ASGI application. Its services open and close with its lifespan; see `open_services`."""
    telemetry = Telemetry()
    clock = clock or SystemClock()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings, telemetry, clock=clock, transport=transport, delivers=delivers) as house:
            app.state.house, app.state.services = house, house.services
            yield

    app = Gateway(
        telemetry=telemetry,
        clock=clock,
        title="Wazzup Gateway",
        version=VERSION,
        summary="Chat links for CRM pages.",
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
        webhooks=published.router,
        openapi_tags=[
            {"name": "links", "description": "The link of a chat window."},
            {"name": "events", "description": "What happened in the window, and what became of it."},
            {"name": "webhooks", "description": "Where events are sent."},
            {"name": "deals", "description": "What a CRM made of the window's events, for Wazzup's Deals list."},
            {"name": "operations", "description": "For the operator's machines."},
        ],
    )
    for router in ROUTERS:
        app.include_router(router)
    _complete_contract(app)
    return app


class Gateway(FastAPI):
    """FastAPI behind our own edge: its handlers see a request only when the edge cannot answer it."""

    def __init__(self, *, telemetry: Telemetry, clock: Clock, **options: Any) -> None:
        self._edge = telemetry, clock
        # FastAPI's own spans would carry what our log must not.
        off: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
        super().__init__(telemetry=off, **options)
        _render_errors(self)

    def build_middleware_stack(self) -> ASGIApp:
        """The whole way in, outside last."""
        telemetry, clock = self._edge
        express = Express(super().build_middleware_stack(), routes=_fixed_json_routes())
        return RequestLog(Cors(Intake(express, journal=telemetry)), journal=telemetry, clock=clock)

    def reread(self) -> None:
        """Follows `ACCOUNTS_FILE`. Requests under way end as they began; a file that is broken changes nothing."""
        telemetry, _ = self._edge
        house: House = self.state.house
        house.follow(telemetry)
        self.state.services = house.services

    def stopping(self) -> None:
        """The process is to end, and requests are answered meanwhile."""
        if house := getattr(self.state, "house", None):
            house.stop()


def _fixed_json_routes() -> dict[tuple[str, str], JsonRoute]:
    return {
        (method, route.path): route
        for route in _routes()
        if isinstance(route, JsonRoute) and route.body_field and "{" not in route.path
        for method in route.methods or ()
    }


def _render_errors(app: FastAPI) -> None:
    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatewayError)  # noqa: S101 - Starlette calls by type
        return problem_response(error, request.scope)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - Starlette calls by type
        return problem_response(_translated(error, request.scope["path"]), request.scope)

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette calls by type
        return problem_response(
            Invalid("A parameter breaks the contract; see errors.", faults=faults(error.errors())),
            request.scope,
        )

    async def anything(request: Request, _: Exception) -> Response:
        return problem_response(GatewayError(), request.scope)  # and `Intake` tells of it

    app.add_exception_handler(Exception, anything)
    app.add_exception_handler(GatewayError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)


def _translated(error: HTTPException, path: str) -> GatewayError:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return RouteUnknown("Nothing lives at this path. GET /docs lists what there is.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodUnknown(
                "This path does not take this method; Allow says which.",
                headers={"Allow": ", ".join(sorted(_methods_of(path)))},
            )
        case _:
            return GatewayError()


def _methods_of(path: str) -> set[str]:
    """All of them: Starlette names only those of the first route that has the path."""
    ours = {method for route in _routes() if route.path_regex.match(path) for method in route.methods or ()}
    return ours or {"GET", "HEAD"}  # FastAPI's own pages


def _routes() -> list[APIRoute]:
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def _complete_contract(app: FastAPI) -> None:
    """Adds to the OpenAPI document what FastAPI cannot see."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generated()
            components = document.setdefault("components", {})
            components["securitySchemes"] = SECURITY_SCHEMES
            components["schemas"]["Problem"] = PROBLEM_SCHEMA
            for leftover in ("HTTPValidationError", "ValidationError"):
                components["schemas"].pop(leftover, None)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents
