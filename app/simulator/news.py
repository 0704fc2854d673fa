"""What an open window asks and sends, as long as its link lives. The link's token is the credential, as for the page.

GET  /_window/{account}/view?chat=KEY                the view, with that chat open
POST /_window/{account}/messages {chat, id, text}    say something; the same id again says nothing

Calls are short, so that a server that closes waits for none. They are the window's own, and not the vendor's API: they
are neither recorded nor counted, and no fault meets them.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.simulator.checks import read_checked, record, text
from app.simulator.conversations import Message
from app.simulator.links import TokenExpiredError, TokenUnreadableError, read_ticket
from app.simulator.refusals import RefusedError, invalid
from app.simulator.view import View, view_of

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

MESSAGE = record(
    {"chat": text(), "id": text(max_length=64), "text": text(max_length=2000)},
    required=("chat", "id", "text"),
)


def news_routes() -> list[Route]:
    """List the routes of an open window."""
    return [
        Route("/_window/{account}/view", show, methods=["GET"]),
        Route("/_window/{account}/messages", say, methods=["POST"]),
    ]


async def show(request: Request) -> JSONResponse:
    """Tell what the window shows now."""
    view = _view(request)
    return JSONResponse(view.shown(request.query_params.get("chat")), headers=HEADERS)


async def say(request: Request) -> JSONResponse:
    """Take a user's message, and tell what the window shows then."""
    view = _view(request)
    body = await read_checked(request, MESSAGE)
    if body["chat"] not in view.chats:
        raise invalid("chat must be one of the window's")
    now = view.world.now()
    message = Message(id=body["id"], text=body["text"], at=now, author=view.user_name)
    view.conversation(body["chat"]).say(message)
    return JSONResponse(view.shown(body["chat"]), 201, headers=HEADERS)


def _view(request: Request) -> View:
    world = request.app.state.world
    _, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        ticket = read_ticket(world, request.path_params["account"], token.strip())
    except TokenExpiredError as error:
        raise RefusedError(410, "LINK_EXPIRED") from error
    except TokenUnreadableError as error:
        raise RefusedError(403, "LINK_UNKNOWN") from error
    return view_of(world, ticket)
