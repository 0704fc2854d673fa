"""What CRMs receive is what the OpenAPI document says under `webhooks`."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from app.webhooks.signing import new_secret
from tests.contract.test_openapi import DOCUMENT, DOCUMENTS, MESSAGES, OPERATIONS
from tests.crm import Crm, Received, answering
from tests.driver import Gateway

EXAMPLES = OPERATIONS["POST /events"]["requestBody"]["content"]["application/json"]["examples"]


def faults(received: Received) -> list[str]:
    """What the document has against a message, its headers included."""
    kind = received.message["type"]
    kind = kind if f"POST {kind}" in MESSAGES else "WZ_*"
    place = f"urn:gateway#/webhooks/{kind}/post"
    found = [
        (received.headers[parameter["name"]], {"$ref": f"{place}/parameters/{index}/schema"})
        for index, parameter in enumerate(MESSAGES[f"POST {kind}"]["parameters"])
    ]
    found.append((received.message, {"$ref": f"{place}/requestBody/content/application~1json/schema"}))
    return [
        error.message
        for value, schema in found
        for error in Draft202012Validator(schema, registry=DOCUMENTS, format_checker=FormatChecker()).iter_errors(value)
    ]


def test_each_type_of_event_is_published_and_one_entry_stands_for_all_others() -> None:
    assert DOCUMENT["webhooks"].keys() == {"WZ_CREATE_ENTITY", "WZ_OPEN_ENTITY", "WZ_*"}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_says_how_it_is_proven_what_it_means_and_what_to_answer(name: str) -> None:
    message = MESSAGES[name]

    assert [(one["name"], one["required"]) for one in message["parameters"]] == [
        ("webhook-id", True), ("webhook-timestamp", True), ("webhook-signature", True)
    ]  # fmt: skip
    assert message["security"] == []
    assert message["description"].endswith(".")
    assert message["responses"].keys() == {"200", "410", "default"}
    assert "2xx" in message["responses"]["200"]["description"]
    assert message["requestBody"]["content"]["application/json"]["examples"]


def test_a_page_learns_what_the_crm_answers_to_a_new_deal() -> None:
    assert "Prefer: wait" in MESSAGES["POST WZ_CREATE_ENTITY"]["responses"]["200"]["description"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [(example["value"]["type"], example["value"]) for example in EXAMPLES.values()]
    + [("WZ_NEW", {"data": {"x": [1]}, "occurred_at": "2026-11-22T12:00:00+02:00", "origin": "elsewhere"})],
)
async def test_what_is_sent_is_as_the_document_says(gateway: Gateway, crm: Crm, kind: str, body: Any) -> None:
    made = await gateway.webhook(crm.url, secret=new_secret())
    await gateway.ask("POST", f"/webhooks/{made['id']}/rotate-secret")

    answer = await gateway.ask("POST", "/events", body | {"type": kind})
    [received] = await crm.got(1)

    assert answer.status_code == 202
    assert faults(received) == []


async def test_a_trial_is_as_the_document_says_too(gateway: Gateway, crm: Crm) -> None:
    made = await gateway.webhook(crm.url)

    await gateway.ask("POST", f"/webhooks/{made['id']}/test")

    assert faults(crm.received[0]) == []


async def test_every_answer_of_the_admins_routes_is_as_the_document_says(gateway: Gateway, crm: Crm) -> None:
    """With everything in it: attempts, reasons, answers that a page waited for."""
    made = await gateway.webhook(crm.url, "WZ_A", headers={"X-Tenant": "north"}, description="x")
    hook = f"/webhooks/{made['id']}"
    crm.moods = [answering(200, "made"), answering(500, "no"), answering(410)]
    answered = await gateway.event("WZ_A", wait=5)
    for _ in range(2):
        await gateway.event("WZ_A", wait=5)
    event = f"/events/{answered.json()['id']}"

    for name, answer in (
        ("POST /events", answered),
        ("GET /webhooks", await gateway.ask("GET", "/webhooks")),
        ("GET /webhooks/{webhook_id}", await gateway.ask("GET", hook)),
        ("GET /webhooks/{webhook_id}/deliveries", await gateway.ask("GET", f"{hook}/deliveries")),
        ("GET /events", await gateway.ask("GET", "/events")),
        ("GET /events/{event_id}", await gateway.ask("GET", event)),
        ("PATCH /webhooks/{webhook_id}", await gateway.ask("PATCH", hook, {"enabled": True})),
        ("POST /events/{event_id}/replay", await gateway.ask("POST", f"{event}/replay")),
        ("POST /webhooks/{webhook_id}/test", await gateway.ask("POST", f"{hook}/test")),
    ):
        content = OPERATIONS[name]["responses"][str(answer.status_code)]["content"]["application/json"]
        validator = Draft202012Validator(content["schema"] | {"components": DOCUMENT["components"]})
        assert [error.message for error in validator.iter_errors(answer.json())] == [], name
