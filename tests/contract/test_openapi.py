"""The OpenAPI document is a promise: it is what is served, its examples are true, and the gateway keeps to it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.main import create_app
from app.settings import Settings
from tests.driver import ADMIN_KEY, Clock, Gateway, running

SNAPSHOT = Path(__file__).parent.parent.parent / "openapi" / "gateway.json"
DOCUMENT: dict[str, Any] = create_app(Settings.given()).openapi()
DOCUMENTS: Registry[Any] = Registry().with_resource("urn:gateway", DRAFT202012.create_resource(DOCUMENT))
METHODS = {"get", "put", "post", "delete", "patch"}
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if method in METHODS
}
# What CRMs receive.
MESSAGES = {f"POST {kind}": ways["post"] for kind, ways in DOCUMENT["webhooks"].items()}

each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())


async def test_the_served_document_is_the_one_in_the_repository(gateway: Gateway) -> None:
    served = await gateway.http.get("/openapi.json")

    assert served.json() == json.loads(SNAPSHOT.read_text("utf-8"))


async def test_the_document_has_a_page_for_people(gateway: Gateway) -> None:
    answer = await gateway.http.get("/docs")

    assert answer.status_code == 200
    assert "/openapi.json" in answer.text


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)


@each_operation
def test_every_operation_says_in_a_line_and_in_a_sentence_what_it_does(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"].endswith(".")


@each_operation
def test_every_answer_is_described(operation: dict[str, Any]) -> None:
    assert all(answer["description"] for answer in operation["responses"].values())


@each_operation
def test_every_error_that_needs_a_parser_has_an_example(operation: dict[str, Any]) -> None:
    problems = [answer["content"] for status, answer in operation["responses"].items() if status.startswith("4")]

    assert all(content["application/problem+json"]["examples"] for content in problems)


def test_whoever_needs_a_credential_can_see_which_and_what_happens_without() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    guarded = [operation for operation in OPERATIONS.values() if operation.get("security")]

    assert {name for name, operation in OPERATIONS.items() if operation not in guarded} == {
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
    }
    for operation in guarded:
        assert {name for way in operation["security"] for name in way} <= schemes.keys()
        assert {"401", "403", "422"} <= operation["responses"].keys()
    assert {name for operation in guarded for way in operation["security"] for name in way} == schemes.keys()


@pytest.mark.parametrize("room", ["/webhooks", "/events", "/deliveries"])
def test_what_only_admins_may_do_says_so(room: str) -> None:
    found = {name: one["security"] for name, one in OPERATIONS.items() if name.split()[1].startswith(room)}
    posters = found.pop("POST /events", [])

    assert {name for way in posters for name in way} <= {"serverKey", "adminKey", "userToken", "relayToken"}
    assert found
    assert all(ways == [{"adminKey": []}] for ways in found.values())


@pytest.mark.parametrize("name", ["POST /links", "POST /deals"])
def test_a_question_to_wazzup_documents_everything_that_can_go_wrong(name: str) -> None:
    answers = OPERATIONS[name]["responses"]

    assert {"200", "400", "401", "403", "413", "415", "422", "502", "503", "504"} <= answers.keys()


def test_a_link_request_documents_that_a_user_may_ask_too_often() -> None:
    assert "429" in OPERATIONS["POST /links"]["responses"]


def test_a_link_answer_documents_its_headers() -> None:
    headers = OPERATIONS["POST /links"]["responses"]["200"]["headers"]

    assert headers.keys() >= {"Cache-Status", "Age", "RateLimit-Policy", "RateLimit", "X-Request-Id"}


def test_the_frameworks_own_error_form_is_not_in_the_document() -> None:
    text = json.dumps(DOCUMENT)

    assert "HTTPValidationError" not in text


def examples() -> Iterator[tuple[str, str, Any]]:
    """Every example: where it stands, its schema's place, and itself."""
    for name, operation in (OPERATIONS | MESSAGES).items():
        room = "webhooks" if name in MESSAGES else "paths"
        place = f"/{room}/{name.split()[1].replace('/', '~1')}/{name.split()[0].lower()}"
        contents = [(f"{place}/requestBody", operation.get("requestBody", {}))]
        contents += [(f"{place}/responses/{status}", answer) for status, answer in operation["responses"].items()]
        for where, holder in contents:
            for media, content in holder.get("content", {}).items():
                schema = f"{where}/content/{media.replace('/', '~1')}/schema"
                for value in _shown(content):
                    yield f"{name} {where.rpartition('/')[2]}", schema, value
        for index, parameter in enumerate(operation.get("parameters", [])):
            for value in parameter["schema"].get("examples", []):
                yield f"{name} {parameter['name']}", f"{place}/parameters/{index}/schema", value


