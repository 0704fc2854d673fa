"""Wazzup's partner API (v2): `POST /v2/iframe-links/chats`, as it is really accepted.

Flat `user_id` and snake_case throughout; unknown fields are refused by the vendor, so nothing empty is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.links.models import ActiveChat, Chat, LinkRequest
from app.wazzup.client import WazzupClient, sent
from app.wazzup.guard import link_of


@dataclass(frozen=True)
class WazzupV2:
    """Makes links by the partner API."""

    client: WazzupClient
    link_hosts: Sequence[str]

    async def create_link(self, request: LinkRequest) -> str:
        """A new link for `request`.

        Raises:
            WazzupError: as `WazzupClient.post`; WazzupUnreadable also for a link that we do not hand out.
        """
        return await self.client.post(
            "/v2/iframe-links/chats",
            link_question(request),
            operation="link",
            read=lambda answer: link_of(lambda: answer["data"]["link"], self.link_hosts),
        )


def link_question(request: LinkRequest) -> dict[str, Any]:
    """The body of the link request."""
    return sent(
        user_id=request.user_id,
        author_name=request.author_name,
        scope=request.scope,
        chats=[_chat(chat) for chat in request.chats],
        active_chat=_active(request.active_chat) if request.active_chat else None,
        use_events={"deals": request.use_events.deals, "messages": request.use_events.messages},
        client_type=request.client_type,
    )


def _chat(chat: Chat) -> dict[str, Any]:
    return sent(contact_name=chat.contact_name, chat_type=chat.chat_type, chat_id=chat.chat_id, username=chat.username)


def _active(chat: ActiveChat) -> dict[str, Any]:
    return sent(channel_id=chat.channel_id, chat_type=chat.chat_type, chat_id=chat.chat_id, username=chat.username)
