"""Who asks for the link: the page with a user token, or the CRM's own server."""

import json
import re
from typing import Any

import pytest

from tests.driver import user_token
from tests.e2e.stage import CONTACT, Stage

REFUSED = "status of 40[13]"


async def test_the_token_is_sent_and_may_take_its_time(stage: Stage) -> None:
    token = user_token("crm-user-7")

    visit = await stage.ready(script=f"$chat.getToken = async () => (await fetch('/token')) && {json.dumps(token)};")

    assert {asked.token for asked in stage.door.links} == {token}
    assert "error" not in await visit.told()


async def test_the_reason_tells_why_a_token_is_wanted(stage: Stage) -> None:
    given = json.dumps(user_token())

    visit = await stage.ready(
        script=f"window.reasons = []; $chat.getToken = ({{ reason }}) => {{ reasons.push(reason); return {given}; }};"
    )

    assert await visit.page.evaluate("reasons") == ["open"]


async def test_after_a_401_a_new_token_is_asked_for_once(stage: Stage) -> None:
    """The first token was good when the page was opened, and is not any more."""
    stage.expects(REFUSED)
    tokens = json.dumps({"open": "too-old", "unauthorized": user_token()})

    visit = await stage.ready(
        script=f"""window.reasons = [];
          $chat.getToken = ({{ reason }}) => {{ reasons.push(reason); return {tokens}[reason]; }};"""
    )

    assert await visit.page.evaluate("reasons") == ["open", "unauthorized"]
    assert "error" not in await visit.told()


async def test_after_a_second_401_nobody_is_asked_again(stage: Stage) -> None:
    stage.expects(REFUSED)

    visit = await stage.open(
        script="window.reasons = []; $chat.getToken = ({ reason }) => { reasons.push(reason); return 'nobody'; };"
    )

    error = await visit.hears("error")
    assert (error["problem"]["status"], error["retryIn"]) == (401, None)
    assert await visit.page.evaluate("reasons") == ["open", "unauthorized"]
    assert len(stage.door.links) == 2


async def test_a_token_that_cannot_be_had_is_told(stage: Stage) -> None:
    visit = await stage.open(script="$chat.getToken = () => Promise.reject(new Error('signed out'));")

    error = await visit.hears("error")
    assert error["problem"]["status"] == 0
    assert error["problem"]["code"]
    assert await visit.states() == ["loading", "error"]
    assert stage.door.links == []


@pytest.mark.parametrize("token", ["two\nlines", "жж", "<!doctype html>\n<title>Sign in</title>"])
async def test_a_token_that_can_be_no_header_is_told_in_the_browsers_words_and_asked_for_again(
    stage: Stage, token: str
) -> None:
    visit = await stage.open(
        script=f"let asked = 0; $chat.getToken = () => asked++ ? {json.dumps(user_token())} : {json.dumps(token)};"
    )

    error = await visit.hears("error")
    assert re.search("Invalid value|ISO-8859-1", error["problem"]["title"])
    await visit.hears("ready")
    assert [asked.token for asked in stage.door.links] == [user_token()]


async def test_a_token_of_another_user_is_refused_and_the_reason_is_told(stage: Stage) -> None:
    stage.expects(REFUSED)

    visit = await stage.open(
        attributes="", script="$chat.request = { user_id: 'crm-user-2', contact: { phone: '+37111234567' } };"
    )

    error = await visit.hears("error")
    assert (error["problem"]["status"], error["problem"]["code"], error["retry"]) == (403, "OTHER_USER", False)


async def test_the_crms_own_server_may_ask_for_the_link(stage: Stage) -> None:
    answer = (await stage.gateway.link()).json()
    script = f"""window.why = [];
      $chat.getToken = null;
      $chat.getLink = ({{ reason, request, signal }}) => {{
        why.push(JSON.parse(JSON.stringify({{ reason, request, signal: signal instanceof AbortSignal }})));
        return {json.dumps(answer)};
      }};"""

    visit = await stage.open(
        body=f'<wazzup-chat {CONTACT} gateway="{stage.urls["gateway"]}"></wazzup-chat>', script=script
    )
    await visit.hears("ready")

    assert await visit.page.evaluate("why") == [
        {
            "reason": "open",
            "request": {"contact": {"name": "Anthony Stone", "phone": "+371 11 234 567"}},
            "signal": True,
        }
    ]
    assert (await visit.window()).url == answer["link"]
    assert stage.door.links == []


