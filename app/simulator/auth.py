"""Who may call: Bearer for an account's routes, Basic for a partner's grants.

Whoever may not is refused with a code of the vendor's list.
"""

import base64

from starlette.requests import Request

from app.simulator.refusals import RefusedError
from app.simulator.world import World


def admit_account(request: Request, world: World) -> None:
    """Let a v2 account's access token pass."""
    scheme, credentials = _authorization(request)
    if scheme == "basic":
        raise RefusedError(403, "OAUTH_BASIC_SCHEME_FORBIDDEN")
    world.tokens.admit_account(credentials)


def admit_partner(request: Request, world: World) -> None:
    """Let the v2 partner's email and password pass."""
    scheme, credentials = _authorization(request)
    if scheme == "bearer":
        raise RefusedError(403, "OAUTH_BEARER_SCHEME_FORBIDDEN")
    email, password = _email_and_password(credentials)
    if email != world.options.partner_email:
        raise RefusedError(403, "OAUTH_PARTNER_NOT_FOUND")
    if password != world.options.partner_password:
        raise RefusedError(401, "OAUTH_INVALID_PARTNER_TOKEN")


def admit_api_key(request: Request, world: World) -> None:
    """Let a v3 API key pass."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or key.strip() not in world.options.api_keys:
        raise RefusedError(401, "INVALID_API_KEY")


def _authorization(request: Request) -> tuple[str, str]:
    header = request.headers.get("authorization", "").strip()
    if not header:
        raise RefusedError(401, "OAUTH_AUTH_HEADER_MISSING")
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() not in ("basic", "bearer"):
        raise RefusedError(401, "OAUTH_UNKNOWN_SCHEME")
    return scheme.lower(), credentials.strip()


def _email_and_password(credentials: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except ValueError as error:
        raise RefusedError(401, "OAUTH_INVALID_PARTNER_TOKEN") from error
    email, _, password = decoded.partition(":")
    return email, password
