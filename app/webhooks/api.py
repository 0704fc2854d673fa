"""`/webhooks`: where events are sent, for admins. It translates; it does not decide."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from app.contract import NEEDS_ADMIN, WEBHOOK_EXAMPLES, problems
from app.errors import (
    BodyNotJson,
    BodyTooLarge,
    BodyTooSlow,
    Conflict,
    ContentTypeUnknown,
    Forbidden,
    GatewayError,
    Invalid,
    StoreUnavailable,
    WebhookDisabled,
    WebhooksExhausted,
    WebhookUnknown,
)
from app.routes import UNKNOWN_CALLERS, Admin, JsonRoute, services_for
from app.webhooks.desk import WebhookDesk
from app.webhooks.models import (
    AskedReplay,
    AskedWebhook,
    ChangedWebhook,
    DeliveryPage,
    MadeWebhook,
    Replayed,
    Status,
    Tested,
    ToldWebhook,
    WebhookPage,
)

Limit = Annotated[int, Query(ge=1, le=100, description="At most so many.")]
HookCursor = Annotated[str | None, Query(pattern=r"^wh_[0-9A-Z]{22}$", description="`next` of the page before.")]
EventCursor = Annotated[str | None, Query(pattern=r"^evt_[0-9A-Z]{22}$", description="`next` of the page before.")]

_REFUSED = (GatewayError, *UNKNOWN_CALLERS, Forbidden, Invalid, StoreUnavailable)
_BODY = (BodyNotJson, BodyTooSlow, BodyTooLarge, ContentTypeUnknown)

router = APIRouter(tags=["webhooks"], route_class=JsonRoute)


def desk_for(request: Request, account: str) -> WebhookDesk:
    """The desk of the caller's account."""
    desks: Mapping[str, WebhookDesk] = services_for(request.scope).webhooks
    return desks[account]


@router.post(
    "/webhooks",
    operation_id="addWebhook",
    summary="Register a webhook",
    status_code=201,
    response_model=MadeWebhook,
    responses=problems(*_REFUSED, *_BODY, WebhooksExhausted, path="/webhooks"),
    openapi_extra=NEEDS_ADMIN | {"requestBody": {"content": {"application/json": {"examples": WEBHOOK_EXAMPLES}}}},
)
async def add_webhook(asked: AskedWebhook, caller: Admin, request: Request) -> Response:
    """From now on, events of these types are sent to `url`, signed with `secret`, which is told only here."""
    return told(201, await desk_for(request, caller.account).add(asked))


@router.get(
    "/webhooks",
    operation_id="listWebhooks",
    summary="List webhooks",
    response_model=WebhookPage,
    responses=problems(*_REFUSED, method="GET", path="/webhooks"),
    openapi_extra=NEEDS_ADMIN,
)
async def list_webhooks(caller: Admin, request: Request, cursor: HookCursor = None, limit: Limit = 50) -> Response:
    """Newest first."""
    return told(200, await desk_for(request, caller.account).page(cursor, limit))


@router.get(
    "/webhooks/{webhook_id}",
    operation_id="getWebhook",
    summary="Look at a webhook",
    response_model=ToldWebhook,
    responses=problems(*_REFUSED, WebhookUnknown, method="GET", path="/webhooks/wh_01"),
    openapi_extra=NEEDS_ADMIN,
)
async def get_webhook(webhook_id: str, caller: Admin, request: Request) -> Response:
    """Its secret is not told again: rotate it if it is lost."""
    return told(200, await desk_for(request, caller.account).get(webhook_id))


@router.patch(
    "/webhooks/{webhook_id}",
    operation_id="changeWebhook",
    summary="Change, enable or disable a webhook",
    response_model=ToldWebhook,
    responses=problems(*_REFUSED, *_BODY, WebhookUnknown, Conflict, method="PATCH", path="/webhooks/wh_01"),
    openapi_extra=NEEDS_ADMIN,
)
async def change_webhook(changed: ChangedWebhook, caller: Admin, request: Request, webhook_id: str) -> Response:
    """What is left out stays. A webhook that is disabled gets nothing, and what is pending for it ends as dead.

    Enabled again, it gets what is accepted from then on; `POST …/replay` sends what it missed.
    """
    return told(200, await desk_for(request, caller.account).change(webhook_id, changed))


@router.delete(
    "/webhooks/{webhook_id}",
    operation_id="deleteWebhook",
    summary="Delete a webhook",
    status_code=204,
    responses=problems(*_REFUSED, WebhookUnknown, method="DELETE", path="/webhooks/wh_01"),
    openapi_extra=NEEDS_ADMIN,
)
async def delete_webhook(webhook_id: str, caller: Admin, request: Request) -> Response:
    """What is pending for it ends as dead."""
    await desk_for(request, caller.account).delete(webhook_id)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


@router.post(
    "/webhooks/{webhook_id}/rotate-secret",
    operation_id="rotateSecret",
    summary="Make a new secret",
    response_model=MadeWebhook,
    responses=problems(*_REFUSED, WebhookUnknown, Conflict, path="/webhooks/wh_01/rotate-secret"),
    openapi_extra=NEEDS_ADMIN,
)
async def rotate_secret(webhook_id: str, caller: Admin, request: Request) -> Response:
    """The new secret is told here and never again. For 24 hours the old one signs too."""
    return told(200, await desk_for(request, caller.account).rotate(webhook_id))


@router.post(
    "/webhooks/{webhook_id}/test",
    operation_id="testWebhook",
    summary="Send an example event",
    response_model=Tested,
    responses=problems(*_REFUSED, WebhookUnknown, path="/webhooks/wh_01/test"),
    openapi_extra=NEEDS_ADMIN,
)
async def try_webhook(webhook_id: str, caller: Admin, request: Request) -> Response:
    """Delivers an example of `WZ_CREATE_ENTITY` now, once, and tells what the CRM said. A disabled webhook can be
    tested too.
    """
    return told(200, await desk_for(request, caller.account).test(webhook_id))


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    operation_id="listDeliveries",
    summary="List deliveries of a webhook",
    response_model=DeliveryPage,
    responses=problems(*_REFUSED, WebhookUnknown, method="GET", path="/webhooks/wh_01/deliveries"),
    openapi_extra=NEEDS_ADMIN,
)
async def list_deliveries(
    webhook_id: str,
    caller: Admin,
    request: Request,
    status: Status | None = None,
    cursor: EventCursor = None,
    limit: Limit = 50,
) -> Response:
    """Newest first. With a `status`, a page may hold fewer than `limit` although there are more: go on while there is
    a `next`.
    """
    desk = desk_for(request, caller.account)
    return told(200, await desk.deliveries(webhook_id, status=status, cursor=cursor, limit=limit))


@router.post(
    "/webhooks/{webhook_id}/replay",
    operation_id="replayWebhook",
    summary="Send events again",
    response_model=Replayed,
    responses=problems(*_REFUSED, *_BODY, WebhookUnknown, WebhookDisabled, path="/webhooks/wh_01/replay"),
    openapi_extra=NEEDS_ADMIN,
)
async def replay_webhook(asked: AskedReplay, caller: Admin, request: Request, webhook_id: str) -> Response:
    """Sends again what was accepted from `since` until before `until`: what died (`dead`), what came while the webhook
    did not exist or was disabled (`missed`), or everything that it wants (`all`).
    """
    return told(200, await desk_for(request, caller.account).replay(webhook_id, asked))


def told(status: int, answer: BaseModel) -> Response:
    """The answer, which nobody may keep."""
    return Response(
        answer.model_dump_json(),  # which can write numbers beyond 64 bits
        status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
