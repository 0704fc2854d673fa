"""A CRM made a deal of what its user clicked in the chat window. Now Wazzup must be told, or it will not show it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.simulator.faults import Fault
from tests.driver import ADMIN_KEY, Clock, Gateway, running, simulated, user_token
from tests.vendor_contract import Generation, check_request

API_KEY = "v3-api-key-of-the-tests"
V3: dict[str, Any] = {"wazzup_api": "v3", "wazzup_api_key": API_KEY, "wazzup_access_token": None}

CONTACT: dict[str, Any] = {
    "id": "C-5",
    "user_id": "crm-user-1",
    "name": "Anthony Stone",
    "phone": "+37111234567",
    "url": "https://crm.example/c/5",
}
DEAL: dict[str, Any] = {
    "id": "D-77",
    "user_id": "crm-user-1",
    "name": "Chairs",
    "url": "https://crm.example/d/77",
    "contact_ids": ["C-5"],
    "closed": False,
}
BOTH = {"contacts": [CONTACT], "deals": [DEAL]}


@pytest.fixture(params=["v2", "v3"])
def generation(request: pytest.FixtureRequest) -> Generation:
    chosen: Generation = request.param
    return chosen


@pytest.fixture
async def gateway(generation: Generation, redis_url: str, clock: Clock) -> AsyncIterator[Gateway]:
    """A gateway to either generation of Wazzup, which knows one CRM user."""
    wazzup = simulated(clock, api_keys=frozenset({API_KEY}))
    settings = V3 if generation == "v3" else {}
    async with running(redis_url, clock, wazzup=wazzup, wazzup_timeout_seconds="2", **settings) as opened:
        opened.wazzup.users["crm-user-1"] = {"id": "crm-user-1", "name": "John Smith"}
        yield opened


def contacts(count: int) -> list[dict[str, Any]]:
    return [{"id": f"C-{index}", "user_id": "crm-user-1", "name": "A", "vk": "1"} for index in range(count)]


def deals(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"D-{index}", "user_id": "crm-user-1", "name": "n", "contact_ids": ["C-5"]} for index in range(count)
    ]


def told(gateway: Gateway) -> list[tuple[str | None, int]]:
    """What Wazzup was told, in its order: of what, and how many."""
    return [(call.operation, len(entries(call.body))) for call in gateway.wazzup.calls]


def entries(body: Any) -> list[Any]:
    [batch] = body.values() if isinstance(body, dict) else [body]
    return list(batch)


def pointers(problem: dict[str, Any]) -> list[str]:
    return [fault["pointer"] for fault in problem["errors"]]


async def test_a_crm_tells_of_a_deal_and_wazzup_has_it(gateway: Gateway) -> None:
    """The contact comes first: Wazzup takes no deal of a contact that it does not know."""
    answer = await gateway.tell(BOTH)

    assert (answer.status_code, answer.json()) == (200, {"contacts": 1, "deals": 1})
    assert answer.headers["cache-control"] == "no-store"
    assert told(gateway) == [("contacts", 1), ("deals", 1)]
    assert gateway.wazzup.contacts["C-5"]["uri"] == "https://crm.example/c/5"
    assert gateway.wazzup.deals["D-77"]["contacts"] == ["C-5"]


async def test_sending_the_same_again_changes_nothing(gateway: Gateway) -> None:
    await gateway.tell(BOTH)
    contacts, deals = dict(gateway.wazzup.contacts), dict(gateway.wazzup.deals)

    again = await gateway.tell(BOTH)

    assert again.json() == {"contacts": 1, "deals": 1}
    assert (gateway.wazzup.contacts, gateway.wazzup.deals) == (contacts, deals)


async def test_a_deal_is_closed_and_opened_again(gateway: Gateway) -> None:
    await gateway.tell(BOTH)

    await gateway.tell({"deals": [DEAL | {"closed": True}]})
    closed = gateway.wazzup.deals["D-77"]["closed"]
    await gateway.tell({"deals": [DEAL]})

    assert (closed, gateway.wazzup.deals["D-77"]["closed"]) == (True, False)


async def test_many_are_told_in_batches_as_wazzup_takes_them(gateway: Gateway, generation: Generation) -> None:
    await gateway.tell({"contacts": [CONTACT]})
    gateway.wazzup.calls.clear()

    answer = await gateway.tell({"contacts": contacts(250), "deals": deals(250)})

    assert answer.json() == {"contacts": 250, "deals": 250}
    assert told(gateway) == [
        ("contacts", 100),
        ("contacts", 100),
        ("contacts", 50),
        ("deals", 100),
        ("deals", 100),
        ("deals", 50),
    ]
    assert list(gateway.wazzup.deals) == [f"D-{index}" for index in range(250)]
    for call in gateway.wazzup.calls:
        check_request(generation, call.method, call.path, call.body)


@pytest.mark.parametrize(
    ("wrong", "field"), [({"contact_ids": ["nobody"]}, "contact_ids"), ({"user_id": "nobody"}, "user_id")]
)
async def test_a_deal_of_somebody_unknown_to_wazzup_is_named_also_in_a_later_batch(
    gateway: Gateway, wrong: dict[str, Any], field: str
) -> None:
    many = deals(250)
    many[130] |= wrong
    many[155] |= wrong

    answer = await gateway.tell({"contacts": [CONTACT], "deals": many})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "WAZZUP_REFUSED")
    assert pointers(problem) == [f"#/deals/130/{field}", f"#/deals/155/{field}"]
    assert "must be" in problem["errors"][0]["detail"]
    assert "1 of 1 contacts and 100 of 250 deals" in problem["detail"]
    assert "Nothing is lost by sending all of it again" in problem["detail"]
    assert len(problem["wazzup"]["errors"]) == 2
    assert told(gateway) == [("contacts", 1), ("deals", 100), ("deals", 100)]


@pytest.mark.parametrize("status", [400, 200])
async def test_an_item_that_wazzup_refuses_without_naming_it_is_found(gateway: Gateway, status: int) -> None:
    """All of it, half of it, half of that. A 2xx that carries an `error` is v3's other way to say no."""
    await gateway.tell({"contacts": [CONTACT]})
    gateway.wazzup.faults.add(Fault(on="deals", status=status, body='{"error": "INVALID_USER", "code": "X"}', times=3))

    answer = await gateway.tell({"deals": deals(4)})

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["wazzup"]["status"]) == (422, "WAZZUP_REFUSED", status)
    assert pointers(problem) == ["#/deals/0"]
    assert "even alone" in problem["errors"][0]["detail"]
    assert [count for kind, count in told(gateway) if kind == "deals"] == [4, 2, 1]


