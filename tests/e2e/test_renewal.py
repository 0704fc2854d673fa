"""A link is renewed in time, by a clock that nobody sets, and never under the hands of somebody who writes."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.driver import NOON, user_token
from tests.e2e.stage import APPEND, CREATE, Stage, Visit

WRONG = [datetime(1999, 12, 31, tzinfo=UTC), datetime(2077, 1, 1, tzinfo=UTC)]
# Links that live for five minutes, and each is another one.
FIVE_MINUTES = """
window.reasons = [];
$chat.getToken = null;
$chat.getLink = ({ reason }) => {
  reasons.push(reason);
  return { ...ANSWER, link: `WAZZUP/1/chat/${reasons.length}`, expires_in: 300 };
};
"""

# As of a page that keeps what it was given.
THE_SAME = FIVE_MINUTES.replace("${reasons.length}", "1")
# As of a page whose server hands on only what it knows of.
WITHOUT_EXPIRES_IN = FIVE_MINUTES.replace("expires_in: 300", "expires_in: undefined")


async def five_minutes(
    stage: Stage, attributes: str = 'phone="+37111234567"', at: datetime | None = None, script: str = FIVE_MINUTES
) -> Visit:
    """A chat whose link ends in five minutes, on a page whose time is told."""
    visit = await stage.blank()
    await visit.page.clock.install(time=at)
    answer = json.dumps((await stage.gateway.link()).json())
    await visit.page.goto(stage.page(attributes, script.replace("ANSWER", answer).replace("WAZZUP", visit.windows_url)))
    await visit.hears("ready")
    return visit


async def passes(visit: Visit, *, seconds: float) -> None:
    """Time goes on in the page."""
    await visit.page.clock.run_for(int(seconds * 1000))


async def asked(visit: Visit) -> list[str]:
    reasons: list[str] = await visit.page.evaluate("reasons")
    return reasons


async def fold(visit: Visit, is_folded: bool) -> None:
    """The page shows another card, or this one again."""
    display = "none" if is_folded else ""
    await visit.page.evaluate("(display) => { document.querySelector('main').style.display = display; }", display)


async def hide(visit: Visit, is_hidden: bool) -> None:
    """The user looks at another tab, or is back. (A headless browser has no tabs in front of others.)"""
    await visit.page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          const state = hidden ? "hidden" : "visible";
          Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
          document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
        }""",
        is_hidden,
    )


async def write(visit: Visit, text: str = "half a mess") -> None:
    """The user has begun to write a message."""
    await (await visit.window()).get_by_label("Message").click()
    await visit.page.keyboard.type(text)
    # The window is another process: the page learns a moment later where the focus went.
    await visit.comes_true("document.activeElement?.shadowRoot?.activeElement?.localName === 'iframe'")


async def written(visit: Visit) -> str:
    return str(await (await visit.window()).get_by_label("Message").input_value())


async def test_a_link_that_nobody_uses_is_renewed_when_it_ends_and_not_before(stage: Stage) -> None:
    visit = await five_minutes(stage)

    await passes(visit, seconds=290)
    assert await asked(visit) == ["open"]

    await passes(visit, seconds=20)
    await stage.windows.were_opened(2)
    assert await asked(visit) == ["open", "renew"]
    assert (await visit.window()).url.endswith("/chat/2")
    assert await visit.states() == ["loading", "ready"]


async def test_renewal_goes_on_and_on(stage: Stage) -> None:
    visit = await five_minutes(stage)

    for number in (2, 3, 4):
        await passes(visit, seconds=310)
        await stage.windows.were_opened(number)

    assert await asked(visit) == ["open", "renew", "renew", "renew"]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_clock_changes_nothing(stage: Stage, wrong: datetime) -> None:
    visit = await five_minutes(stage, at=wrong)

    await passes(visit, seconds=290)
    assert await asked(visit) == ["open"]

    await passes(visit, seconds=20)
    await stage.windows.were_opened(2)
    assert await asked(visit) == ["open", "renew"]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_clock_that_is_set_meanwhile_changes_nothing(stage: Stage, wrong: datetime) -> None:
    visit = await five_minutes(stage)
    await passes(visit, seconds=100)

    await visit.page.clock.set_system_time(wrong)

    await passes(visit, seconds=190)
    assert await asked(visit) == ["open"]
    await passes(visit, seconds=20)
    await stage.windows.were_opened(2)
    assert await asked(visit) == ["open", "renew"]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_link_that_two_chats_share_ends_for_both_in_time_whatever_the_clock_says(
    stage: Stage, wrong: datetime
) -> None:
    clock = stage.gateway.clock
    assert clock
    token = user_token(at=NOON + timedelta(hours=24))
    visit = await stage.blank()
    await visit.page.clock.install()
    await visit.page.goto(stage.page('phone="+37111234567"', token=token))
    await visit.hears("ready")
    expires_in = (await stage.gateway.link(stage.door.links[0].body | {"user_id": "crm-user-1"})).json()["expires_in"]
    await passes(visit, seconds=100)

    await visit.page.clock.set_system_time(wrong)
    await visit.page.evaluate(APPEND, token)
    await visit.hears("ready", 2)
    assert len(stage.door.links) == 1

    clock.advance(seconds=expires_in + 10)
    await passes(visit, seconds=expires_in - 100 + 10)
    await stage.windows.were_opened(4)
    assert len(stage.door.links) <= 3


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_minute_is_a_minute_whatever_the_clock_says(stage: Stage, wrong: datetime) -> None:
    visit = await five_minutes(stage)
    await write(visit)
    await passes(visit, seconds=310)
    await visit.hears("expired")
    await hide(visit, True)
    await passes(visit, seconds=20)

    await visit.page.clock.set_system_time(wrong)

    await passes(visit, seconds=20)
    assert await asked(visit) == ["open"]
    await passes(visit, seconds=40)
    await visit.is_in("ready")
    assert await asked(visit) == ["open", "renew"]


