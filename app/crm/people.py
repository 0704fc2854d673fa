"""Whom the demo CRM knows, and who of them a chat belongs to."""

from dataclasses import dataclass
from typing import Any, Final

# Every messenger that is found by a phone number.
_BY_PHONE: Final = frozenset({"whatsapp", "viber"})


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who works with the CRM."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact. At least one of `phone` and `telegram` opens a chat."""

    id: str
    name: str
    company: str
    role: str
    city: str
    phone: str | None = None
    telegram: str | None = None

    def has_chat(self, chat_type: str, address: str) -> bool:
        """Whether a chat of the window is with this contact. `address` is its `chatId`, or `username`."""
        if chat_type in _BY_PHONE:
            return bool(self.phone) and _digits(self.phone) == _digits(address)
        return chat_type == "telegram" and bool(self.telegram) and _plain(self.telegram) == _plain(address)

    def reachable(self) -> dict[str, str]:
        """The `contact` of the gateway's contract: a name, and what is known of where to write to."""
        known = {"name": self.name, "phone": self.phone, "telegram": self.telegram}
        return {field: value for field, value in known.items() if value}


USER: Final = User(id="crm-user-1", name="Anna Berg")

CONTACTS: Final = (
    Contact(
        id="C-1", name="Anthony Stone", company="Stone & Sons Joinery", role="Owner", city="Riga",
        phone="+371 11 234 567", telegram="@my_tg_user",
    ),
    Contact(
        id="C-2", name="Мария Соколова", company="Пекарня «Тёплый хлеб»", role="Управляющая", city="Рига",
        phone="+371 20 000 017", telegram="@m_sokolova",
    ),
    Contact(
        id="C-3", name="Leila Haddad", company="Haddad Interiors", role="Designer", city="Marseille",
        telegram="@leila_haddad",
    ),
    Contact(
        id="C-4", name="Jonas Meyer", company="Meyer Logistik GmbH", role="Head of purchasing", city="Hamburg",
        phone="+49 30 901820",
    ),
    Contact(
        id="C-5", name="Zoë O'Neill", company="O'Neill <Books & Tea>", role="Founder", city="Galway",
        phone="+44 7700 900123", telegram="@zoe_reads",
    ),
)  # fmt: skip


def contact_of(data: dict[str, Any]) -> Contact | None:
    """The contact with whom the window's chat is; None where the CRM knows nobody of this address."""
    chat_type, addresses = data.get("chatType"), (data.get("chatId"), data.get("username"))
    if not isinstance(chat_type, str):
        return None
    known = [str(one) for one in addresses if isinstance(one, str | int)]
    return next((who for who in CONTACTS for one in known if who.has_chat(chat_type, one)), None)


def _digits(text: str | None) -> str:
    return "".join(character for character in text or "" if character.isdecimal())


def _plain(text: str | None) -> str:
    return (text or "").removeprefix("@").lower()
