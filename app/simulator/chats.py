"""Which chat is which: a chat named in different ways, by either generation, has one key."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

Chat = dict[str, str]
"""One chat in v3's words: chatType, chatId or username, perhaps name and channelId."""

V3_WORDS = {
    "chat_type": "chatType",
    "chat_id": "chatId",
    "contact_name": "name",
    "channel_id": "channelId",
}


def in_v3_words(chat: dict[str, str]) -> Chat:
    """Say a chat of either generation in v3's words."""
    return {V3_WORDS.get(field, field): value for field, value in chat.items()}


def chats_of(contact: dict[str, Any]) -> list[Chat]:
    """List the chats of a contact as either generation sent it."""
    data = contact["contact_data"] if "contact_data" in contact else contact["contactData"]
    return [{"name": contact["name"], **in_v3_words(chat)} for chat in data]


def key_of(chat: Chat) -> str:
    """Name a chat: the same name, whether it came by its id or by its username."""
    return f"{chat['chatType']}:{chat_id_of(chat)}"


def chat_id_of(chat: Chat) -> str:
    """Give the chat's id, which for a chat known by its username alone is looked up.

    The vendor must look it up at Telegram before anything can be sent, so by the time a user clicks there is one. Here
    a number is made of the name: opaque as Telegram's own, and the same one every time.
    """
    if "chatId" in chat:
        return chat["chatId"]
    digest = sha256(chat["username"].lower().encode()).digest()  # Telegram's usernames know no case
    return str(10**8 + int.from_bytes(digest[:8], "big") % (9 * 10**8))


def address_of(chat: Chat) -> str:
    """Give what a person would call the chat: its id, or @username."""
    return "@" + chat["username"] if "username" in chat else chat["chatId"]


def distinct(chats: Iterable[Chat]) -> dict[str, Chat]:
    """Key the chats, each once, in the order they came. Where one is named again, the first word on it counts."""
    found: dict[str, Chat] = {}
    for chat in chats:
        found[key_of(chat)] = {**chat, **found.get(key_of(chat), {})}
    return found
