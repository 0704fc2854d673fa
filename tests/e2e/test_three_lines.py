"""Three lines in a page show the chat, and the attributes say which."""

import json
from typing import Any

import pytest

from tests.driver import user_token
from tests.e2e.stage import Stage

# How each iframe of the page gets its address, and what stood in it by then.
SOURCES = """
window.sources = [];
const note = (frame, value) => sources.push({ allow: frame.allow, title: frame.title, value: String(value) });
const { set, ...src } = Object.getOwnPropertyDescriptor(HTMLIFrameElement.prototype, "src");
Object.defineProperty(HTMLIFrameElement.prototype, "src", {
  ...src, set(value) { note(this, value); set.call(this, value); },
});
const { setAttribute } = Element.prototype;
Element.prototype.setAttribute = function (name, value) {
  if (this instanceof HTMLIFrameElement && name === "src") note(this, value);
  setAttribute.call(this, name, value);
};
"""


async def test_three_lines_show_the_chat(stage: Stage) -> None:
    three_lines = f"""<!doctype html><title>A card</title>
        <script type="module" src="{stage.urls["gateway"]}/wazzup-chat.js"></script>
        <wazzup-chat phone="+371 11 234 567" contact-name="Anthony Stone"></wazzup-chat>
        <script type="module">document.querySelector("wazzup-chat").getToken = () => "{user_token()}";</script>"""

    visit = await stage.open(stage.put("/three", three_lines))

    ready = await visit.hears("ready")
    assert ready == {"warnings": []}
    assert (await visit.window()).url.startswith(stage.urls["wazzup"])
    assert await visit.states() == ["loading", "ready"]
    assert [asked.body for asked in stage.door.links] == [
        {"contact": {"name": "Anthony Stone", "phone": "+371 11 234 567"}}
    ]


@pytest.mark.parametrize(
    ("attributes", "question"),
    [
        (
            'chat-type="whatsapp" chat-id="37111234567" contact-name="Anthony Stone"',
            {"chats": [{"chat_type": "whatsapp", "chat_id": "37111234567", "contact_name": "Anthony Stone"}]},
        ),
        (
            'chat-type="telegram" username="my_tg_user"',
            {"chats": [{"chat_type": "telegram", "username": "my_tg_user"}]},
        ),
        ('phone="+371 11 234 567"', {"contact": {"phone": "+371 11 234 567"}}),
        (
            'phone="+371 11 234 567" telegram="@my_tg_user" contact-name="Anthony Stone"',
            {"contact": {"name": "Anthony Stone", "phone": "+371 11 234 567", "telegram": "@my_tg_user"}},
        ),
        ('scope="global"', {"scope": "global"}),
        # As a template renders what it has no value for.
        ('phone="+371 11 234 567" contact-name="" telegram="" scope=""', {"contact": {"phone": "+371 11 234 567"}}),
        (
            'chat-type="telegram" chat-id="" username="my_tg_user" contact-name=""',
            {"chats": [{"chat_type": "telegram", "username": "my_tg_user"}]},
        ),
        ('chat-type="" phone="+371 11 234 567" gateway=""', {"contact": {"phone": "+371 11 234 567"}}),
        (
            'scope="card" telegram="@my_tg_user"',
            {"scope": "card", "contact": {"telegram": "@my_tg_user"}},
        ),
    ],
)
async def test_the_attributes_are_the_question(stage: Stage, attributes: str, question: dict[str, Any]) -> None:
    await stage.ready(attributes=attributes)

    assert [asked.body for asked in stage.door.links] == [question]


async def test_a_request_is_asked_as_it_stands(stage: Stage) -> None:
    request = {
        "chats": [{"chat_type": "telegram", "username": "my_tg_user"}],
        "use_events": {"deals": True, "messages": True},
    }

    await stage.ready(attributes="", script=f"$chat.request = {json.dumps(request)};")

    assert [asked.body for asked in stage.door.links] == [request]


async def test_properties_that_were_set_before_the_element_was_known_are_taken(stage: Stage) -> None:
    """A framework may render before the module is loaded."""
    early = f"""<!doctype html><title>A card</title>
        <wazzup-chat gateway="{stage.urls["gateway"]}"></wazzup-chat>
        <script>
          const early = document.querySelector("wazzup-chat");
          early.getToken = () => "{user_token()}";
          early.request = {{ contact: {{ phone: "+37111234567" }} }};
        </script>
        <script type="module" src="{stage.urls["gateway"]}/wazzup-chat.js"></script>"""

    visit = await stage.open(stage.put("/early", early))

    await visit.hears("ready")
    assert [asked.body for asked in stage.door.links] == [{"contact": {"phone": "+37111234567"}}]


async def test_the_gateway_may_be_another_than_the_one_that_the_module_came_from(stage: Stage) -> None:
    """As for a page that serves the module itself."""
    module = await stage.gateway.http.get("/wazzup-chat.js")
    stage.put("/own.js", module.text)
    own = f"""<!doctype html><title>A card</title><script type="module" src="/own.js"></script>
        <wazzup-chat gateway="{stage.urls["gateway"]}/" phone="+37111234567"></wazzup-chat>
        <script type="module">document.querySelector("wazzup-chat").getToken = () => "{user_token()}";</script>"""

    visit = await stage.open(stage.put("/own", own))

    await visit.hears("ready")
    assert len(stage.door.links) == 1


