"""Wazzup's public API (v3): `POST /v3/iframe`, in camelCase and with names of its own.

`author_name` is the user's name there, `chats` is `filter`, and what the window does is set in `options`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.links.models import ActiveChat, Chat, LinkRequest
from app.wazzup.client import WazzupClient, sent
from app.wazzup.guard import link_of


@dataclass(frozen=True)
class WazzupV3:
    """Makes links by the public API."""

    client: WazzupClient
    link_hosts: Sequence[str]

    async def create_link(self, request: LinkRequest) -> str:
        """A new link for `request`.

        Raises:
            WazzupError: as `WazzupClient.post`; WazzupUnreadable also for a link that we do not hand out.
        """
        return await self.client.post(
            "/v3/iframe",
            link_question(request),
            operation="link",
            read=lambda answer: link_of(lambda: answer["url"], self.link_hosts),
        )


def link_question(request: LinkRequest) -> dict[str, Any]:
    """The body of the link request."""
    return sent(
        user=sent(id=request.user_id, name=request.author_name),
        scope=request.scope,
        filter=[_chat(chat) for chat in request.chats],
        activeChat=_active(request.active_chat) if request.active_chat else None,
        options=sent(
            useDealsEvents=request.use_events.deals,
            useMessageEvents=request.use_events.messages,
            clientType=request.client_type,
        ),
    )


def _chat(chat: Chat) -> dict[str, Any]:
    return sent(name=chat.contact_name, chatType=chat.chat_type, chatId=chat.chat_id, username=chat.username)


def _active(chat: ActiveChat) -> dict[str, Any]:
    return sent(channelId=chat.channel_id, chatType=chat.chat_type, chatId=chat.chat_id, username=chat.username)
