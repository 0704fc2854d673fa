"""What the OpenAPI document says beyond what FastAPI can see: who may call, what can go wrong, examples, headers."""

from typing import Any

from app.errors import GatewayError

SECURITY_SCHEMES: dict[str, Any] = {
    "serverKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A server key (`API_KEYS`): links and events for any user of its account, and deals.",
    },
    "adminKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An admin key (`ADMIN_API_KEYS`): everything in its account.",
    },
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A user token, signed by the CRM's back end: `sub` is the CRM user id, `aud` is `JWT_AUDIENCE`; "
        "`exp` is required, `name` optional. Speaks for that one user.",
    },
}

SECURITY_SCHEMES["relayToken"] = {
    "type": "http",
    "scheme": "bearer",
    "description": "The relay token in the answer of `POST /links`: posts events of that one user, until it expires.",
}

NEEDS_CALLER: dict[str, Any] = {"security": [{"serverKey": []}, {"adminKey": []}, {"userToken": []}]}
NEEDS_POSTER: dict[str, Any] = {
    "security": [{"serverKey": []}, {"adminKey": []}, {"userToken": []}, {"relayToken": []}]
}
NEEDS_SERVER: dict[str, Any] = {"security": [{"serverKey": []}, {"adminKey": []}]}
NEEDS_ADMIN: dict[str, Any] = {"security": [{"adminKey": []}]}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457), with the members of Wazzup's own errors, so one parser reads both.",
    "required": ["type", "title", "status", "detail", "instance", "code", "method", "errors", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do, in a sentence."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "code": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "description": "Stable: branch on this."},
        "method": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail", "pointer"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer into the body, as URI fragment.",
                    },
                },
            },
        },
        "request_id": {"type": ["string", "null"]},
        "wazzup": {
            "type": "object",
            "description": "What Wazzup said, where it is the cause.",
            "properties": {
                "status": {"type": ["integer", "null"]},
                "code": {"type": ["string", "null"]},
                "detail": {"type": ["string", "null"]},
                "errors": {"type": "array", "items": {"type": "string"}},
            },
        },
    },
}


