"""When the chat cannot be opened, it says why, and goes on by itself where that makes sense."""

import json

import pytest
from starlette.responses import Response

from tests.driver import user_token
from tests.e2e.stage import APPEND, CONTACT, Stage, Visit

FAILED = "Failed to load resource"


async def with_its_own_time(stage: Stage, attributes: str = CONTACT) -> Visit:
    visit = await stage.blank()
    await visit.page.clock.install()
    await visit.page.goto(stage.page(attributes))
    return visit


async def test_offline_waits_and_goes_on_when_online(stage: Stage) -> None:
    stage.expects(FAILED)
    visit = await stage.open(body="")
    await stage.context.set_offline(True)

    await visit.page.evaluate(APPEND, user_token())
    error = await visit.hears("error")
    assert (error["problem"]["code"], error["problem"]["status"], error["retry"]) == ("OFFLINE", 0, True)
    assert await visit.states() == ["loading", "offline"]

    await stage.context.set_offline(False)
    await visit.hears("ready")
    assert (await visit.states())[-1] == "ready"
    assert len(stage.door.links) == 1


@pytest.mark.parametrize("status", [503, 429])
async def test_retry_after_is_honoured(stage: Stage, status: int) -> None:
    stage.expects(FAILED)
    stage.door.answers("/links", status, Retry_After="40")
    visit = await with_its_own_time(stage)

    error = await visit.hears("error")
    assert (error["problem"]["status"], error["retry"]) == (status, True)
    assert 40 <= error["retryIn"] <= 50

    await visit.page.clock.run_for(39_000)
    assert len(stage.door.links) == 1
    await visit.page.clock.run_for(11_000)
    await visit.hears("ready")
    assert len(stage.door.links) == 2
    assert await visit.states() == ["loading", "error", "ready"]


async def test_a_gateway_that_does_not_answer_is_asked_again_later_and_later(stage: Stage) -> None:
    stage.expects(FAILED)
    waits = []
    for path in ("/one", "/two"):
        visit = await stage.blank()
        await visit.page.clock.install()
        await visit.page.route("**/links", lambda route: route.abort("connectionrefused"))
        await visit.page.goto(stage.page(path=path))
        for number in range(1, 6):
            error = await visit.hears("error", number)
            assert error["problem"]["code"] == "GATEWAY_UNREACHABLE"
            waits.append(error["retryIn"])
            await visit.page.clock.run_for(int(error["retryIn"] * 1000) + 10)

    assert all(wait <= 90 for wait in waits)
    assert waits[4] > waits[0]
    assert len(set(waits)) == len(waits), "pages that lost their gateway together come back one by one"


async def test_an_origin_that_the_operator_did_not_name_is_told_what_is_missing(stage: Stage) -> None:
    stage.expects(FAILED, "blocked by CORS policy")

    visit = await stage.open(stage.page().replace("crm.localhost", "other.localhost"))

    error = await visit.hears("error")
    assert "ALLOWED_ORIGINS" in json.dumps(error["problem"])


async def test_what_cannot_work_is_not_tried_again_by_itself(stage: Stage) -> None:
    stage.expects("status of 422")
    visit = await with_its_own_time(stage, attributes='phone="12"')

    error = await visit.hears("error")
    assert (error["problem"]["status"], error["retry"], error["retryIn"]) == (422, False, None)
    assert error["problem"]["request_id"]

    await visit.page.clock.run_for(3_600_000)
    assert len(stage.door.links) == 1
    assert await visit.states() == ["loading", "error"]


async def test_an_error_is_shown_and_can_be_tried_again(stage: Stage) -> None:
    stage.expects("status of 422")
    stage.door.answers("/links", 422)
    visit = await stage.open()
    await visit.hears("error")

    assert await visit.page.get_by_text("The chat cannot be opened").is_visible()
    assert not await visit.frame.is_visible()
    await visit.retry.click()

    await visit.hears("ready")
    assert not await visit.retry.is_visible()
    assert await visit.frame.is_visible()


