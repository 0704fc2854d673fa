"""Only what the chat window itself says is heard."""

from typing import Any

import pytest

from tests.crm import Crm
from tests.driver import user_token
from tests.e2e.stage import CREATE, OPEN, Stage, Visit

# What is not a message of the window's, in every shape; the window says these and no others.
WRONG = """
const cyclic = { type: "WZ_CREATE_ENTITY", data: {} };
cyclic.data.itself = cyclic;
const wrong = [
  null, undefined, "WZ_CREATE_ENTITY", 7, true, [], {}, [{ type: "WZ_CREATE_ENTITY", data: {} }],
  { type: 1, data: {} }, { type: null, data: {} }, { type: ["WZ_CREATE_ENTITY"], data: {} },
  { type: "wz_create_entity", data: {} }, { type: "CREATE_ENTITY", data: {} }, { type: "WZ_", data: {} },
  { type: "WZ_CREATE_ENTITY\\n", data: {} }, { type: " WZ_CREATE_ENTITY", data: {} }, { type: "WZ_ENTITY_1", data: {} },
  { type: "WZ_CREATE_ENTITY" }, { type: "WZ_CREATE_ENTITY", data: null }, { type: "WZ_CREATE_ENTITY", data: [] },
  { type: "WZ_CREATE_ENTITY", data: "x" }, { type: "WZ_CREATE_ENTITY", data: 1 },
  cyclic, { type: "WZ_CREATE_ENTITY", data: { n: 1n } },
];
for (const message of wrong) parent.postMessage(message, "*");
wrong.length
"""


async def tells_only(visit: Visit, last: str = "WZ_THE_LAST") -> bool:
    """Whether the page told nothing but a last message, which its window says now."""
    await visit.says({"type": last, "data": {}})
    await visit.hears("message")
    return await visit.told() in (["message"], ["message", "relayed"])


async def is_not_heard(visit: Visit, by_then: int = 1) -> bool:
    """Whether nothing was told although so many messages came to the page."""
    await visit.comes_true(f"messages >= {by_then}")
    return await visit.told() == []


@pytest.mark.parametrize(
    ("message", "name"),
    [(CREATE, "entity-create"), (OPEN, "entity-open"), ({"type": "WZ_NEW_MESSAGE", "data": {"n": 1}}, "message")],
)
async def test_what_the_window_says_is_told_and_delivered(
    stage: Stage, crm: Crm, message: dict[str, Any], name: str
) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await stage.ready()

    await visit.says(message)

    detail = await visit.hears(name)
    assert (detail["type"], detail["data"]) == (message["type"], message["data"])
    [received] = await crm.got(1)
    assert (received.message["type"], received.message["data"]) == (message["type"], message["data"])
    relayed = await visit.hears("relayed")
    assert relayed == {
        "id": detail["id"], "type": message["type"], "eventId": received.id, "duplicate": False, "deliveries": 1,
    }  # fmt: skip
    assert received.message["context"]["trust"] == "browser"


async def test_every_event_bubbles_and_leaves_shadow_roots(stage: Stage) -> None:
    visit = await stage.open(body='<section id="host"></section>', script="")

    await visit.page.evaluate(
        """(token) => {
          const root = document.querySelector("#host").attachShadow({ mode: "open" });
          const chat = document.createElement("wazzup-chat");
          chat.getToken = () => token;
          chat.setAttribute("phone", "+37111234567");
          root.append(chat);
        }""",
        user_token(),
    )
    await visit.hears("ready")
    await visit.says(CREATE)
    await visit.hears("relayed")

    heard = await visit.heard()
    assert [one["name"] for one in heard] == ["state", "state", "ready", "entity-create", "relayed"]
    assert all(one["bubbles"] and one["composed"] and one["from"] == "host" for one in heard)
    assert [one["name"] for one in heard if one["cancelable"]] == ["entity-create"]


async def test_the_states_come_in_order(stage: Stage) -> None:
    visit = await stage.ready()

    states = [one["detail"] for one in await visit.heard("state")]

    assert states == [{"state": "loading", "previous": "idle"}, {"state": "ready", "previous": "loading"}]


