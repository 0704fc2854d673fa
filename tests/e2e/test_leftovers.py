"""What a page could not send waits in the browser's storage: for its own user, for a day, and in measure."""

import json
from datetime import timedelta
from pathlib import Path

from playwright.async_api import Browser

from app.clock import SystemClock
from tests.crm import Crm
from tests.driver import NOON, WAZZUP, Clock, user_token
from tests.e2e.interruptions import delivered, gone, kept, said_while_offline, with_its_own_time
from tests.e2e.stage import CREATE, NORTHERN_TOKEN, OPEN, Places, Stage, Visit, staged
from tests.waiting import eventually

NORTHERN = "the-secret-of-north-the-secret-of-north"
NORTH = f"""
[accounts.north]
api_keys = ["server-key-of-north"]
jwt_secret = "{NORTHERN}"
allowed_origins = ["{{pages}}"]
wazzup_access_token = "{NORTHERN_TOKEN}"
wazzup_base_url = "{WAZZUP}"
wazzup_link_hosts = ["127.0.0.1"]
"""
NO_STORAGE = """
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
}
"""


async def comes_again(visit: Visit, stage: Stage, number: int) -> None:
    """Time goes on in the page until it has asked so often. (A chat that is gone tells nobody.)"""

    async def is_there() -> bool:
        await visit.page.clock.run_for(1000)
        return len(stage.door.events) >= number

    await eventually(is_there)


