"""Wazzup's partner API (v2): links, contacts and deals, as they are really accepted.

Flat `user_id` and snake_case throughout; unknown fields are refused by the vendor, so nothing empty is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.deals.models import ContactCard, Deal
from app.links.models import ActiveChat, Chat, LinkRequest
from app.wazzup.batches import put_batch
from app.wazzup.client import WazzupClient, sent
from app.wazzup.guard import link_of
from app.wazzup.metered import OURSELVES
from app.wazzup.users import user_known

LINKS = "/v2/iframe-links/chats"
# The vendor's fields, as our callers call them.
WORDS = {
    "id": "id",
    "responsible_user_id": "user_id",
    "name": "name",
    "uri": "url",
    "contacts": "contact_ids",
    "closed": "closed",
}


@dataclass(frozen=True)
class WazzupV2:
    """Makes links, and keeps contacts and deals, by the partner API."""

    client: WazzupClient
    link_hosts: Sequence[str]

    async def create_link(self, request: LinkRequest) -> str:
        """A new link for `request`.

        Raises:
            UserUnknown: Wazzup has never heard of the user.
            WazzupError: as `WazzupClient.post`; WazzupUnreadable also for a link that we do not hand out.
        """
        with user_known():
            return await self.client.post(
                LINKS,
                link_question(request),
                operation="link",
                party=request.user_id,
                read=lambda answer: link_of(lambda: answer["data"]["link"], self.link_hosts),
            )

    async def knock(self) -> None:
        """Asks for a link without saying whose. Wazzup looks at who asks first, so a 400 says that we are let in.

        Raises:
            WazzupRefused: what is to be expected.
            WazzupError: as `WazzupClient.post`.
        """
        await self.client.post(LINKS, {}, operation="knock", party=OURSELVES, read=lambda _: None)

    async def put_user(self, user_id: str, name: str) -> None:
        """Creates a user, or renames the one with this id.

        Raises:
            WazzupError: as `WazzupClient.post`.
        """
        await self.client.post(
            "/v2/users",
            {"users": [{"id": user_id, "name": name}]},
            operation="users",
            party=user_id,
            read=lambda _: None,
        )

    async def put_contacts(self, contacts: Sequence[ContactCard]) -> None:
        """Creates contacts, or replaces those with the same id; a batch at most.

        Raises:
            WazzupError: as `put_batch`.
        """
        await put_batch(
            self.client,
            "/v2/contacts",
            {"contacts": [contact_entry(one) for one in contacts]},
            operation="contacts",
            items=contacts,
            words=WORDS,
        )

    async def put_deals(self, deals: Sequence[Deal]) -> None:
        """Creates deals, or replaces those with the same id; a batch at most. Wazzup has to know their contacts.

        Raises:
            WazzupError: as `put_batch`.
        """
        await put_batch(
            self.client,
            "/v2/deals",
            {"deals": [deal_entry(one) for one in deals]},
            operation="deals",
            items=deals,
            words=WORDS,
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


def contact_entry(contact: ContactCard) -> dict[str, Any]:
    """One contact of a batch."""
    return sent(
        id=contact.id,
        responsible_user_id=contact.user_id,
        name=contact.name,
        contact_data=[
            sent(chat_type=chat.chat_type, chat_id=chat.chat_id, username=chat.username) for chat in contact.chats
        ],
        uri=contact.url,
    )


def deal_entry(deal: Deal) -> dict[str, Any]:
    """One deal of a batch."""
    return sent(
        id=deal.id,
        responsible_user_id=deal.user_id,
        name=deal.name,
        uri=deal.url,
        contacts=list(deal.contact_ids),
        closed=deal.closed,
    )


def _chat(chat: Chat) -> dict[str, Any]:
    return sent(contact_name=chat.contact_name, chat_type=chat.chat_type, chat_id=chat.chat_id, username=chat.username)


def _active(chat: ActiveChat) -> dict[str, Any]:
    return sent(channel_id=chat.channel_id, chat_type=chat.chat_type, chat_id=chat.chat_id, username=chat.username)
