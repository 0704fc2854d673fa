"""The doctor asks Wazzup, which answers in every way it can: each finding is plain, and names what mends it."""

import re
from typing import Any

import pytest
from redis.asyncio import Redis

from app.diagnosis.examination import Examination, User
from app.diagnosis.findings import Status
from app.doctor import Wish, examine
from app.errors import StoreUnavailable
from app.links.models import LinkRequest, UseEvents
from app.links.question import Manners
from app.simulator.faults import Fault
from app.simulator.options import RateLimit
from app.wazzup.tokens import StaticToken
from app.wazzup.wire import HINTS
from tests.doctor.driver import ANNA, LABEL, V3, WHITE_LABEL, Findings, examined, given
from tests.driver import WAZZUP, Clock, running, simulated, user_token

FOR_EVER: dict[str, Any] = {"on": "links", "times": None}
WAYS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "token": ({}, ("WAZZUP_ACCESS_TOKEN",)),
    "label": (LABEL, ("WAZZUP_CLIENT_ID", "WAZZUP_REFRESH_TOKEN")),
    "white-label": (WHITE_LABEL, ("WAZZUP_PARTNER_EMAIL", "WAZZUP_PARTNER_PASSWORD", "WAZZUP_ACCOUNT_ID")),
    "v3": (V3, ("WAZZUP_API_KEY",)),
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
NOT_ASKED = {"credentials": Status.SKIPPED, "link": Status.SKIPPED}
OAUTH_CODES = [
    (401, "OAUTH_AUTH_HEADER_MISSING"),
    (401, "OAUTH_UNKNOWN_SCHEME"),
    (401, "OAUTH_INVALID_PARTNER_TOKEN"),
    (401, "OAUTH_TOKEN_INVALID_OR_EXPIRED"),
    (401, "OAUTH_TOKEN_UNKNOWN_OR_REVOKED"),
    (403, "OAUTH_SCOPE_FORBIDDEN"),
    (403, "OAUTH_CRM_INTEGRATION_REQUIRED"),
    (403, "OAUTH_BASIC_SCHEME_FORBIDDEN"),
    (403, "OAUTH_BEARER_SCHEME_FORBIDDEN"),
    (403, "OAUTH_PARTNER_NOT_FOUND"),
    (403, "OAUTH_PARTNER_NOT_ACTIVE"),
    (403, "OAUTH_CLIENT_NOT_CHILD_OF_PARTNER"),
]


async def faulty(redis_url: str, *faults: Fault, wish: Wish = ANNA, **settings: Any) -> Findings:
    wazzup = simulated()
    for fault in faults:
        wazzup.state.world.faults.add(fault)
    return await examined(redis_url, wish, wazzup=wazzup, **settings)


def patience_for(fault: dict[str, Any]) -> str:
    """Short only where the answer is late: a machine may stall while any other one is on its way."""
    return "0.4" if "delay_seconds" in fault else "1.8"


@EVERY_WAY
async def test_an_account_that_is_well_is_found_well_by_every_way_in(redis_url: str, way: str) -> None:
    found = await examined(redis_url, **WAYS[way][0])

    assert set(found.statuses().values()) == {Status.OK}
    assert found.of("link").says == "Given, to 127.0.0.1, for 8 hours."


@EVERY_WAY
async def test_the_question_whether_we_are_let_in_asks_for_nothing(redis_url: str, way: str) -> None:
    wazzup = simulated()

    await examined(redis_url, Wish(), wazzup=wazzup, **WAYS[way][0])

    assert [call.body for call in wazzup.state.world.calls_to("links")] == [{}]
    assert wazzup.state.world.users == {}


@EVERY_WAY
@pytest.mark.parametrize(("status", "code"), OAUTH_CODES)
async def test_credentials_that_are_refused_are_told_with_the_code_and_the_variables(
    redis_url: str, way: str, status: int, code: str
) -> None:
    settings, variables = WAYS[way]

    found = await faulty(redis_url, Fault(**FOR_EVER, status=status, code=code), **settings)

    finding = found.of("credentials")
    assert found.not_well == [finding]
    assert found.of("wazzup").status is Status.OK
    assert found.of("link").status is Status.SKIPPED
    assert finding.says.endswith(f"It says {status} {code}.")
    assert HINTS.get(code, "Check WAZZUP_") in finding.says
    assert "Operator" not in finding.says
    assert "wazzup.code" not in finding.says
    assert finding.mends
    assert set(finding.mends) <= {*variables, "WAZZUP_BASE_URL"}