def _shown(content: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    yield from (one["value"] for one in content.get("examples", {}).values())


@pytest.mark.parametrize(("where", "schema", "value"), list(examples()), ids=[one[0] for one in examples()])
def test_every_example_is_as_its_schema_says(where: str, schema: str, value: Any) -> None:
    validator = Draft202012Validator({"$ref": f"urn:gateway#{schema}"}, registry=DOCUMENTS)

    assert [error.message for error in validator.iter_errors(value)] == [], where


@pytest.mark.parametrize("name", ["a contact's card", "chats in the vendor's form", "all chats of a user"])
async def test_every_example_of_a_question_is_answered(gateway: Gateway, name: str) -> None:
    example = OPERATIONS["POST /links"]["requestBody"]["content"]["application/json"]["examples"][name]["value"]

    answer = await gateway.link(example)

    assert answer.status_code == 200


async def test_every_example_of_what_is_told_is_taken(gateway: Gateway) -> None:
    examples = OPERATIONS["POST /deals"]["requestBody"]["content"]["application/json"]["examples"]
    gateway.wazzup.users["crm-user-1"] = {"id": "crm-user-1", "name": "John Smith"}

    answers = [await gateway.tell(example["value"]) for example in examples.values()]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == OPERATIONS["POST /deals"]["responses"]["200"]["content"]["application/json"]["example"]


SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS: list[Callable[..., Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
load_all_checks()


def cases(mode: GenerationMode) -> st.SearchStrategy[Case[Any]]:
    places = [name.split() for name in OPERATIONS]
    return st.one_of(*(SCHEMA[path][method].as_strategy(generation_mode=mode) for method, path in places))


machine_made = settings(
    max_examples=250,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


async def sent(case: Case[Any], http: httpx.AsyncClient) -> httpx.Response:
    """The case as schemathesis means it, by a caller who may do everything."""
    told = case.as_transport_kwargs(base_url="http://gateway")
    headers = {name.encode("latin-1"): value.encode("latin-1") for name, value in told["headers"].items()}
    headers = {name: value for name, value in headers.items() if name.lower() != b"authorization"}
    return await http.request(
        told["method"],
        told["url"],
        params=told.get("params") or None,
        headers=headers | {b"Authorization": f"Bearer {ADMIN_KEY}".encode()},
        **{to: told[name] for name, to in (("json", "json"), ("data", "content")) if told.get(name) is not None},
    )


@pytest.fixture
async def patient(redis_url: str, clock: Clock) -> Any:
    """A gateway that gives a caller as many links as it asks for."""
    async with running(redis_url, clock, link_rate_limit="1000000/60") as opened:
        yield opened


@given(case=cases(GenerationMode.POSITIVE))
@machine_made
async def test_what_the_document_allows_is_answered_as_it_says(patient: Gateway, case: Case[Any]) -> None:
    answer = await sent(case, patient.http)

    case.validate_response(answer, checks=CHECKS)


@given(case=cases(GenerationMode.NEGATIVE))
@machine_made
async def test_what_the_document_forbids_is_refused_as_it_says(patient: Gateway, case: Case[Any]) -> None:
    answer = await sent(case, patient.http)

    case.validate_response(answer, checks=CHECKS)
