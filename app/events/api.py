"""`POST /events`: the door of this room. It translates; it does not decide."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.auth import Caller, Role
from app.contract import EVENT_ANSWERS, EVENT_EXAMPLES, EVENT_PARAMETERS, NEEDS_POSTER, problems
from app.errors import (
    BodyNotJson,
    BodyTooLarge,
    BodyTooSlow,
    ContentTypeUnknown,
    GatewayError,
    Invalid,
    OtherUser,
    StoreUnavailable,
)
from app.events.models import Accepted, Answered, PostedEvent
from app.events.relay import Answer, EventRelay, Poster
from app.routes import UNKNOWN_CALLERS, Identified, JsonRoute, header, services_for

# Seconds; the longest that a page may wait. Behind most proxies an answer must begin within a minute.
LONGEST_WAIT = 30.0
# RFC 7240, section 4.3; among other preferences, with or without quotes.
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)

router = APIRouter(tags=["events"], route_class=JsonRoute)


class Services(Protocol):
    """What this door needs of the wiring."""

    events: Mapping[str, EventRelay]


@router.post(
    "/events",
    operation_id="postEvent",
    summary="Relay an event of the chat window",
    status_code=202,
    response_model=Accepted,
    responses={
        200: {"model": Answered} | EVENT_ANSWERS[200],
        202: EVENT_ANSWERS[202],
        **problems(
            GatewayError, BodyNotJson, BodyTooSlow, *UNKNOWN_CALLERS,
            OtherUser, BodyTooLarge, ContentTypeUnknown, Invalid, StoreUnavailable,
            path="/events",
        ),
    },
    openapi_extra=NEEDS_POSTER
    | {"parameters": EVENT_PARAMETERS, "requestBody": {"content": {"application/json": {"examples": EVENT_EXAMPLES}}}},
)  # fmt: skip
async def post_event(event: PostedEvent, caller: Identified, request: Request) -> Response:
    """The message that the window posted to its page, as it came. 202 means that it and its deliveries are stored.

    With an `id` (or `Idempotency-Key`) it may be posted again, after an error or a lost answer: within 24 hours it is
    the same event, and nothing is sent twice. `Prefer: wait=5` waits so long for the webhooks' answers, so that the
    page can open the deal that the CRM just made.
    """
    relay: EventRelay = services_for(request.scope).events[caller.account]
    patience = _patience(request)
    stored = await relay.accept(event, _poster(caller), key=_key(request), waits=patience > 0)
    answers = await relay.answers(stored.event_id, within=patience) if patience else None
    if answers is not None:
        return _json(200, {"id": stored.event_id, "results": _results(answers)}, patience)
    body = {"id": stored.event_id, "duplicate": stored.duplicate, "deliveries": stored.deliveries}
    return _json(202, body)


def _poster(caller: Caller) -> Poster:
    return Poster(caller.user_id, from_browser=caller.role in {Role.USER, Role.RELAY})


def _key(request: Request) -> str | None:
    key = header(request.scope, b"idempotency-key").strip()
    # RFC draft-ietf-httpapi-idempotency-key writes it in quotes; most callers do not.
    return key.strip('"') or None


def _patience(request: Request) -> float:
    found = _WAIT.search(header(request.scope, b"prefer"))
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0


def _results(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    return [
        {
            "webhook_id": one.webhook_id,
            "status": one.state,
            "response": None if one.status is None else {"status": one.status, "body": one.body},
        }
        for one in answers
    ]


def _json(status: int, body: dict[str, Any], patience: float = 0) -> Response:
    applied = {"Preference-Applied": f"wait={patience:g}"} if patience else {}
    return Response(
        orjson.dumps(body), status, media_type="application/json", headers={"Cache-Control": "no-store"} | applied
    )