async def test_a_hint_that_names_a_variable_of_the_way_in_says_that_it_alone_mends(redis_url: str) -> None:
    fault = Fault(**FOR_EVER, status=403, code="OAUTH_CLIENT_NOT_CHILD_OF_PARTNER")

    found = await faulty(redis_url, fault, **WHITE_LABEL)

    assert found.of("credentials").mends == ("WAZZUP_ACCOUNT_ID",)


async def test_a_refusal_without_a_code_names_the_credentials(redis_url: str) -> None:
    found = await faulty(redis_url, Fault(**FOR_EVER, status=403, body="<html>denied</html>"))

    assert found.of("credentials").mends == ("WAZZUP_ACCESS_TOKEN",)
    assert "403" in found.of("credentials").says


@pytest.mark.parametrize(
    ("settings", "mends"),
    [
        ({"wazzup_access_token": "hunter2"}, ("WAZZUP_ACCESS_TOKEN",)),
        (LABEL | {"wazzup_refresh_token": "hunter2"}, ("WAZZUP_REFRESH_TOKEN",)),
        (LABEL | {"wazzup_client_id": "hunter2"}, ("WAZZUP_REFRESH_TOKEN",)),
        (WHITE_LABEL | {"wazzup_partner_password": "hunter2"}, ("WAZZUP_PARTNER_EMAIL", "WAZZUP_PARTNER_PASSWORD")),
        (WHITE_LABEL | {"wazzup_partner_email": "hunter2@example.com"}, ("WAZZUP_PARTNER_EMAIL",)),
        (WHITE_LABEL | {"wazzup_account_id": "1"}, ("WAZZUP_ACCOUNT_ID",)),
        (V3 | {"wazzup_api_key": "hunter2"}, ("WAZZUP_API_KEY",)),
    ],
    ids=["token", "refresh token", "client", "password", "email", "account id", "key"],
)
async def test_a_wrong_credential_is_found_and_named(
    redis_url: str, settings: dict[str, Any], mends: tuple[str, ...]
) -> None:
    found = await examined(redis_url, **settings)

    [finding] = found.not_well
    assert (finding.check, finding.mends) == ("credentials", mends)
    assert found.of("link").status is Status.SKIPPED


async def test_a_refresh_token_that_is_used_up_is_found_and_named(redis_url: str, redis: Redis) -> None:
    wazzup = simulated()
    await examined(redis_url, wazzup=wazzup, **LABEL)
    await redis.flushall()

    found = await examined(redis_url, wazzup=wazzup, **LABEL)

    [finding] = found.not_well
    assert (finding.check, finding.mends) == ("credentials", ("WAZZUP_REFRESH_TOKEN",))
    assert found.of("token").status is Status.SKIPPED


async def test_tokens_that_were_revoked_are_renewed_as_the_gateway_would(redis_url: str) -> None:
    wazzup = simulated()
    await examined(redis_url, wazzup=wazzup, **LABEL)
    wazzup.state.world.tokens.revoke_access()

    found = await examined(redis_url, wazzup=wazzup, **LABEL)

    assert set(found.statuses().values()) == {Status.OK}
    assert len(wazzup.state.world.calls_to("tokens")) == 2


async def test_a_static_token_that_was_revoked_is_found_and_named(redis_url: str) -> None:
    wazzup = simulated()
    wazzup.state.world.tokens.revoke_access()

    found = await examined(redis_url, wazzup=wazzup)

    assert found.of("credentials").says.endswith("401 OAUTH_TOKEN_UNKNOWN_OR_REVOKED.")
    assert found.of("credentials").mends == ("WAZZUP_ACCESS_TOKEN",)


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


