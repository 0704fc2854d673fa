"""What each generation accepts. Unknown fields are refused everywhere, and one chat has one id.

Sources: the vendor's page on embedding the chat window, corrected by what its API was seen to do.
Where no length is published for a field of v2, that of v3 holds.
"""

import re
from collections.abc import Iterator
from typing import Any

from app.simulator.checks import Check, Rule, choice, flag, label, many, record, text

BATCH = 100
"""Items in one call."""

CHAT_TYPES = (
    "whatsapp",
    "whatsgroup",
    "viber",
    "instagram",
    "telegram",
    "telegroup",
    "vk",
    "avito",
    "max",
    "maxgroup",
)

DIGITS = r"[0-9]+"
ACCOUNT_NAME = r"[^@\s]\S*"
NO_PHONE_NUMBER = r"[^@+][\s\S]*"
OPAQUE = r"[\s\S]+"
CHAT_ID_FORMS = {"whatsapp": DIGITS, "viber": DIGITS, "telegram": NO_PHONE_NUMBER, "instagram": ACCOUNT_NAME}

V2_USER_ID = text(max_length=64)
V2_USER_NAME = text(max_length=150)
V3_TEXT = text(max_length=200)


def chat_identity(chat_type: str, chat_id: str) -> Rule:
    """A chat goes by `chat_id`, or, in Telegram alone, by `username`; each in the form of its messenger."""

    def rule(chat: dict[str, Any]) -> Iterator[str]:
        if "username" in chat and chat_id in chat:
            yield f"{chat_id} and username should not be sent together"
        elif "username" in chat and chat[chat_type] != "telegram":
            yield f"username is only allowed for telegram, {chat_id} should not be empty"
        elif chat_id not in chat and "username" not in chat:
            yield f"{chat_id} should not be empty"
        elif chat_id in chat and not re.fullmatch(_form_of(chat[chat_type]), chat[chat_id]):
            yield f"{chat_id} must match the form of its {chat_type}"

    return rule


def _form_of(chat_type: str) -> str:
    return CHAT_ID_FORMS.get(chat_type, OPAQUE)


def chats_suit_scope(chats: str) -> Rule:
    """A card shows chats; the global window takes none."""

    def rule(link: dict[str, Any]) -> Iterator[str]:
        if link["scope"] == "card" and not link.get(chats):
            yield f"{chats} should not be empty"
        if link["scope"] == "global" and chats in link:
            yield f"property {chats} should not exist when scope is global"

    return rule


def _chat_fields(chat_type: str, chat_id: str) -> dict[str, Check]:
    return {chat_type: choice(*CHAT_TYPES), chat_id: text(), "username": text(pattern=ACCOUNT_NAME)}


V2_CHAT_IDENTITY = chat_identity("chat_type", "chat_id")
V3_CHAT_IDENTITY = chat_identity("chatType", "chatId")

V2_LINK = record(
    {
        "user_id": V2_USER_ID,
        "author_name": V2_USER_NAME,
        "scope": choice("global", "card"),
        "chats": many(
            record(
                {"contact_name": text(), **_chat_fields("chat_type", "chat_id")},
                V2_CHAT_IDENTITY,
                required=("chat_type",),
            )
        ),
        "active_chat": record(
            {"channel_id": text(), **_chat_fields("chat_type", "chat_id")},
            V2_CHAT_IDENTITY,
            required=("chat_type",),
        ),
        "use_events": record({"deals": flag, "messages": flag}),
        "client_type": label(),
    },
    chats_suit_scope("chats"),
    required=("user_id", "scope"),
)

V3_LINK = record(
    {
        "user": record({"id": V3_TEXT, "name": V3_TEXT}, required=("id",)),
        "scope": choice("global", "card"),
        "filter": many(
            record(
                {"name": text(), **_chat_fields("chatType", "chatId")},
                V3_CHAT_IDENTITY,
                required=("chatType",),
            )
        ),
        "activeChat": record(
            {"channelId": text(), **_chat_fields("chatType", "chatId")},
            V3_CHAT_IDENTITY,
            required=("chatType",),
        ),
        "options": record({"useDealsEvents": flag, "useMessageEvents": flag, "clientType": label()}),
    },
    chats_suit_scope("filter"),
    required=("user", "scope"),
)


def _batch(item: Check) -> Check:
    return many(item, at_least=1, at_most=BATCH)


def _enveloped(name: str, item: Check) -> Check:
    return record({name: _batch(item)}, required=(name,))


V2_USERS = _enveloped(
    "users",
    record(
        {"id": V2_USER_ID, "name": V2_USER_NAME, "phone": text(pattern=DIGITS)},
        required=("id", "name"),
    ),
)

V3_USERS = _batch(record({"id": V3_TEXT, "name": V3_TEXT, "phone": text(pattern=DIGITS)}, required=("id", "name")))

V2_CONTACTS = _enveloped(
    "contacts",
    record(
        {
            "id": V3_TEXT,
            "responsible_user_id": V2_USER_ID,
            "name": V3_TEXT,
            "contact_data": many(
                record(
                    {**_chat_fields("chat_type", "chat_id"), "phone": text(pattern=DIGITS)},
                    V2_CHAT_IDENTITY,
                    required=("chat_type",),
                ),
                at_least=1,
            ),
            "uri": V3_TEXT,
        },
        required=("id", "responsible_user_id", "name", "contact_data"),
    ),
)

V3_CONTACTS = _batch(
    record(
        {
            "id": V3_TEXT,
            "responsibleUserId": V3_TEXT,
            "name": V3_TEXT,
            "contactData": many(
                record(
                    {"chatType": choice(*CHAT_TYPES), "chatId": text()},
                    V3_CHAT_IDENTITY,
                    required=("chatType", "chatId"),
                ),
                at_least=1,
            ),
            "uri": V3_TEXT,
        },
        required=("id", "responsibleUserId", "name", "contactData"),
    )
)


def _deal(responsible: str, user_id: Check) -> Check:
    fields: dict[str, Check] = {
        "id": V3_TEXT,
        responsible: user_id,
        "name": V3_TEXT,
        "uri": V3_TEXT,
        "contacts": many(V3_TEXT, at_least=1),
        "closed": flag,
    }
    return record(fields, required=("id", responsible, "name", "contacts"))


V2_DEALS = _enveloped("deals", _deal("responsible_user_id", V2_USER_ID))
V3_DEALS = _batch(_deal("responsibleUserId", V3_TEXT))
