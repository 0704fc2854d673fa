"""The v2 partner API: links, users, contacts and deals, as strict as the vendor's own."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.simulator import schemas
from app.simulator.auth import admit_account
from app.simulator.chats import in_v3_words
from app.simulator.checks import Check, read_checked
from app.simulator.links import Ticket, make_link
from app.simulator.refusals import invalid
from app.simulator.world import World


def v2_routes() -> list[Route]:
    """List the routes of the generation, but for those that grant tokens."""
    return [
        Route("/v2/iframe-links/chats", create_link, methods=["POST"]),
        Route("/v2/users", put_users, methods=["POST"]),
        Route("/v2/contacts", put_contacts, methods=["POST"]),
        Route("/v2/deals", put_deals, methods=["POST"]),
    ]


async def create_link(request: Request) -> JSONResponse:
    """Give a link to the chat window."""
    world, body = await _asked(request, schemas.V2_LINK)
    if world.options.unknown_users_refused and body["user_id"] not in world.users:
        raise invalid("user_id must be a known user")
    link = request.state.link or make_link(world, _ticket(body))
    return _answer(world, {"link": link})


async def put_users(request: Request) -> JSONResponse:
    """Create users, or replace those with the same id."""
    world, body = await _asked(request, schemas.V2_USERS)
    world.users.update({user["id"]: user for user in body["users"]})
    return _answer(world, {})


async def put_contacts(request: Request) -> JSONResponse:
    """Create contacts, or replace those with the same id."""
    world, body = await _asked(request, schemas.V2_CONTACTS)
    world.contacts.update({contact["id"]: contact for contact in body["contacts"]})
    return _answer(world, {})


async def put_deals(request: Request) -> JSONResponse:
    """Create deals, or replace those with the same id. Their users and contacts must be known already."""
    world, body = await _asked(request, schemas.V2_DEALS)
    if strangers := list(world.strangers_in(body["deals"], "responsible_user_id")):
        raise invalid(*(f"deals.{stranger}" for stranger in strangers))
    world.deals.update({deal["id"]: deal for deal in body["deals"]})
    return _answer(world, {})


async def _asked(request: Request, check: Check) -> tuple[World, Any]:
    world: World = request.app.state.world
    admit_account(request, world)
    return world, await read_checked(request, check)


def _answer(world: World, data: dict[str, object]) -> JSONResponse:
    return JSONResponse({"data": data, "meta": {"timestamp": int(world.now().timestamp())}})


def _ticket(body: dict[str, Any]) -> Ticket:
    author = {"name": body["author_name"]} if "author_name" in body else {}
    events = body.get("use_events", {})
    return Ticket(
        user={"id": body["user_id"], **author},
        scope=body["scope"],
        chats=tuple(in_v3_words(chat) for chat in body.get("chats", [])),
        active_chat=in_v3_words(body["active_chat"]) if "active_chat" in body else None,
        deals_events=events.get("deals", False),
        message_events=events.get("messages", False),
    )