@EVERY_WAY
@pytest.mark.parametrize(
    ("fault", "says", "mends"),
    [
        ({"status": 500}, "is there, but fails. It says 500 INTERNAL_SERVER_ERROR.", ("WAZZUP_BASE_URL",)),
        ({"status": 500, "body": ""}, "is there, but fails. It says 500.", ("WAZZUP_BASE_URL",)),
        ({"status": 503}, "It says 503", ("WAZZUP_BASE_URL",)),
        ({"status": 503, "body": ""}, "It says 503.", ("WAZZUP_BASE_URL",)),
        ({"status": 429}, "Wazzup asks for fewer calls (429) for 2 seconds.", ("WAZZUP_RATE_LIMIT",)),
        ({"status": 429, "retry_after": "7"}, "(429) for 7 seconds.", ("WAZZUP_RATE_LIMIT",)),
        ({"status": 429, "retry_after": "600"}, "(429) for 10 minutes.", ("WAZZUP_RATE_LIMIT",)),
        ({"status": 200, "body": '{"data": '}, "is not Wazzup", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 200, "body": "<html>hello</html>"}, "is not Wazzup", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 404, "body": "<html>hello</html>"}, "It says 404.", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 302, "body": ""}, "It says 302.", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 200, "body": "x" * 300_000}, "larger than any answer", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 400, "body": "<html>hello</html>"}, "not in Wazzup's words", ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"dropped": True}, "the connection breaks", ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")),
        ({"delay_seconds": 30}, "within 0.4 seconds.", ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")),
    ],
    ids=[
        *("500", "500 bare", "503", "503 bare", "429", "429 for 7 s", "429 for long", "half JSON", "HTML", "404"),
        *("redirect", "endless", "400 in HTML", "dropped", "late"),
    ],
)
async def test_a_wazzup_that_does_not_answer_is_told_with_what_mends_it(
    redis_url: str, way: str, fault: dict[str, Any], says: str, mends: tuple[str, ...]
) -> None:
    found = await faulty(
        redis_url, Fault(**FOR_EVER, **fault), wazzup_timeout_seconds=patience_for(fault), **WAYS[way][0]
    )

    finding = found.of("wazzup")
    assert found.not_well == [finding]
    assert says in finding.says
    assert finding.mends == mends
    assert found.statuses().items() >= NOT_ASKED.items()


@pytest.mark.parametrize("way", [LABEL, WHITE_LABEL], ids=["label", "white-label"])
@pytest.mark.parametrize(
    ("fault", "mends"),
    [
        ({"status": 500}, ("WAZZUP_BASE_URL",)),
        ({"status": 429, "retry_after": "60"}, ("WAZZUP_RATE_LIMIT",)),
        ({"status": 200, "body": "<html>hello</html>"}, ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"status": 200, "body": "{}"}, ("WAZZUP_BASE_URL", "WAZZUP_API")),
        ({"dropped": True}, ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")),
        ({"delay_seconds": 30}, ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")),
    ],
    ids=["500", "429", "HTML", "no token", "dropped", "late"],
)
async def test_a_token_that_cannot_be_had_is_told_as_what_it_is(
    redis_url: str, way: dict[str, Any], fault: dict[str, Any], mends: tuple[str, ...]
) -> None:
    late = patience_for(fault)
    found = await faulty(redis_url, Fault(on="tokens", times=None, **fault), wazzup_timeout_seconds=late, **way)

    [finding] = found.not_well
    assert (finding.check, finding.mends) == ("wazzup", mends)
    assert found.of("token").status is Status.SKIPPED


async def test_a_stumble_that_the_gateway_would_survive_is_no_finding(redis_url: str) -> None:
    found = await faulty(
        redis_url, Fault(on="links", status=503, body=""), Fault(on="links", dropped=True), wish=Wish()
    )

    assert found.of("wazzup").status is Status.FAILED  # twice in a row is too often
    assert (await faulty(redis_url, Fault(on="links", status=503, body=""))).not_well == []


async def test_a_budget_that_is_spent_names_its_variable(redis_url: str) -> None:
    wazzup = simulated()
    settings: dict[str, Any] = {"wazzup_rate_limit": "1/60", "wazzup_timeout_seconds": "5"}
    await examined(redis_url, Wish(), wazzup=wazzup, **settings)

    found = await examined(redis_url, Wish(), wazzup=wazzup, **settings)

    assert "are taken for now" in found.of("wazzup").says
    assert found.of("wazzup").mends == ("WAZZUP_RATE_LIMIT",)


async def test_a_rate_that_wazzup_does_not_take_is_found_at_the_link(redis_url: str) -> None:
    wazzup = simulated(v2_rate_limit=RateLimit(calls=1, seconds=60))

    found = await examined(redis_url, wazzup=wazzup, wazzup_timeout_seconds="5")

    assert [one.mends for one in found.not_well] == [("WAZZUP_RATE_LIMIT",)]
    assert found.of("credentials").status is Status.OK


async def test_an_answer_that_grants_nothing_to_nobody_is_doubted(redis_url: str) -> None:
    found = await faulty(redis_url, Fault(on="links", status=200, body='{"data": {}}'))

    assert found.of("wazzup").status is Status.WARNING
    assert found.of("wazzup").mends == ("WAZZUP_BASE_URL",)
    assert found.of("link").status is Status.OK


@pytest.mark.parametrize("code", ["INVALID_API_KEY", "UNAUTHORIZED", "TOKEN_EXPIRED"])
async def test_a_400_about_who_asks_is_about_the_credentials(redis_url: str, code: str) -> None:
    """v3 names its refusals in a way of its own."""
    found = await faulty(redis_url, Fault(**FOR_EVER, status=400, code=code), **V3)

    [finding] = found.not_well
    assert finding.check == "credentials"
    assert code in finding.says


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


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:{closed}", "nobody listens there"),
        ("https://nowhere.invalid", "nobody knows a host of this name"),
        ("https://127.0.0.1:{plain}", "it does not speak TLS"),
        ("http://127.0.0.1:{plain}", "what it speaks is not HTTP"),
        ("http://127.0.0.1:{silent}", "does not answer within 0.5 seconds"),
        ("http://127.0.0.1:{rude}", "the connection breaks"),
    ],
    ids=["closed", "unknown host", "no TLS", "no HTTP", "silent", "rude"],
)
async def test_over_a_real_network_it_is_told_why_wazzup_cannot_be_reached(
    redis_url: str, peers: dict[str, int], url: str, says: str
) -> None:
    late = "0.5" if "silent" in url else "3"
    settings = given(redis_url, wazzup_base_url=url.format(**peers), wazzup_timeout_seconds=late)

    found = Findings(await examine(settings, ANNA))

    assert says in found.of("wazzup").says
    assert found.of("wazzup").mends == ("WAZZUP_BASE_URL", "WAZZUP_TIMEOUT_SECONDS")


