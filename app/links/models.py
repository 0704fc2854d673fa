"""What a CRM page asks for, and what it is given.

Three layers, each with one reader: the wire models (`LinkQuestion`, `LinkAnswer`) are the public contract;
`LinkRequest` is a question whose every ambiguity has been settled, so that equal requests are equal values;
`Link` is what Wazzup gave, with the time until which the gateway vouches for it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.bodies import Id, OptionalId, Text, Wire

MOST_CHATS = 50


class ChatType(StrEnum):
    """The messengers that the vendor's chat window knows. (Transports such as WABA are not types.)"""

    WHATSAPP = "whatsapp"
    WHATSGROUP = "whatsgroup"
    VIBER = "viber"
    INSTAGRAM = "instagram"
    TELEGRAM = "telegram"
    TELEGROUP = "telegroup"
    VK = "vk"
    AVITO = "avito"
    MAX = "max"
    MAXGROUP = "maxgroup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """One chat in the vendor's form: exactly one of `chat_id` and `username` is set."""

    chat_type: ChatType
    chat_id: str | None = None
    username: str | None = None
    contact_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveChat:
    """The chat that is open when the window appears."""

    chat_type: ChatType
    chat_id: str | None = None
    username: str | None = None
    channel_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UseEvents:
    """Which events the window posts to the page."""

    deals: bool = False
    messages: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """One settled question to Wazzup. Everything here shapes the link, and everything that shapes it is here.

    `user_name` is the user's own name, where the account introduces its users to Wazzup; `author_name` is the name
    that a contact sees.
    """

    account: str
    user_id: str
    scope: Literal["card", "global"]
    user_name: str | None = None
    author_name: str | None = None
    chats: tuple[Chat, ...] = ()
    active_chat: ActiveChat | None = None
    use_events: UseEvents = UseEvents()
    client_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that Wazzup issued. It is a credential: whoever has it reads the chats, so it hides from `repr`."""

    url: str
    issued_at: datetime
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Link(issued_at={self.issued_at:%FT%TZ}, expires_at={self.expires_at:%FT%TZ})"


# In JSON there are no enum members: a name is one.
AskedType = Annotated[ChatType, Field(strict=False)]
# As long as the vendor takes a user's name.
Name = Annotated[Text, Field(max_length=150)] | None


class Contact(Wire):
    """What a CRM knows of a contact. Every usable field becomes a chat."""

    name: Name = None
    phone: OptionalId = None
    phones: list[Id] = Field(default=[], max_length=20)
    whatsapp: OptionalId = None
    viber: OptionalId = None
    telegram: OptionalId = None
    telegram_id: OptionalId = None
    instagram: OptionalId = None
    vk: OptionalId = None
    avito: OptionalId = None
    max: OptionalId = None
    whatsgroup: OptionalId = None
    telegroup: OptionalId = None
    maxgroup: OptionalId = None


class AskedUser(Wire):
    """The CRM user who will see the window."""

    id: Id
    name: Name = None


class AskedChat(Wire):
    """A chat in the vendor's own form."""

    chat_type: AskedType
    chat_id: OptionalId = None
    username: OptionalId = None
    contact_name: Name = None


class AskedActiveChat(Wire):
    """The chat to open first."""

    chat_type: AskedType
    chat_id: OptionalId = None
    username: OptionalId = None
    channel_id: OptionalId = None


class AskedEvents(Wire):
    """Which events the window posts; what is left out follows the gateway's `DEFAULT_EVENTS`."""

    deals: bool | None = None
    messages: bool | None = None


class LinkQuestion(Wire):
    """Which chat window, for whom."""

    user_id: OptionalId = Field(default=None, description="CRM user id. Not needed with a user token.")
    user: AskedUser | None = Field(default=None, description="The same, with a name.")
    author_name: Name = Field(default=None, description="Sender name; by default the user's name.")
    scope: Literal["card", "global"] | None = Field(
        default=None,
        description="`card` shows the given chats, `global` all of the user's. By default `card` if there are chats.",
    )
    chats: list[AskedChat] = Field(default=[], max_length=MOST_CHATS, description="Chats in the vendor's own form.")
    contact: Contact | None = Field(default=None, description="Instead of `chats`: what the CRM knows of a contact.")
    active_chat: AskedActiveChat | None = Field(default=None, description="The chat to open first.")
    use_events: AskedEvents | None = Field(default=None, description="Which events the window posts to the page.")
    client_type: Annotated[Text, Field(max_length=100)] | None = Field(default=None, description="CRM type.")
    max_age: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Seconds; a remembered link older than this is not used. `0` asks for a new one.",
    )


class AnsweredChat(BaseModel):
    """A chat as it was sent to Wazzup."""

    chat_type: ChatType
    chat_id: str | None = None
    username: str | None = None
    contact_name: str | None = None


class Iframe(BaseModel):
    """What the page's iframe needs."""

    allow: str = Field(description="The value of the iframe's `allow` attribute.")
    origin: str = Field(description="The only origin whose messages are the window's.")


class Relay(BaseModel):
    """Where, and with what, the page posts the window's events."""

    url: str = Field(description="To be read from the gateway's own URL.")
    token: str
    expires_at: datetime


class LinkAnswer(BaseModel):
    """The link, how long the gateway vouches for it, and what a page needs to use it."""

    link: str = Field(description="The chat window. A credential: keep it out of logs and storage.")
    user_id: str
    scope: Literal["card", "global"]
    cached: bool
    issued_at: datetime
    expires_at: datetime
    expires_in: int = Field(description="Seconds.")
    iframe: Iframe
    chats: list[AnsweredChat] = Field(description="What the contact became.")
    warnings: list[str]
    relay: Relay
