"""The plain functions, for pages that have an iframe of their own."""

import json
from typing import Any

import pytest

from tests.crm import Crm
from tests.driver import user_token
from tests.e2e.stage import CREATE, OPEN, Stage, Visit

FAILED = "Failed to load resource"
OWN = """<!doctype html><html lang="en"><title>A card</title><iframe id="own" title="Chat"></iframe>
<script type="module">
  import * as chat from "GATEWAY/wazzup-chat.js";
  window.wazzup = chat;
  window.own = document.querySelector("#own");
</script>"""
MOUNT = """(token) => {
  window.chat = wazzup.mountChat(own, {
    gateway: new URL(performance.getEntriesByType("resource").find(({ name }) => name.endsWith(".js")).name).origin,
    request: { contact: { phone: "+37111234567" } },
    getToken: () => token,
  });
}"""
RELAY = """(answer) => {
  own.allow = answer.iframe.allow;
  own.src = answer.link;
  window.stop = wazzup.relayEvents({
    frame: own, origin: answer.iframe.origin, relay: answer.relay, user: answer.user_id, gateway: GATEWAY,
    renew: async () => { window.renewed = true; return window.newRelay; },
  });
}"""


async def own_page(stage: Stage) -> Visit:
    visit = await stage.open(stage.put("/own", OWN.replace("GATEWAY", stage.urls["gateway"])))
    await visit.comes_true("!!window.wazzup && !!window.own")
    return visit


async def relaying(stage: Stage) -> tuple[Visit, Any]:
    """A page that has asked for its link by itself, and relays what its window says."""
    answer = (await stage.gateway.link()).json()
    visit = await own_page(stage)
    await visit.page.evaluate(RELAY.replace("GATEWAY", json.dumps(stage.urls["gateway"])), answer)
    await visit.window()
    return visit, answer


async def test_create_link_gives_what_the_gateway_answers(stage: Stage) -> None:
    visit = await own_page(stage)

    link = await visit.page.evaluate(
        "(token) => wazzup.createLink({ request: { contact: { phone: '+37111234567' } }, getToken: () => token })",
        user_token(),
    )

    assert link["link"].startswith(stage.urls["wazzup"])
    assert link["iframe"] == {"allow": "microphone *; clipboard-write *", "origin": stage.urls["wazzup"]}
    assert link["relay"]["token"]
    assert (link["user_id"], link["scope"], link["cached"]) == ("crm-user-1", "card", False)


async def test_equal_links_that_are_asked_at_once_are_one_question(stage: Stage) -> None:
    visit = await own_page(stage)

    links = await visit.page.evaluate(
        """(token) => {
          const ask = () => wazzup.createLink({ request: { scope: "global" }, getToken: () => token });
          return Promise.all([ask(), ask(), ask()]);
        }""",
        user_token(),
    )

    assert len({one["link"] for one in links}) == 1
    assert len(stage.door.links) == 1


async def test_a_link_that_is_refused_rejects_with_the_problem(stage: Stage) -> None:
    stage.expects(FAILED)
    visit = await own_page(stage)

    caught = await visit.page.evaluate(
        """(token) => wazzup.createLink({ request: { contact: { phone: "12" } }, getToken: () => token }).catch(
          (error) => ({ isOurs: error instanceof wazzup.ChatError, isError: error instanceof Error, name: error.name,
            message: error.message, problem: error.problem, retry: error.retry }))""",
        user_token(),
    )

    assert (caught["isOurs"], caught["isError"], caught["retry"]) == (True, True, False)
    assert caught["problem"]["status"] == 422
    assert caught["message"] == caught["problem"]["detail"]