async def test_a_wazzup_that_keeps_failing_does_not_hide_behind_the_circuit(redis_url: str) -> None:
    wazzup = simulated()
    wazzup.state.world.faults.add(Fault(**FOR_EVER, status=500))
    async with running(redis_url, wazzup=wazzup) as gateway:
        for number in range(12):
            await gateway.link({"user_id": f"user-{number}"})

        found = await examined(redis_url, wazzup=wazzup)

    assert "It says 500" in found.of("wazzup").says


def test_every_hint_of_the_wire_is_tried_here() -> None:
    assert HINTS.keys() <= {code for _, code in OAUTH_CODES}


async def test_accounts_are_examined_each_for_itself(redis_url: str, tmp_path: Any) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(
        "".join(
            f"[accounts.{name}]\napi_keys = ['key-of-{name}-long-enough']\n"
            f"wazzup_access_token = '{token}'\nwazzup_base_url = '{WAZZUP}'\nwazzup_link_hosts = ['127.0.0.1']\n"
            for name, token in [("north", "wazzup-access-token-of-the-tests"), ("south", "hunter2")]
        )
    )
    found = await examined(redis_url, accounts_file=file, **LABEL)

    assert set(found.statuses("north").values()) == {Status.OK}
    assert set(found.statuses().values()) == {Status.OK}
    [finding] = found.not_well
    assert (finding.check, finding.account) == ("credentials", "south")
    assert finding.mends == ("accounts.south.wazzup_access_token",)
    assert re.search(r"check wazzup_access_token\. It says 401 OAUTH_", finding.says, re.IGNORECASE)


async def test_one_account_may_be_examined_alone(redis_url: str, tmp_path: Any) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text("[accounts.north]\nwazzup_access_token = 'hunter2'\n")

    found = await examined(redis_url, Wish(account="default"), accounts_file=file)
    nobody = await examined(redis_url, Wish(account="east"), accounts_file=file)

    assert {one.account for one in found.all} == {None, "default"}
    assert [one.mends for one in nobody.not_well] == [("--account",)]
    assert "default, north" in nobody.not_well[0].says


async def test_without_a_store_the_refresh_token_is_not_used_up() -> None:
    wazzup = simulated()

    found = await examined("unix:///nowhere/valkey.sock", wazzup=wazzup, **LABEL)

    assert found.of("wazzup").status is Status.SKIPPED
    assert "use up the refresh token" in found.of("wazzup").says
    assert wazzup.state.world.calls == []
