"""What is asked twice at once is asked once, and a chat that is moved stays."""

from datetime import timedelta
from typing import Any

import pytest

from tests.crm import Crm
from tests.driver import NOON, user_token
from tests.e2e.stage import APPEND, CREATE, Stage

TWO = """<wazzup-chat id="one" phone="+37111234567"></wazzup-chat>
         <wazzup-chat id="two" phone="+37111234567"></wazzup-chat>"""
MOUNT = """(token) => {
  const mount = () => {
    const chat = document.createElement("wazzup-chat");
    chat.setAttribute("phone", "+37111234567");
    chat.getToken = () => token;
    document.querySelector("main").append(chat);
    return chat;
  };
  mount().remove();
  mount();
}"""
# Instead of what the browser sees, what the test says of it.
EYE = """
window.IntersectionObserver = class {
  constructor(tell) { window.sees = (...seen) => tell(seen.map((isIntersecting) => ({ isIntersecting }))); }
  observe() {}
  disconnect() {}
};
"""


async def test_two_elements_with_the_same_question_ask_once(stage: Stage) -> None:
    visit = await stage.open(body=TWO)

    await visit.hears("ready", 2)

    assert len(stage.door.links) == 1
    assert len(await visit.windows(2)) == 2


async def test_a_mount_that_is_done_twice_asks_once(stage: Stage) -> None:
    """As React does in development, to find effects that do not clean up."""
    visit = await stage.open(body="")

    await visit.page.evaluate(MOUNT, user_token())
    await visit.hears("ready")

    assert len(stage.door.links) == 1
    assert len(await visit.windows()) == 1
    assert len(stage.windows.opened) == 1


async def test_users_do_not_share_what_they_asked(stage: Stage) -> None:
    """One page, two tokens: whoever signs in next must not see the chats of whoever was there before."""
    visit = await stage.ready()

    await visit.page.evaluate("document.querySelector('wazzup-chat').remove()")
    await visit.page.evaluate(
        """(token) => {
          const chat = document.createElement("wazzup-chat");
          chat.setAttribute("phone", "+371 11 234 567");
          chat.setAttribute("contact-name", "Anthony Stone");
          chat.getToken = () => token;
          document.querySelector("main").append(chat);
        }""",
        user_token("crm-user-2"),
    )
    await visit.hears("ready", 2)

    assert [asked.token for asked in stage.door.links] == [user_token(), user_token("crm-user-2")]


@pytest.mark.parametrize("differs", [{"iss": "of-another-account"}, {"name": "Boris"}, {"account": 2}])
async def test_namesakes_do_not_share_what_they_asked(stage: Stage, differs: dict[str, Any]) -> None:
    """Two accounts may call their first user alike; and another name is another author."""
    first, second = user_token(), user_token(**differs)
    visit = await stage.ready(body=TWO.splitlines()[0], token=first)
    await visit.page.evaluate("document.querySelector('wazzup-chat').remove()")

    await visit.page.evaluate(APPEND, second)

    await visit.hears("ready", 2)
    assert [asked.token for asked in stage.door.links] == [first, second]


async def test_the_next_token_of_the_same_user_asks_nothing_anew(stage: Stage) -> None:
    """Whatever letters the name is made of: in a token, base64 has two of its own."""
    name = "Zoë ~~~ ???"
    first = user_token(name=name, iat=int(NOON.timestamp()), jti="1")
    second = user_token(name=name, iat=int(NOON.timestamp()) + 60, jti="2", at=NOON + timedelta(minutes=1))
    assert set("-_") & set(first.split(".")[1])
    visit = await stage.ready(body=TWO.splitlines()[0], token=first)

    await visit.page.evaluate(APPEND, second)

    await visit.hears("ready", 2)
    assert [asked.token for asked in stage.door.links] == [first]


async def test_a_chat_that_is_moved_asks_nothing_and_is_still_heard(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await stage.ready()

    await visit.page.evaluate("""() => {
      const aside = document.body.appendChild(document.createElement("aside"));
      aside.append(document.querySelector("wazzup-chat"));
    }""")
    await stage.windows.were_opened(2)
    await visit.says(CREATE)

    await crm.got(1)
    assert len(stage.door.links) == 1
    assert "error" not in await visit.told()
    assert await visit.page.evaluate("document.querySelector('wazzup-chat').state") == "ready"


async def test_move_before_keeps_the_window_as_it_is(stage: Stage) -> None:
    visit = await stage.ready()
    await (await visit.window()).get_by_label("Message").fill("half a mess")

    await visit.page.evaluate("""() => {
      const aside = document.body.appendChild(document.createElement("aside"));
      aside.moveBefore(document.querySelector("wazzup-chat"), null);
    }""")
    await visit.says(CREATE)

    await visit.hears("relayed")
    assert await (await visit.window()).get_by_label("Message").input_value() == "half a mess"
    assert len(stage.windows.opened) == len(stage.door.links) == 1


async def test_a_card_that_changes_its_contact_back_and_forth_shows_the_last_one(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.page.evaluate("""async () => {
      const chat = document.querySelector("wazzup-chat");
      for (const phone of ["+37122222222", "+37133333333", "+37122222222", "+37144444444"]) {
        chat.setAttribute("phone", phone);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }""")

    await visit.comes_true("document.querySelector('wazzup-chat').state === 'ready'")
    assert "37144444444" in (await visit.window()).url
    assert len(await visit.windows()) == 1


async def test_a_lazy_chat_asks_once_it_is_nearly_in_sight(stage: Stage) -> None:
    visit = await stage.open(
        body='<div style="height: 9000px"></div><wazzup-chat lazy phone="+37111234567"></wazzup-chat>'
    )
    await visit.page.evaluate("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50)))")
    assert stage.door.links == []
    assert await visit.heard() == []

    await visit.page.evaluate("scrollTo(0, document.body.scrollHeight)")

    await visit.hears("ready")
    assert len(stage.door.links) == 1


async def test_a_lazy_chat_that_the_page_wants_now_does_not_wait_to_be_seen(stage: Stage) -> None:
    visit = await stage.open(
        body='<div style="height: 9000px"></div><wazzup-chat lazy phone="+37111234567"></wazzup-chat>'
    )

    await visit.page.evaluate("document.querySelector('wazzup-chat').reload()")

    await visit.hears("ready")
    assert len(stage.door.links) == 1


async def test_a_lazy_chat_in_sight_asks_at_once(stage: Stage) -> None:
    await stage.ready(attributes='lazy phone="+37111234567"')

    assert len(stage.door.links) == 1


async def test_of_what_a_lazy_chat_is_told_at_once_the_last_counts(stage: Stage) -> None:
    visit = await stage.blank()
    await visit.page.add_init_script(EYE)
    await visit.page.goto(stage.page('lazy phone="+37111234567"'))
    await visit.comes_true("!!window.sees")

    await visit.page.evaluate("sees(true, false)")
    await visit.page.evaluate("new Promise((resolve) => setTimeout(resolve))")
    assert await visit.heard() == []
    await visit.page.evaluate("sees(false, true)")

    await visit.hears("ready")
    assert len(stage.door.links) == 1