async def test_mount_chat_keeps_a_chat_open_in_an_iframe_of_the_page(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await own_page(stage)

    await visit.page.evaluate(MOUNT, user_token())

    await visit.hears("ready")
    assert [one["from"] for one in await visit.heard("ready")] == ["own"]
    assert await visit.page.evaluate("chat.state") == "ready"
    assert await visit.page.locator("#own").get_attribute("allow") == "microphone *; clipboard-write *"
    await visit.says(CREATE)
    await crm.got(1)


async def test_a_mounted_chat_that_is_stopped_is_silent(stage: Stage) -> None:
    visit = await own_page(stage)
    await visit.page.evaluate(MOUNT, user_token())
    await visit.hears("ready")

    await visit.page.evaluate("chat.stop()")
    await visit.says(CREATE)

    await visit.comes_true("messages === 1")
    assert await visit.told() == []
    assert stage.door.events == []


async def test_a_mounted_chat_that_is_stopped_is_not_begun_anew(stage: Stage) -> None:
    visit = await own_page(stage)
    await visit.page.evaluate(MOUNT, user_token())
    await visit.hears("ready")

    await visit.page.evaluate("chat.stop(); chat.reload();")
    await visit.says(CREATE)

    await visit.comes_true("messages === 1")
    assert await visit.states() == ["loading", "ready", "idle"]
    assert len(stage.door.links) == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_a_mounted_chat_can_be_loaded_anew(stage: Stage, times: int) -> None:
    """Who is impatient gets no older link for it."""
    visit = await own_page(stage)
    await visit.page.evaluate(MOUNT, user_token())
    await visit.hears("ready")

    await visit.page.evaluate("(times) => { while (times--) chat.reload(); }", times)

    await visit.hears("ready", 2)
    asked = [one.body.get("max_age") for one in stage.door.links]
    assert (asked[0], set(asked[1:])) == (None, {0})


async def test_who_gives_up_a_link_is_told_so_and_not_that_it_failed(stage: Stage) -> None:
    visit = await own_page(stage)

    rejected = await visit.page.evaluate(
        """() => {
          const giving = new AbortController();
          const getLink = () => giving.abort();
          return wazzup.createLink({ getLink, signal: giving.signal }).catch(({ name }) => name);
        }"""
    )

    assert rejected == "AbortError"


async def test_relay_events_carries_what_a_window_says_that_the_page_has_opened(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit, _ = await relaying(stage)

    await visit.says(OPEN)

    [received] = await crm.got(1)
    assert received.message["data"] == OPEN["data"]
    await visit.hears("relayed")
    assert [one["from"] for one in await visit.heard("entity-open")] == ["own"]


async def test_relaying_ends_when_it_is_stopped(stage: Stage) -> None:
    visit, _ = await relaying(stage)

    await visit.page.evaluate("stop()")
    await visit.says(CREATE)

    await visit.comes_true("messages === 1")
    assert await visit.told() == []


async def test_relaying_hears_only_the_origin_that_it_was_told(stage: Stage) -> None:
    visit, _ = await relaying(stage)
    elsewhere = stage.put("/elsewhere", "<!doctype html><title>Elsewhere</title>").replace("crm.localhost", "127.0.0.1")
    window = await visit.window()
    await window.goto(elsewhere)

    await window.evaluate("(message) => parent.postMessage(message, '*')", CREATE)

    await visit.comes_true("messages === 1")
    assert await visit.told() == []


async def test_a_relay_token_that_has_ended_is_renewed_by_the_page(stage: Stage, crm: Crm) -> None:
    stage.expects("status of 401")
    await stage.gateway.webhook(crm.url)
    visit, _ = await relaying(stage)
    clock = stage.gateway.clock
    assert clock
    clock.advance(hours=13)
    relay = (await stage.gateway.link()).json()["relay"]
    await visit.page.evaluate("(relay) => { window.newRelay = relay; }", relay)

    await visit.says(CREATE)

    await crm.got(1)
    assert await visit.page.evaluate("renewed") is True


async def test_the_module_can_be_loaded_where_there_is_no_document(stage: Stage) -> None:
    """A server that renders pages imports what its pages import."""
    module = (await stage.gateway.http.get("/wazzup-chat.js")).text
    worker = stage.put("/worker.js", f"{module}\npostMessage('loaded');")
    visit = await stage.open(stage.put("/page", "<!doctype html><title>A page</title>"))

    said = await visit.page.evaluate(
        """(url) => new Promise((resolve, reject) => {
          const worker = new Worker(url, { type: "module" });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
        })""",
        worker,
    )

    assert said == "loaded"
