"""The documentation's pages, built and run as their readers paste them, until + makes a deal at the CRM."""

import json
import re
from pathlib import Path

from tests.crm import Crm, answering
from tests.driver import user_token
from tests.e2e.packages import HOME, node, package
from tests.e2e.stage import CREATE, Stage, Visit

README = (HOME.parent.parent / "README.md").read_text()
MADE = {"id": "D-78", "url": "/deals/78"}
ASKED = {"name": "Anthony Stone", "phone": "+37111234567"}
DOCUMENT = '<!doctype html><html lang="en"><meta charset="utf-8"><title>A card</title>'
INDEX = """<script type="module" src="GATEWAY/wazzup-chat.js"></script>
<div id="app"></div><script type="module" src="/main.js"></script>"""
REACT = """
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { WazzupChat } from "./WazzupChat.jsx";
window.turns = 0;
function Page() {
  const [turn, next] = useState(0);
  window.again = () => next(turn + 1);
  window.turns = turn;
  const onDeal = (deal) => { window.deal = deal; };
  return <WazzupChat contact={{ name: "Anthony Stone", phone: "+37111234567" }} onDeal={onDeal} />;
}
const root = createRoot(document.querySelector("#app"));
window.leave = () => root.unmount();
root.render(<StrictMode><Page /></StrictMode>);
"""
VUE = """
import { createApp, h, reactive } from "vue";
import WazzupChat from "./WazzupChat.js";
const told = reactive({
  contact: { name: "Anthony Stone", phone: "+37111234567" }, onDeal: (deal) => { window.deal = deal; },
});
const app = createApp({ render: () => h(WazzupChat, told) });
app.mount("#app");
window.change = () => { told.contact = { name: "Boris", phone: "+37122222222" }; };
window.leave = () => app.unmount();
"""
OWN = """<iframe title="Chat"></iframe><script>
const getToken = () => fetch("/wazzup-token").then((answer) => answer.text());
</script><script type="module">SAMPLE</script>"""


def sample(marker: str) -> str:
    """The README's only code block that begins with this; without its fences."""
    [block] = re.findall(rf"^```\w+\n({re.escape(marker)}.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return str(block)


async def bundled(home: Path, entry: str) -> str:
    """What the browser loads of it."""
    words = (
        "--bundle", "--format=esm", "--jsx=automatic", "--jsx-dev", "--log-level=warning",
        '--define:process.env.NODE_ENV="development"', "--define:__VUE_OPTIONS_API__=true",
        "--define:__VUE_PROD_DEVTOOLS__=false", "--define:__VUE_PROD_HYDRATION_MISMATCH_DETAILS__=false",
    )  # fmt: skip
    status, said = await node(package("esbuild") / "bin" / "esbuild", home / entry, *words)
    assert status == 0, said
    return said


async def opened(stage: Stage, crm: Crm, page: str, script: str = "") -> Visit:
    """That page, and behind it the CRM's web server, which knows who is signed in and answers + with a deal."""
    await stage.gateway.webhook(crm.url)
    crm.mood = answering(200, json.dumps(MADE))
    stage.put("/wazzup-token", user_token())
    stage.put("/main.js", script)
    here = page.replace("https://gateway.example", stage.urls["gateway"]).replace("GATEWAY", stage.urls["gateway"])
    visit = await stage.open(stage.put("/card", DOCUMENT + here))
    await visit.hears("ready")
    return visit


async def react(stage: Stage, crm: Crm, home: Path) -> Visit:
    """The README's React component in a page, in development and in strict mode."""
    package("react")
    stage.expects("Download the React DevTools")
    (home / "WazzupChat.jsx").write_text(sample("// WazzupChat.jsx"))
    (home / "main.jsx").write_text(REACT)
    return await opened(stage, crm, INDEX, await bundled(home, "main.jsx"))


async def vue(stage: Stage, crm: Crm, home: Path) -> Visit:
    """The README's Vue component in a page, compiled as it says."""
    package("vue")
    stage.expects("development build of Vue")
    (home / "WazzupChat.vue").write_text(sample("<!-- WazzupChat.vue -->"))
    [told] = re.findall(r"`isCustomElement: (.*?)`", README)
    status, said = await node(HOME / "vue.mjs", home / "WazzupChat.vue", told)
    assert status == 0, said
    (home / "WazzupChat.js").write_text(said)
    (home / "main.js").write_text(VUE)
    return await opened(stage, crm, INDEX, await bundled(home, "main.js"))


async def test_the_three_lines_open_the_deal_that_was_made(stage: Stage, crm: Crm) -> None:
    deal = stage.put("/deals/78", "<!doctype html><title>The deal</title>")
    lines = sample('<script type="module" src="https://gateway.example/wazzup-chat.js"></script>')
    opens = sample('chat.addEventListener("wazzup:entity-create"')
    visit = await opened(stage, crm, f"{lines}<script>{opens}</script>")

    await visit.says(CREATE)

    await visit.page.wait_for_url(deal)
    assert len(crm.received) == 1


async def test_the_react_component_works_in_strict_mode(stage: Stage, crm: Crm, tmp_path: Path) -> None:
    visit = await react(stage, crm, tmp_path)

    await visit.page.evaluate("again()")
    await visit.comes_true("turns === 1")
    await visit.says(CREATE)

    await visit.comes_true("!!window.deal")
    assert await visit.page.evaluate("deal") == MADE
    assert [asked.body for asked in stage.door.links] == [{"contact": ASKED}]
    assert len(crm.received) == len(stage.windows.opened) == 1


async def test_the_react_component_leaves_with_its_page(stage: Stage, crm: Crm, tmp_path: Path) -> None:
    visit = await react(stage, crm, tmp_path)

    await visit.page.evaluate("leave()")

    await visit.comes_true("!document.querySelector('wazzup-chat')")
    assert [frame for frame in visit.page.frames if frame.url.startswith(visit.windows_url)] == []


async def test_the_vue_component_works_and_follows_its_contact(stage: Stage, crm: Crm, tmp_path: Path) -> None:
    visit = await vue(stage, crm, tmp_path)

    await visit.says(CREATE)
    await visit.comes_true("!!window.deal")
    assert await visit.page.evaluate("deal") == MADE

    await visit.page.evaluate("change()")
    await visit.hears("ready", 2)
    assert [asked.body["contact"] for asked in stage.door.links] == [
        ASKED,
        {"name": "Boris", "phone": "+37122222222"},
    ]
    await visit.page.evaluate("leave()")
    await visit.comes_true("!document.querySelector('wazzup-chat')")


async def test_a_page_with_an_iframe_of_its_own_uses_the_function(stage: Stage, crm: Crm) -> None:
    visit = await opened(stage, crm, OWN.replace("SAMPLE", sample("import { mountChat }")))

    await visit.says(CREATE)

    await crm.got(1)
    await visit.hears("relayed")