async def test_a_computer_that_slept_renews_once_when_it_wakes(stage: Stage) -> None:
    visit = await five_minutes(stage)

    await visit.page.clock.fast_forward("08:00:00")

    await stage.windows.were_opened(2)
    await passes(visit, seconds=100)
    assert await asked(visit) == ["open", "renew"]


async def test_a_half_written_message_is_not_lost(stage: Stage) -> None:
    visit = await five_minutes(stage)
    await write(visit)

    await passes(visit, seconds=1000)

    await visit.hears("expired")
    assert await written(visit) == "half a mess"
    assert await asked(visit) == ["open"]
    assert await visit.states() == ["loading", "ready", "expired"]
    assert len(await visit.heard("expired")) == 1


async def test_an_expired_window_still_tells_and_is_heard(stage: Stage) -> None:
    visit = await five_minutes(stage)
    await write(visit)
    await passes(visit, seconds=310)
    await visit.hears("expired")

    await visit.says(CREATE)

    await visit.hears("relayed")


async def test_an_expired_window_is_renewed_once_it_was_hidden_for_a_minute(stage: Stage) -> None:
    visit = await five_minutes(stage)
    await write(visit)
    await passes(visit, seconds=310)
    await visit.hears("expired")

    await hide(visit, True)
    await passes(visit, seconds=50)
    await hide(visit, False)
    await passes(visit, seconds=50)
    assert await asked(visit) == ["open"]

    await hide(visit, True)
    await passes(visit, seconds=70)
    await visit.is_in("ready")
    assert await asked(visit) == ["open", "renew"]
    assert await visit.states() == ["loading", "ready", "expired", "ready"]


async def test_an_expired_window_in_a_folded_card_is_renewed_too(stage: Stage) -> None:
    """Hidden is hidden: the tab is in front, but the page shows another card."""
    visit = await five_minutes(stage)
    await write(visit)
    await passes(visit, seconds=310)
    await visit.hears("expired")

    await fold(visit, True)
    await passes(visit, seconds=80)

    await visit.comes_true("reasons.length === 2")


async def test_a_minute_in_which_a_card_was_folded_counts_for_one_window_only(stage: Stage) -> None:
    """What was written after it is hidden for seconds, and not since then."""
    visit = await five_minutes(stage)
    await fold(visit, True)
    await passes(visit, seconds=310)
    await stage.windows.were_opened(2)
    await fold(visit, False)
    await write(visit)

    await passes(visit, seconds=285)
    await fold(visit, True)
    await passes(visit, seconds=15)
    await fold(visit, False)

    await visit.hears("expired")
    assert await written(visit) == "half a mess"
    assert await asked(visit) == ["open", "renew"]


async def test_a_message_that_was_written_after_the_window_went_on_by_itself_is_not_lost(stage: Stage) -> None:
    """From its list into a chat, say; the focus was there before, and who leaves by keyboard moves no pointer."""
    visit = await five_minutes(stage)
    await visit.page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    await write(visit, "to be sent")
    await visit.frame.evaluate("(frame) => frame.addEventListener('load', () => { window.isLoaded = true; })")
    await (await visit.window()).evaluate("location.assign('/1/chat/inner')")
    await visit.comes_true("window.isLoaded")
    await (await visit.window()).get_by_label("Message").focus()
    await visit.page.keyboard.type("half a mess")
    await visit.page.keyboard.press("Tab")
    await visit.comes_true("document.activeElement.localName === 'input'")

    await passes(visit, seconds=400)

    await visit.hears("expired")
    assert await written(visit) == "half a mess"
    assert await asked(visit) == ["open"]


async def test_an_expired_window_whose_link_is_given_once_more_is_opened_anew(stage: Stage) -> None:
    visit = await five_minutes(stage, script=THE_SAME)
    await write(visit)
    await passes(visit, seconds=310)
    await visit.hears("expired")

    await hide(visit, True)
    await passes(visit, seconds=70)

    await visit.is_in("ready")
    assert await asked(visit) == ["open", "renew"]


