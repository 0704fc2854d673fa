"""What breaks or is busy is tried once more, if there is time: the client's patience is for everything together."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime

import aiohttp
import httpx
import pytest

from app.errors import WazzupTimeout, WazzupUnavailable
from tests.driver import NOON
from tests.wazzup.vendor import LINK, Vendor


class Drip(httpx.AsyncByteStream):
    """A body that arrives byte by byte and never ends."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("hint", ["0", format_datetime(NOON - timedelta(seconds=30), usegmt=True)])
async def test_a_vendor_that_is_ready_again_is_asked_again_at_once(vendor: Vendor, hint: str) -> None:
    vendor.answers(httpx.Response(429, headers={"Retry-After": hint}), httpx.Response(200, json=LINK))

    assert await vendor.asked(patience=2) == LINK


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("no HTTP"),
        httpx.DecodingError("no gzip"),
        httpx.PoolTimeout("busy"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError(),
        ConnectionResetError(),
        TimeoutError(),
        OSError(113, "No route to host"),
    ],
)
async def test_a_connection_that_breaks_is_tried_once_more(vendor: Vendor, failure: Exception) -> None:
    vendor.answers(failure, httpx.Response(200, json=LINK))

    answer = await vendor.asked()

    assert answer == LINK
    assert vendor.attempts == 2


async def test_a_connection_that_breaks_in_the_middle_of_an_answer_is_tried_once_more(vendor: Vendor) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b'{"data": '
        raise httpx.ReadError("reset")

    vendor.answers(httpx.Response(200, content=half()), httpx.Response(200, json=LINK))

    answer = await vendor.asked()

    assert answer == LINK
    assert vendor.attempts == 2


@pytest.mark.parametrize("failure", [httpx.ReadError("reset"), httpx.Response(500), httpx.Response(503)])
async def test_one_more_attempt_is_made_and_only_one(vendor: Vendor, failure: httpx.Response | Exception) -> None:
    vendor.answers(failure)

    with pytest.raises(WazzupUnavailable):
        await vendor.asked()

    assert vendor.attempts == 2


async def test_a_vendor_that_is_busy_for_a_moment_is_asked_again_after_it(vendor: Vendor) -> None:
    vendor.answers(httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(200, json=LINK))
    started = asyncio.get_running_loop().time()

    answer = await vendor.asked()

    assert answer == LINK
    assert asyncio.get_running_loop().time() - started >= 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_attempt_that_would_come_too_late_is_not_made(vendor: Vendor, status: int) -> None:
    vendor.answers(httpx.Response(status, headers={"Retry-After": "30"}))
    started = asyncio.get_running_loop().time()

    with pytest.raises(WazzupUnavailable) as caught:
        await vendor.asked(patience=20)

    assert not isinstance(caught.value, WazzupTimeout)
    assert vendor.attempts == 1
    assert asyncio.get_running_loop().time() - started < 10


async def test_a_vendor_that_never_answers_is_given_up_in_time(vendor: Vendor) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    vendor.route.mock(side_effect=never)

    with pytest.raises(WazzupTimeout, match=r"0\.05 seconds"):
        await vendor.asked(patience=0.05)


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_the_time_is_for_the_whole_body_too(vendor: Vendor, status: int) -> None:
    vendor.answers(httpx.Response(status, stream=Drip()))

    with pytest.raises(WazzupTimeout):
        await vendor.asked(patience=0.1)


async def test_the_time_is_for_both_attempts_together(vendor: Vendor) -> None:
    vendor.answers(httpx.Response(500), httpx.Response(200, stream=Drip()))
    started = asyncio.get_running_loop().time()

    with pytest.raises(WazzupTimeout):
        await vendor.asked(patience=2)

    assert vendor.attempts == 2
    assert asyncio.get_running_loop().time() - started < 3.5


async def test_a_caller_that_goes_away_is_no_timeout(vendor: Vendor) -> None:
    vendor.answers(httpx.Response(200, stream=Drip()))
    asking = asyncio.create_task(vendor.asked())
    await asyncio.sleep(0)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
