"""Contacts before deals, batch after batch; and whatever Wazzup will not have is named, by it or by us."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.deals.models import ContactCard, Deal
from app.deals.teller import BATCH, DealTeller
from app.errors import Fault, VendorSaid, WazzupBusy, WazzupRefused
from app.links.models import Chat, ChatType

CHAT = Chat(chat_type=ChatType.WHATSAPP, chat_id="37120234567")
SAID = VendorSaid(status=400, code="VALIDATION_FAILED")


def contacts(count: int) -> list[ContactCard]:
    return [
        ContactCard(place=f"#/contacts/{index}", id=f"C-{index}", user_id="u", name="n", chats=(CHAT,))
        for index in range(count)
    ]


def deals(count: int) -> list[Deal]:
    return [
        Deal(place=f"#/deals/{index}", id=f"D-{index}", user_id="u", name="n", contact_ids=("C-0",))
        for index in range(count)
    ]


@dataclass
class Book:
    """Takes everything but the ids in `bad`, of which it says what `says`; `most` is its own idea of a batch."""

    bad: set[str] = field(default_factory=set)
    most: int = BATCH
    says: Exception | None = None
    calls: list[list[str]] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)

    async def put_contacts(self, contacts: Sequence[ContactCard]) -> None:
        self._put([one.id for one in contacts])

    async def put_deals(self, deals: Sequence[Deal]) -> None:
        self._put([one.id for one in deals])

    def _put(self, ids: list[str]) -> None:
        self.calls.append(ids)
        if self.bad.intersection(ids) or len(ids) > self.most:
            raise self.says or WazzupRefused("Wazzup refused the request.", vendor=SAID)
        self.stored += ids


@dataclass
class Diary:
    """Keeps what is told."""

    notes: list[dict[str, Any]] = field(default_factory=list)

    def note(self, what: str, /, **facts: Any) -> None:
        self.notes.append({"what": what} | facts)

    def trouble(self, what: str, /, error: BaseException | None = None, **facts: Any) -> None:
        raise AssertionError(what)


def teller(book: Book) -> DealTeller:
    return DealTeller(book, "north", Diary())


async def test_contacts_come_before_deals_in_batches_and_in_order() -> None:
    book = Book()

    await teller(book).tell(contacts(250), deals(101))

    assert [len(call) for call in book.calls] == [100, 100, 50, 100, 1]
    assert book.stored == [f"C-{i}" for i in range(250)] + [f"D-{i}" for i in range(101)]


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 1), (100, 1), (101, 2), (200, 2)])
async def test_no_call_is_empty_and_none_is_too_large(count: int, calls: int) -> None:
    book = Book()

    await teller(book).tell(contacts(count), [])

    assert len(book.calls) == calls
    assert all(1 <= len(call) <= BATCH for call in book.calls)


async def test_a_refusal_that_names_its_items_is_passed_on_and_nothing_more_is_asked() -> None:
    says = WazzupRefused("Wazzup refused some.", faults=[Fault("No.", "#/contacts/120/name")], vendor=SAID)
    book = Book(bad={"C-120"}, says=says)

    with pytest.raises(WazzupRefused) as caught:
        await teller(book).tell(contacts(150), deals(1))

    assert caught.value.faults == (Fault("No.", "#/contacts/120/name"),)
    assert len(book.calls) == 2


@given(count=st.integers(1, 230), chosen=st.sets(st.integers(0, 229), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None, database=None, derandomize=True)
async def test_the_first_item_that_is_refused_without_a_word_is_found(count: int, chosen: set[int]) -> None:
    bad = {index % count for index in chosen}
    book = Book(bad={f"D-{index}" for index in bad})

    with pytest.raises(WazzupRefused) as caught:
        await teller(book).tell([], deals(count))

    first = min(bad)
    assert [fault.pointer for fault in caught.value.faults] == [f"#/deals/{first}"]
    assert caught.value.vendor == SAID
    # All that stood before it is stored, and it was refused alone, not only suspected.
    assert book.stored[:first] == [f"D-{index}" for index in range(first)]
    assert [f"D-{first}"] in book.calls
    # The batches before, its own, and the search.
    assert len(book.calls) <= first // BATCH + 1 + 8


async def test_a_batch_that_is_refused_as_a_whole_blames_nobody() -> None:
    """Should Wazzup one day take fewer at once, all of it still arrives."""
    book = Book(most=40)

    await teller(book).tell(contacts(100), deals(3))

    assert sorted(book.stored) == sorted([f"C-{i}" for i in range(100)] + [f"D-{i}" for i in range(3)])


async def test_a_refusal_found_by_halving_that_then_names_its_items_is_passed_on() -> None:
    named = WazzupRefused("Wazzup refused some.", faults=[Fault("No.", "#/deals/7/name")], vendor=SAID)

    class Shy(Book):
        def _put(self, ids: list[str]) -> None:
            self.says = named if len(ids) < 20 else None
            super()._put(ids)

    with pytest.raises(WazzupRefused) as caught:
        await teller(Shy(bad={"D-7"})).tell([], deals(100))

    assert caught.value.faults == named.faults


@pytest.mark.parametrize(
    ("told", "of_contacts", "of_deals", "sentence"),
    [
        ("C-0", 3, 2, "Surely stored: 0 of 3 contacts and 0 of 2 deals."),
        ("D-0", 3, 2, "Surely stored: 3 of 3 contacts and 0 of 2 deals."),
        ("D-120", 0, 150, "Surely stored: 100 of 150 deals."),
    ],
)
async def test_a_failure_says_how_far_we_came_and_that_all_of_it_can_be_sent_again(
    told: str, of_contacts: int, of_deals: int, sentence: str
) -> None:
    book = Book(bad={told}, says=WazzupBusy("Wazzup asks for fewer requests."))

    with pytest.raises(WazzupBusy) as caught:
        await teller(book).tell(contacts(of_contacts), deals(of_deals))

    assert caught.value.detail == (
        f"Wazzup asks for fewer requests. {sentence} Nothing is lost by sending all of it again."
    )


async def test_what_was_stored_while_we_searched_is_counted() -> None:
    with pytest.raises(WazzupRefused) as caught:
        await teller(Book(bad={"D-160"})).tell([], deals(200))

    assert "Surely stored: 160 of 200 deals." in caught.value.detail


@pytest.mark.parametrize(
    ("bad", "outcome", "stored"),
    [(set(), "told", (150, 2)), ({"C-149"}, "wazzup_refused", (149, 0)), ({"D-1"}, "wazzup_refused", (150, 1))],
)
async def test_one_line_tells_how_many_were_stored(bad: set[str], outcome: str, stored: tuple[int, int]) -> None:
    diary = Diary()

    try:
        await DealTeller(Book(bad=bad), "north", diary).tell(contacts(150), deals(2))
    except WazzupRefused:
        assert bad

    assert diary.notes == [
        {"what": "deals.told", "account": "north", "outcome": outcome, "contacts": stored[0], "deals": stored[1]}
    ]
