"""A request bears one name in its answer, its problem and its log line, and the caller's trace goes on in it."""

import asyncio
import re

import pytest

from tests.driver import Gateway
from tests.output import Output

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("name", ["r-1", "A.b_c-9", "x" * 64])
async def test_a_sane_request_id_is_kept(gateway: Gateway, name: str) -> None:
    answer = await gateway.link(**{"X-Request-Id": name})

    assert answer.headers["x-request-id"] == name


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 65, 'a"b', "a;b", "a/b", "<b>", "a%0ab", "ü"])
async def test_an_odd_request_id_is_replaced(gateway: Gateway, name: str) -> None:
    answer = await gateway.http.get("/nothing", headers=[(b"x-request-id", name.encode("latin-1"))])

    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_each_request_gets_a_name_of_its_own(gateway: Gateway) -> None:
    names = {(await gateway.http.get("/nothing")).headers["x-request-id"] for _ in range(20)}

    assert len(names) == 20


async def test_the_log_line_of_a_request_bears_its_name(output: Output, gateway: Gateway) -> None:
    await gateway.link(**{"X-Request-Id": "r-1"})
    await asyncio.sleep(0)

    [line] = output.lines("http.request")
    assert (line["request_id"], line["method"], line["route"], line["status"]) == ("r-1", "POST", "/links", 200)


async def trace_of(gateway: Gateway, output: Output, traceparent: str | None) -> str:
    headers = [] if traceparent is None else [(b"traceparent", traceparent.encode())]
    await gateway.http.get("/nothing", headers=headers)
    await asyncio.sleep(0)
    [line] = output.lines("http.request")
    return str(line["traceparent"])


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_the_callers_trace_is_continued_with_a_span_of_ours(output: Output, gateway: Gateway, flags: str) -> None:
    told = await trace_of(gateway, output, f"00-{TRACE}-b7ad6b7169203331-{flags}")

    version, trace, span, kept = told.split("-")
    assert (version, trace, kept) == ("00", TRACE, flags)
    assert span != "b7ad6b7169203331"


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "",
        "nonsense",
        f"00-{TRACE}-b7ad6b7169203331",
        f"00-{TRACE}-b7ad6b7169203331-01-x",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-zz",
        f"00-{TRACE}0-b7ad6b7169203331-01",
    ],
)
async def test_a_trace_that_is_none_is_begun_anew(output: Output, gateway: Gateway, odd: str | None) -> None:
    told = await trace_of(gateway, output, odd)

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", told)
    assert TRACE not in told
