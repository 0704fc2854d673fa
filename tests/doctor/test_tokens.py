"""The doctor renews Wazzup's tokens as the gateway does, loses none, and says how long they live."""

from typing import Any

import pytest

from app.diagnosis.examination import Examination
from app.diagnosis.findings import Status
from app.doctor import Wish
from app.errors import StoreUnavailable
from app.links.models import LinkRequest, UseEvents
from app.links.question import Manners
from app.simulator.faults import Fault
from app.wazzup.tokens import StaticToken
from tests.doctor.driver import ANNA, LABEL, WHITE_LABEL, examined, given
from tests.driver import Clock, running, simulated, user_token


async def test_tokens_that_were_revoked_are_renewed_as_the_gateway_would(redis_url: str) -> None:
    wazzup = simulated()
    await examined(redis_url, wazzup=wazzup, **LABEL)
    wazzup.state.world.tokens.revoke_access()

    found = await examined(redis_url, wazzup=wazzup, **LABEL)

    assert set(found.statuses().values()) == {Status.OK}
    assert len(wazzup.state.world.calls_to("tokens")) == 2


async def test_what_the_doctor_renews_is_what_the_gateway_goes_on_with(redis_url: str, clock: Clock) -> None:
    wazzup = simulated(clock)
    await examined(redis_url, wazzup=wazzup, clock=clock, **LABEL)
    clock.advance(hours=2)

    async with running(redis_url, clock, wazzup=wazzup, **LABEL) as gateway:
        answer = await gateway.link()

    assert answer.status_code == 200
    first, second = (call.body["refresh_token_data"] for call in wazzup.state.world.calls_to("tokens"))
    assert first["refresh_token"] == "demo-refresh-token"
    assert second["refresh_token"] != "demo-refresh-token"


async def test_a_renewal_that_is_under_way_is_taken_home_before_the_doctor_ends(redis_url: str, clock: Clock) -> None:
    """The old token still works, so nobody waits for the new one; but its refresh token is used up already."""
    wazzup = simulated(clock)
    await examined(redis_url, Wish(), wazzup=wazzup, clock=clock, **LABEL)
    clock.advance(minutes=54)
    wazzup.state.world.faults.add(Fault(on="tokens", delay_seconds=0.3))
    await examined(redis_url, ANNA, wazzup=wazzup, clock=clock, **LABEL)
    clock.advance(hours=2)

    found = await examined(redis_url, Wish(), wazzup=wazzup, clock=clock, **LABEL)

    assert found.not_well == []
    assert len(wazzup.state.world.calls_to("tokens")) == 3


class WithoutStore:
    """A door and a source of links whose token must be renewed while the store is gone."""

    async def knock(self) -> None:
        raise StoreUnavailable

    async def create_link(self, request: LinkRequest) -> str:
        raise StoreUnavailable


async def test_a_store_that_goes_away_meanwhile_is_told_as_such(redis_url: str, clock: Clock) -> None:
    examination = Examination(
        name="default",
        account=given(redis_url).accounts()["default"],
        credentials=("WAZZUP_ACCESS_TOKEN",),
        door=WithoutStore(),
        tokens=StaticToken("opaque"),
        links=WithoutStore(),
        manners=Manners(UseEvents(), (), None, "", 64, channel_required=False),
        clock=clock,
    )

    found = await examination.findings(ANNA.user)

    assert [(one.check, one.mends) for one in found if one.status is Status.FAILED] == [("wazzup", ("REDIS_URL",))]


async def test_what_the_gateway_was_granted_is_what_the_doctor_uses(redis_url: str) -> None:
    wazzup = simulated()
    async with running(redis_url, wazzup=wazzup, **LABEL) as gateway:
        await gateway.link()

        found = await examined(redis_url, wazzup=wazzup, **LABEL)

    assert found.not_well == []
    assert len(wazzup.state.world.calls_to("tokens")) == 1


@pytest.mark.parametrize("way", [LABEL, WHITE_LABEL], ids=["label", "white-label"])
async def test_how_long_a_granted_token_lives_is_told(redis_url: str, clock: Clock, way: dict[str, Any]) -> None:
    wazzup = simulated(clock)
    await examined(redis_url, wazzup=wazzup, clock=clock, **way)
    clock.advance(minutes=20)

    found = await examined(redis_url, wazzup=wazzup, clock=clock, **way)

    assert (
        found.of("token").says
        == "Granted for 60 minutes, of which 40 minutes are left; renewed 12 minutes before its end."
    )


@pytest.mark.parametrize(
    ("left", "status", "says"),
    [
        (-7200, Status.FAILED, "It ended 2 hours ago"),
        (7200, Status.WARNING, "It ends in 2 hours"),
        (30 * 86400, Status.OK, "It ends in 30 days"),
    ],
)
@pytest.mark.parametrize("way", ["wazzup_access_token", "wazzup_api_key"])
async def test_the_end_of_a_token_that_the_operator_set_is_read_where_it_can_be(
    redis_url: str, clock: Clock, way: str, left: int, status: Status, says: str
) -> None:
    token = user_token(exp=int(clock.now().timestamp()) + left)  # any JWT will do
    settings: dict[str, Any] = {
        "wazzup_access_token": None,
        "wazzup_api": "v3" if way == "wazzup_api_key" else "v2",
        way: token,
    }

    found = await examined(redis_url, clock=clock, **settings)

    assert found.of("token").status is status
    assert says in found.of("token").says
    assert found.of("token").mends == (() if status is Status.OK else (way.upper(),))


async def test_a_token_that_is_no_jwt_is_told_as_such(redis_url: str) -> None:
    found = await examined(redis_url)

    assert found.of("token").says == "Its end cannot be read: an opaque token."


async def test_without_a_store_the_refresh_token_is_not_used_up() -> None:
    wazzup = simulated()

    found = await examined("unix:///nowhere/valkey.sock", wazzup=wazzup, **LABEL)

    assert found.of("wazzup").status is Status.SKIPPED
    assert "use up the refresh token" in found.of("wazzup").says
    assert wazzup.state.world.calls == []
