"""What a CRM tells of its contacts and deals, and what Wazzup is told.

Two layers, each with one reader: the wire models (`DealsQuestion`, `DealsAnswer`) are the public contract;
`ContactCard` and `Deal` are items that Wazzup can take, each with its place in the body, so that whatever goes wrong
later can be said of it.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from app.bodies import Text, Wire
from app.links.models import Chat, Contact

# What Wazzup takes. For v2 no lengths are published but that of user ids: there those of v3 hold.
LONGEST = 200

_WEB_ADDRESS = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\][^\s\\]*")


def _fitting(value: str) -> str:
    if not value:
        raise ValueError("this must not be empty")
    if len(value) > LONGEST:
        raise ValueError(f"send at most {LONGEST} characters")
    return value


def _web_address(value: str) -> str:
    # Wazzup makes a link of it in every user's window: nothing that a browser would run may get there.
    if value and not _WEB_ADDRESS.fullmatch(value):
        raise ValueError("send an address that begins with https:// or http:// and holds no blanks")
    return _fitting(value) if value else value


Words = Annotated[
    Text, AfterValidator(_fitting), Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST, "pattern": r"\S"})
]
# An empty string is how many CRMs write "nothing". It is read as absent.
Address = (
    Annotated[
        Text,
        AfterValidator(_web_address),
        Field(json_schema_extra={"maxLength": LONGEST, "pattern": f"^({_WEB_ADDRESS.pattern})?$"}),
    ]
    | None
)


class AskedContact(Contact):
    """What a CRM knows of a contact, and by which id. At least one field has to open a chat."""

    id: Words = Field(description="The contact's id in the CRM.")
    user_id: Words = Field(description="The CRM user who answers for the contact. Wazzup has to know that user.")
    name: Words
    url: Address = Field(default=None, description="Where the CRM shows the contact.")


class AskedDeal(Wire):
    """A deal of the CRM."""

    id: Words = Field(description="The deal's id in the CRM.")
    user_id: Words = Field(description="The CRM user who sees the deal in Wazzup's list. Wazzup has to know that user.")
    name: Words
    contact_ids: list[Words] = Field(min_length=1, description="Contacts that are told here, or were told before.")
    url: Address = Field(default=None, description="Where the CRM shows the deal.")
    closed: bool = False


class DealsQuestion(Wire):
    """Contacts and deals. One of the lists may be left out."""

    contacts: list[AskedContact] = Field(default=[], description="Told before the deals.")
    deals: list[AskedDeal] = Field(default=[], description="Each names at least one contact.")


class DealsAnswer(BaseModel):
    """How many Wazzup has taken: all of them."""

    contacts: int
    deals: int
    warnings: list[str] = Field(default=[], description="What was left out, and why; only where something was.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCard:
    """A contact that Wazzup can take. `place` is its JSON pointer in the caller's body."""

    place: str
    id: str
    user_id: str
    name: str
    chats: tuple[Chat, ...]
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A deal that Wazzup can take. `place` is its JSON pointer in the caller's body."""

    place: str
    id: str
    user_id: str
    name: str
    contact_ids: tuple[str, ...]
    url: str | None = None
    closed: bool = False