async def test_a_refusal_that_passes_while_it_is_looked_into_is_none(gateway: Gateway) -> None:
    await gateway.tell({"contacts": [CONTACT]})
    gateway.wazzup.faults.add(Fault(on="deals", status=400))

    answer = await gateway.tell({"deals": deals(8)})

    assert answer.json() == {"contacts": 0, "deals": 8}
    assert len(gateway.wazzup.deals) == 8


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#"),
        ({"contacts": [], "deals": []}, "#"),
        ({"contacts": [CONTACT | {"name": "n" * 201}], "deals": [DEAL]}, "#/contacts/0/name"),
        ({"contacts": [CONTACT], "deals": [DEAL, DEAL | {"id": "d" * 201}]}, "#/deals/1/id"),
        ({"contacts": [CONTACT], "deals": [DEAL | {"user_id": "u" * 201}]}, "#/deals/0/user_id"),
        ({"contacts": [CONTACT], "deals": [DEAL | {"url": "javascript:alert(1)"}]}, "#/deals/0/url"),
        ({"contacts": [CONTACT | {"phone": "20234567"}], "deals": [DEAL]}, "#/contacts/0/phone"),
        ({"contacts": [CONTACT], "deals": [DEAL | {"contact_ids": []}]}, "#/deals/0/contact_ids"),
        ({"contacts": [CONTACT], "deals": [DEAL, DEAL]}, "#/deals/1/id"),
        ({"contacts": [CONTACT], "deals": [DEAL], "leads": []}, "#/leads"),
        ({"contacts": {"0": CONTACT}}, "#/contacts"),
        ([DEAL], "#"),
    ],
)
async def test_what_cannot_be_told_is_refused_before_wazzup_is_asked(gateway: Gateway, body: Any, pointer: str) -> None:
    answer = await gateway.tell(body)

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert pointers(answer.json()) == [pointer]
    assert gateway.wazzup.calls == []


