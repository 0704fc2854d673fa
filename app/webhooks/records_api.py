"""`GET /events`, `/deliveries`: what came in and what became of it, for admins. It translates; it does not decide."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.contract import NEEDS_ADMIN, problems
from app.errors import Conflict, DeliveryUnknown, EventUnknown, Forbidden, GatewayError, Invalid, StoreUnavailable
from app.routes import UNKNOWN_CALLERS, Admin
from app.webhooks.api import EventCursor, Limit, desk_for, told
from app.webhooks.models import EventPage, Replayed, WholeEvent

_REFUSED = (GatewayError, *UNKNOWN_CALLERS, Forbidden, Invalid, StoreUnavailable)

router = APIRouter(tags=["events"])


@router.get(
    "/events",
    operation_id="listEvents",
    summary="List events",
    response_model=EventPage,
    responses=problems(*_REFUSED, method="GET", path="/events"),
    openapi_extra=NEEDS_ADMIN,
)
async def list_events(caller: Admin, request: Request, cursor: EventCursor = None, limit: Limit = 50) -> Response:
    """Newest first, those that no webhook wanted included."""
    return told(200, await desk_for(request, caller.account).events(cursor=cursor, limit=limit))


@router.get(
    "/events/{event_id}",
    operation_id="getEvent",
    summary="Look at an event",
    response_model=WholeEvent,
    responses=problems(*_REFUSED, EventUnknown, method="GET", path="/events/evt_01"),
    openapi_extra=NEEDS_ADMIN,
)
async def get_event(event_id: str, caller: Admin, request: Request) -> Response:
    """What the webhooks receive, and what became of it at each of them."""
    return told(200, await desk_for(request, caller.account).event(event_id))


@router.post(
    "/events/{event_id}/replay",
    operation_id="replayEvent",
    summary="Send an event again",
    response_model=Replayed,
    responses=problems(*_REFUSED, EventUnknown, path="/events/evt_01/replay"),
    openapi_extra=NEEDS_ADMIN,
)
async def replay_event(event_id: str, caller: Admin, request: Request) -> Response:
    """To every webhook that wants its type, whether it has had it before or not. The event's id stays the same."""
    return told(200, await desk_for(request, caller.account).replay_event(event_id))


@router.post(
    "/deliveries/{delivery_id}/retry",
    operation_id="retryDelivery",
    summary="Send a delivery again",
    status_code=202,
    response_class=Response,
    responses=problems(*_REFUSED, DeliveryUnknown, Conflict, path="/deliveries/evt_01:wh_01/retry"),
    openapi_extra=NEEDS_ADMIN,
)
async def retry_delivery(delivery_id: str, caller: Admin, request: Request) -> Response:
    """At once: one that is dead, or one that waits for its next attempt."""
    await desk_for(request, caller.account).retry(delivery_id)
    return Response(status_code=202, headers={"Cache-Control": "no-store"})
