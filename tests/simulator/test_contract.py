"""The contract's checker: it agrees with the simulation on every message, and it can say no."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from app.simulator import schemas
from app.simulator.checks import Check
from app.simulator.operations import OPERATIONS
from tests.simulator.examples import (
    BAD_V2_LINKS,
    BAD_V3_LINKS,
    GOOD_V2_LINKS,
    GOOD_V3_LINKS,
    V2_GLOBAL,
    V3_CARD,
    Body,
)
from tests.vendor_contract import Generation, check_answer, check_request, contract

GENERATIONS: tuple[Generation, ...] = ("v2", "v3")
V2_LINKS = "/v2/iframe-links/chats"
V3_LINKS = "/v3/iframe"

WORDS = st.sampled_from(["37111234567", "+371", "@name", "my name", "name", "", " ", "12\n", 7, None, "u" * 65])
FLAGS = st.sampled_from([True, False, 1, None, "yes"])
TYPES = st.sampled_from([*schemas.CHAT_TYPES, "telegram", "waba", None])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={**fields, "unknown": st.none()})


def mostly(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(strategy, strategy, strategy, st.none(), st.lists(strategy, max_size=1))


CHATS = some(chat_type=TYPES, chat_id=WORDS, username=WORDS, contact_name=WORDS)
V2_BODIES = some(
    user_id=WORDS,
    author_name=WORDS,
    scope=st.sampled_from(["card", "global", "deal"]),
    chats=mostly(st.lists(CHATS, max_size=2)),
    active_chat=mostly(some(chat_type=TYPES, chat_id=WORDS, username=WORDS, channel_id=WORDS)),
    use_events=mostly(some(deals=FLAGS, messages=FLAGS)),
    client_type=WORDS,
)
V3_CHATS = some(chatType=TYPES, chatId=WORDS, username=WORDS, name=WORDS)
V3_BODIES = some(
    user=mostly(some(id=WORDS, name=WORDS)),
    scope=st.sampled_from(["card", "global", "deal"]),
    filter=mostly(st.lists(V3_CHATS, max_size=2)),
    options=mostly(some(useDealsEvents=FLAGS, useMessageEvents=FLAGS, clientType=WORDS)),
)


def taken(check: Check, body: object) -> bool:
    return not list(check("", body))


def agreed(generation: Generation, path: str, body: object) -> bool:
    try:
        check_request(generation, "POST", path, body)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_contract_is_an_openapi_document(generation: Generation) -> None:
    Draft202012Validator(OPENAPI_31).validate(contract(generation))
    for schema in contract(generation)["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_contract_has_the_routes_that_the_simulation_has() -> None:
    assert {path for generation in GENERATIONS for path in contract(generation)["paths"]} == set(OPERATIONS)


@pytest.mark.parametrize("body", GOOD_V2_LINKS.values(), ids=GOOD_V2_LINKS.keys())
def test_the_v2_contract_has(body: Body) -> None:
    check_request("v2", "POST", V2_LINKS, body)


@pytest.mark.parametrize(("body", "_complaint"), BAD_V2_LINKS.values(), ids=BAD_V2_LINKS.keys())
def test_the_v2_contract_has_not(body: Body, _complaint: str) -> None:
    with pytest.raises(AssertionError):
        check_request("v2", "POST", V2_LINKS, body)


@pytest.mark.parametrize("body", GOOD_V3_LINKS.values(), ids=GOOD_V3_LINKS.keys())
def test_the_v3_contract_has(body: Body) -> None:
    check_request("v3", "POST", V3_LINKS, body)


@pytest.mark.parametrize(("body", "_complaint"), BAD_V3_LINKS.values(), ids=BAD_V3_LINKS.keys())
def test_the_v3_contract_has_not(body: Body, _complaint: str) -> None:
    with pytest.raises(AssertionError):
        check_request("v3", "POST", V3_LINKS, body)


@given(V2_BODIES)
def test_the_contract_and_the_simulation_agree_on_any_v2_link(body: object) -> None:
    assert agreed("v2", V2_LINKS, body) == taken(schemas.V2_LINK, body)


@given(V3_BODIES)
def test_the_contract_and_the_simulation_agree_on_any_v3_link(body: object) -> None:
    assert agreed("v3", V3_LINKS, body) == taken(schemas.V3_LINK, body)


@given(CHATS)
def test_the_contract_and_the_simulation_agree_on_any_chat(chat: object) -> None:
    body = {"user_id": "crm-user-1", "scope": "card", "chats": [chat]}

    assert agreed("v2", V2_LINKS, body) == taken(schemas.V2_LINK, body)


def test_the_contract_asks_for_the_channel_that_v3_needs_and_does_not_ask_for() -> None:
    active = {"chatType": "whatsapp", "chatId": "37111234567"}

    assert not agreed("v3", V3_LINKS, {**V3_CARD, "activeChat": active})
    assert agreed("v3", V3_LINKS, {**V3_CARD, "activeChat": {**active, "channelId": "c-1"}})


def test_a_disagreement_is_told_with_its_place() -> None:
    with pytest.raises(AssertionError, match=r"POST /v2/iframe-links/chats: not as the v2 contract says") as told:
        check_request("v2", "POST", V2_LINKS, {**V2_GLOBAL, "author_name": 7})

    assert "$.author_name: 7 is not of type 'string'" in str(told.value)


def test_a_route_that_is_not_in_the_contract_is_refused() -> None:
    with pytest.raises(AssertionError, match="knows no GET /v2/users"):
        check_request("v2", "GET", "/v2/users", {})


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {}),
        (200, {"data": {}}),
        (200, {"data": {"link": "javascript:alert(1)"}}),
        (200, None),
        (400, {"error": "VALIDATION_FAILED"}),
        (401, None),
    ],
)
def test_an_answer_that_is_not_in_the_contract_is_refused(status: int, body: object) -> None:
    with pytest.raises(AssertionError):
        check_answer("v2", "POST", V2_LINKS, status, body)


def test_some_failures_come_without_a_body() -> None:
    check_answer("v2", "POST", V2_LINKS, 503, None)
    check_answer("v3", "POST", V3_LINKS, 429, None)
