"""The link to a chat window, and the token in it: whoever has it is that user until it expires."""

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from joserfc import jwt
from joserfc.errors import JoseError

from app.simulator.chats import Chat
from app.simulator.world import World

ALGORITHMS = ["HS256"]


class TokenUnreadableError(Exception):
    """The link's token is not one of ours, or not for this account."""


class TokenExpiredError(Exception):
    """The link's token was ours, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a link is bound to."""

    user: dict[str, str]
    scope: str
    chats: tuple[Chat, ...] = ()
    active_chat: Chat | None = None
    deals_events: bool = False
    message_events: bool = False
    blank: bool = False
    """v3 opens a blank window for an active chat without its channel."""

    ends_at: datetime | None = None
    """When the link it was read from ends; None as long as there is no link."""


def make_link(world: World, ticket: Ticket) -> str:
    """Make a new link; two for the same question differ."""
    place = "/".join([_shown(world.options.account_id), "chat", *_place(ticket)])
    return f"{world.public_url}/{place}?token={_token(world, ticket)}"


def read_ticket(world: World, account: str, token: str) -> Ticket:
    """Read what a link's token is bound to; raise `TokenUnreadableError` or `TokenExpiredError`."""
    try:
        claims = jwt.decode(_compact(world, token), world.link_key, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError) as error:
        raise TokenUnreadableError from error
    if account != _shown(claims["account"]):
        raise TokenUnreadableError
    ends_at = datetime.fromtimestamp(claims["exp"], UTC)
    if ends_at <= world.now():
        raise TokenExpiredError
    return Ticket(
        user={"id": claims["user"], **({"name": claims["name"]} if claims["name"] else {})},
        scope=claims["scope"],
        chats=tuple(claims["filter"]),
        active_chat=claims["activeChat"],
        deals_events=claims["useDealsEvents"],
        message_events=claims["useMessageEvents"],
        blank=claims["blank"],
        ends_at=ends_at,
    )


def _token(world: World, ticket: Ticket) -> str:
    now = world.now()
    claims: dict[str, Any] = {
        "account": world.options.account_id,
        "user": ticket.user["id"],
        "name": ticket.user.get("name"),
        "scope": ticket.scope,
        "filter": list(ticket.chats),
        "activeChat": ticket.active_chat,
        "useDealsEvents": ticket.deals_events,
        "useMessageEvents": ticket.message_events,
        "blank": ticket.blank,
        "jti": secrets.token_urlsafe(8),
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=world.options.link_lifetime_seconds)).timestamp()),
    }
    compact = jwt.encode({"alg": "HS256"}, claims, world.link_key, algorithms=ALGORITHMS)
    return _veil(compact) if world.options.opaque_links else compact


def _compact(world: World, token: str) -> str:
    return _unveil(token) if world.options.opaque_links else token


def _veil(compact: str) -> str:
    return base64.urlsafe_b64encode(compact.encode()).decode().rstrip("=")


def _unveil(token: str) -> str:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


def _shown(account_id: str) -> str:
    half = len(account_id) // 2
    return f"{account_id[:half]}-{account_id[half:]}"


def _place(ticket: Ticket) -> list[str]:
    chat = ticket.active_chat or next(iter(ticket.chats), None)
    if chat is None:
        return []
    return [chat["chatType"], quote(chat.get("chatId") or chat["username"], safe="")]