async def test_another_users_leftovers_stay_where_they_are(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await said_while_offline(stage, CREATE)
    await gone(visit)
    await stage.context.set_offline(False)

    other = await stage.ready(path="/other", token=user_token("crm-user-2"))
    await other.says(CREATE | {"data": {"by": "the other"}})
    await other.hears("relayed")
    assert [asked.body["data"] for asked in stage.door.events] == [{"by": "the other"}]
    await other.page.close()

    await stage.ready(path="/back")
    received = await crm.got(2)
    assert [(one.message["data"], one.message["context"]["user_id"]) for one in received] == [
        ({"by": "the other"}, "crm-user-2"),
        (CREATE["data"], "crm-user-1"),
    ]


async def test_leftovers_of_a_namesake_in_another_account_stay_where_they_are(
    places: Places, browser: Browser, redis_url: str, clock: Clock, crm: Crm, tmp_path: Path
) -> None:
    """In the same CRM, whose accounts count their users each from 1."""
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(NORTH.format(pages=places.pages.url))
    async with staged(places, browser, redis_url, clock, accounts_file=accounts) as stage:
        await stage.gateway.webhook(crm.url)
        visit = await said_while_offline(stage, CREATE)
        await gone(visit)
        await stage.context.set_offline(False)

        northern = await stage.ready(path="/north", token=user_token(secret=NORTHERN))
        await northern.says(OPEN)
        await northern.hears("relayed")
        assert [asked.body["type"] for asked in stage.door.events] == ["WZ_OPEN_ENTITY"]
        assert crm.received == []
        await northern.page.close()

        await stage.ready(path="/back")
        assert await delivered(crm, 1) == [CREATE["data"]]
    assert stage.unexpected == []


async def test_what_a_user_said_is_not_sent_by_the_token_of_the_next(
    places: Places, browser: Browser, redis_url: str, clock: Clock, crm: Crm
) -> None:
    """Somebody logs out, somebody else in, without another page; then the first one's relay token has ended."""
    async with staged(places, browser, redis_url, clock) as stage:
        stage.expects("status of 401")
        await stage.gateway.webhook(crm.url)
        first, second = [user_token(one, at=NOON + timedelta(hours=24)) for one in ("crm-user-1", "crm-user-2")]
        visit = await with_its_own_time(stage, token=first)
        held = stage.door.hold("/events")
        await visit.says(CREATE)
        await stage.door.got("/events")
        clock.advance(hours=13)
        await visit.chat.evaluate("(chat, token) => { chat.getToken = () => token; chat.remove(); }", second)

        held.set()
        for number in (2, 3):
            await comes_again(visit, stage, number)
        assert len({asked.token for asked in stage.door.events}) == 1
        await visit.page.close()

        await stage.ready(path="/back", token=first)
        [received] = await crm.got(1)
        assert (received.message["data"], received.message["context"]["user_id"]) == (CREATE["data"], "crm-user-1")
    assert stage.unexpected == []


async def test_leftovers_of_another_gateway_stay_where_they_are(stage: Stage) -> None:
    """What stands in a storage does not choose who is sent the token."""
    visit = await said_while_offline(stage, CREATE)
    elsewhere = stage.urls["pages"] + "/events"
    await visit.page.evaluate(
        """([ours, theirs]) => {
          for (const [key, value] of Object.entries(localStorage)) localStorage[key] = value.replaceAll(ours, theirs);
        }""",
        [stage.urls["gateway"] + "/events", elsewhere],
    )
    assert elsewhere in json.dumps(await kept(visit))
    await gone(visit)
    await stage.context.set_offline(False)

    later = await stage.blank()
    asked: list[str] = []
    later.page.on("request", lambda request: asked.append(request.url))
    await later.page.goto(stage.page(path="/later"))
    await later.hears("ready")
    await later.says(OPEN)
    await later.hears("relayed")

    assert elsewhere not in asked
    assert len(await kept(later)) == 1


async def test_leftovers_are_kept_for_a_day(stage: Stage, crm: Crm) -> None:
    """For so long the gateway knows a repeat; after it the same click would be another event."""
    await stage.gateway.webhook(crm.url)
    visit = await said_while_offline(stage, CREATE)
    await gone(visit)
    await stage.context.set_offline(False)

    tomorrow = await stage.blank()
    await tomorrow.page.clock.install()
    await tomorrow.page.clock.set_system_time(SystemClock().now() + timedelta(hours=25))
    await tomorrow.page.goto(stage.page(path="/tomorrow"))
    await tomorrow.hears("ready")
    await tomorrow.says(OPEN)

    await tomorrow.hears("relayed")
    assert [one.message["type"] for one in await crm.got(1)] == ["WZ_OPEN_ENTITY"]
    assert await kept(tomorrow) == {}


async def test_leftovers_are_bounded_in_number_and_the_newest_stay(stage: Stage) -> None:
    visit = await said_while_offline(stage, *({"type": "WZ_N", "data": {"n": number}} for number in range(120)))

    stored = await kept(visit)

    assert 10 <= len(stored) <= 100
    assert any('\\"n\\":119' in one or '"n":119' in one for one in stored.values())


async def test_a_full_storage_loses_nothing_while_the_page_lives(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await stage.ready()
    await visit.page.evaluate("""() => {
      for (let size = 5_000_000; size >= 1; size = Math.floor(size / 2)) {
        try { for (let n = 0; ; n++) localStorage.setItem(`theirs ${size} ${n}`, "x".repeat(size)); } catch {}
      }
    }""")
    theirs = len(await kept(visit))

    await visit.says(CREATE)

    assert await delivered(crm, 1) == [CREATE["data"]]
    assert len(await kept(visit)) == theirs


async def test_what_others_have_stored_is_left_alone(stage: Stage) -> None:
    visit = await stage.blank()
    await visit.page.goto(stage.put("/early", "<title>Early</title>"))
    theirs = {"theme": "dark", "wazzup": "not ours", "wazzup-chat": "neither", "wazzup-chat:collapsed": "true"}
    broken = {"wazzup-chat:event:1": "{", "wazzup-chat:event:2": "null"}
    await visit.page.evaluate("(stored) => { Object.assign(localStorage, stored); }", theirs | broken)

    await visit.page.goto(stage.page())
    await visit.hears("ready")
    await visit.says(CREATE)
    await visit.hears("relayed")

    await visit.comes_true("Object.keys(localStorage).length === 4")
    assert await kept(visit) == theirs


async def test_nothing_is_left_once_the_gateway_has_it(stage: Stage) -> None:
    """No phone number lies about in a browser that others use too."""
    visit = await stage.ready()
    await visit.says(CREATE)
    await visit.says(OPEN)

    await visit.hears("relayed", 2)

    assert await kept(visit) == {}


async def test_no_token_is_kept_with_what_waits(stage: Stage) -> None:
    visit = await said_while_offline(stage, CREATE)

    stored = json.dumps(await kept(visit))

    assert CREATE["data"]["chatId"] in stored
    assert "wgr_" not in stored
    assert user_token() not in stored
    assert "/chat/" not in stored


async def test_a_page_without_storage_relays_all_the_same(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await stage.blank()
    await visit.page.add_init_script(NO_STORAGE)
    await visit.page.goto(stage.page())
    await visit.hears("ready")

    await visit.says(CREATE)

    assert await delivered(crm, 1) == [CREATE["data"]]
    await visit.hears("relayed")
