"""With a user the doctor asks for a link as a page would: it is given, or what mends it is named; the link never is."""

from typing import Any

import pytest

from app.diagnosis.examination import User
from app.diagnosis.findings import Status
from app.doctor import Wish
from app.simulator.faults import Fault
from tests.doctor.driver import V3, examined
from tests.doctor.wazzups import FOR_EVER
from tests.driver import simulated


@pytest.mark.parametrize(
    ("link", "says", "mends"),
    [
        ("https://elsewhere.example/?token=hunter2", "to elsewhere.example, which", ("WAZZUP_LINK_HOSTS",)),
        ("http://app.wazzup24.com/?token=hunter2", "without https", ("WAZZUP_BASE_URL",)),
        ("javascript:hunter2", "not a plain http(s) link", ("WAZZUP_BASE_URL",)),
        ("https://hunter2@elsewhere.example/", "not a plain http(s) link", ("WAZZUP_BASE_URL",)),
        ("https://app.wazzup24.com/" + "x" * 5000, "no link of at most 4 KiB", ("WAZZUP_BASE_URL",)),
    ],
    ids=["foreign", "http", "script", "user info", "long"],
)
async def test_a_link_that_is_not_handed_out_is_told_without_it(
    redis_url: str, link: str, says: str, mends: tuple[str, ...]
) -> None:
    wazzup = answering_first(simulated(), Fault(**FOR_EVER, link=link))

    found = await examined(redis_url, wazzup=wazzup, wazzup_link_hosts="app.wazzup24.com")

    assert found.not_well == [found.of("link")]
    assert says in found.of("link").says
    assert found.of("link").mends == mends


def answering_first(wazzup: Any, fault: Fault) -> Any:
    """A Wazzup that refuses the question that asks for nothing as ever, and the next as `fault` says."""
    wazzup.state.world.faults.add(Fault(on="links", status=400))
    wazzup.state.world.faults.add(fault)
    return wazzup


@pytest.mark.parametrize(
    ("fault", "says", "mends"),
    [
        ({"status": 400, "errors": ("client_type is wrong",)}, "400 VALIDATION_FAILED: client_type is", ("--user",)),
        ({"status": 403, "code": "OAUTH_SCOPE_FORBIDDEN"}, "OAUTH_SCOPE_FORBIDDEN", ("WAZZUP_ACCESS_TOKEN",)),
        ({"status": 500}, "500", ("WAZZUP_BASE_URL",)),
        ({"status": 200, "body": "{}"}, "no link in it", ("WAZZUP_BASE_URL", "WAZZUP_API")),
    ],
    ids=["400", "403", "500", "empty"],
)
async def test_a_link_that_is_refused_is_told_with_what_mends_it(
    redis_url: str, fault: dict[str, Any], says: str, mends: tuple[str, ...]
) -> None:
    found = await examined(redis_url, wazzup=answering_first(simulated(), Fault(**FOR_EVER, **fault)))

    assert found.not_well == [found.of("link")]
    assert says in found.of("link").says
    assert found.of("link").mends == mends


async def test_a_link_that_is_refused_may_be_so_for_its_client_type(redis_url: str) -> None:
    wazzup = answering_first(simulated(), Fault(**FOR_EVER, status=400))

    found = await examined(redis_url, wazzup=wazzup, wazzup_client_type="odd")

    assert "WAZZUP_CLIENT_TYPE" in found.of("link").mends


async def test_a_link_whose_end_cannot_be_read_is_remembered_as_long_as_the_operator_says(redis_url: str) -> None:
    found = await examined(redis_url, wazzup=simulated(opaque_links=True))
    unkept = await examined(redis_url, wazzup=simulated(opaque_links=True), link_cache_ttl_seconds="0")

    assert found.of("link").says.endswith("Its end cannot be read: it is remembered for 5 minutes.")
    assert unkept.of("link").says.endswith("it is not remembered.")


async def test_a_link_that_has_ended_already_tells_of_a_wrong_clock(redis_url: str) -> None:
    found = await examined(redis_url, wazzup=simulated(link_lifetime_seconds=-7200))

    assert found.warnings == [found.of("link")]
    assert "ended 2 hours ago" in found.of("link").says
    assert "clock" in found.of("link").says


@pytest.mark.parametrize("way", [{}, V3], ids=["v2", "v3"])
async def test_a_user_whom_wazzup_does_not_know_names_the_variable(redis_url: str, way: dict[str, Any]) -> None:
    found = await examined(redis_url, wazzup=simulated(unknown_users_refused=True), **way)

    assert found.not_well == [found.of("link")]
    assert found.of("link").mends == ("WAZZUP_SYNC_USERS",)


async def test_a_user_is_introduced_first_where_the_gateway_would(redis_url: str) -> None:
    wazzup = simulated(unknown_users_refused=True)

    found = await examined(redis_url, wazzup=wazzup, wazzup_sync_users="true")

    assert found.not_well == []
    assert wazzup.state.world.users == {"crm-user-1": {"id": "crm-user-1", "name": "Anna Berg"}}


async def test_a_user_without_a_name_cannot_be_introduced(redis_url: str) -> None:
    wazzup, nameless = simulated(unknown_users_refused=True), Wish(user=User("crm-user-1"))

    found = await examined(redis_url, nameless, wazzup=wazzup, wazzup_sync_users="true")

    assert found.of("link").mends == ("--name",)


@pytest.mark.parametrize("user_id", ["", "x" * 65, "x" * 300, "a\nb", " "])
async def test_a_user_that_cannot_be_one_is_refused_before_wazzup_is_asked(redis_url: str, user_id: str) -> None:
    wazzup = simulated()

    found = await examined(redis_url, Wish(user=User(user_id)), wazzup=wazzup)

    assert found.of("link").status is Status.FAILED
    assert "--user" in found.of("link").mends
    assert len(wazzup.state.world.calls_to("links")) == 1


async def test_without_a_user_no_link_is_asked_for(redis_url: str) -> None:
    wazzup = simulated()

    found = await examined(redis_url, Wish(), wazzup=wazzup)

    assert (found.of("link").status, found.not_well) == (Status.SKIPPED, [])
    assert "--user" in found.of("link").says
    assert len(wazzup.state.world.calls_to("links")) == 1