def problems(
    *errors: type[GatewayError], method: str = "POST", path: str = "/links"
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer with these errors."""
    found: dict[int | str, dict[str, Any]] = {}
    for error in sorted(errors, key=lambda one: (one.status, one.code)):
        answer = found.setdefault(error.status, {"description": "", "content": {"application/problem+json": {}}})
        answer["description"] = "; ".join(filter(None, (answer["description"], f"`{error.code}`: {error.title}")))
        content = answer["content"]["application/problem+json"]
        content["schema"] = {"$ref": "#/components/schemas/Problem"}
        content.setdefault("examples", {})[error.code] = {"value": _example(error, method, path)}
    return found


def _example(error: type[GatewayError], method: str, path: str) -> dict[str, Any]:
    sentence = (error.__doc__ or error.title).splitlines()[0]
    return {
        "type": f"urn:problem-type:wazzup-gateway:{error.code.lower().replace('_', '-')}",
        "title": error.title,
        "status": error.status,
        "detail": sentence,
        "instance": path,
        "code": error.code,
        "method": method,
        "errors": [],
        "request_id": "5f0c7e1d2b9a4c38",
    }


def header(description: str, example: str) -> dict[str, Any]:
    """One response header."""
    return {"description": description, "schema": {"type": "string"}, "example": example}


LINK_HEADERS: dict[str, Any] = {
    "Cache-Status": header("How the link came about (RFC 9211).", "wazzup-gateway; hit; ttl=291"),
    "Age": header("Seconds since a remembered link was issued.", "9"),
    "RateLimit-Policy": header("Link requests per user (IETF draft 10).", '"links";q=60;w=60'),
    "RateLimit": header("What is left of it.", '"links";r=59;t=60'),
    "X-Request-Id": header("Names this request in the gateway's log.", "5f0c7e1d2b9a4c38"),
}

LINK_EXAMPLES: dict[str, Any] = {
    "a contact's card": {
        "value": {
            "user_id": "crm-user-1",
            "contact": {"name": "Anthony Stone", "phone": "+371 11 234 567", "telegram": "@my_tg_user"},
        }
    },
    "chats in the vendor's form": {
        "value": {
            "user": {"id": "crm-user-1", "name": "John Smith"},
            "scope": "card",
            "chats": [{"contact_name": "Anthony Stone", "chat_type": "whatsapp", "chat_id": "37111234567"}],
            "use_events": {"deals": True, "messages": False},
        }
    },
    "all chats of a user": {"value": {"user_id": "crm-user-1", "scope": "global"}},
}

LINK_ANSWER_EXAMPLE: dict[str, Any] = {
    "link": "https://app.wazzup24.com/1234-1234/chat/whatsapp/37111234567?token=…",
    "user_id": "crm-user-1",
    "scope": "card",
    "cached": False,
    "issued_at": "2026-11-22T10:00:00Z",
    "expires_at": "2026-11-22T10:05:00Z",
    "expires_in": 300,
    "iframe": {"allow": "microphone *; clipboard-write *", "origin": "https://app.wazzup24.com"},
    "chats": [{"chat_type": "whatsapp", "chat_id": "37111234567", "contact_name": "Anthony Stone"}],
    "warnings": [],
    "relay": {"url": "/events", "token": "wgr_…", "expires_at": "2026-11-22T22:00:00Z"},
}

DEALS_EXAMPLES: dict[str, Any] = {
    "a new deal and its contact": {
        "value": {
            "contacts": [
                {
                    "id": "C-5",
                    "user_id": "crm-user-1",
                    "name": "Anthony Stone",
                    "phone": "+37111234567",
                    "url": "https://crm.example/c/5",
                }
            ],
            "deals": [
                {
                    "id": "D-77",
                    "user_id": "crm-user-1",
                    "name": "Chairs",
                    "url": "https://crm.example/d/77",
                    "contact_ids": ["C-5"],
                    "closed": False,
                }
            ],
        }
    },
    "a deal that was closed": {
        "value": {
            "deals": [{"id": "D-77", "user_id": "crm-user-1", "name": "Chairs", "contact_ids": ["C-5"], "closed": True}]
        }
    },
}

DEALS_ANSWER_EXAMPLE: dict[str, Any] = {"contacts": 1, "deals": 1}

EVENT_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=5` waits up to so many seconds, 30 at most, for the webhooks' answers (RFC 7240).",
        "schema": {"type": "string"},
    },
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Stands for `id`, where the body has none.",
        "schema": {"type": "string"},
    },
]

EVENT_EXAMPLES: dict[str, Any] = {
    "the user clicked +": {
        "value": {
            "type": "WZ_CREATE_ENTITY",
            "data": {"chatType": "whatsapp", "chatId": "37111234567", "userId": "crm-user-1"},
            "id": "0b2f7c1e-3d5a-4a8e-9f58-2f1f0a6f3b11",
        }
    },
    "the user clicked a deal": {
        "value": {
            "type": "WZ_OPEN_ENTITY",
            "data": {
                "chatType": "whatsapp",
                "chatId": "37111234567",
                "userId": "crm-user-1",
                "entity": {"id": "D-77", "name": "Chairs", "closed": False, "link": "https://crm.example/d/77"},
            },
        }
    },
}

EVENT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "With `Prefer: wait`: every webhook was tried in time.",
        "content": {
            "application/json": {
                "example": {
                    "id": "evt_01KAMPE8M0ABCDEFGHJKMN",
                    "results": [
                        {
                            "webhook_id": "wh_01KAMPDZZ0ABCDEFGHJKMN",
                            "status": "delivered",
                            "response": {"status": 200, "body": '{"url": "https://crm.example/d/78"}'},
                        }
                    ],
                },
            }
        },
    },
    202: {"description": "The event and its deliveries are stored."},
}

WEBHOOK_EXAMPLES: dict[str, Any] = {
    "new deals": {
        "value": {
            "url": "https://crm.example/wazzup",
            "events": ["WZ_CREATE_ENTITY"],
            "description": "Makes deals",
            "headers": {"X-Tenant": "north"},
        }
    },
    "everything": {"value": {"url": "https://crm.example/wazzup", "events": ["*"]}},
}
