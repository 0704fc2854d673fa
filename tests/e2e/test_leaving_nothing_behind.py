"""A page that opens a thousand chats, one after the other, carries nothing of the old ones."""

import json
from typing import Any

from tests.driver import user_token
from tests.e2e.stage import CREATE, Stage, Visit

# Timers that were set and neither rang nor were cleared.
TIMERS = """
window.timers = new Set();
const { setTimeout: begin, clearTimeout: end, setInterval: repeat, clearInterval: stop } = window;
window.setTimeout = (ring, after, ...given) => {
  const timer = begin(() => { timers.delete(timer); ring(...given); }, after);
  timers.add(timer);
  return timer;
};
window.clearTimeout = (timer) => { timers.delete(timer); end(timer); };
window.setInterval = (ring, ...given) => { const timer = repeat(ring, ...given); timers.add(timer); return timer; };
window.clearInterval = (timer) => { timers.delete(timer); stop(timer); };
"""
# All that is handed to the console, down to the last member.
CONSOLE = """
window.said = [];
for (const name of ["debug", "log", "info", "warn", "error"]) {
  const say = console[name];
  console[name] = (...given) => { said.push(JSON.stringify(given)); say(...given); };
}
"""
# Every thirtieth is there until its window is loaded; the others go at once, some of them before they have asked.
MOUNTS = """async ([link, times]) => {
  const main = document.querySelector("main");
  for (let number = 0; number < times; number++) {
    const chat = document.createElement("wazzup-chat");
    chat.setAttribute("phone", `+371${10_000_000 + number}`);
    chat.getLink = async () => link;
    main.append(chat);
    if (number % 30 === 0) await new Promise((resolve) => chat.addEventListener("wazzup:ready", resolve));
    else if (number % 2) await null;
    if (number % 60 === 0) chat.reload();
    if (number % 3 === 0) chat.destroy();
    chat.remove();
  }
}"""

# The answers that the page has got, as far as anybody still has them.
ANSWERS = """
window.answers = [];
const { json } = Response.prototype;
Response.prototype.json = async function () {
  const answer = await json.call(this);
  answers.push(new WeakRef(answer));
  return answer;
};
"""
ASK = """async ([module, token, phone]) => {
  const { createLink } = await import(module);
  await createLink({ request: { contact: { phone } }, getToken: () => token });
}"""


async def remembered(visit: Visit) -> int:
    """How many of them, once everything that can be collected is."""
    browser = await visit.page.context.new_cdp_session(visit.page)
    for _ in range(2):
        await browser.send("HeapProfiler.collectGarbage")
    number: int = await visit.page.evaluate("answers.filter((one) => one.deref()).length")
    return number


async def counted(visit: Visit) -> dict[str, Any]:
    """What the page holds, once everything that can be collected is."""
    browser = await visit.page.context.new_cdp_session(visit.page)
    await browser.send("Performance.enable")
    for _ in range(2):
        await browser.send("HeapProfiler.collectGarbage")
    metrics = (await browser.send("Performance.getMetrics"))["metrics"]
    found = {one["name"]: one["value"] for one in metrics}
    listening = await browser.send(
        "Runtime.evaluate",
        {
            "expression": "Object.values(getEventListeners(window)).concat(Object.values(getEventListeners(document)))"
            ".flat().length",
            "includeCommandLineAPI": True,
        },
    )
    return {
        "timers": await visit.page.evaluate("timers.size"),
        "listeners of the window": listening["result"]["value"],
        "listeners": found["JSEventListeners"],
        "nodes": found["Nodes"],
        "documents": found["Documents"],
    }


