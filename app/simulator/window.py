"""The page behind a link: what a CRM's user sees in the iframe. Whatever came from outside is escaped."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from app.simulator.links import Chat, Ticket, TokenExpiredError, TokenUnreadableError, read_ticket

HEADERS = {
    "Cache-Control": "no-store",
    # Anybody may frame it, as the vendor's window lets any CRM; nothing may be loaded or run.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; color: #1d2733; background: #f4f6f8; }
header { padding: 12px 20px; color: #fff; background: #0a7d5c; }
h1 { font-size: 18px; margin: 0; }
header p { margin: 0; opacity: .85; }
main { padding: 20px; }
ul { list-style: none; margin: 0; padding: 0; }
li { padding: 12px 16px; margin-bottom: 8px; background: #fff; border-radius: 8px; }
li.active { outline: 2px solid #0a7d5c; }
small { color: #5d6b7a; }
"""


def window_routes() -> list[Route]:
    """List the routes that a link can lead to."""
    return [
        Route("/{account}/chat", open_window),
        Route("/{account}/chat/{chat_type}/{chat_id:path}", open_window),
    ]


async def open_window(request: Request) -> HTMLResponse:
    """Show the window to whoever has a living link."""
    account = request.path_params["account"]
    token = request.query_params.get("token", "")
    try:
        ticket = read_ticket(request.app.state.world, account, token)
    except TokenExpiredError:
        return _page(410, "This link has expired", "<p>Ask for a new link and open it again.</p>")
    except TokenUnreadableError:
        return _page(403, "This link has expired or is not valid", "<p>Ask for a new link.</p>")
    if ticket.blank:
        return HTMLResponse("", headers=HEADERS)
    return _page(200, _contact(ticket), _chats(ticket), _user(ticket))


def _page(status: int, title: str, body: str, subtitle: str = "Simulated Wazzup") -> HTMLResponse:
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Simulated Wazzup</title><style>{STYLE}</style></head>"
        f"<body><header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header>"
        f"<main>{body}</main></body></html>"
    )
    return HTMLResponse(document, status, headers=HEADERS)


def _user(ticket: Ticket) -> str:
    return f"Simulated Wazzup · as {ticket.user.get('name', ticket.user['id'])}"


def _contact(ticket: Ticket) -> str:
    names = (chat["name"] for chat in ticket.chats if "name" in chat)
    addresses = (_address(chat) for chat in ticket.chats)
    return next(names, next(addresses, "All chats"))


def _chats(ticket: Ticket) -> str:
    if not ticket.chats:
        return "<p>Every chat this user may see would be listed here.</p>"
    return "<ul>" + "".join(_chat(chat, ticket.active_chat) for chat in ticket.chats) + "</ul>"


def _chat(chat: Chat, active: Chat | None) -> str:
    marked = ' class="active"' if active and _same(chat, active) else ""
    name = escape(chat.get("name", _address(chat)))
    return f"<li{marked}>{name}<br><small>{escape(chat['chatType'])} · {escape(_address(chat))}</small></li>"


def _same(chat: Chat, other: Chat) -> bool:
    return chat["chatType"] == other["chatType"] and _address(chat) == _address(other)


def _address(chat: Chat) -> str:
    return chat["chatId"] if "chatId" in chat else "@" + chat["username"]
