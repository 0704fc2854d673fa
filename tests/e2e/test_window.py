"""The element and the simulated window together: what a user does in it, as a browser carries it."""

from tests.crm import Crm, answering
from tests.e2e.stage import Stage, Visit, complaints


async def with_its_window(stage: Stage, **given: str) -> Visit:
    stage.windows.is_real = True
    return await stage.ready(**given)


async def test_a_click_on_plus_is_an_event_at_the_crm(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    visit = await with_its_window(stage)

    await (await visit.window()).get_by_role("button", name="Create a deal").click()

    [received] = await crm.got(1)
    assert received.message["type"] == "WZ_CREATE_ENTITY"
    assert (received.message["data"]["chatType"], received.message["data"]["chatId"]) == ("whatsapp", "37111234567")
    assert received.message["context"]["user_id"] == "crm-user-1"
    detail = await visit.hears("entity-create")
    assert detail["data"] == received.message["data"]


async def test_a_deal_that_the_crm_made_is_in_the_list_and_opens(stage: Stage, crm: Crm) -> None:
    await stage.gateway.webhook(crm.url)
    crm.mood = answering(200, '{"id": "D-78", "url": "https://crm.example/d/78"}')
    visit = await with_its_window(stage)
    window = await visit.window()
    stage.gateway.wazzup.users["crm-user-1"] = {"id": "crm-user-1", "name": "John Smith"}
    told = await stage.gateway.tell(
        {
            "contacts": [{"id": "C-5", "user_id": "crm-user-1", "name": "Anthony Stone", "phone": "+37111234567"}],
            "deals": [{"id": "D-78", "user_id": "crm-user-1", "name": "Chairs", "contact_ids": ["C-5"]}],
        }
    )
    assert told.status_code == 200

    entry = window.get_by_role("list", name="Open deals").get_by_role("button")
    await entry.click()  # once it is there

    opened = await visit.hears("entity-open")
    assert opened["data"]["entity"]["id"] == "D-78"
    assert opened["data"]["entity"]["name"] == "Chairs"


async def test_without_deal_events_nothing_is_told(stage: Stage) -> None:
    visit = await with_its_window(
        stage,
        attributes="",
        script="$chat.request = { contact: { phone: '+37111234567' }, use_events: { deals: false } };",
    )

    await (await visit.window()).get_by_role("button", name="Create a deal").click(force=True)
    await visit.says({"type": "WZ_THE_LAST", "data": {}})

    await visit.hears("message")
    assert "entity-create" not in await visit.told()


async def test_the_window_has_nothing_serious_for_axe_either(stage: Stage) -> None:
    visit = await with_its_window(stage)

    assert await complaints(await visit.window()) == []