async def test_a_thousand_mounts_leave_no_timer_listener_or_node(stage: Stage) -> None:
    answer = (await stage.gateway.link()).json()
    # On the page's own origin, since what is counted is the element, and a process for each window takes its time.
    answer["link"] = stage.put("/1/chat/small", "<!doctype html><title>Window</title>")
    answer["iframe"]["origin"] = stage.urls["pages"]
    visit = await stage.blank()
    await visit.page.add_init_script(TIMERS)
    await visit.page.goto(stage.page(body=""))
    await visit.page.evaluate("customElements.whenDefined('wazzup-chat')")
    await visit.page.evaluate(MOUNTS, [answer, 70])
    before = await counted(visit)

    await visit.page.evaluate(MOUNTS, [answer, 1000])

    after = await counted(visit)
    assert after["timers"] == 0
    assert after["listeners of the window"] == before["listeners of the window"]
    assert after["listeners"] <= before["listeners"] + 20
    assert after["nodes"] <= before["nodes"] + 100
    assert after["documents"] <= before["documents"] + 2


async def test_a_link_that_has_ended_is_remembered_by_nobody(stage: Stage) -> None:
    """It is a credential; and a page may be open for weeks."""
    visit = await stage.blank()
    await visit.page.add_init_script(ANSWERS)
    await visit.page.clock.install()
    await visit.page.goto(stage.page(body=""))
    module = f"{stage.urls['gateway']}/wazzup-chat.js"
    await visit.page.evaluate(ASK, [module, user_token(), "+37111234567"])
    assert await remembered(visit) == 1

    await visit.page.clock.run_for(48 * 3600 * 1000)
    await visit.page.evaluate(ASK, [module, user_token(), "+37122222222"])

    assert await remembered(visit) == 1


async def test_a_chat_that_is_gone_hears_nothing_and_asks_nothing(stage: Stage) -> None:
    visit = await stage.blank()
    await visit.page.clock.install()
    await visit.page.goto(stage.page())
    await visit.hears("ready")
    await visit.page.evaluate("document.querySelector('wazzup-chat').remove()")
    before = len(await visit.heard())

    await visit.page.evaluate(
        "([origin, data]) => { dispatchEvent(new MessageEvent('message', { origin, data, source: window })); }",
        [stage.urls["wazzup"], CREATE],
    )
    await visit.page.clock.run_for(24 * 3600 * 1000)

    assert len(await visit.heard()) == before
    assert len(stage.door.links) == 1


async def test_a_chat_that_comes_back_into_the_page_opens_again(stage: Stage) -> None:
    visit = await stage.ready()
    await visit.page.evaluate("window.$chat = document.querySelector('wazzup-chat'); $chat.remove(); 0")
    await visit.page.evaluate("new Promise((resolve) => setTimeout(resolve))")

    await visit.page.evaluate("document.querySelector('main').append($chat)")

    await visit.hears("ready", 2)
    assert await visit.page.evaluate("$chat.state") == "ready"


async def test_the_console_stays_empty(stage: Stage) -> None:
    """What else is said there fails every other test; this one says so."""
    visit = await stage.ready()
    await visit.says(CREATE)
    await visit.hears("relayed")

    assert stage.noise == []


async def test_debug_may_begin_while_the_chat_is_open(stage: Stage) -> None:
    stage.expects("^debug: ")
    visit = await stage.ready()

    await visit.chat.evaluate("(chat) => { chat.setAttribute('debug', ''); }")
    await visit.says(CREATE)
    await visit.hears("relayed")

    assert len(stage.noise) == 2


async def test_debug_prints_names_and_no_data(stage: Stage) -> None:
    stage.expects("^debug: ", "status of 503")
    stage.door.answers("/events", 503, Retry_After="0")
    visit = await stage.blank()
    await visit.page.add_init_script(CONSOLE)
    await visit.page.goto(stage.page('phone="+371 11 234 567" contact-name="Anthony Stone" debug'))
    await visit.hears("ready")

    await visit.says(CREATE)
    await visit.hears("relayed")

    said = await visit.page.evaluate("said")
    assert len(said) >= 3
    for secret in ("234", "Anthony", "chat/whatsapp", "token", "wgr_", "eyJ", "37111", "crm-user-1"):
        assert secret not in json.dumps(said)
