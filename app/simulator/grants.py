"""The route that gives v2 tokens. `authorization_code` needs a browser and a consent page: not simulated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.simulator.auth import admit_partner
from app.simulator.checks import Check, choice, read_checked, record, text
from app.simulator.refusals import RefusedError, invalid
from app.simulator.world import World

MACHINE_TOKEN_TYPE = "urn:wazzup:oauth:token-type:machine_token"  # noqa: S105  # the name of a kind of token
SCOPE = choice("transport,crm")

Data = dict[str, str]
Given = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant: where its data stands in the body, what is in it (all of it required), and what it gives."""

    holder: str
    data: dict[str, Check]
    give: Callable[[Request, Data], Given]


def grant_routes() -> list[Route]:
    """List the one route there is."""
    return [Route("/v2/oauth/token", give_tokens, methods=["POST"])]


async def give_tokens(request: Request) -> JSONResponse:
    """Give tokens for a grant."""
    body = await read_checked(request, _grant_complaints)
    grant = GRANTS[body["grant_type"]]
    return JSONResponse({"data": grant.give(request, body[grant.holder])})


def _grant_complaints(name: str, body: object) -> Iterator[str]:
    grant_type = body.get("grant_type") if isinstance(body, dict) else None
    grant = GRANTS.get(grant_type) if isinstance(grant_type, str) else None
    if grant is None:
        yield "grant_type must be a valid enum value"
        return
    fields = {"grant_type": choice(*GRANTS), grant.holder: record(grant.data, required=tuple(grant.data))}
    yield from record(fields, required=tuple(fields))(name, body)


def _machine_token(request: Request, _data: Data) -> Given:
    world: World = request.app.state.world
    admit_partner(request, world)
    return world.tokens.issue_machine_token()


def _exchanged_tokens(request: Request, data: Data) -> Given:
    world: World = request.app.state.world
    admit_partner(request, world)
    if data["requested_subject"] != world.options.account_id:
        raise RefusedError(403, "OAUTH_CLIENT_NOT_CHILD_OF_PARTNER")
    return world.tokens.exchange(data["subject_token"])


def _refreshed_tokens(request: Request, data: Data) -> Given:
    world: World = request.app.state.world
    return world.tokens.refresh(data["refresh_token"], data["client_id"])


def _no_tokens(_request: Request, _data: Data) -> Given:
    raise invalid("grant_type authorization_code is not offered by this simulation")


GRANTS = {
    "client_credentials": Grant(holder="client_credentials_data", data={"scope": SCOPE}, give=_machine_token),
    "urn:ietf:params:oauth:grant-type:token-exchange": Grant(
        holder="token_exchange_data",
        data={
            "subject_token": text(),
            "subject_token_type": choice(MACHINE_TOKEN_TYPE),
            "requested_subject": text(pattern=r"[0-9]+"),
            "scope": SCOPE,
        },
        give=_exchanged_tokens,
    ),
    "refresh_token": Grant(
        holder="refresh_token_data",
        data={"refresh_token": text(), "client_id": text()},
        give=_refreshed_tokens,
    ),
    "authorization_code": Grant(
        holder="authorize_code_data",
        data={"code": text(), "redirect_uri": text(), "client_id": text(), "code_verifier": text()},
        give=_no_tokens,
    ),
}
