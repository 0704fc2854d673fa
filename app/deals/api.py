"""`/deals`: the door of this room. It translates; it does not decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.contract import DEALS_ANSWER_EXAMPLE, DEALS_EXAMPLES, NEEDS_SERVER, problems
from app.deals.models import DealsAnswer, DealsQuestion
from app.deals.question import Settled, Terms, settle
from app.deals.teller import DealTeller
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
    StoreUnavailable,
    WazzupBusy,
    WazzupForbidden,
    WazzupRefused,
    WazzupTimeout,
    WazzupUnavailable,
    WazzupUnreadable,
)
from app.routes import UNKNOWN_CALLERS, Identified, JsonRoute, services_for

router = APIRouter(tags=["deals"], route_class=JsonRoute)


@dataclass(frozen=True)
class AccountDeals:
    """The deals of one account: how they are read, and who tells Wazzup of them."""

    terms: Terms
    teller: DealTeller


class Services(Protocol):
    """What this door needs of the wiring."""

    deals: Mapping[str, AccountDeals]


@router.post(
    "/deals",
    operation_id="tellDeals",
    summary="Tell Wazzup of contacts and deals",
    response_model=DealsAnswer,
    responses={
        200: {
            "description": "Wazzup has all of it.",
            "content": {"application/json": {"example": DEALS_ANSWER_EXAMPLE}},
        },
        **problems(
            GatewayError, BodyNotJson, BodyTooSlow, *UNKNOWN_CALLERS,
            Forbidden, BodyTooLarge, ContentTypeUnknown, Invalid, StoreUnavailable,
            WazzupRefused, WazzupForbidden, WazzupUnavailable, WazzupUnreadable, WazzupBusy, WazzupTimeout,
            BudgetSpent, CircuitOpen,
            path="/deals",
        ),
    },
    openapi_extra=NEEDS_SERVER | {"requestBody": {"content": {"application/json": {"examples": DEALS_EXAMPLES}}}},
)  # fmt: skip
async def tell_deals(question: DealsQuestion, caller: Identified, request: Request) -> Response:
    """After the CRM made a deal (`WZ_CREATE_ENTITY`), Wazzup must be told, or its Deals list will not show it.

    Contacts are told before deals, both in batches. Everything goes by id: what has the id of something told before
    replaces it, so sending the same again changes nothing, and is what to do after any failure. An item that cannot be
    told, or that Wazzup refuses, is named in `errors`.
    """
    services: Services = services_for(request.scope)
    caller.may_tell_deals()
    deals = services.deals[caller.account]
    settled = settle(question, deals.terms)
    await deals.teller.tell(settled.contacts, settled.deals)
    return _answer(settled)


def _answer(settled: Settled) -> Response:
    body: dict[str, Any] = {"contacts": len(settled.contacts), "deals": len(settled.deals)}
    if settled.warnings:
        body["warnings"] = settled.warnings
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})
