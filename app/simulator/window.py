"""The page behind a link: what a CRM's user sees in the iframe. Whatever came from outside is escaped.

The page carries what it shows at first, as JSON that no browser runs; from then on `window.js` asks `news`.
"""

import json
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.simulator.links import TokenExpiredError, TokenUnreadableError, read_ticket
from app.simulator.view import View, view_of

NOTICE = Template('<main class="notice"><h1>$title</h1><p>$advice</p><p class="brand">Simulated Wazzup</p></main>')
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
FOLDER = Path(__file__).parent

HEADERS = {
    "Cache-Control": "no-store",
    # Anybody may frame it, as the vendor's window lets any CRM. What runs, shows or is asked comes from here alone.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors *"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def window_routes() -> list[Route]:
    """List the routes that a link can lead to, and those of the page's own files."""
    return [
        Route("/_window/{name}", open_file),
        Route("/{account}/chat", open_window),
        Route("/{account}/chat/{chat_type}/{chat_id:path}", open_window),
    ]


async def open_window(request: Request) -> HTMLResponse:
    """Show the window to whoever has a living link."""
    world = request.app.state.world
    account = request.path_params["account"]
    try:
        ticket = read_ticket(world, account, request.query_params.get("token", ""))
    except TokenExpiredError:
        return _notice(410, _expired())
    except TokenUnreadableError:
        return _notice(403, _said("This link has expired or is not valid", "Ask for a new link."))
    if ticket.blank:
        return HTMLResponse("", headers=HEADERS)
    return HTMLResponse(_page(view_of(world, ticket), account), headers=HEADERS)


async def open_file(request: Request) -> Response:
    """Give one of the page's own files."""
    file = _files().get(request.path_params["name"])
    if file is None:
        return Response(status_code=404, headers=HEADERS)
    return Response(file.read_bytes(), headers=HEADERS, media_type=MEDIA_TYPES[file.suffix])


@cache
def _files() -> dict[str, Path]:
    return {file.name: file for file in FOLDER.glob("window*") if file.suffix in MEDIA_TYPES}


@cache
def _template(name: str) -> Template:
    return Template((FOLDER / name).read_text(encoding="utf-8"))


def _page(view: View, account: str) -> str:
    shown = {"account": account, **view.shown(view.first)}
    title = view.chats[shown["chat"]]["name"] if shown["chat"] else "All chats"
    return _template("window.html").substitute(
        title=escape(title), user=escape(view.user_name), view=_inert(shown), expired=_expired()
    )


def _inert(data: object) -> str:
    """JSON that can stand in a document: nothing in it ends the element it stands in, or begins a comment."""
    return json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _expired() -> str:
    return _said("This link has expired", "Ask for a new link and open it again.")


def _said(title: str, advice: str) -> str:
    return NOTICE.substitute(title=title, advice=advice)


def _notice(status: int, notice: str) -> HTMLResponse:
    return HTMLResponse(_template("notice.html").substitute(notice=notice), status, headers=HEADERS)
