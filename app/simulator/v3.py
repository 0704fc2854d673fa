"""The v3 public API: links, users, contacts and deals, with bare lists and names of its own."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.simulator import schemas
from app.simulator.auth import admit_api_key
from app.simulator.checks import Check, read_checked
from app.simulator.links import Ticket, make_link
from app.simulator.refusals import RefusedError, invalid
from app.simulator.world import World


def v3_routes() -> list[Route]:
    """List the routes of the generation."""
    return [
        Route("/v3/iframe", create_link, methods=["POST"]),
        Route("/v3/users", put_users, methods=["POST"]),
        Route("/v3/contacts", put_contacts, methods=["POST"]),
        Route("/v3/deals", put_deals, methods=["POST"]),
    ]


async def create_link(request: Request) -> JSONResponse:
    """Give a link to the chat window."""
    world, body = await _asked(request, schemas.V3_LINK)
    if world.options.unknown_users_refused and body["user"]["id"] not in world.users:
        raise RefusedError(400, "INVALID_USER")
    return JSONResponse({"url": request.state.link or make_link(world, _ticket(body))})


async def put_users(request: Request) -> JSONResponse:
    """Create users, or replace those with the same id."""
    world, users = await _asked(request, schemas.V3_USERS)
    world.users.update({user["id"]: user for user in users})
    return JSONResponse({})


async def put_contacts(request: Request) -> JSONResponse:
    """Create contacts, or replace those with the same id."""
    world, contacts = await _asked(request, schemas.V3_CONTACTS)
    world.contacts.update({contact["id"]: contact for contact in contacts})
    return JSONResponse({})


async def put_deals(request: Request) -> JSONResponse:
    """Create deals, or replace those with the same id. Their users and contacts must be known already."""
    world, deals = await _asked(request, schemas.V3_DEALS)
    if strangers := list(world.strangers_in(deals, "responsibleUserId")):
        raise invalid(*strangers)
    world.deals.update({deal["id"]: deal for deal in deals})
    return JSONResponse({})


async def _asked(request: Request, check: Check) -> tuple[World, Any]:
    world: World = request.app.state.world
    admit_api_key(request, world)
    return world, await read_checked(request, check)


def _ticket(body: dict[str, Any]) -> Ticket:
    options = body.get("options", {})
    active = body.get("activeChat")
    return Ticket(
        user=body["user"],
        scope=body["scope"],
        chats=tuple(body.get("filter", [])),
        active_chat=active,
        deals_events=options.get("useDealsEvents", False),
        message_events=options.get("useMessageEvents", False),
        blank=active is not None and "channelId" not in active,
    )
