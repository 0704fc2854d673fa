"""What an operator's machines ask: is it alive, is it ready, what has it done?"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Literal, Protocol

from fastapi import APIRouter
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.clock import Clock
from app.errors import StoreUnavailable
from app.routes import services_for
from app.store import Store
from app.telemetry import Telemetry
from app.webhooks.crew import Crew, somebody_delivers
from app.webhooks.figures import families
from app.webhooks.ledger import ledgers_of

router = APIRouter(tags=["operations"])


class Circuit(Protocol):
    """Whether an account's Wazzup is left alone, since it keeps failing."""

    @property
    def is_open(self) -> bool: ...


class Services(Protocol):
    """What this door needs of the wiring."""

    store: Store
    telemetry: Telemetry
    circuits: Mapping[str, Circuit]
    clock: Clock
    crew: Crew | None


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


class Check(BaseModel):
    """One thing that is looked at. What is degraded makes no replica unready: another one would be no better."""

    status: Literal["ok", "degraded", "failed"]
    reasons: list[str] = Field(description="What is wrong, and what mends it.")


class Ready(BaseModel):
    """Whether this replica should be sent requests."""

    status: Literal["ready", "unready"]
    checks: dict[str, Check]


@router.head("/health/live", include_in_schema=False)  # some monitors ask so
@router.get("/health/live", operation_id="live", summary="Is the process alive?")
async def live() -> Live:
    """Restart the container when this does not answer."""
    return Live()


@router.head("/health/ready", include_in_schema=False)
@router.get(
    "/health/ready",
    operation_id="ready",
    summary="Should it be sent requests?",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "Not now; `checks` says why."}},
)
async def ready(request: Request) -> Response:
    """Whether the store can be written, and is set up to keep what it is given; whether anybody delivers to webhooks;
    and whether Wazzup answers.

    A Wazzup that keeps failing is told but makes nobody unready: remembered links are still given.
    """
    services: Services = services_for(request.scope)
    unfit = await _store_reasons(services.store)
    failing = [
        f"Wazzup keeps failing for the account {name}, and is asked once in a while. The log tells more: wazzup.called."
        for name, circuit in services.circuits.items()
        if circuit.is_open
    ]
    worker = await _worker_check(services)
    unready = bool(unfit) or worker.status == "failed"
    verdict = Ready(
        status="unready" if unready else "ready",
        checks={
            "store": Check(status="failed" if unfit else "ok", reasons=unfit),
            "worker": worker,
            "wazzup": Check(status="degraded" if failing else "ok", reasons=failing),
        },
    )
    return JSONResponse(verdict.model_dump(), 503 if unready else 200, {"Cache-Control": "no-store"})


@router.get("/metrics", operation_id="metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """What this process did, and what the whole fleet did with events, in Prometheus' text format.

    What is named `wazzup_gateway_ledger_…` is the fleet's: every gateway on one store tells the same, workers included.
    Without the store it is left out, and `wazzup_gateway_store_up` is 0.
    """
    services: Services = services_for(request.scope)
    measured = services.telemetry.metrics
    measured.serves(services.circuits)
    return Response(
        measured.exposed(_circuits(services.circuits), *await _ledgers(services)), media_type=CONTENT_TYPE_LATEST
    )


def _circuits(circuits: Mapping[str, Circuit]) -> Metric:
    what = "1 while this process leaves a failing Wazzup alone."
    family = GaugeMetricFamily("wazzup_gateway_wazzup_circuit_open", what, labels=("account",))
    for name, circuit in circuits.items():
        family.add_metric((name,), circuit.is_open)
    return family


async def _ledgers(services: Services) -> Iterator[Metric]:
    try:
        ledgers = await ledgers_of(services.circuits, services.store, services.clock.now())
    except StoreUnavailable:
        return iter([_store_up(0)])
    return itertools.chain([_store_up(1)], families(ledgers))


def _store_up(value: int) -> Metric:
    return GaugeMetricFamily("wazzup_gateway_store_up", "1 while the store answers this process.", value=value)


async def _worker_check(services: Services) -> Check:
    if services.crew is not None:
        if services.crew.is_alive:
            return Check(status="ok", reasons=[])
        return Check(status="failed", reasons=["Deliveries have stopped in this process: restart it, and see its log."])
    try:
        if await somebody_delivers(services.store, services.clock):
            return Check(status="ok", reasons=[])
    except StoreUnavailable:
        pass  # That is said of the store.
    # Nobody would be better off without this replica: what it accepts is stored.
    return Check(status="degraded", reasons=["Nobody delivers to webhooks. Start one: python -m app worker."])


async def _store_reasons(store: Store) -> list[str]:
    try:
        await store.probe("ready")
        return await store.unfitness()
    except StoreUnavailable:
        return [
            "The store does not answer, or cannot be written. Check REDIS_URL and Redis itself; "
            "without REDIS_URL restart the gateway, which runs the store."
        ]
