"""What the user clicked reaches the CRM once: after leaving, closing, offline, and a gateway that was away."""

import json
from datetime import timedelta

from playwright.async_api import Browser
from starlette.responses import JSONResponse, Response

from tests.crm import Crm
from tests.driver import NOON, Clock, user_token
from tests.e2e.interruptions import FAILED, delivered, gone, kept, said_while_offline, with_its_own_time
from tests.e2e.places import opened
from tests.e2e.stage import APPEND, CREATE, OPEN, Places, Stage, Visit, staged


async def tries_again(visit: Visit, times: int) -> None:
    """As often the page was told that it did not work, and waits."""
    for number in range(1, times + 1):
        await visit.hears("relay-error", number)
        await visit.page.clock.run_for(60_000)


async def test_a_page_that_leaves_at_once_delivers(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    deal = stage.put("/deal", "<!doctype html><title>The deal</title>")
    visit = await stage.ready(
        script=f'$chat.addEventListener("wazzup:entity-open", () => location.assign({json.dumps(deal)}));'
    )

    await visit.says(OPEN)

    await visit.page.wait_for_url(deal)
    assert await delivered(crm, 1) == [OPEN["data"]]


async def test_a_tab_that_is_closed_at_once_delivers(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    closing = stage.page(script='$chat.addEventListener("wazzup:entity-open", () => window.close());')
    list_of_cards = await stage.open(stage.put("/cards", "<!doctype html><title>Cards</title>"))
    async with list_of_cards.page.expect_popup() as opening:
        await list_of_cards.page.evaluate("(url) => { open(url); }", closing)
    card = Visit(await opening.value, stage.urls["wazzup"])
    await card.hears("ready")

    async with card.page.expect_event("close"):
        await (await card.window()).evaluate("(message) => { parent.postMessage(message, '*'); }", OPEN)

    assert await delivered(crm, 1) == [OPEN["data"]]


async def test_a_card_that_is_taken_away_at_once_delivers(stage: Stage, crm: Crm) -> None:
    """A single-page CRM opens the deal by taking the card out of the page."""
    await stage.gateway.webhook(crm.url)
    visit = await stage.ready(script='$chat.addEventListener("wazzup:entity-open", () => $chat.remove());')

    await visit.says(OPEN)

    assert await delivered(crm, 1) == [OPEN["data"]]


async def test_what_was_said_offline_is_sent_when_the_network_is_back(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await said_while_offline(stage, CREATE, OPEN)
    await visit.hears("relay-error", 2)

    await stage.context.set_offline(False)

    await crm.got(2)
    await visit.hears("relayed", 2)
    assert sorted(one.message["type"] for one in crm.received) == ["WZ_CREATE_ENTITY", "WZ_OPEN_ENTITY"]
    assert await kept(visit) == {}


async def test_a_lost_network_is_told_with_its_retry(stage: Stage) -> None:
    visit = await said_while_offline(stage, CREATE)

    error = await visit.hears("relay-error")

    assert (error["type"], error["problem"]["code"], error["retry"]) == ("WZ_CREATE_ENTITY", "OFFLINE", True)


async def test_what_was_said_offline_is_sent_by_the_next_page(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await said_while_offline(stage, CREATE)
    await gone(visit)
    await stage.context.set_offline(False)

    later = await stage.ready(path="/later", attributes='phone="+37199999999"')

    assert await delivered(crm, 1) == [CREATE["data"]]
    await later.comes_true("Object.keys(localStorage).length === 0")


async def test_two_tabs_that_find_the_same_leftover_make_one_event(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await said_while_offline(stage, CREATE)
    await stage.context.set_offline(False)
    await visit.page.close()

    one, two = await stage.open(path="/one"), await stage.open(path="/two")
    await one.hears("ready")
    await two.hears("ready")
    await two.says(OPEN)

    received = await crm.got(2)
    assert sorted(one.message["type"] for one in received) == ["WZ_CREATE_ENTITY", "WZ_OPEN_ENTITY"]
    assert len(crm.received) == 2
    assert len({asked.body["id"] for asked in stage.door.events}) == 2


async def test_a_click_is_one_event_although_its_answer_was_lost(stage: Stage, crm: Crm) -> None:
    """The gateway had it, and the page could not know."""
    stage.expects(FAILED)
    await stage.gateway.webhook(crm.url)
    visit = await stage.ready()
    stage.door.loses_answer("/events")

    await visit.says(CREATE)

    relayed = await visit.hears("relayed")
    assert relayed["duplicate"] is True
    first, second = stage.door.events
    assert first.body["id"] == second.body["id"]
    assert len(await crm.got(1)) == 1


async def test_many_large_events_at_once_all_arrive(stage: Stage, crm: Crm) -> None:
    """All keepalive bodies under way share 64 KiB; browsers refuse what is beyond."""
    await stage.gateway.webhook(crm.url)
    visit = await stage.ready()
    window = await visit.window()

    await window.evaluate("""() => {
      for (let n = 0; n < 6; n++) parent.postMessage({ type: "WZ_LARGE", data: { n, text: "ж".repeat(15_000) } }, "*");
    }""")

    received = await crm.got(6)
    assert sorted(one.message["data"]["n"] for one in received) == [0, 1, 2, 3, 4, 5]
    assert all(len(one.message["data"]["text"]) == 15_000 for one in received)


async def test_what_the_page_itself_sends_by_keepalive_takes_nothing_away(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await stage.ready()
    held = stage.door.hold("/elsewhere")
    await visit.page.evaluate(
        """(url) => { fetch(url, { method: "POST", mode: "no-cors", keepalive: true, body: "x".repeat(60_000) }); }""",
        f"{stage.urls['gateway']}/elsewhere",
    )
    stage.expects(FAILED)

    await visit.says({"type": "WZ_LARGE", "data": {"text": "x" * 10_000}})

    await crm.got(1)
    held.set()


async def test_an_expired_relay_token_is_replaced_and_the_window_stays(
    places: Places, browser: Browser, redis_url: str, clock: Clock, crm: Crm
) -> None:
    async with staged(places, browser, redis_url, clock) as stage:
        stage.expects("status of 401")
        await stage.gateway.webhook(crm.url)
        token = user_token(exp=int((NOON + timedelta(hours=24)).timestamp()))
        visit = await stage.ready(token=token)
        clock.advance(hours=13)

        await visit.says(CREATE)

        assert await delivered(crm, 1) == [CREATE["data"]]
        await visit.hears("relayed")
        assert len(stage.windows.opened) == 1
        assert len({asked.body["id"] for asked in stage.door.events}) == 1
        assert len(stage.door.links) == 2
    assert stage.unexpected == []


async def test_what_the_gateway_refuses_for_good_is_told_and_forgotten(stage: Stage) -> None:
    stage.expects("status of 40[0-9]|status of 413")
    visit = await stage.ready()

    await visit.says({"type": "WZ_TOO_LARGE", "data": {"text": "x" * 70_000}})
    await visit.says(CREATE | {"data": {"userId": "somebody-else"}})

    await visit.hears("relay-error", 2)
    errors = {one["detail"]["problem"]["status"]: one["detail"]["retry"] for one in await visit.heard("relay-error")}
    assert errors == {413: False, 403: False}
    await visit.comes_true("Object.keys(localStorage).length === 0")
    assert len(stage.door.events) == 2


async def test_what_somebody_in_between_refuses_is_sent_again(stage: Stage, crm: Crm) -> None:
    """A proxy's or a hotel's page is not the gateway's word."""
    stage.expects(FAILED)
    await stage.gateway.webhook(crm.url)
    visit = await with_its_own_time(stage)
    readable = {"Access-Control-Allow-Origin": stage.urls["pages"]}
    for status in (403, 200):
        stage.door.instead.append(("/events", Response("<h1>Please sign in</h1>", status, readable, "text/html")))

    await visit.says(CREATE)
    await tries_again(visit, 2)

    assert await delivered(crm, 1) == [CREATE["data"]]
    assert len(stage.door.events) == 3


async def test_a_proxy_that_names_requests_too_is_not_the_gateway(stage: Stage, crm: Crm) -> None:
    """While another version comes up, say."""
    stage.expects(FAILED)
    await stage.gateway.webhook(crm.url)
    visit = await with_its_own_time(stage)
    readable = {"Access-Control-Allow-Origin": stage.urls["pages"]}
    said = {"message": "no Route matched with those values", "request_id": "67c1"}
    stage.door.instead.append(("/events", JSONResponse(said, 404, readable)))

    await visit.says(CREATE)
    await tries_again(visit, 1)

    assert await delivered(crm, 1) == [CREATE["data"]]
    assert [one["detail"]["retry"] for one in await visit.heard("relay-error")] == [True]


async def test_a_gateway_that_is_busy_gets_it_later(stage: Stage, crm: Crm) -> None:
    stage.expects(FAILED)
    await stage.gateway.webhook(crm.url)
    visit = await with_its_own_time(stage)
    stage.door.answers("/events", 503, 429, 500, Retry_After="10")

    await visit.says(CREATE)
    await tries_again(visit, 3)

    assert await delivered(crm, 1) == [CREATE["data"]]
    assert [one["detail"]["retry"] for one in await visit.heard("relay-error")] == [True, True, True]


async def test_a_gateway_that_goes_away_and_comes_back_loses_nothing(
    places: Places, browser: Browser, redis_url: str, clock: Clock, crm: Crm
) -> None:
    """Its socket is closed, so that whoever asks is refused; then another process listens there."""
    async with opened() as first:
        own = Places(places.pages, first, places.wazzup)
        async with staged(own, browser, redis_url, clock) as stage:
            stage.expects(FAILED)
            await stage.gateway.webhook(crm.url)
            visit, other = await stage.ready(), await stage.open(path="/other", body="")
            await first.close()

            await visit.says(CREATE)
            await visit.says(OPEN)
            await visit.hears("relay-error", 2)
            await other.page.evaluate(APPEND, user_token())
            await other.hears("error")
            async with opened(port=first.port, app=stage.door):
                received = await crm.got(2)
                await other.hears("ready")
        assert stage.unexpected == []

    assert sorted(one.message["type"] for one in received) == ["WZ_CREATE_ENTITY", "WZ_OPEN_ENTITY"]