async def test_what_the_page_prevents_is_not_relayed(stage: Stage) -> None:
    visit = await stage.ready(
        script='$chat.addEventListener("wazzup:entity-create", (event) => event.preventDefault());'
    )

    await visit.says(CREATE)
    await visit.says(OPEN)

    await visit.hears("relayed")
    assert [asked.body["type"] for asked in stage.door.events] == ["WZ_OPEN_ENTITY"]
    assert await visit.told() == ["entity-create", "entity-open", "relayed"]


async def test_each_event_has_an_id_of_its_own_and_the_time_when_it_came(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.says(CREATE)
    await visit.says(CREATE)

    first, second = [asked.body for asked in await stage.door.got("/events", 2)]
    assert first["id"] != second["id"]
    assert first["occurred_at"].endswith("Z")


async def test_a_message_of_the_wrong_shape_is_nothing(stage: Stage) -> None:
    visit = await stage.ready()

    said = await (await visit.window()).evaluate(WRONG)

    assert await tells_only(visit)
    assert await visit.page.evaluate("messages") == said + 1


async def test_another_frame_of_the_windows_origin_is_not_heard(stage: Stage) -> None:
    """The same vendor's window, opened by somebody else in the same page."""
    visit = await stage.ready()
    await visit.page.evaluate(
        "(url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))",
        f"{stage.urls['wazzup']}/1/chat/other",
    )
    other = next(one for one in await visit.windows(2) if one.url.endswith("/other"))

    await other.evaluate("(message) => parent.postMessage(message, '*')", CREATE)

    assert await is_not_heard(visit)
    assert await tells_only(visit)


async def test_a_frame_inside_the_window_is_not_heard(stage: Stage) -> None:
    visit = await stage.ready()
    await (await visit.window()).evaluate(
        "(url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))",
        f"{stage.urls['wazzup']}/1/chat/inside",
    )
    inside = next(one for one in await visit.windows(2) if one.url.endswith("/inside"))

    await inside.evaluate("(message) => top.postMessage(message, '*')", CREATE)

    assert await is_not_heard(visit)
    assert await tells_only(visit)


async def test_the_own_frame_is_not_heard_once_it_shows_another_origin(stage: Stage) -> None:
    visit = await stage.ready()
    window = await visit.window()
    elsewhere = stage.put("/elsewhere", "<!doctype html><title>Elsewhere</title>").replace("crm.localhost", "127.0.0.1")
    await window.goto(elsewhere)

    await window.evaluate("(message) => parent.postMessage(message, '*')", CREATE)

    assert await is_not_heard(visit)


async def test_a_popup_of_the_windows_origin_is_not_heard(stage: Stage) -> None:
    visit = await stage.ready()
    async with visit.page.expect_popup() as opening:
        await visit.page.evaluate("(url) => { open(url); }", f"{stage.urls['wazzup']}/1/chat/popup")
    popup = await opening.value

    await popup.evaluate("(message) => opener.postMessage(message, '*')", CREATE)

    assert await is_not_heard(visit)
    assert await tells_only(visit)


async def test_the_page_itself_is_not_heard(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.page.evaluate("(message) => postMessage(message, '*')", CREATE)

    assert await is_not_heard(visit)
    assert await tells_only(visit)


async def test_a_message_made_by_a_script_of_the_page_is_not_heard(stage: Stage) -> None:
    """`MessageEvent` can be made with any origin; without a source it is nobody's."""
    visit = await stage.ready()

    await visit.page.evaluate(
        "([origin, data]) => { dispatchEvent(new MessageEvent('message', { origin, data })); }",
        [stage.urls["wazzup"], CREATE],
    )

    assert await is_not_heard(visit)


async def test_two_chats_of_a_page_hear_each_its_own_window(stage: Stage) -> None:
    visit = await stage.open(
        body="""<wazzup-chat id="one" phone="+37111234567"></wazzup-chat>
            <wazzup-chat id="two" phone="+37122222222"></wazzup-chat>"""
    )
    await visit.hears("ready", 2)
    second = next(one for one in await visit.windows(2) if "37122222222" in one.url)

    await second.evaluate("(message) => parent.postMessage(message, '*')", CREATE)

    await visit.hears("relayed")
    assert [one["from"] for one in await visit.heard("entity-create")] == ["two"]
    assert len(stage.door.events) == 1


async def test_the_page_tells_its_window_nothing(stage: Stage) -> None:
    """It has nothing to say, and `*` would tell whoever is there."""
    module = (await stage.gateway.http.get("/wazzup-chat.js")).text

    assert "postMessage" not in module
