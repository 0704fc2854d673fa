"""The vendor's errors: one exception inside, rendered in the shape of the generation that was called.

v2   {code, title, status, detail, instance, method, errors?}
v3   {error, description, data?}; its iframe route nests them: {"error": {code, description, data?}}
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

VALIDATION_FAILED = "VALIDATION_FAILED"
INVALID_GRANT = "invalid_grant"

DETAILS = {
    VALIDATION_FAILED: "One or more fields did not pass validation.",
    INVALID_GRANT: "The grant is unknown, used up or expired.",
    "OAUTH_AUTH_HEADER_MISSING": "Authorization header is missing.",
    "OAUTH_UNKNOWN_SCHEME": "Unknown authorization scheme. Use Basic or Bearer.",
    "OAUTH_INVALID_PARTNER_TOKEN": "Invalid partner token.",
    "OAUTH_TOKEN_INVALID_OR_EXPIRED": "Access token is invalid or has expired.",
    "OAUTH_TOKEN_UNKNOWN_OR_REVOKED": "Access token is unknown or has been revoked.",
    "OAUTH_SCOPE_FORBIDDEN": "The user does not have access to the required scope.",
    "OAUTH_CRM_INTEGRATION_REQUIRED": "An active CRM integration is required to use these methods.",
    "OAUTH_BASIC_SCHEME_FORBIDDEN": "This method cannot be called with Basic authentication.",
    "OAUTH_BEARER_SCHEME_FORBIDDEN": "This method cannot be called with Bearer authentication.",
    "OAUTH_PARTNER_NOT_FOUND": "Partner not found.",
    "OAUTH_PARTNER_NOT_ACTIVE": "Partner account is disabled or inactive.",
    "OAUTH_CLIENT_NOT_CHILD_OF_PARTNER": "The client does not belong to this partner.",
    "INTERNAL_SERVER_ERROR": "An unexpected error occurred.",
    "TOO_MANY_REQUESTS": "Too many requests.",
    "INVALID_API_KEY": "The API key is missing or unknown.",
    "FORBIDDEN": "The API key may not do this.",
    "INVALID_USER": "The user is unknown.",
}

USUAL_CODES = {400: VALIDATION_FAILED, 429: "TOO_MANY_REQUESTS"}
V2_USUAL_CODES = {401: "OAUTH_TOKEN_INVALID_OR_EXPIRED", 403: "OAUTH_SCOPE_FORBIDDEN", **USUAL_CODES}
V3_USUAL_CODES = {401: "INVALID_API_KEY", 403: "FORBIDDEN", **USUAL_CODES}


class RefusedError(Exception):
    """The vendor says no: a status, a code and, where fields are at fault, what is wrong with them."""

    def __init__(self, status: int, code: str, errors: tuple[str, ...] = ()) -> None:
        self.status = status
        self.code = code
        self.errors = errors
        super().__init__(f"{status} {code}")

    @property
    def detail(self) -> str:
        """The vendor's sentence for the code; a code of no list gets one all the same."""
        return DETAILS.get(self.code, "The request was refused.")


def usual_code(path: str, status: int) -> str:
    """Name the code that a status usually comes with, in the generation that was called."""
    codes = V3_USUAL_CODES if path.startswith("/v3/") else V2_USUAL_CODES
    return codes.get(status, "INTERNAL_SERVER_ERROR")


def invalid(*errors: str) -> RefusedError:
    """Refuse a body for what its fields are."""
    return RefusedError(400, VALIDATION_FAILED, errors)


def refuse(request: Request, refusal: Exception) -> Response:
    """Render a refusal. (Starlette types its handlers for any exception.)"""
    if not isinstance(refusal, RefusedError):
        raise refusal
    return JSONResponse(error_body(request.url.path, request.method, refusal), refusal.status)


def error_body(path: str, method: str, refusal: RefusedError) -> dict[str, object]:
    """The error in the shape of the generation, and of the route, that was called."""
    if path.startswith("/v3/iframe"):
        return {"error": {"code": refusal.code, **_v3_members(refusal)}}
    if path.startswith("/v3/"):
        return {"error": refusal.code, **_v3_members(refusal)}
    return _v2_body(path, method, refusal)


def _v3_members(refusal: RefusedError) -> dict[str, object]:
    data: dict[str, object] = {"data": {"fields": list(refusal.errors)}} if refusal.errors else {}
    return {"description": refusal.detail, **data}


def _v2_body(path: str, method: str, refusal: RefusedError) -> dict[str, object]:
    body: dict[str, object] = {
        "code": refusal.code,
        "title": refusal.code.replace("_", " ").title(),
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": path,
        "method": method,
    }
    return {**body, "errors": list(refusal.errors)} if refusal.errors else body
