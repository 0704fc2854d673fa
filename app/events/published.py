"""What CRMs receive, as the OpenAPI document publishes it under `webhooks`: one entry for each type of event."""

from inspect import cleandoc
from typing import Any, Final

from fastapi import APIRouter

from app.events.models import AnyOther, CreateEntity, OpenEntity

_WINDOW: Final = {
    "chatType": "whatsapp",
    "chatId": "37111234567",
    "channelId": "8f6a2f5e-3c0d-4f2b-9a3e-5d1c7b9e0a11",
    "userId": "crm-user-1",
    "integrationId": "17",
}
_ENTITY: Final = {"id": "D-77", "name": "Chairs", "closed": False, "link": "https://crm.example/d/77"}
_SIGNATURE: Final = (
    "`v1,` and the HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` in base64, keyed with the bytes behind "
    "`whsec_`. While two secrets live there are two of them, separated by a space: one that fits is enough."
)
_HEADERS: Final[list[dict[str, Any]]] = [
    {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string", "pattern": pattern, "examples": [example]},
    }
    for name, description, pattern, example in (
        (
            "webhook-id",
            "The event's id. The same at every attempt and replay: what was seen before need not be done again.",
            "^[A-Za-z0-9_]+$",
            "evt_01KAMPE8M0ABCDEFGHJKMN",
        ),
        (
            "webhook-timestamp",
            "When this attempt was made, in seconds since 1970. Refuse what is older than five minutes.",
            "^[0-9]+$",
            "1795341600",
        ),
        ("webhook-signature", _SIGNATURE, "^v1,\\S+( v1,\\S+)*$", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
    )
]
_AGAIN: Final = "Anything else: it is sent again by the schedule, and is dead at its end."
_GONE: Final = "The webhook is disabled. So does an answer header `webhook-delivery: disable`."
_HAS_IT: Final = "Any 2xx, within 15 seconds: the CRM has it."

router = APIRouter(tags=["webhooks"])


def _published(kind: str, data: dict[str, Any], answered: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    message = {
        "id": "evt_01KAMPE8M0ABCDEFGHJKMN",
        "type": kind,
        "timestamp": "2026-11-22T10:00:00Z",
        "account": "default",
        "data": data,
        "context": {
            "user_id": "crm-user-1",
            "trust": "browser",
            "received_at": "2026-11-22T10:00:00Z",
            "occurred_at": "2026-11-22T09:59:59Z",
        },
    }
    good: dict[str, Any] = {"description": answered}
    if body:
        good["content"] = {"application/json": {"schema": {}, "example": body}}
    return {
        "summary": kind,
        "responses": {200: good, 410: {"description": _GONE}, "default": {"description": _AGAIN}},
        "openapi_extra": {
            "parameters": _HEADERS,
            # No credential: the signature is the proof.
            "security": [],
            "requestBody": {"content": {"application/json": {"examples": {kind: {"value": message}}}}},
        },
    }


@router.post(
    "WZ_CREATE_ENTITY",
    operation_id="receiveCreateEntity",
    description=cleandoc(CreateEntity.__doc__ or ""),
    **_published(
        "WZ_CREATE_ENTITY",
        _WINDOW,
        f"{_HAS_IT} The first KiB of the body reaches the page that asked for it by `Prefer: wait`, so answer with "
        "what opens the new deal.",
        {"id": "D-78", "url": "https://crm.example/d/78"},
    ),
)
def receive_create_entity(message: CreateEntity) -> None:
    """Implemented by the CRM."""


@router.post(
    "WZ_OPEN_ENTITY",
    operation_id="receiveOpenEntity",
    description=cleandoc(OpenEntity.__doc__ or ""),
    **_published("WZ_OPEN_ENTITY", _WINDOW | {"entity": _ENTITY}, _HAS_IT),
)
def receive_open_entity(message: OpenEntity) -> None:
    """Implemented by the CRM."""


@router.post(
    "WZ_*",
    operation_id="receiveAnyOther",
    description=cleandoc(AnyOther.__doc__ or ""),
    **_published("WZ_SOMETHING_NEW", {"whatever": "as Wazzup sent it"}, _HAS_IT),
)
def receive_any_other(message: AnyOther) -> None:
    """Implemented by the CRM."""
