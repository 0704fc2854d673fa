"""With `wait`, an event's answer is the CRM's, so that the page can open the deal that was just made."""

import asyncio

from starlette.responses import JSONResponse

from tests.crm import Crm, answering
from tests.e2e.stage import CREATE, Stage, Visit

ANSWERS = """
window.answers = [];
$chat.addEventListener("wazzup:entity-create", async ({ detail }) => answers.push(await detail.answer));
"""


async def waiting(stage: Stage, wait: int | None = 5) -> Visit:
    return await stage.ready(
        attributes=f'phone="+37111234567" wait="{wait}"' if wait else 'phone="+37111234567"', script=ANSWERS
    )


async def test_the_answer_is_what_the_crm_said(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    crm.mood = answering(200, '{"id": "D-78", "url": "https://crm.example/d/78"}')
    visit = await waiting(stage)

    await visit.says(CREATE)

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [{"id": "D-78", "url": "https://crm.example/d/78"}]
    assert [asked.headers.get("prefer") for asked in stage.door.events] == ["wait=5"]


async def test_without_wait_nobody_waits(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    crm.held = asyncio.Event()
    visit = await waiting(stage, wait=None)

    await visit.says(CREATE)

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [None]
    assert [asked.headers.get("prefer") for asked in await stage.door.got("/events")] == [None]


async def test_a_wait_that_is_set_later_counts_for_the_next_event(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    crm.mood = answering(200, '{"id": "D-78"}')
    visit = await waiting(stage, wait=None)
    await visit.chat.evaluate("(chat) => { chat.setAttribute('wait', '5'); }")

    await visit.says(CREATE)

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [{"id": "D-78"}]
    assert [asked.headers.get("prefer") for asked in stage.door.events] == ["wait=5"]


async def test_a_crm_that_says_nothing_in_time_has_no_answer_and_gets_the_event(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    crm.held = asyncio.Event()
    visit = await waiting(stage, wait=1)

    await visit.says(CREATE)

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [None]
    crm.held.set()
    await crm.got(1)


async def test_a_crm_that_fails_has_no_answer(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    crm.mood = answering(500, '{"error": "no"}')
    visit = await waiting(stage)

    await visit.says(CREATE)

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [None]


async def test_what_is_no_json_is_no_answer(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    crm.mood = answering(200, "thank you")
    visit = await waiting(stage)

    await visit.says(CREATE)

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [None]


async def test_a_gateway_that_refuses_has_no_answer_and_rejects_nothing(stage: Stage) -> None:
    stage.expects("status of 403")
    visit = await waiting(stage)

    await visit.says(CREATE | {"data": {"userId": "somebody-else"}})

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [None]


async def test_an_event_that_the_page_prevents_has_no_answer_and_rejects_nothing(stage: Stage) -> None:
    visit = await stage.ready(
        script=ANSWERS + '$chat.addEventListener("wazzup:entity-create", (event) => event.preventDefault());'
    )

    await visit.says(CREATE)

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [None]


async def test_a_wait_of_many_things_is_answered_for_each(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    crm.mood = lambda received: answering(200, f'{{"of": {received.message["data"]["n"]}}}')(received)
    visit = await waiting(stage)

    for number in range(3):
        await visit.says(CREATE | {"data": {"n": number}})

    await visit.comes_true("answers.length === 3")
    assert sorted(one["of"] for one in await visit.page.evaluate("answers")) == [0, 1, 2]


async def test_results_that_are_null_are_no_answer(stage: Stage) -> None:
    readable = {"Access-Control-Allow-Origin": stage.urls["pages"]}
    taken = {"id": "evt_1", "duplicate": True, "results": None}
    stage.door.instead.append(("/events", JSONResponse(taken, 200, readable)))
    visit = await waiting(stage)

    await visit.says(CREATE)

    await visit.comes_true("answers.length === 1")
    assert await visit.page.evaluate("answers") == [None]
    await visit.hears("relayed")
