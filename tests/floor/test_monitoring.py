"""What `docker compose --profile monitoring up` loads asks for nothing that the gateway does not tell."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own, for these few lines
from prometheus_client.parser import text_string_to_metric_families

from tests.driver import ADMIN_KEY, Gateway

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / ".monitoring"
# What Prometheus itself knows of a target.
PROMETHEUS = {"up": {"job", "instance"}}
WORDS = {"by", "without", "on", "ignoring", "or", "and", "unless", "offset", "bool", "group_left", "group_right"}
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}

_MATCHERS = re.compile(r'([a-z_]\w*)?\{((?:[^{}"]|"[^"]*")*)\}')
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPS = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_LOOKS = re.compile(r"label_values\((\w+), (\w+)\)")


def read(name: str) -> Any:
    return yaml.safe_load((MONITORING / name).read_text())


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads((MONITORING / "grafana/wazzup-gateway.json").read_bytes())["panels"]
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in read("alerts.yml")["groups"] for rule in group["rules"]]


def questions() -> Iterator[tuple[str, str]]:
    """Every expression, and where it stands."""
    yield from ((rule["alert"], rule["expr"]) for rule in rules())
    yield from ((panel["title"], target["expr"]) for panel in panels() for target in panel.get("targets", []))


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression of PromQL names."""
    bare = _GROUPS.sub(" ", re.sub(r"\{(?:[^{}\"]|\"[^\"]*\")*\}|\[[^\]]*\]", " ", expression))
    return set(re.findall(r"\b[a-z_]\w*\b(?!\s*\()", bare)) - WORDS


def labels_in(expression: str) -> set[tuple[str, str]]:
    """Each metric with each label that it is chosen by. What it is grouped by: with any metric, "" here."""
    chosen = {(name, label) for name, inside in _MATCHERS.findall(expression) for label in _LABEL.findall(inside)}
    grouped = {("", label.strip()) for inside in _GROUPS.findall(expression) for label in inside.split(",")}
    return chosen | grouped


@pytest.fixture
async def told(gateway: Gateway) -> dict[str, set[str]]:
    """Everything that a gateway tells, with its labels, once some of everything has happened."""
    webhook = {"url": "https://1.1.1.1/wazzup", "events": ["WZ_NEVER_SENT"]}
    assert (await gateway.http.post("/webhooks", json=webhook, headers=ADMIN)).status_code == 201
    await gateway.http.post("/events", json={"type": "WZ_OPEN_ENTITY", "data": {}}, headers=ADMIN)
    await gateway.link()
    contact = {"id": "C-5", "user_id": "crm-user-1", "name": "Anthony Stone", "phone": "+37111234567"}
    assert (await gateway.tell({"contacts": [contact]})).status_code == 200
    await gateway.http.get("/metrics")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families((await gateway.http.get("/metrics")).text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return {name: labels | PROMETHEUS["up"] for name, labels in found.items()} | PROMETHEUS


def test_this_test_reads_expressions() -> None:
    expression = 'max by (le, x) (rate(a_total{b="{c}", d!~"e"}[5m])) / sum(f{g="$h"}) or vector(0) > 0.05'

    assert metrics_in(expression) == {"a_total", "f"}
    assert labels_in(expression) == {("", "le"), ("", "x"), ("a_total", "b"), ("a_total", "d"), ("f", "g")}


async def test_every_metric_that_is_asked_for_is_told(told: dict[str, set[str]]) -> None:
    unknown = {where: missing for where, asked in questions() if (missing := metrics_in(asked) - told.keys())}

    assert unknown == {}


async def test_every_label_that_is_asked_for_is_told(told: dict[str, set[str]]) -> None:
    unknown = {
        (where, metric, label)
        for where, asked in questions()
        for metric, label in labels_in(asked)
        if not any(label in told[name] for name in ({metric} if metric else metrics_in(asked)))
    }

    assert unknown == set()


async def test_the_accounts_of_the_dashboard_are_those_of_a_metric(told: dict[str, set[str]]) -> None:
    asked = _LOOKS.findall((MONITORING / "grafana/wazzup-gateway.json").read_text())

    assert asked
    assert [(name, label) for name, label in asked if label not in told.get(name, set())] == []


async def test_every_metric_of_ours_stands_on_the_dashboard(told: dict[str, set[str]]) -> None:
    asked = {name for _, expression in questions() for name in metrics_in(expression)}
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in told if name.startswith("wazzup_gateway_")}

    assert ours - {name.removesuffix("_bucket") for name in asked} == set()


def test_what_the_fleet_did_is_never_summed_over_gateways() -> None:
    """Each gateway tells the same of the ledger: a sum counts each delivery once for each of them."""
    summed = [
        where
        for where, asked in questions()
        for metric in re.findall(r"wazzup_gateway_ledger_\w+", asked)
        if not re.search(rf"max by \(account[^)]*\) \((?:\w+\()?{metric}\b", asked)
    ]

    assert summed == []


@pytest.mark.parametrize("name", ["prometheus.yml", "alerts.yml", "grafana/datasource.yml", "grafana/dashboards.yml"])
def test_what_is_configured_can_be_read(name: str) -> None:
    assert isinstance(read(name), dict)


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    terse = [rule["alert"] for rule in rules() if not {"summary", "description"} <= rule["annotations"].keys()]

    assert len(rules()) >= 8
    assert terse == []
    assert {rule["labels"]["severity"] for rule in rules()} == {"critical", "warning"}


def test_the_dashboard_asks_its_three_questions_in_turn_and_no_panel_covers_another() -> None:
    rows = [panel["title"] for panel in panels() if panel["type"] == "row"]
    places = [
        (x, y)
        for panel in panels()
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert rows == ["Is the gateway well?", "Is Wazzup well?", "Are the CRMs well?"]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_compose_starts_it_only_when_asked_on_this_machine_only_from_files_that_are_there() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    monitoring = {name: one for name, one in services.items() if one.get("profiles") == ["monitoring"]}

    assert set(monitoring) == {"prometheus", "grafana"}
    for one in monitoring.values():
        assert re.fullmatch(r"(prom/prometheus|grafana/grafana):v?\d+\.\d+\.\d+", one["image"])
        assert all(port.startswith("127.0.0.1:") for port in one["ports"])
        files = [volume.split(":")[0] for volume in one["volumes"] if volume.startswith("./")]
        assert [file for file in files if not (ROOT / file).is_file()] == []
    [target] = read("prometheus.yml")["scrape_configs"]
    assert target["dns_sd_configs"][0]["names"] == ["gateway"]
    assert "gateway" in services