@pytest.mark.parametrize(("generation", "longest"), [("v2", 64), ("v3", 200)], indirect=["generation"])
async def test_a_user_id_is_as_long_as_the_generation_takes_it(gateway: Gateway, longest: int) -> None:
    gateway.wazzup.users["u" * longest] = {"id": "u" * longest, "name": "John Smith"}

    fits = await gateway.tell({"contacts": [CONTACT | {"user_id": "u" * longest}]})
    longer = await gateway.tell({"contacts": [CONTACT | {"user_id": "u" * (longest + 1)}]})

    assert fits.status_code == 200
    assert (longer.json()["code"], pointers(longer.json())) == ("VALIDATION_FAILED", ["#/contacts/0/user_id"])
    assert len(gateway.wazzup.calls) == 1


@pytest.mark.parametrize(("generation", "warns"), [("v2", False), ("v3", True)], indirect=["generation"])
async def test_a_username_goes_where_it_is_taken_and_is_left_out_with_a_warning_where_not(
    gateway: Gateway, warns: bool
) -> None:
    answer = await gateway.tell({"contacts": [CONTACT | {"telegram": "@my_tg_user"}]})

    assert answer.status_code == 200
    assert ("warnings" in answer.json()) is warns
    assert ("my_tg_user" in str(gateway.wazzup.contacts)) is not warns
    assert "my_tg_user" not in answer.text


async def test_an_admin_may_tell_of_deals_too(gateway: Gateway) -> None:
    assert (await gateway.tell(BOTH, ADMIN_KEY)).status_code == 200


async def test_a_page_may_not_tell_of_deals(gateway: Gateway) -> None:
    """Neither with a user token nor with the relay token that came with its link."""
    relay = (await gateway.link()).json()["relay"]["token"]
    gateway.wazzup.calls.clear()

    answers = [await gateway.tell(BOTH, token) for token in (user_token("crm-user-1"), relay)]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "FORBIDDEN")] * 2
    assert all("server key" in answer.json()["detail"] for answer in answers)
    assert gateway.wazzup.calls == []


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(on="deals", status=403), 502, "WAZZUP_FORBIDDEN"),
        (Fault(on="deals", status=500, times=None), 502, "WAZZUP_UNAVAILABLE"),
        (Fault(on="deals", dropped=True, times=None), 502, "WAZZUP_UNAVAILABLE"),
        (Fault(on="deals", status=404, body="?"), 502, "WAZZUP_UNREADABLE"),
        (Fault(on="deals", status=200, body="<html>"), 502, "WAZZUP_UNREADABLE"),
        (Fault(on="deals", status=429, retry_after="7", times=None), 503, "WAZZUP_BUSY"),
        (Fault(on="deals", delay_seconds=30), 504, "WAZZUP_TIMEOUT"),
    ],
)
async def test_wazzups_failures_are_ours_as_for_links_and_say_what_is_stored(
    gateway: Gateway, fault: Fault, status: int, code: str
) -> None:
    gateway.wazzup.faults.add(fault)

    answer = await gateway.tell(BOTH)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("retry-after" in answer.headers) is (status == 503)
    assert "1 of 1 contacts and 0 of 1 deals" in answer.json()["detail"]
    assert list(gateway.wazzup.contacts) == ["C-5"]


async def test_a_failure_that_passes_is_not_noticed(gateway: Gateway) -> None:
    gateway.wazzup.faults.add(Fault(on="contacts", status=500))

    assert (await gateway.tell(BOTH)).json() == {"contacts": 1, "deals": 1}


async def test_the_accounts_calls_to_wazzup_are_not_overspent(redis_url: str, clock: Clock) -> None:
    """What is left over is refused with when to come again; what came through is stored."""
    async with running(redis_url, clock, wazzup_rate_limit="1/60") as gateway:
        answer = await gateway.tell({"contacts": contacts(101)})

        assert (answer.status_code, answer.json()["code"]) == (503, "WAZZUP_BUDGET_SPENT")
        assert int(answer.headers["retry-after"]) > 0
        assert "100 of 101 contacts" in answer.json()["detail"]
        assert told(gateway) == [("contacts", 100)]


async def test_what_wazzup_has_taken_is_counted(gateway: Gateway) -> None:
    await gateway.tell({"contacts": [CONTACT, CONTACT | {"id": "C-6"}], "deals": [DEAL, *deals(2)]})

    metrics = (await gateway.http.get("/metrics")).text

    assert 'wazzup_gateway_told_total{account="default",kind="contacts"} 2.0' in metrics
    assert 'wazzup_gateway_told_total{account="default",kind="deals"} 3.0' in metrics
