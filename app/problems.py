"""How an error looks on the wire: RFC 9457 `application/problem+json`, with Wazzup's own members kept beside."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

import orjson
from pydantic_core import ErrorDetails
from starlette.responses import Response
from starlette.types import Scope

from app.errors import Fault, GatewayError, VendorSaid

MOST_FAULTS: Final = 50
MEDIA_TYPE: Final = "application/problem+json"


def problem_response(error: GatewayError, scope: Scope) -> Response:
    """The answer for `error`, to the request that `scope` describes; its code goes into the request's log line."""
    scope["problem"] = error.code
    return Response(
        orjson.dumps(problem(error, scope)),
        status_code=error.status,
        headers=error.headers() | {"Cache-Control": "no-store"},
        media_type=MEDIA_TYPE,
    )


def problem(error: GatewayError, scope: Scope) -> dict[str, Any]:
    """The problem document (RFC 9457), with the members of the vendor's errors: `code`, `method`, `errors`."""
    document: dict[str, Any] = {
        "type": f"urn:problem-type:wazzup-gateway:{error.code.lower().replace('_', '-')}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": quote(scope["path"], safe="/~:@!$&'()*+,;="),
        "code": error.code,
        "method": scope["method"],
        "errors": [{"detail": fault.detail, "pointer": fault.pointer} for fault in error.faults],
        "request_id": scope.get("request_id"),
    }
    if error.vendor:
        document["wazzup"] = _vendor(error.vendor)
    return document


def _vendor(said: VendorSaid) -> dict[str, Any]:
    return {"status": said.status, "code": said.code, "detail": said.detail, "errors": list(said.errors)}


def faults(found: Iterable[ErrorDetails]) -> list[Fault]:
    """Pydantic's findings as ours; as many as a reader can use."""
    return [Fault(_sentence(one), pointer(*one["loc"])) for one in islice(found, MOST_FAULTS)]


def pointer(*parts: str | int) -> str:
    """A JSON pointer in the URI fragment form of RFC 6901, section 6: `#/chats/0/chat_id`."""
    escaped = (quote(str(part).replace("~", "~0").replace("/", "~1"), safe="~") for part in parts)
    return "#" + "".join(f"/{part}" for part in escaped)


def _sentence(found: ErrorDetails) -> str:
    match found["type"]:
        case "extra_forbidden":
            return "This field is not known; leave it out."
        case "missing":
            return "This field is required."
        case _:
            # The message says what is allowed; the value that was sent stands in `input`, which we never touch.
            return found["msg"].removeprefix("Value error, ") + "."