async def test_the_page_may_load_the_exact_version_that_it_names_the_hash_of(stage: Stage) -> None:
    element = stage.gateway.app.state.services.files.element
    pinned = f"""<!doctype html><title>A card</title>
        <script type="module" src="{stage.urls["gateway"]}{element.versioned}" integrity="{element.integrity}"
          crossorigin="anonymous"></script>
        <wazzup-chat phone="+37111234567"></wazzup-chat>
        <script type="module">document.querySelector("wazzup-chat").getToken = () => "{user_token()}";</script>"""

    visit = await stage.open(stage.put("/pinned", pinned))

    await visit.hears("ready")


async def test_allow_is_set_before_src(stage: Stage) -> None:
    """What a frame may do is settled when it loads."""
    visit = await stage.blank()
    await visit.page.add_init_script(SOURCES)
    await visit.page.goto(stage.page())
    await visit.hears("ready")

    sources = [one for one in await visit.page.evaluate("sources") if one["value"].startswith(visit.windows_url)]
    assert [one["allow"] for one in sources] == ["microphone *; clipboard-write *"]
    assert all(one["title"] for one in sources)


async def test_the_window_may_use_the_microphone_and_the_clipboard(stage: Stage) -> None:
    visit = await stage.ready()

    window = await visit.window()
    allowed = await window.evaluate(
        "['microphone', 'clipboard-write'].map((one) => document.featurePolicy.allowsFeature(one))"
    )

    assert allowed == [True, True]


async def test_the_frame_has_a_title_which_the_page_may_choose(stage: Stage) -> None:
    usual = await stage.ready()
    chosen = await stage.ready(attributes='phone="+37111234567" frame-title="Chat with Anthony Stone"', path="/chosen")

    assert await usual.frame.get_attribute("title")
    assert await chosen.frame.get_attribute("title") == "Chat with Anthony Stone"


async def test_the_link_stands_nowhere_but_in_the_frame(stage: Stage) -> None:
    """It is a credential: not in an event's detail, not in a storage."""
    visit = await stage.ready()

    stored = await visit.page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    assert "token" not in stored
    assert "token" not in json.dumps(await visit.heard())


async def test_changes_of_attributes_make_one_new_question(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.page.evaluate("""() => {
      const chat = document.querySelector("wazzup-chat");
      chat.setAttribute("contact-name", "Boris");
      chat.setAttribute("phone", "+37122222222");
      chat.removeAttribute("contact-name");
      chat.setAttribute("telegram", "@boris");
    }""")

    await visit.hears("ready", 2)
    assert [asked.body for asked in stage.door.links[1:]] == [
        {"contact": {"phone": "+37122222222", "telegram": "@boris"}}
    ]
    assert len(await visit.windows()) == 1


async def test_a_change_that_changes_nothing_asks_nothing(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.page.evaluate("""() => {
      const chat = document.querySelector("wazzup-chat");
      chat.setAttribute("phone", chat.getAttribute("phone"));
      chat.className = "wide";
    }""")
    await visit.says({"type": "WZ_STILL_THERE", "data": {}})

    await visit.hears("message")
    assert len(stage.door.links) == 1
    assert len(stage.windows.opened) == 1


@pytest.mark.parametrize(("name", "value"), [("wait", "5"), ("debug", ""), ("refresh", "never")])
async def test_a_change_of_what_does_not_say_which_chat_leaves_the_window(stage: Stage, name: str, value: str) -> None:
    """Somebody may be writing there."""
    stage.expects("^debug: ")
    visit = await stage.ready()

    await visit.chat.evaluate("(chat, given) => { chat.setAttribute(...given); }", [name, value])
    await visit.says({"type": "WZ_STILL_THERE", "data": {}})
    await visit.hears("relayed")

    assert await visit.states() == ["loading", "ready"]
    assert len(stage.door.links) == len(stage.windows.opened) == 1


async def test_a_new_contact_while_the_old_one_is_still_asked_for_wins(stage: Stage) -> None:
    visit = await stage.ready()
    held = stage.door.hold("/links")
    await visit.page.evaluate("document.querySelector('wazzup-chat').setAttribute('phone', '+37122222222')")
    await stage.door.got("/links", 2)

    await visit.page.evaluate("document.querySelector('wazzup-chat').setAttribute('phone', '+37133333333')")
    await stage.door.got("/links", 3)
    held.set()

    await visit.hears("ready", 2)
    assert "37133333333" in (await visit.window()).url
    assert not any("37122222222" in one for one in stage.windows.opened)


async def test_a_new_request_is_asked_and_an_equal_one_is_not(stage: Stage) -> None:
    """Frameworks hand over an equal object at each turn."""
    visit = await stage.ready(attributes="", script="$chat.request = { contact: { phone: '+37111234567' } };")

    await visit.page.evaluate(
        "document.querySelector('wazzup-chat').request = { contact: { phone: '+37111234567' } }; 0"
    )
    await visit.page.evaluate(
        "document.querySelector('wazzup-chat').request = { contact: { phone: '+37122222222' } }; 0"
    )

    await visit.hears("ready", 2)
    assert [asked.body["contact"]["phone"] for asked in stage.door.links] == ["+37111234567", "+37122222222"]


async def test_a_new_get_token_asks_nothing_and_is_the_one_that_is_asked_next(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.page.evaluate(
        "(token) => { document.querySelector('wazzup-chat').getToken = () => (window.newest = true) && token; }",
        user_token(),
    )
    await visit.says({"type": "WZ_STILL_THERE", "data": {}})
    await visit.hears("message")
    assert len(stage.door.links) == len(stage.windows.opened) == 1

    await visit.page.evaluate("document.querySelector('wazzup-chat').reload()")
    await visit.hears("ready", 2)
    assert await visit.page.evaluate("newest") is True
