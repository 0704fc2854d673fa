"""Wazzup's public API (v3): links, contacts and deals, in camelCase and with names of its own.

Contacts and deals are bare lists there, and a contact's chat goes by id only. In a link request
`author_name` is the user's name there, `chats` is `filter`, and what the window does is set in `options`.
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

LINKS = "/v3/iframe"
# The vendor's fields, as our callers call them.
WORDS = {
    "id": "id",
    "responsibleUserId": "user_id",
    "name": "name",
    "uri": "url",
    "contacts": "contact_ids",
    "closed": "closed",
}


@dataclass(frozen=True)
class WazzupV3:
    """Makes links, and keeps contacts and deals, by the public API."""

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
                read=lambda answer: link_of(lambda: answer["url"], self.link_hosts),
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
            "/v3/users",
            [{"id": user_id, "name": name}],
            operation="users",
            party=user_id,
            read=lambda _: None,
        )

    async def put_contacts(self, contacts: Sequence[ContactCard]) -> None:
        """Creates contacts, or replaces those with the same id; a batch at most.

        Raises:
            WazzupError: as `put_batch`.
        """
        entries = [contact_entry(one) for one in contacts]
        await put_batch(self.client, "/v3/contacts", entries, operation="contacts", items=contacts, words=WORDS)

    async def put_deals(self, deals: Sequence[Deal]) -> None:
        """Creates deals, or replaces those with the same id; a batch at most. Wazzup has to know their contacts.

        Raises:
            WazzupError: as `put_batch`.
        """
        entries = [deal_entry(one) for one in deals]
        await put_batch(self.client, "/v3/deals", entries, operation="deals", items=deals, words=WORDS)


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


def contact_entry(contact: ContactCard) -> dict[str, Any]:
    """One contact of a batch. Every chat has a `chat_id`: here there is no other way to name it."""
    return sent(
        id=contact.id,
        responsibleUserId=contact.user_id,
        name=contact.name,
        contactData=[{"chatType": chat.chat_type, "chatId": chat.chat_id} for chat in contact.chats],
        uri=contact.url,
    )


def deal_entry(deal: Deal) -> dict[str, Any]:
    """One deal of a batch."""
    return sent(
        id=deal.id,
        responsibleUserId=deal.user_id,
        name=deal.name,
        uri=deal.url,
        contacts=list(deal.contact_ids),
        closed=deal.closed,
    )


def _chat(chat: Chat) -> dict[str, Any]:
    return sent(name=chat.contact_name, chatType=chat.chat_type, chatId=chat.chat_id, username=chat.username)


def _active(chat: ActiveChat) -> dict[str, Any]:
    return sent(channelId=chat.channel_id, chatType=chat.chat_type, chatId=chat.chat_id, username=chat.username)
