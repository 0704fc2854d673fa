"""The CRM's deals, in one small file. A deal and the event that it was made of are written in the same stroke.

So a delivery that is repeated, also after a restart, finds the deal that the first one made.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from app.crm.people import CONTACTS, USER, Contact, contact_of

Stage = Literal["New", "Talking", "Offer sent", "Won", "Lost"]
Amount = Annotated[int, Field(ge=0, le=1_000_000_000)]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
CLOSED: Final = frozenset({"Won", "Lost"})
# Old ones leave, closed or not: it is a demo, and its page shows them all.
MOST_DEALS: Final = 200
# Far more than can be under way: who repeats an older event gets a second deal.
MOST_EVENTS: Final = 2000
_FIRST_NUMBER: Final = 1001
_MESSENGERS = {"whatsapp": "WhatsApp", "telegram": "Telegram", "viber": "Viber"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """One deal. `event_id` and `chat` say what it was made of; `contact_id` is None for a chat with nobody we know."""

    id: Annotated[str, Field(pattern="^D-[0-9]{1,15}$")]
    title: str
    contact_id: str | None
    stage: Stage = "New"
    amount: Amount = 0
    made_at: str = ""
    event_id: str | None = None
    chat: str | None = None

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self.stage in CLOSED

    @property
    def contact(self) -> Contact | None:
        """With whom."""
        return next((who for who in CONTACTS if who.id == self.contact_id), None)


class _Saved(BaseModel):
    """What is in the file."""

    model_config = ConfigDict(extra="forbid")

    deals: list[Deal]
    made_of: dict[str, str]


_SEEDS = (
    Deal(id="D-1001", title="Oak staircase", contact_id="C-1", stage="Talking", amount=4800),
    Deal(id="D-1002", title="Workbench repair", contact_id="C-1", stage="Won", amount=350),
    Deal(id="D-1003", title="Столики для веранды", contact_id="C-2", stage="Offer sent", amount=2150),
    Deal(id="D-1004", title="Showroom lighting", contact_id="C-3", stage="New", amount=1900),
    Deal(id="D-1005", title="Shelving, 40 units", contact_id="C-4", stage="Offer sent", amount=12600),
    Deal(id="D-1006", title="Pallet racks", contact_id="C-4", stage="Lost", amount=7300),
    Deal(id="D-1007", title="Reading corner", contact_id="C-5", stage="Talking", amount=980),
)


class Book:
    """The deals that there are. What was written is there after a restart; any other file is begun anew."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._deals, self._made_of = _read(file)

    @property
    def deals(self) -> list[Deal]:
        """All of them, oldest first."""
        return list(self._deals.values())

    def find(self, deal_id: str) -> Deal | None:
        """The deal of this id."""
        return self._deals.get(deal_id)

    def made_of(self, event_id: str) -> Deal | None:
        """The deal that was made of this event."""
        return self._deals.get(self._made_of.get(event_id, ""))

    def make(self, event_id: str, data: dict[str, Any], now: datetime) -> Deal:
        """A new deal, of an event that asks for one.

        Raises:
            OSError: it is not written, so there is none: the event may come again.
        """
        chat_type, chat = str(data.get("chatType")), f"{data.get('chatType')}:{data.get('chatId')}"[:200]
        contact = contact_of(data)
        deal = Deal(
            id=f"D-{self._next_number()}",
            title=f"New deal from {_MESSENGERS.get(chat_type, 'a chat')}",
            contact_id=contact.id if contact else self._met_in(chat),
            made_at=now.isoformat(),
            event_id=event_id,
            chat=chat,
        )
        self._write(self._deals | {deal.id: deal}, self._made_of | {event_id: deal.id})
        return deal

    def change(self, deal: Deal, **fields: Any) -> Deal:
        """The deal as it is from now on.

        Raises:
            OSError: it is not written, and stays as it was.
        """
        changed = replace(deal, **fields)
        self._write(self._deals | {deal.id: changed}, self._made_of)
        return changed

    def _met_in(self, chat: str) -> str | None:
        """With whom an earlier deal of this chat is: Telegram's ids are opaque, and the CRM knows only names."""
        return next((deal.contact_id for deal in reversed(self.deals) if deal.chat == chat), None)

    def _next_number(self) -> int:
        return max((int(name.removeprefix("D-")) for name in self._deals), default=_FIRST_NUMBER - 1) + 1

    def _write(self, deals: dict[str, Deal], made_of: dict[str, str]) -> None:
        deals = dict(list(deals.items())[-MOST_DEALS:])
        made_of = dict(list(made_of.items())[-MOST_EVENTS:])
        text = json.dumps({"deals": [asdict(deal) for deal in deals.values()], "made_of": made_of}, ensure_ascii=False)
        draft = self._file.with_name(f"{self._file.name}.new")
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, self._file)  # noqa: PTH105 - whole or not at all
        self._deals, self._made_of = deals, made_of


def _read(file: Path) -> tuple[dict[str, Deal], dict[str, str]]:
    try:
        saved = _Saved.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        return {deal.id: deal for deal in _SEEDS}, {}
    return {deal.id: deal for deal in saved.deals}, saved.made_of


def told_to_wazzup(deals: list[Deal], page_url: str) -> dict[str, Any]:
    """The body of the gateway's `POST /deals`: these deals, and before them the contacts that they are with."""
    people = {deal.contact_id: deal.contact for deal in deals if deal.contact}
    return {
        "contacts": [
            {"id": who.id, "user_id": USER.id, "url": f"{page_url}#/contacts/{who.id}"} | who.reachable()
            for who in people.values()
        ],
        "deals": [
            {
                "id": deal.id,
                "user_id": USER.id,
                "name": deal.title,
                "url": f"{page_url}#/deals/{deal.id}",
                "contact_ids": [deal.contact_id],
                "closed": deal.closed,
            }
            for deal in deals
            if deal.contact
        ],
    }
