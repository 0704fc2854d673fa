"""What Wazzup says of an error is kept in measure and without our credential; odd words cost only themselves."""

from typing import Any

import httpx
import pytest

from app.errors import WazzupError, WazzupForbidden, WazzupRefused, WazzupUnreadable
from tests.wazzup.vendor import MUCH_LATER, SECRET, Vendor, as_it_is, problem


async def test_our_own_credential_is_cut_out_of_what_the_vendor_says(vendor: Vendor) -> None:
    vendor.answers(problem(400, detail=f"The token {SECRET} is odd.", errors=[f"Bearer {SECRET}", f"{SECRET}{SECRET}"]))

    with pytest.raises(WazzupRefused) as caught:
        await vendor.asked()

    assert SECRET not in repr(caught.value.vendor)
    assert caught.value.vendor is not None
    assert caught.value.vendor.detail == "The token *** is odd."


async def test_our_own_credential_is_cut_out_even_where_the_text_is_cut_short(vendor: Vendor) -> None:
    vendor.answers(problem(400, detail="x" * 490 + SECRET, errors=["x" * 480 + SECRET]))

    with pytest.raises(WazzupRefused) as caught:
        await vendor.asked()

    assert SECRET[:8] not in repr(caught.value.vendor)


async def test_our_own_credential_is_no_code(vendor: Vendor) -> None:
    shouted = vendor.client()
    vendor.answers(problem(401, SECRET.upper()), problem(401, SECRET))

    with pytest.raises(WazzupForbidden) as caught:
        await shouted.post("/v2/iframe-links/chats", {}, operation="link", party="crm-user-1", read=as_it_is)

    assert caught.value.vendor is not None
    assert caught.value.vendor.code is None


async def test_our_own_credential_is_in_no_repr(vendor: Vendor) -> None:
    assert SECRET not in repr(vendor.client())


@pytest.mark.parametrize(
    "body",
    [
        [],
        ["VALIDATION_FAILED"],
        "VALIDATION_FAILED",
        7,
        True,
        {},
        {"code": None, "errors": None, "detail": None},
        {"code": 7, "errors": 7, "detail": 7},
        {"code": ["A"], "errors": {"a": "b"}, "detail": ["A"]},
        {"code": {"code": "A"}, "errors": "user_id", "detail": {"a": 1}},
        {"code": "not upper snake", "errors": [None, 7, ["a"], {"message": "a"}, ""], "detail": ""},
        {"code": "invalid_grant"},
        {"code": "A" * 65},
        {"code": "A\n"},
        {"code": "ÄÖÜ"},
        {"code": "_A"},
        {"code": ""},
        {"error": {"code": {"code": "A"}}},
        {"error": ["A"]},
        {"data": {"data": {"data": []}}},
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_an_odd_error_body_costs_its_words_and_nothing_else(vendor: Vendor, body: Any, status: int) -> None:
    vendor.answers(httpx.Response(status, json=body, headers=MUCH_LATER))

    with pytest.raises(WazzupError) as caught:
        await vendor.asked()

    said = caught.value.vendor
    assert said is not None
    assert (said.status, said.code, said.errors) == (status, None, ())
    assert said.detail in (None, "")


async def test_what_the_vendor_says_is_cut_to_a_measure(vendor: Vendor) -> None:
    vendor.answers(problem(400, detail="d" * 10_000, errors=["e" * 1000] * 60))

    with pytest.raises(WazzupRefused) as caught:
        await vendor.asked()

    said = caught.value.vendor
    assert said is not None
    assert len(said.detail or "") == 500
    assert [len(error) for error in said.errors] == [500] * 50


async def test_an_error_that_is_ten_megabytes_long_is_unreadable(vendor: Vendor) -> None:
    vendor.answers(problem(400, errors=["e" * 10_000_000]))

    with pytest.raises(WazzupUnreadable):
        await vendor.asked()
