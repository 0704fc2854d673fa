"""The live strip is told what happened, in turn, and misses nothing when it comes back."""

import asyncio
from datetime import UTC, datetime

import pytest

from app.crm.feed import MOST, Feed
from tests.demo.driver import Demo
from tests.driver import NOON, user_token
from tests.waiting import PATIENCE

PHONE = "37111234567"


async def test_the_feed_tells_of_an_event_in_turn(demo: Demo) -> None:
    before = (await demo.told("wazzup.told"))[-1]["id"]

    event_id = (await demo.event()).json()["id"]

    entries = await demo.told("wazzup.told", "delivery.attempted", after=before)
    ours = [one for one in entries if event_id in (one.get("event_id"), one.get("request_id"))]
    kinds = [one["what"] for one in ours]
    assert set(kinds) >= {"event.accepted", "signature.checked", "deal.made", "delivery.attempted", "wazzup.told"}
    assert kinds.index("signature.checked") < kinds.index("deal.made") < kinds.index("delivery.attempted")
    [attempt] = [one for one in ours if one["what"] == "delivery.attempted"]
    assert (attempt["attempt"], attempt["follows"], attempt["status"]) == (1, "done", 200)


async def test_the_feed_tells_how_a_link_came_about(demo: Demo) -> None:
    before = (await demo.told("wazzup.told"))[-1]["id"]
    token = user_token(at=datetime.now(UTC), name="Anna Berg")
    for _ in range(2):
        await demo.gateway.link({"contact": {"name": "Anthony Stone", "phone": f"+{PHONE}"}}, token)

    entries = await demo.told("http.request", "http.request", after=before)

    issued = [one for one in entries if one["what"] == "link.issued"]
    answered = [one for one in entries if one["what"] == "http.request"]
    assert [one["outcome"] for one in issued] == ["stored", "hit"]
    assert [one["request_id"] for one in issued] == [one["request_id"] for one in answered]
    assert PHONE not in str(entries)
    assert "Anthony" not in str(entries)


async def test_a_page_that_comes_back_gets_what_it_missed_and_nothing_twice(demo: Demo) -> None:
    everything = await demo.told("wazzup.told")

    for place, entry in enumerate(everything[:-1]):
        assert (await demo.told("wazzup.told", after=entry["id"]))[: len(everything) - place - 1] == everything[
            place + 1 :
        ]


@pytest.mark.parametrize("cursor", ["", "other-5", "nonsense", "-", "0", "x" * 5000])
async def test_a_page_of_an_earlier_demo_gets_the_story_from_its_beginning(demo: Demo, cursor: str) -> None:
    everything = await demo.told("wazzup.told")

    assert (await demo.told("wazzup.told", after=cursor))[: len(everything)] == everything


@pytest.mark.parametrize("place", ["4", "9" * 15, "9" * 5000, "-1", "+1", "01", "1.0", "\u0661", ""])
async def test_a_place_that_was_never_told_is_no_place(place: str) -> None:
    """Or the page would wait for ever for what comes after it."""
    feed = Feed(lambda: NOON)
    for number in range(3):
        feed.say("something.happened", number=number)

    stream = feed.follow(f"{feed.boot}-{place}")
    said = [await anext(stream), await anext(stream)]
    await stream.aclose()

    assert said[1].count(b"data:") == 3


async def test_the_switch_is_told_to_every_page(demo: Demo) -> None:
    await demo.turn(False)
    await demo.turn(False)
    await demo.turn(True)

    entries = await demo.told("server.switched", "server.switched")

    assert [one["on"] for one in entries if one["what"] == "server.switched"] == [False, True]


async def test_who_knocks_without_a_signature_is_told_of(demo: Demo) -> None:
    await demo.http.post(demo.receiver_url, json={})

    [entry] = [one for one in await demo.told("signature.refused") if one["what"] == "signature.refused"]
    assert entry["hint"] == "no timestamp"


async def test_the_feed_is_bounded() -> None:
    feed = Feed(lambda: NOON)
    for number in range(3 * MOST):
        feed.say("something.happened", number=number)

    stream = feed.follow("")
    said = [await anext(stream), await anext(stream)]
    await stream.aclose()

    assert said[1].count(b"data:") == MOST


async def test_a_feed_that_is_closed_keeps_no_reader() -> None:
    """Or a page that is open would hold up the demo's end."""
    feed = Feed(lambda: NOON)
    stream = feed.follow("")
    assert await anext(stream)
    assert await anext(stream)

    feed.close()

    async with asyncio.timeout(PATIENCE):
        assert [said async for said in stream] == []
