"""From what a CRM tells to what Wazzup can take, or a refusal that names each item and says what to do.

Wazzup is never told what it cannot take: half of a request would be stored before it said so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.deals.models import AskedContact, AskedDeal, ContactCard, Deal, DealsQuestion
from app.errors import Fault, Invalid
from app.links.contacts import Chats, Unusable, chats_of
from app.links.models import ChatType

# As many as a reader can use.
MOST_FAULTS = 50
_ONLY_BY_ID = "This Wazzup API knows Telegram contacts by id only: send telegram_id."

Item = TypeVar("Item")


@dataclass(frozen=True)
class Terms:
    """How an account's contacts are read, and what its Wazzup takes."""

    phone_chat_types: tuple[ChatType, ...]
    country: str | None
    longest_user_id: int
    takes_usernames: bool


@dataclass(frozen=True)
class Settled:
    """What Wazzup is to be told, and what the caller should know about how it was read."""

    contacts: tuple[ContactCard, ...]
    deals: tuple[Deal, ...]
    warnings: tuple[str, ...] = ()


def settle(question: DealsQuestion, terms: Terms) -> Settled:
    """What `question` tells.

    Raises:
        Invalid: some of it cannot be told; every fault names its item, and nothing was stored.
    """
    if not question.contacts and not question.deals:
        detail = "There is nothing to tell: send contacts, deals, or both."
        raise Invalid(detail, faults=[Fault(detail)])
    faults = [*_misfits("contacts", question.contacts, terms), *_misfits("deals", question.deals, terms)]
    cards: list[ContactCard] = []
    warnings: list[str] = []
    for place, asked in _places("contacts", question.contacts):
        try:
            found = _chats(asked, terms)
        except Unusable as error:
            faults.append(Fault(error.detail, f"{place}/{error.field}".rstrip("/")))
        else:
            cards.append(_card(place, asked, found))
            warnings.extend(f"{place}/{warning}" for warning in found.warnings)
    if faults:
        detail = "Some of it cannot be told to Wazzup; see errors. Nothing was stored."
        raise Invalid(detail, faults=faults[:MOST_FAULTS])
    return Settled(
        tuple(cards), tuple(_deal(place, asked) for place, asked in _places("deals", question.deals)), tuple(warnings)
    )


def _places(name: str, items: Sequence[Item]) -> Iterator[tuple[str, Item]]:
    return ((f"#/{name}/{index}", item) for index, item in enumerate(items))


def _misfits(name: str, items: Sequence[AskedContact | AskedDeal], terms: Terms) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for place, item in _places(name, items):
        # Which of the two Wazzup would keep depends on how they fall into batches.
        if first.setdefault(item.id, place) != place:
            yield Fault(f"{first[item.id]} has the same id: send each of the {name} once.", f"{place}/id")
        if len(item.user_id) > terms.longest_user_id:
            yield Fault(f"Wazzup knows no user ids longer than {terms.longest_user_id} characters.", f"{place}/user_id")


def _chats(asked: AskedContact, terms: Terms) -> Chats:
    found = chats_of(asked, country=terms.country, phone_chat_types=terms.phone_chat_types)
    known = tuple(chat for chat in found.chats if chat.chat_id or terms.takes_usernames)
    if not known:
        raise Unusable("telegram", " ".join((_ONLY_BY_ID, *found.warnings)))
    left_out = () if len(known) == len(found.chats) else (f"telegram was left out: {_ONLY_BY_ID}",)
    return Chats(known, (*found.warnings, *left_out))


def _card(place: str, asked: AskedContact, found: Chats) -> ContactCard:
    return ContactCard(
        place=place, id=asked.id, user_id=asked.user_id, name=asked.name, chats=found.chats, url=asked.url or None
    )


def _deal(place: str, asked: AskedDeal) -> Deal:
    return Deal(
        place=place,
        id=asked.id,
        user_id=asked.user_id,
        name=asked.name,
        contact_ids=tuple(dict.fromkeys(asked.contact_ids)),
        url=asked.url or None,
        closed=asked.closed,
    )