async def test_whoever_has_written_and_sent_may_ask_for_the_new_link(stage: Stage) -> None:
    visit = await five_minutes(stage)
    await write(visit)
    await passes(visit, seconds=310)
    await visit.hears("expired")

    await visit.retry.click()

    await visit.is_in("ready")
    assert await asked(visit) == ["open", "reload"]
    assert await visit.states() == ["loading", "ready", "expired", "loading", "ready"]


async def test_after_a_renewal_the_window_counts_as_untouched(stage: Stage) -> None:
    """What was written before is gone with the window."""
    visit = await five_minutes(stage)
    await write(visit)
    await passes(visit, seconds=310)
    await visit.hears("expired")
    await hide(visit, True)
    await passes(visit, seconds=70)
    await stage.windows.were_opened(2)
    await hide(visit, False)
    await visit.page.evaluate("document.activeElement?.blur()")

    await passes(visit, seconds=320)

    await stage.windows.were_opened(3)
    assert len(await visit.heard("expired")) == 1


async def test_a_forgotten_tab_does_not_ask_all_night(stage: Stage) -> None:
    visit = await five_minutes(stage)
    await hide(visit, True)

    await passes(visit, seconds=3600)
    in_the_night = len(await asked(visit))
    await hide(visit, False)
    await passes(visit, seconds=10)

    assert in_the_night <= 2
    await visit.comes_true(f"reasons.length === {in_the_night + 1}")


async def test_a_page_may_choose_never_to_renew(stage: Stage) -> None:
    visit = await five_minutes(stage, 'phone="+37111234567" refresh="never"')

    await passes(visit, seconds=3600)

    await visit.hears("expired")
    assert await asked(visit) == ["open"]
    assert await visit.states() == ["loading", "ready", "expired"]
    assert len(stage.windows.opened) == 1


async def test_a_page_may_choose_so_while_the_window_is_open(stage: Stage) -> None:
    visit = await five_minutes(stage)
    await visit.chat.evaluate("(chat) => { chat.setAttribute('refresh', 'never'); }")

    await passes(visit, seconds=310)

    await visit.hears("expired")
    assert await asked(visit) == ["open"]


async def test_an_answer_that_does_not_say_when_the_link_ends_is_not_asked_for_in_circles(stage: Stage) -> None:
    visit = await five_minutes(stage, script=WITHOUT_EXPIRES_IN)

    await passes(visit, seconds=9)
    assert await asked(visit) == ["open"]
    await passes(visit, seconds=60)

    assert 2 <= len(await asked(visit)) <= 7


async def test_a_renewal_that_fails_leaves_the_window_and_is_tried_again(stage: Stage) -> None:
    visit = await five_minutes(stage)
    await visit.page.evaluate("""() => {
      const chat = document.querySelector("wazzup-chat");
      const { getLink } = chat;
      let failures = 6;
      chat.getLink = (why) => (failures-- > 0 ? Promise.reject(new Error("not now")) : getLink(why));
    }""")
    before = len(stage.windows.opened)

    await passes(visit, seconds=310)
    assert len(stage.windows.opened) == before
    await passes(visit, seconds=70)

    await stage.windows.were_opened(2)
    assert len(await visit.heard("error")) == 6
    assert "error" not in await visit.states()


async def test_the_gateways_answer_is_counted_by_its_expires_in(stage: Stage) -> None:
    """Its clock and the computer's are decades apart, and only seconds count."""
    clock = stage.gateway.clock
    assert clock
    visit = await stage.blank()
    await visit.page.clock.install(time=datetime(1999, 12, 31, tzinfo=UTC))
    await visit.page.goto(stage.page(token=user_token(at=NOON + timedelta(hours=24))))
    await visit.hears("ready")
    expires_in = (await stage.gateway.link(stage.door.links[0].body | {"user_id": "crm-user-1"})).json()["expires_in"]

    clock.advance(seconds=expires_in - 30)
    await passes(visit, seconds=expires_in - 30)
    assert len(stage.door.links) == 1

    clock.advance(seconds=40)
    await passes(visit, seconds=40)
    await stage.door.got("/links", 2)
    await stage.windows.were_opened(2)
    assert len(stage.windows.opened) == 2


async def test_a_reload_asks_for_a_new_link_even_if_the_old_one_is_good(stage: Stage) -> None:
    visit = await stage.ready()

    await visit.page.evaluate("document.querySelector('wazzup-chat').reload()")

    await stage.windows.were_opened(2)
    assert [asked.body.get("max_age") for asked in stage.door.links] == [None, 0]
    first, second = stage.windows.opened
    assert first != second


async def test_a_renewal_leaves_no_entry_in_the_pages_history(stage: Stage) -> None:
    """Or the back button would lead through old windows."""
    visit = await five_minutes(stage)
    length = await visit.page.evaluate("history.length")

    await passes(visit, seconds=310)
    await stage.windows.were_opened(2)

    assert await visit.page.evaluate("history.length") == length