@pytest.mark.parametrize("answer", ["<h1>Hello from a proxy</h1>", "null", "[]", "7", '"no"', '{"link": '])
async def test_a_broken_answer_is_an_error_like_any_other(stage: Stage, answer: str) -> None:
    readable = {"Access-Control-Allow-Origin": stage.urls["pages"]}
    stage.door.instead.append(("/links", Response(answer, 200, readable, "text/html")))

    visit = await stage.open()

    error = await visit.hears("error")
    assert (error["problem"]["code"], error["retry"]) == ("NO_LINK", True)
    await visit.hears("ready")
    assert len(stage.door.links) == 2


async def test_an_html_page_of_a_proxy_is_told_by_its_status(stage: Stage) -> None:
    stage.expects(FAILED)
    readable = {"Access-Control-Allow-Origin": stage.urls["pages"]}
    stage.door.instead.append(("/links", Response("<h1>Bad Gateway</h1>", 502, readable, "text/html")))

    visit = await stage.open()

    error = await visit.hears("error")
    assert (error["problem"]["status"], error["retry"]) == (502, True)
    assert error["problem"]["title"] or error["problem"]["code"]
    await visit.hears("ready")


async def test_the_pages_own_function_that_throws_is_no_uncaught_error(stage: Stage) -> None:
    visit = await stage.open(
        script="$chat.getToken = null; $chat.getLink = () => { throw new TypeError('x is not'); };"
    )

    error = await visit.hears("error")
    assert (error["problem"]["status"], error["problem"]["code"]) == (0, "PAGE_FAILED")


async def test_a_reload_that_failed_once_opens_the_chat_also_if_its_link_is_the_old_one(stage: Stage) -> None:
    """As it is if the page, or the gateway in need, gives what it has kept."""
    answer = json.dumps((await stage.gateway.link()).json())
    visit = await stage.ready(
        script=f"""let asked = 0;
          $chat.getToken = null;
          $chat.getLink = () => {{ if (++asked === 2) throw new Error("not now"); return {answer}; }};"""
    )

    await visit.page.evaluate("document.querySelector('wazzup-chat').reload()")

    await visit.hears("ready", 2)
    assert await visit.states() == ["loading", "ready", "loading", "error", "ready"]
    assert await visit.frame.is_visible()


async def test_a_chat_can_be_ended_before_it_has_begun(stage: Stage) -> None:
    """What a page hears first is as true as what it sees then, and early enough to end it."""
    visit = await stage.open(
        script="""$chat.addEventListener("wazzup:state", ({ detail }) => {
            window.seen ??= [detail.state, $chat.state];
            $chat.destroy();
          });"""
    )
    await visit.comes_true("document.querySelector('wazzup-chat').state === 'idle' && window.seen")

    assert await visit.page.evaluate("seen") == ["loading", "loading"]
    assert set(await visit.states()) == {"loading", "idle"}
    assert (stage.door.links, stage.windows.opened) == ([], [])


async def test_a_page_that_mirrors_what_it_hears_knows_of_each_end(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.page.evaluate("document.querySelector('wazzup-chat').setAttribute('phone', '+371 22 345 678')")
    await visit.hears("ready", 2)
    await visit.page.evaluate("document.querySelector('wazzup-chat').destroy()")

    heard = [one["detail"] for one in await visit.heard("state")]
    assert [one["state"] for one in heard] == ["loading", "ready", "idle", "loading", "ready", "idle"]
    assert [one["previous"] for one in heard] == ["idle", *(one["state"] for one in heard[:-1])]


@pytest.mark.parametrize("half", ['chat-id="37111234567"', 'username="anna"', 'chat-id="1" phone="+37111234567"'])
async def test_half_a_chat_is_refused_and_never_shown_as_all_chats(stage: Stage, half: str) -> None:
    stage.expects("status of 422")

    visit = await stage.open(attributes=half)

    assert (await visit.hears("error"))["problem"]["status"] == 422
    assert stage.windows.opened == []


async def test_destroy_ends_it_and_reload_begins_anew(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.page.evaluate("document.querySelector('wazzup-chat').destroy()")
    assert await visit.page.evaluate("document.querySelector('wazzup-chat').state") == "idle"
    assert [frame for frame in visit.page.frames if frame.url.startswith(visit.windows_url)] == []

    await visit.page.evaluate("document.querySelector('wazzup-chat').reload()")
    await visit.hears("ready", 2)
    assert await visit.page.evaluate("document.querySelector('wazzup-chat').state") == "ready"
