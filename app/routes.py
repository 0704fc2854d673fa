"""How a route is entered: first who calls, then what they ask; both refused with a precise problem, never a 500."""

from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.auth import Authenticator, Caller
from app.errors import (
    BodyNotJson,
    CallerUnknown,
    ContentTypeUnknown,
    CredentialMissing,
    Invalid,
    KeysUnavailable,
    TokenExpired,
)
from app.problems import faults


def services_for(scope: Scope) -> Any:
    """The services as they were when this request first needed them: a re-read changes nothing for it."""
    pinned = scope.get("services")
    if pinned is None:
        pinned = scope["services"] = scope["app"].state.services
    return pinned


async def identify(request: Request) -> Caller:
    """The caller of this request."""
    auth: Authenticator = services_for(request.scope).auth
    caller = await auth.identify(header(request.scope, b"authorization"))
    request.scope["account"] = caller.account  # for the edge: whose answer this is
    return caller


async def identify_admin(request: Request) -> Caller:
    """The caller of this request, who must be an admin: asked before anything else is looked at."""
    caller = await identify(request)
    caller.must_be_admin()
    return caller


Identified = Annotated[Caller, Depends(identify)]
Admin = Annotated[Caller, Depends(identify_admin)]

# What a caller can meet before anything is looked at.
UNKNOWN_CALLERS = (CredentialMissing, CallerUnknown, TokenExpired, KeysUnavailable)

Body = TypeVar("Body", bound=BaseModel)


class JsonRoute(APIRoute):
    """A route whose endpoint is `(body: Model, caller: Identified or Admin, request: Request, …path) -> Response`.

    FastAPI documents it like any other route. It is run without FastAPI's solver: that would read the body before it
    asks who is calling, parse it twice, report errors in a form of its own, and take longer than all of our own work.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What runs when the route is called."""
        return super().get_route_handler() if self.body_field is None else self.handle_json

    async def handle_json(self, request: Request) -> Response:
        """Asks who calls, reads the body, runs the endpoint."""
        caller = await self._enter(request)
        body = {self._name: read(self._model, request.scope)}
        answer: Response = await self.endpoint(caller=caller, request=request, **body, **request.path_params)
        return answer

    @cached_property
    def _enter(self) -> Callable[[Request], Coroutine[Any, Any, Caller]]:
        entries = [one.call for one in self.dependant.dependencies if one.call in {identify, identify_admin}]
        return identify_admin if identify_admin in entries else identify

    @cached_property
    def _model(self) -> Any:
        return self.body_field.field_info.annotation if self.body_field else None

    @cached_property
    def _name(self) -> str:
        return self.body_field.name if self.body_field else ""


def header(scope: Scope, name: bytes) -> str:
    """The first header of that name, or "". ASGI servers give names in lower case."""
    named: dict[bytes, bytes] | None = scope.get("named_headers")
    if named is None:
        named = scope["named_headers"] = dict(reversed(scope["headers"]))
    return str(named.get(name, b""), "latin-1")


def read(model: type[Body], scope: Scope) -> Body:
    """The body that the edge took in, as `model`.

    Raises:
        ContentTypeUnknown: not announced as plain application/json.
        BodyNotJson: not JSON at all.
        Invalid: JSON, but not what the contract asks for; every fault is listed.
    """
    if header(scope, b"content-type").partition(";")[0].strip().lower() != "application/json":
        raise ContentTypeUnknown("Send the body as Content-Type: application/json.")
    if header(scope, b"content-encoding").lower() not in {"", "identity"}:
        raise ContentTypeUnknown("Send the body without a Content-Encoding.")
    try:
        return model.model_validate_json(scope["body"])
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        if found[0]["type"] == "json_invalid":
            raise BodyNotJson("The body is not valid JSON in UTF-8.") from None
        raise Invalid("The body breaks the contract; see errors.", faults=faults(found)) from None
