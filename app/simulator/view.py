"""What a window shows at this moment: its chats, one of them open, what was said in it, and the deals."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from app.simulator.chats import Chat, address_of, chat_id_of, chats_of, distinct
from app.simulator.conversations import Conversation, Message
from app.simulator.deal_list import deals_of
from app.simulator.links import Ticket
from app.simulator.world import World

CHATS_LISTED = 100
"""In the global window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The window of one link."""

    world: World
    ticket: Ticket
    chats: dict[str, Chat]
    """By their keys, each with a name; the active one first."""

    @property
    def first(self) -> str | None:
        """The chat that is open at the start; in the global window the user chooses."""
        opened = self.ticket.scope == "card" or self.ticket.active_chat is not None
        return next(iter(self.chats), None) if opened else None

    @property
    def user_name(self) -> str:
        """Whom messages are from."""
        return self.ticket.user.get("name") or self.world.name_of_user(self.ticket.user["id"])

    def conversation(self, key: str) -> Conversation:
        """Give what was said in one of the chats; raise KeyError for any other."""
        return self.world.conversations.of(self.chats[key], user_name=self.user_name)

    def shown(self, key: str | None) -> dict[str, Any]:
        """Tell all of it, with the chat `key` open, or none where this window has no such chat."""
        key = key if key in self.chats else None
        now = self.world.now()
        ends_at = self.ticket.ends_at or now
        return {
            "scope": self.ticket.scope,
            "userId": self.ticket.user["id"],
            "userName": self.user_name,
            "integrationId": _made_up_id(self.world, "integration"),
            "dealsEvents": self.ticket.deals_events,
            "now": now.isoformat(),
            "endsIn": (ends_at - now).total_seconds(),
            "chats": [self._entry(each, now) for each in self.chats],
            "chat": key,
            "deals": deals_of(self.world, self.ticket.user["id"], self._dealt(key)),
            **self._said(key, now),
        }

    def _dealt(self, key: str | None) -> list[Chat]:
        """List the chats of the contact at hand: all of a card's are, and of all the chats only the open one."""
        if self.ticket.scope == "card":
            return list(self.chats.values())
        return [self.chats[key]] if key else []

    def _entry(self, key: str, now: datetime) -> dict[str, Any]:
        chat = self.chats[key]
        entry: dict[str, Any] = {
            "key": key,
            "chatType": chat["chatType"],
            "chatId": chat_id_of(chat),
            # The vendor has a channel for each messenger account; here each messenger has one.
            "channelId": chat.get("channelId") or _made_up_id(self.world, chat["chatType"]),
            "address": address_of(chat),
            "name": chat["name"],
        }
        if self.ticket.scope == "global":
            entry["last"] = self._told(self.conversation(key).said(now)[-1], chat, now)
        return entry

    def _said(self, key: str | None, now: datetime) -> dict[str, Any]:
        if key is None:
            return {"messages": [], "answering": False}
        conversation = self.conversation(key)
        messages = [self._told(message, self.chats[key], now) for message in conversation.said(now)]
        return {"messages": messages, "answering": conversation.is_being_answered(now)}

    def _told(self, message: Message, chat: Chat, now: datetime) -> dict[str, Any]:
        told = {
            "key": message.id,
            "text": message.text,
            "at": message.at.isoformat(),
            "outgoing": message.author is not None,
            "author": message.author or chat["name"],
        }
        return {**told, "status": message.status(now)} if message.author else told


def view_of(world: World, ticket: Ticket) -> View:
    """Look through a link."""
    found = distinct(_chats(world, ticket))
    names = {**_names_at_wazzup(world), **{key: chat["name"] for key, chat in found.items() if "name" in chat}}
    # A card is of one contact: a chat without a name is that contact's too.
    anybody = next((names[key] for key in found if key in names), None) if ticket.scope == "card" else None
    chats = {
        key: {**chat, "name": names.get(key) or anybody or address_of(chat)}
        for key, chat in islice(found.items(), None if ticket.scope == "card" else CHATS_LISTED)
    }
    return View(world=world, ticket=ticket, chats=chats)


def _chats(world: World, ticket: Ticket) -> Iterator[Chat]:
    if ticket.active_chat:
        yield ticket.active_chat
    yield from ticket.chats
    if ticket.scope == "global":
        # Roles are not simulated: every user sees every chat that Wazzup has learned of, from a CRM or from a card.
        yield from _chats_of_contacts(world)
        yield from (conversation.chat for conversation in world.conversations)


def _names_at_wazzup(world: World) -> dict[str, str]:
    return {key: chat["name"] for key, chat in distinct(_chats_of_contacts(world)).items()}


def _chats_of_contacts(world: World) -> Iterator[Chat]:
    for contact in reversed(world.contacts.values()):
        yield from chats_of(contact)


def _made_up_id(world: World, what: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"simulated-wazzup:{world.options.account_id}/{what}"))