async def test_a_link_that_is_not_wanted_any_more_is_aborted(stage: Stage) -> None:
    script = """$chat.getToken = null;
      $chat.getLink = ({ signal }) => new Promise((_, reject) => {
        window.asked = true;
        signal.addEventListener("abort", () => { window.aborted = true; reject(signal.reason); });
      });"""
    visit = await stage.open(script=script)
    await visit.comes_true("window.asked")

    await visit.page.evaluate("document.querySelector('wazzup-chat').remove()")

    await visit.comes_true("window.aborted")
    assert "error" not in await visit.told()


@pytest.mark.parametrize("said", ["undefined", "'soon'", "'2026-11-22T20:00:00Z'", "NaN", "-1", "{}"])
async def test_a_link_without_an_end_that_can_be_read_is_not_asked_for_again_and_again(stage: Stage, said: str) -> None:
    answer = json.dumps((await stage.gateway.link()).json())
    visit = await stage.blank()
    await visit.page.clock.install()
    await visit.page.goto(
        stage.page(
            script=f"""$chat.getToken = null; window.times = 0;
              $chat.getLink = () => ++times && {{ ...{answer}, expires_in: {said} }};"""
        )
    )
    await visit.hears("ready")

    await visit.page.clock.run_for(7_000)

    assert await visit.page.evaluate("times") == 1


@pytest.mark.parametrize("answer", ["null", "{}", "{ link: 'javascript:alert(1)', iframe: { allow: '', origin: '' } }"])
async def test_what_is_no_link_is_told_and_not_opened(stage: Stage, answer: str) -> None:
    visit = await stage.open(script=f"$chat.getToken = null; $chat.getLink = () => ({answer});")

    error = await visit.hears("error")
    assert error["problem"]["code"]
    assert stage.windows.opened == []


@pytest.mark.parametrize("missing", ["link", "relay", "relay.url", "iframe", "iframe.origin", "user_id"])
async def test_an_answer_that_was_handed_on_in_part_is_told_and_not_opened(stage: Stage, missing: str) -> None:
    """Without a user, what is kept would be anybody's; without an origin, nobody would be heard."""
    answer = (await stage.gateway.link()).json()
    name, _, part = missing.rpartition(".")
    del (answer[name] if name else answer)[part]

    visit = await stage.open(script=f"$chat.getToken = null; $chat.getLink = () => ({json.dumps(answer)});")

    error = await visit.hears("error")
    assert error["problem"]["code"] == "NO_LINK"
    assert stage.windows.opened == []


@pytest.mark.parametrize(
    ("problem", "retry"),
    [
        ({"title": "Invalid", "status": 422, "code": "CONTRACT_BROKEN", "detail": "phone: needs its country"}, False),
        ({"title": "Busy", "status": 503, "code": "WAZZUP_UNAVAILABLE"}, True),
        ({"title": "Too often", "status": 429, "code": "RATE_LIMITED"}, True),
        ({"title": "Nobody knows", "code": "CRM_CONFUSED"}, True),
    ],
)
async def test_a_problem_that_the_crms_server_hands_on_is_told_as_it_stands(
    stage: Stage, problem: dict[str, Any], retry: bool
) -> None:
    visit = await stage.open(
        script=f"$chat.getToken = null; window.times = 0; $chat.getLink = () => ++times && ({json.dumps(problem)});"
    )

    error = await visit.hears("error")
    assert (error["problem"], error["retry"]) == (problem, retry)
    assert await visit.page.get_by_text(problem["code"]).is_visible()
    if retry:
        await visit.hears("error", 2)


async def test_a_chat_without_any_credential_says_what_is_missing(stage: Stage) -> None:
    """Not before the page had time to hand one over."""
    alone = f"""<!doctype html><title>A card</title>
        <script type="module" src="{stage.urls["gateway"]}/wazzup-chat.js"></script>
        <wazzup-chat phone="+37111234567"></wazzup-chat>"""

    visit = await stage.open(stage.put("/alone", alone))

    error = await visit.hears("error")
    assert "getToken" in json.dumps(error["problem"])
    assert stage.door.links == []
