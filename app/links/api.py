"""`/links`: the door of this room. It translates; it does not decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from app.auth import Authenticator, Caller, RelayToken, Role
from app.clock import Clock
from app.contract import LINK_ANSWER_EXAMPLE, LINK_EXAMPLES, LINK_HEADERS, NEEDS_ADMIN, NEEDS_CALLER, problems
from app.errors import (
    BodyNotJson,
    BodyTooLarge,
    BodyTooSlow,
    BudgetSpent,
    CircuitOpen,
    ContentTypeUnknown,
    Forbidden,
    GatewayError,
    Invalid,
    OtherUser,
    RateLimited,
    StoreUnavailable,
    UserUnknown,
    WazzupBusy,
    WazzupForbidden,
    WazzupRefused,
    WazzupTimeout,
    WazzupUnavailable,
    WazzupUnreadable,
)  # fmt: skip
from app.links.issuer import Issued, LinkIssuer, Outcome
from app.links.models import Chat, LinkAnswer, LinkQuestion
from app.links.question import Asker, Manners, Settled, named_user, settle
from app.routes import UNKNOWN_CALLERS, Admin, Identified, JsonRoute, services_for

# Both are the vendor's word: without the first no voice messages, without the second no copying.
IFRAME_ALLOW = "microphone *; clipboard-write *"
# `2026-11-22T10:00:00Z`: whole seconds, UTC.
_RFC3339 = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
# No remembered link is older than a year; a larger number means the same, and would not fit a date.
_OLDEST = 365 * 24 * 3600

router = APIRouter(tags=["links"], route_class=JsonRoute)


@dataclass(frozen=True)
class AccountLinks:
    """The links of one account: how its questions are read, and who answers them."""

    manners: Manners
    issuer: LinkIssuer
    relay_url: str = "/events"
    """One for each account: what a page has kept for a user of one is not sent for a namesake of another."""


class Services(Protocol):
    """What this door needs of the wiring."""

    auth: Authenticator
    clock: Clock
    links: Mapping[str, AccountLinks]


@router.post(
    "/links",
    operation_id="createLink",
    summary="Get the link of a chat window",
    response_model=LinkAnswer,
    responses={
        200: {
            "description": "The link.",
            "headers": LINK_HEADERS,
            "content": {"application/json": {"example": LINK_ANSWER_EXAMPLE}},
        },
        **problems(
            GatewayError, BodyNotJson, BodyTooSlow,
            *UNKNOWN_CALLERS, Forbidden, OtherUser, BodyTooLarge, ContentTypeUnknown, Invalid, RateLimited,
            WazzupRefused, UserUnknown, WazzupForbidden, WazzupUnavailable, WazzupUnreadable, WazzupTimeout,
            WazzupBusy, BudgetSpent, CircuitOpen, StoreUnavailable,
        ),
    },
    openapi_extra=NEEDS_CALLER | {"requestBody": {"content": {"application/json": {"examples": LINK_EXAMPLES}}}},
)  # fmt: skip
async def create_link(question: LinkQuestion, caller: Identified, request: Request) -> Response:
    """The link to put into an iframe, for one CRM user.

    With chats, or with a contact, it opens that card; without, all chats of the user. Equal questions get the same link
    for some minutes; `max_age` or `Cache-Control: no-cache` asks for a newer one. `expires_in` says when to come again.
    The link is a credential. With `relay` a page posts the window's events.
    """
    services: Services = services_for(request.scope)
    links = services.links[caller.account]
    settled = settle(question, _asker(caller, question), links.manners)
    issued = await links.issuer.issue(settled.request, max_age=_max_age(question, request))
    relay = services.auth.relay_token(caller.account, settled.request.user_id)
    return _answer(settled, issued, links.relay_url, relay, services.clock.now())


@router.delete(
    "/links",
    operation_id="forgetLinks",
    summary="Forget a user's links",
    status_code=204,
    responses=problems(*UNKNOWN_CALLERS, Forbidden, Invalid, StoreUnavailable, method="DELETE"),
    openapi_extra=NEEDS_ADMIN,
)
async def forget_links(
    user_id: Annotated[str, Query(min_length=1, max_length=256, pattern=r"\S", examples=["crm-user-1"])],
    caller: Admin,
    request: Request,
) -> Response:
    """Forgets every remembered link of a CRM user, so that the next question gets a new one.

    Links that were already handed out stay valid until Wazzup ends them.
    """
    services: Services = services_for(request.scope)
    await services.links[caller.account].issuer.forget(caller.account, user_id.strip())
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def _asker(caller: Caller, question: LinkQuestion) -> Asker:
    caller.may_ask_for_links()
    if caller.role is Role.USER and (named := named_user(question)):
        caller.may_speak_for(named)
    return Asker(caller.account, caller.user_id, caller.user_name)


def _max_age(question: LinkQuestion, request: Request) -> timedelta | None:
    directives = b",".join(value for name, value in request.scope["headers"] if name == b"cache-control").lower()
    if directives and b"no-cache" in (directive.strip() for directive in directives.split(b",")):
        return timedelta(0)
    return None if question.max_age is None else timedelta(seconds=min(question.max_age, _OLDEST))


def _answer(settled: Settled, issued: Issued, relay_url: str, relay: RelayToken, now: datetime) -> Response:
    asked, link = settled.request, issued.link
    expires_in = max(0, int((link.expires_at - now).total_seconds()))
    body = {
        "link": link.url,
        "user_id": asked.user_id,
        "scope": asked.scope,
        "cached": issued.outcome in {Outcome.HIT, Outcome.STALE},
        "issued_at": link.issued_at,
        "expires_at": link.expires_at,
        "expires_in": expires_in,
        "iframe": {"allow": IFRAME_ALLOW, "origin": _origin(link.url)},
        "chats": [_chat(chat) for chat in asked.chats],
        "warnings": settled.warnings,
        "relay": {"url": relay_url, "token": relay.token, "expires_at": relay.expires_at},
    }
    return Response(
        orjson.dumps(body, option=_RFC3339), media_type="application/json", headers=_headers(issued, expires_in, now)
    )


def _origin(url: str) -> str:
    # Links are checked before they get here: what stands before the third slash is an origin.
    return "/".join(url.split("/", 3)[:3])


def _headers(issued: Issued, expires_in: int, now: datetime) -> dict[str, str]:
    headers = {
        "Cache-Control": "no-store",
        "Cache-Status": f"wazzup-gateway; {_STATUS[issued.outcome].format(ttl=expires_in)}",
    }
    if issued.outcome in {Outcome.HIT, Outcome.STALE}:
        headers["Age"] = str(max(0, int((now - issued.link.issued_at).total_seconds())))
    return headers | issued.quota.headers() if issued.quota else headers


# RFC 9211, section 2: `fwd` says why Wazzup was asked, `detail` what only we know.
_STATUS = {
    Outcome.HIT: "hit; ttl={ttl}",
    Outcome.STORED: "fwd=miss; stored",
    Outcome.MISSED: "fwd=miss",
    Outcome.COLLAPSED: "fwd=miss; collapsed",
    Outcome.REQUESTED: "fwd=request",
    Outcome.STALE: "fwd=stale; detail=stale-if-error",
    Outcome.STORE_DOWN: "fwd=bypass; detail=store-down",
    Outcome.CACHE_OFF: "fwd=bypass; detail=cache-off",
}


def _chat(chat: Chat) -> dict[str, Any]:
    told = {
        "chat_type": chat.chat_type,
        "chat_id": chat.chat_id,
        "username": chat.username,
        "contact_name": chat.contact_name,
    }
    return {name: value for name, value in told.items() if value is not None}
