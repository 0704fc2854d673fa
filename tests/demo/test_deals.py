"""From a click on + to a deal that the CRM shows and Wazzup knows, once, and only if the gateway says so."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from app.clock import SystemClock
from app.simulator.faults import Fault
from tests.demo.driver import SECRET, STRANGER, WHATSAPP, Demo, answer_of
from tests.waiting import wait_until

OTHER_SECRET = "whsec_" + "YW5vdGhlci1zZWNyZXQtYW5vdGhlci1zZWNyZXQtYW5vdGhlcg=="


async def delivered(
    demo: Demo, secret: str = SECRET, *, ago: int = 0, before: str = "", **changed: str
) -> httpx.Response:
    """What comes to the CRM's server, signed so long ago; headers may be changed afterwards.

    before: what stands in front of the signature.
    """
    body = {"id": "evt_1", "type": "WZ_CREATE_ENTITY", "data": WHATSAPP, "context": {"trust": "browser"}}
    text, at = json.dumps(body), SystemClock().now() - timedelta(seconds=ago)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": before + Webhook(secret).sign("evt_1", at, text),
    }
    named = {f"webhook-{name}": value for name, value in changed.items()}
    async with httpx.AsyncClient() as http:
        return await http.post(demo.receiver_url, content=text, headers=headers | named)


def told(demo: Demo, deal_id: str) -> Any:
    """What Wazzup knows of the deal."""
    return demo.gateway.wazzup.deals.get(deal_id)


async def test_a_click_on_plus_gets_the_deal_as_its_answer(demo: Demo) -> None:
    answer = await demo.made()

    deal = await demo.deal(answer["id"])
    assert answer["url"] == f"{demo.url}/demo#/deals/{answer['id']}"
    assert (deal["contact_id"], deal["stage"], deal["title"]) == ("C-1", "New", "New deal from WhatsApp")


async def test_wazzup_knows_the_contact_and_the_deal_afterwards(demo: Demo) -> None:
    answer = await demo.made()

    await wait_until(lambda: bool(told(demo, answer["id"])))

    deal, contact = told(demo, answer["id"]), demo.gateway.wazzup.contacts["C-1"]
    assert (deal["name"], deal["uri"], deal["closed"]) == ("New deal from WhatsApp", answer["url"], False)
    assert deal["contacts"] == ["C-1"]
    assert (contact["name"], contact["uri"]) == ("Anthony Stone", f"{demo.url}/demo#/contacts/C-1")


async def test_wazzup_knows_from_the_start_what_the_crm_has(demo: Demo) -> None:
    await wait_until(lambda: len(demo.gateway.wazzup.deals) == 7)

    closed = {name for name, deal in demo.gateway.wazzup.deals.items() if deal["closed"]}
    assert closed == {one["id"] for one in (await demo.state())["deals"] if one["closed"]}


async def test_a_wazzup_that_fails_is_told_again(demo: Demo) -> None:
    await wait_until(lambda: len(demo.gateway.wazzup.deals) == 7)
    demo.gateway.wazzup.faults.add(Fault(on="deals", status=400, times=2))

    answer = await demo.made()

    await wait_until(lambda: bool(told(demo, answer["id"])))
    entries = [one for one in await demo.told("wazzup.untold", "wazzup.untold") if one["what"] == "wazzup.untold"]
    assert [(one["code"], one["wait"]) for one in entries] == [("WAZZUP_REFUSED", 0.05)] * 2


async def test_a_wazzup_that_forgot_everything_learns_of_the_user_first(demo: Demo) -> None:
    await wait_until(lambda: len(demo.gateway.wazzup.deals) == 7)
    demo.gateway.wazzup.reset()

    answer = await demo.made()

    await wait_until(lambda: bool(told(demo, answer["id"])))
    assert demo.gateway.wazzup.users["crm-user-1"]["name"] == "Anna Berg"


async def test_a_deal_that_is_won_is_closed_at_wazzup(demo: Demo) -> None:
    answer = await demo.made()

    changed = await demo.change(answer["id"], title="Two chairs", amount=1200, stage="Won")

    assert (changed.status_code, changed.json()["closed"]) == (200, True)
    await wait_until(lambda: bool(told(demo, answer["id"])) and told(demo, answer["id"])["closed"])
    assert told(demo, answer["id"])["name"] == "Two chairs"


async def test_a_chat_with_nobody_we_know_becomes_a_contacts_once_somebody_says_whose_it_is(demo: Demo) -> None:
    """Telegram's ids are opaque, and the CRM knows only names; the page knows on whose card the click was."""
    answer = await demo.made(STRANGER)
    assert (await demo.deal(answer["id"]))["contact_id"] is None

    await demo.change(answer["id"], contact_id="C-3")
    await wait_until(lambda: bool(told(demo, answer["id"])))
    next_one = await demo.made(STRANGER)

    assert told(demo, answer["id"])["contacts"] == ["C-3"]
    assert (await demo.deal(next_one["id"]))["contact_id"] == "C-3"


