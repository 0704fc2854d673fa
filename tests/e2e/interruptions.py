"""Pages that lose the network, are closed or are told the time; what they keep, and what of it is delivered."""

from typing import Any

from tests.crm import Crm
from tests.e2e.stage import Stage, Visit

FAILED = "Failed to load resource"


async def kept(visit: Visit) -> dict[str, str]:
    """What stands in the storage of the page's origin."""
    stored: dict[str, str] = await visit.page.evaluate("({ ...localStorage })")
    return stored


async def gone(visit: Visit) -> None:
    """The page is closed. Left first, since a page that closes may live on for a moment, and see the network back."""
    await visit.page.goto("about:blank")
    await visit.page.close()


async def said_while_offline(stage: Stage, *messages: Any, **given: Any) -> Visit:
    """A page whose window said this while the network was away."""
    stage.expects(FAILED)
    visit = await stage.ready(**given)
    await stage.context.set_offline(True)
    for message in messages:
        await visit.says(message)
    await visit.comes_true(f"messages >= {len(messages)}")
    return visit


async def with_its_own_time(stage: Stage, token: str | None = None) -> Visit:
    """A chat on a page whose time is told."""
    visit = await stage.blank()
    await visit.page.clock.install()
    await visit.page.goto(stage.page(token=token))
    await visit.hears("ready")
    return visit


async def delivered(crm: Crm, number: int) -> list[Any]:
    """What the CRM received, once it is so much, by the window's words."""
    return [one.message["data"] for one in await crm.got(number)]
