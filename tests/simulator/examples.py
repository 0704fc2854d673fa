"""Bodies that are taken, and bodies that are refused, by the simulation and by the contract."""

from typing import Any

Body = dict[str, Any]

V2_CHAT: Body = {"contact_name": "Anthony Stone", "chat_type": "whatsapp", "chat_id": "37111234567"}
V2_CARD: Body = {"user_id": "crm-user-1", "scope": "card", "chats": [V2_CHAT]}
V2_GLOBAL: Body = {"user_id": "crm-user-1", "scope": "global"}

V3_CHAT: Body = {"name": "Anthony Stone", "chatType": "whatsapp", "chatId": "37111234567"}
V3_CARD: Body = {"user": {"id": "crm-user-1"}, "scope": "card", "filter": [V3_CHAT]}
V3_GLOBAL: Body = {"user": {"id": "crm-user-1"}, "scope": "global"}


def v2_card(**chat: object) -> Body:
    return {**V2_CARD, "chats": [chat]}


def v3_card(**chat: object) -> Body:
    return {**V3_CARD, "filter": [chat]}


GOOD_V2_LINKS: dict[str, Body] = {
    "a card": V2_CARD,
    "the global window": V2_GLOBAL,
    "a telegram chat by its id": v2_card(chat_type="telegram", chat_id="1670185"),
    "a telegram chat by username": v2_card(chat_type="telegram", username="my_tg_user"),
    "an instagram chat": v2_card(chat_type="instagram", chat_id="anthony.stone"),
    "a group, whose id is opaque": v2_card(chat_type="whatsgroup", chat_id="37111234567-1500000000"),
    "everything at once": {
        "user_id": "crm-user-1",
        "author_name": "John Smith",
        "scope": "card",
        "chats": [V2_CHAT],
        "active_chat": {"channel_id": "c-1", "chat_type": "whatsapp", "chat_id": "37111234567"},
        "use_events": {"deals": True, "messages": False},
        "client_type": "",
    },
}

BAD_V2_LINKS: dict[str, tuple[Body, str]] = {
    "user instead of user_id": (
        {"user": {"id": "u"}, "scope": "global"},
        "property user should not exist",
    ),
    "no user": ({"scope": "global"}, "user_id should not be empty"),
    "an empty user": ({**V2_GLOBAL, "user_id": " "}, "user_id should not be empty"),
    "a user that is a number": ({**V2_GLOBAL, "user_id": 7}, "user_id must be a string"),
    "a user too long": (
        {**V2_GLOBAL, "user_id": "u" * 65},
        "user_id must be shorter than or equal to 64 characters",
    ),
    "no scope": ({"user_id": "u"}, "scope should not be empty"),
    "another scope": ({**V2_GLOBAL, "scope": "deal"}, "scope must be a valid enum value"),
    "an unknown field": ({**V2_GLOBAL, "options": {}}, "property options should not exist"),
    "an unknown field of a chat": (
        v2_card(**V2_CHAT, chatType="whatsapp"),
        "chats.0.property chatType should not exist",
    ),
    "an unknown field of use_events": (
        {**V2_GLOBAL, "use_events": {"deals": True, "calls": True}},
        "use_events.property calls should not exist",
    ),
    "an event that only looks true": (
        {**V2_GLOBAL, "use_events": {"deals": 1}},
        "use_events.deals must be a boolean value",
    ),
    "null": ({**V2_GLOBAL, "author_name": None}, "author_name must be a string"),
    "chats with global": (
        {**V2_CARD, "scope": "global"},
        "property chats should not exist when scope is global",
    ),
    "a card without chats": ({**V2_GLOBAL, "scope": "card"}, "chats should not be empty"),
    "a card with no chat": ({**V2_CARD, "chats": []}, "chats should not be empty"),
    "a chat type that is a transport": (
        v2_card(chat_type="waba", chat_id="37111234567"),
        "chats.0.chat_type must be a valid enum value",
    ),
    "a chat without type": (v2_card(chat_id="37111234567"), "chats.0.chat_type should not be empty"),
    "a chat without id": (v2_card(chat_type="whatsapp"), "chats.0.chat_id should not be empty"),
    "a chat with both ids": (
        v2_card(chat_type="telegram", chat_id="1670185", username="my_tg_user"),
        "chats.0.chat_id and username should not be sent together",
    ),
    "a username outside telegram": (
        v2_card(chat_type="instagram", username="anthony"),
        "chats.0.username is only allowed for telegram, chat_id should not be empty",
    ),
    "a username with @": (
        v2_card(chat_type="telegram", username="@my_tg_user"),
        "chats.0.username must match the required format",
    ),
    "a whatsapp number with +": (
        v2_card(chat_type="whatsapp", chat_id="+37111234567"),
        "chats.0.chat_id must match the form of its chat_type",
    ),
    "a viber number with spaces": (
        v2_card(chat_type="viber", chat_id="371 11 234 567"),
        "chats.0.chat_id must match the form of its chat_type",
    ),
    "a number with a line's end": (
        v2_card(chat_type="whatsapp", chat_id="37111234567\n"),
        "chats.0.chat_id must match the form of its chat_type",
    ),
    "an instagram name with @": (
        v2_card(chat_type="instagram", chat_id="@anthony"),
        "chats.0.chat_id must match the form of its chat_type",
    ),
    "telegram by telephone number": (
        v2_card(chat_type="telegram", chat_id="+37111234567"),
        "chats.0.chat_id must match the form of its chat_type",
    ),
    "an active chat without id": (
        {**V2_CARD, "active_chat": {"chat_type": "whatsapp"}},
        "active_chat.chat_id should not be empty",
    ),
}

GOOD_V3_LINKS: dict[str, Body] = {
    "a card": V3_CARD,
    "the global window": V3_GLOBAL,
    "a telegram chat by username": v3_card(chatType="telegram", username="my_tg_user"),
    "everything at once": {
        "user": {"id": "crm-user-1", "name": "John Smith"},
        "scope": "card",
        "filter": [V3_CHAT],
        "activeChat": {"channelId": "c-1", "chatType": "whatsapp", "chatId": "37111234567"},
        "options": {"useDealsEvents": True, "useMessageEvents": False, "clientType": ""},
    },
}

BAD_V3_LINKS: dict[str, tuple[Body, str]] = {
    "the words of v2": (
        V2_CARD,
        "property chats should not exist",
    ),
    "a user without id": ({**V3_GLOBAL, "user": {"name": "John"}}, "user.id should not be empty"),
    "chats with global": (
        {**V3_CARD, "scope": "global"},
        "property filter should not exist when scope is global",
    ),
    "a card without chats": ({**V3_GLOBAL, "scope": "card"}, "filter should not be empty"),
    "a whatsapp number with +": (
        v3_card(chatType="whatsapp", chatId="+37111234567"),
        "filter.0.chatId must match the form of its chatType",
    ),
    "a chat with both ids": (
        v3_card(chatType="telegram", chatId="1670185", username="my_tg_user"),
        "filter.0.chatId and username should not be sent together",
    ),
}
