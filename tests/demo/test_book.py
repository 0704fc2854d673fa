"""The CRM's file: what was written is there again, and what somebody else wrote there stops nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from app.crm.book import Book
from tests.demo.driver import WHATSAPP
from tests.driver import NOON

DEAL: dict[str, Any] = {"id": "D-1", "title": "A chair", "contact_id": None}


def opened(folder: Path, saved: bytes) -> Book:
    file = folder / "deals.json"
    file.write_bytes(saved)
    return Book(file)


def names(book: Book) -> list[str]:
    return [deal.id for deal in book.deals]


async def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    book = Book(tmp_path / "deals.json")
    made = book.make("evt_1", WHATSAPP, NOON)
    changed = book.change(made, stage="Won", amount=0)

    again = Book(tmp_path / "deals.json")

    assert again.deals == book.deals
    assert again.made_of("evt_1") == changed


@pytest.mark.parametrize("deal", [DEAL, DEAL | {"contact_id": "C-99", "amount": 7, "stage": "Lost"}])
async def test_a_deal_that_could_be_ours_is_kept(tmp_path: Path, deal: dict[str, Any]) -> None:
    book = opened(tmp_path, json.dumps({"deals": [deal], "made_of": {"evt_1": "D-1", "evt_2": "gone"}}).encode())

    assert (names(book), book.make("evt_2", WHATSAPP, NOON).id) == (["D-1"], "D-2")


@pytest.mark.parametrize(
    "saved",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"deals": []}',
        b'{"made_of": {}}',
        b'{"deals": {}, "made_of": {}}',
        b'{"deals": [null], "made_of": {}}',
        b'{"deals": [{}], "made_of": {}}',
        b'{"deals": [], "made_of": []}',
        b'{"deals": [], "made_of": {"evt_1": ["D-1"]}}',
        *(
            json.dumps({"deals": [DEAL | odd], "made_of": {"evt_2": "D-1"}}).encode()
            for odd in (
                {"id": 7},
                {"id": "D-"},
                {"id": "D-one"},
                {"id": "D-\u0661"},
                {"id": "D-1\n"},
                {"id": "1"},
                {"id": "D-" + "9" * 5000},
                {"title": None},
                {"title": "\ud800"},
                {"amount": "many"},
                {"amount": -1},
                {"amount": float("nan")},
                {"amount": 10**4000},
                {"stage": "Sold"},
                {"contact_id": ["C-1"]},
                {"unheard": "of"},
            )
        ),
    ],
    ids=range(30),
)
async def test_an_odd_file_is_begun_anew(tmp_path: Path, saved: bytes) -> None:
    book = opened(tmp_path, saved)

    assert names(book) == [f"D-{number}" for number in range(1001, 1008)]
    assert book.make("evt_1", WHATSAPP, NOON).id == "D-1008"
    assert book.made_of("evt_2") is None
    assert JSONResponse([deal.title for deal in Book(tmp_path / "deals.json").deals]).status_code == 200
