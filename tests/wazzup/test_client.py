"""Whatever comes back from Wazzup, or does not, leaves the client as JSON or as one of our errors."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime

import httpx
import orjson
import pytest

from app.errors import WazzupBusy, WazzupError, WazzupForbidden, WazzupRefused, WazzupUnavailable, WazzupUnreadable
from tests.driver import NOON
from tests.wazzup.vendor import LINK, MUCH_LATER, SECRET, Vendor, problem


async def test_a_good_answer_is_its_json(vendor: Vendor) -> None:
    vendor.answers(httpx.Response(200, json=LINK))

    answer = await vendor.asked()

    [sent] = vendor.route.calls
    assert answer == LINK
    assert orjson.loads(sent.request.content) == {"a": "é"}
    assert sent.request.headers["content-type"] == "application/json"
    assert sent.request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_every_2xx_with_json_is_good(vendor: Vendor, status: int) -> None:
    vendor.answers(httpx.Response(status, json=LINK))

    assert await vendor.asked() == LINK


async def test_a_refusal_keeps_what_the_vendor_has_against_the_question(vendor: Vendor) -> None:
    vendor.answers(problem(400, "VALIDATION_FAILED", errors=["user_id should not be empty", "scope must be valid"]))

    with pytest.raises(WazzupRefused) as caught:
        await vendor.asked()

    said = caught.value.vendor
    assert said is not None
    assert (said.status, said.code, said.detail) == (400, "VALIDATION_FAILED", "What it says.")
    assert said.errors == ("user_id should not be empty", "scope must be valid")
    assert vendor.attempts == 1


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (401, "OAUTH_TOKEN_INVALID_OR_EXPIRED", "WAZZUP_ACCESS_TOKEN"),
        (403, "OAUTH_CRM_INTEGRATION_REQUIRED", "Connect a CRM integration"),
        (403, "OAUTH_SCOPE_FORBIDDEN", "transport,crm"),
        (403, "A_CODE_OF_TOMORROW", "WAZZUP_ACCESS_TOKEN"),
    ],
)
async def test_refused_credentials_keep_the_vendors_code_and_give_the_operator_a_hint(
    vendor: Vendor, status: int, code: str, hint: str
) -> None:
    vendor.answers(problem(status, code))

    with pytest.raises(WazzupForbidden, match=hint) as caught:
        await vendor.asked()

    assert caught.value.vendor is not None
    assert (caught.value.vendor.status, caught.value.vendor.code) == (status, code)
    assert vendor.attempts == 1


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [
        ("7", 7),
        ("07", 7),
        ("599", 599),
        ("601", 600),
        ("99999999999999999999", 600),
        (format_datetime(NOON + timedelta(seconds=30), usegmt=True), 30),
        (format_datetime(NOON + timedelta(days=9), usegmt=True), 600),
        ("Sun, 22 Nov 2026 12:00:30 +0000", 30),
        (None, 2),
        ("", 2),
        ("soon", 2),
        ("7.5", 2),
        ("-7", 2),
        ("1e3", 2),
        ("0x10", 2),
        ("²", 2),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 2),
        ("Sun, 99 Nov 2026 12:00:30 GMT", 2),
        ("Sun, 22 Nov 99999 12:00:30 GMT", 2),
    ],
)
async def test_a_vendor_that_is_busy_says_for_how_long(vendor: Vendor, hint: str | None, seconds: float) -> None:
    headers = {} if hint is None else {b"Retry-After": hint.encode("latin-1")}
    vendor.answers(httpx.Response(429, headers=headers))

    with pytest.raises(WazzupBusy) as caught:
        await vendor.asked(patience=2)

    assert caught.value.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("hint", ["9" * 5000, "Sun, 22 Nov 2026 12:00:30 +99999999999999999999"])
async def test_a_hint_that_no_number_holds_is_no_hint(vendor: Vendor, hint: str) -> None:
    vendor.answers(httpx.Response(429, headers={"Retry-After": hint}))

    with pytest.raises(WazzupBusy):
        await vendor.asked(patience=0.5)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("body", [b"", b'{"code": "INTERNAL_SERVER_ERROR"}', b"<html>Bad Gateway</html>"])
async def test_a_vendor_that_failed_is_unavailable(vendor: Vendor, status: int, body: bytes) -> None:
    vendor.answers(httpx.Response(status, content=body, headers=MUCH_LATER))

    with pytest.raises(WazzupUnavailable) as caught:
        await vendor.asked()

    assert caught.value.code == "WAZZUP_UNAVAILABLE"
    assert caught.value.vendor is not None
    assert caught.value.vendor.status == status
    assert caught.value.vendor.code == ("INTERNAL_SERVER_ERROR" if b"code" in body else None)
    assert caught.value.retry_after == timedelta(seconds=60)


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b" null\n",
        b'{"data": ',
        b"<!doctype html><title>Wazzup</title>",
        b'{"data": NaN}',
        b'{"data": "\xff\xfe"}',
        b'{"data": "\\ud800"}',
        '{"data": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b"\x00" * 1000,
    ],
)
async def test_a_2xx_that_is_not_json_is_unreadable(vendor: Vendor, body: bytes) -> None:
    vendor.answers(httpx.Response(200, content=body, headers={"Content-Type": "text/html"}))

    with pytest.raises(WazzupUnreadable):
        await vendor.asked()

    assert vendor.attempts == 1


@pytest.mark.parametrize("answer", [httpx.Response(200), httpx.Response(204), httpx.Response(200, text="OK")])
async def test_a_2xx_that_says_nothing_is_an_answer_of_nothing(vendor: Vendor, answer: httpx.Response) -> None:
    """Users, contacts and deals may be answered so."""
    vendor.answers(answer)

    assert await vendor.asked() is None


@pytest.mark.parametrize("status", [301, 302, 304, 307, 404, 405, 408, 409, 410, 415, 418, 422, 451])
async def test_a_status_that_the_api_does_not_know_is_unreadable_and_followed_nowhere(
    vendor: Vendor, status: int
) -> None:
    vendor.answers(httpx.Response(status, headers={"Location": "https://elsewhere.example/"}))

    with pytest.raises(WazzupUnreadable):
        await vendor.asked()

    assert vendor.attempts == 1


@pytest.mark.parametrize("status", [200, 400, 401, 404])
async def test_an_answer_beyond_all_measure_is_not_read_to_its_end(vendor: Vendor, status: int) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b" " * 65536

    vendor.answers(httpx.Response(status, content=endless()))

    with pytest.raises(WazzupUnreadable, match="larger"):
        await vendor.asked()

    assert sent < 1024 * 1024


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(200, json=LINK), "answered"),
        (httpx.Response(400), "wazzup_refused"),
        (httpx.Response(401), "wazzup_forbidden"),
        (httpx.Response(429), "wazzup_busy"),
        (httpx.Response(200, text="x"), "wazzup_unreadable"),
        (httpx.Response(500, headers=MUCH_LATER), "wazzup_unavailable"),
    ],
)
async def test_each_call_is_told_once_with_its_outcome(vendor: Vendor, answer: httpx.Response, outcome: str) -> None:
    vendor.answers(answer)

    with contextlib.suppress(WazzupError):
        await vendor.asked(patience=2)

    [(what, facts)] = vendor.notes.told
    assert what == "wazzup.called"
    assert (facts["account"], facts["operation"], facts["outcome"]) == ("default", "link", outcome)
