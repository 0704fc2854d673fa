"""The simulation's own routes: ask for failures, read the calls, begin anew."""

from dataclasses import asdict

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.simulator.faults import Fault


def control_routes() -> list[Route]:
    """List the routes under `/_simulator`."""
    return [
        Route("/_simulator/faults", add_fault, methods=["POST"]),
        Route("/_simulator/faults", clear_faults, methods=["DELETE"]),
        Route("/_simulator/calls", list_calls, methods=["GET"]),
        Route("/_simulator/reset", reset, methods=["POST"]),
    ]


async def add_fault(request: Request) -> Response:
    """Let calls fail: the body is a `Fault`, by its fields' names."""
    try:
        fault = Fault.model_validate_json(await request.body())
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_context=False, include_input=False)
        return JSONResponse({"errors": complaints}, 400)
    request.app.state.world.faults.add(fault)
    return Response(status_code=204)


async def clear_faults(request: Request) -> Response:
    """Let nothing fail any more."""
    request.app.state.world.faults.clear()
    return Response(status_code=204)


async def list_calls(request: Request) -> JSONResponse:
    """List the recorded calls, oldest first."""
    return JSONResponse({"calls": [asdict(call) for call in request.app.state.world.calls]})


async def reset(request: Request) -> Response:
    """Forget everything since the start."""
    request.app.state.world.reset()
    return Response(status_code=204)
