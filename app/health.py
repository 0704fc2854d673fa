"""What an operator's machines ask: is it alive, is it ready, what has it done?"""

from collections.abc import Mapping
from typing import Literal, Protocol

from fastapi import APIRouter
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.errors import StoreUnavailable
from app.routes import services_for
from app.store import Store
from app.telemetry import Telemetry

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


@router.get("/health/live", operation_id="live", summary="Is the process alive?")
async def live() -> Live:
    """Restart the container when this does not answer."""
    return Live()


@router.get(
    "/health/ready",
    operation_id="ready",
    summary="Should it be sent requests?",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "Not now; `checks` says why."}},
)
async def ready(request: Request) -> Response:
    """Whether the store can be written, and is set up to keep what it is given; and whether Wazzup answers.

    A Wazzup that keeps failing is told but makes nobody unready: remembered links are still given.
    """
    services: Services = services_for(request.scope)
    unfit = await _store_reasons(services.store)
    failing = [
        f"Wazzup keeps failing for the account {name}, and is asked once in a while. The log tells more: wazzup.called."
        for name, circuit in services.circuits.items()
        if circuit.is_open
    ]
    verdict = Ready(
        status="unready" if unfit else "ready",
        checks={
            "store": Check(status="failed" if unfit else "ok", reasons=unfit),
            "wazzup": Check(status="degraded" if failing else "ok", reasons=failing),
        },
    )
    return JSONResponse(verdict.model_dump(), 503 if unfit else 200, {"Cache-Control": "no-store"})


@router.get("/metrics", operation_id="metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters and histograms in Prometheus' text format."""
    services: Services = services_for(request.scope)
    return Response(generate_latest(services.telemetry.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _store_reasons(store: Store) -> list[str]:
    try:
        await store.probe("ready")
        return await store.unfitness()
    except StoreUnavailable:
        return [
            "The store does not answer, or cannot be written. Check REDIS_URL and Redis itself; "
            "without REDIS_URL restart the gateway, which runs the store."
        ]