async def test_a_page_that_posts_its_event_again_gets_no_second_deal(demo: Demo) -> None:
    first = await demo.event(id="click-1")
    second = await demo.event(id="click-1")

    assert answer_of(first) == answer_of(second)
    assert len(await demo.made_of(first.json()["id"])) == 1


async def test_a_delivery_that_comes_twice_makes_one_deal_and_gets_one_answer(demo: Demo) -> None:
    first, second = await delivered(demo), await delivered(demo)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert len(await demo.made_of("evt_1")) == 1


@pytest.mark.parametrize(
    ("secret", "ago", "changed"),
    [
        (OTHER_SECRET, 0, {}),
        (SECRET, 301, {}),
        (SECRET, -302, {}),
        (SECRET, 0, {"id": "evt_2"}),
        (SECRET, 0, {"timestamp": "1"}),
        (SECRET, 0, {"timestamp": ""}),
        (SECRET, 0, {"timestamp": "-5"}),
        (SECRET, 0, {"timestamp": "9" * 400}),
        (SECRET, 0, {"timestamp": "soon"}),
        (SECRET, 0, {"signature": ""}),
        (SECRET, 0, {"signature": "v1,"}),
        (SECRET, 0, {"signature": "v1,AAAA v2,BBBB"}),
    ],
)
async def test_what_the_gateway_did_not_send_now_is_refused_and_makes_nothing(
    shared: Demo, secret: str, ago: int, changed: dict[str, str]
) -> None:
    before = await shared.state()

    answer = await delivered(shared, secret, ago=ago, **changed)

    assert answer.status_code == 401
    assert await shared.state() == before


async def test_while_a_secret_is_rotated_either_signature_counts(demo: Demo) -> None:
    answer = await delivered(demo, before="v1,AAAA ")

    assert answer.status_code == 200


async def test_what_is_too_large_to_be_an_event_is_not_read_to_its_end(demo: Demo) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(demo.receiver_url, content=b" " * 1_000_000)

    assert answer.status_code == 413


async def test_an_example_and_what_is_no_click_on_plus_make_no_deal(demo: Demo) -> None:
    before = await demo.state()
    [webhook] = (await demo.gateway.ask("GET", "/webhooks")).json()["data"]

    tested = await demo.gateway.ask("POST", f"/webhooks/{webhook['id']}/test")
    opened = await demo.event(WHATSAPP | {"entity": {"id": "D-1001", "closed": False}}, kind="WZ_OPEN_ENTITY")
    unheard_of = await demo.event({}, kind="WZ_NEW_KIND")

    assert tested.json()["delivered"] is True
    assert [answer_of(one) for one in (opened, unheard_of)] == [{}, {}]
    assert await demo.state() == before


@pytest.mark.parametrize("data", [{}, {"chatType": 7, "chatId": []}, {"chatType": "telegram", "chatId": {"a": None}}])
async def test_odd_data_still_makes_a_deal(demo: Demo, data: dict[str, Any]) -> None:
    answer = await demo.made(data)

    assert (await demo.deal(answer["id"]))["contact_id"] is None
