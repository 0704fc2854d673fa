"""Every error that a caller can meet, each with its HTTP status and its stable code.

A test keeps this drawing true:

    GatewayError                  500 INTERNAL_ERROR
    ├── BodyNotJson               400 BODY_NOT_JSON
    ├── CallerUnknown             401 CREDENTIAL_INVALID
    │   ├── CredentialMissing     401 CREDENTIAL_MISSING
    │   └── TokenExpired          401 TOKEN_EXPIRED
    ├── Forbidden                 403 FORBIDDEN
    │   └── OtherUser             403 OTHER_USER
    ├── RouteUnknown              404 NOT_FOUND
    │   ├── WebhookUnknown        404 WEBHOOK_NOT_FOUND
    │   ├── EventUnknown          404 EVENT_NOT_FOUND
    │   └── DeliveryUnknown       404 DELIVERY_NOT_FOUND
    ├── MethodUnknown             405 METHOD_NOT_ALLOWED
    ├── BodyTooSlow               408 BODY_TOO_SLOW
    ├── Conflict                  409 CONFLICT
    │   ├── WebhooksExhausted     409 WEBHOOKS_EXHAUSTED
    │   └── WebhookDisabled       409 WEBHOOK_DISABLED
    ├── BodyTooLarge              413 BODY_TOO_LARGE
    ├── ContentTypeUnknown        415 CONTENT_TYPE_UNSUPPORTED
    ├── Invalid                   422 VALIDATION_FAILED
    ├── RateLimited               429 RATE_LIMITED
    ├── Stopping                  503 GATEWAY_STOPPING
    ├── StoreUnavailable          503 STORE_UNAVAILABLE
    ├── KeysUnavailable           503 JWKS_UNAVAILABLE
    └── WazzupError               502 WAZZUP_ERROR
        ├── WazzupRefused         422 WAZZUP_REFUSED
        │   └── UserUnknown       422 WAZZUP_USER_UNKNOWN
        ├── WazzupForbidden       502 WAZZUP_FORBIDDEN
        └── WazzupUnavailable     502 WAZZUP_UNAVAILABLE
            ├── WazzupUnreadable  502 WAZZUP_UNREADABLE
            ├── WazzupBusy        503 WAZZUP_BUSY
            │   └── BudgetSpent   503 WAZZUP_BUDGET_SPENT
            ├── CircuitOpen       503 WAZZUP_CIRCUIT_OPEN
            └── WazzupTimeout     504 WAZZUP_TIMEOUT
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a body. `pointer` is a JSON pointer as URI fragment (RFC 9457, section 3)."""

    detail: str
    pointer: str = "#"


@dataclass(frozen=True, slots=True)
class VendorSaid:
    """What Wazzup answered, cut down to what is safe to pass on."""

    status: int | None = None
    code: str | None = None
    detail: str | None = None
    errors: tuple[str, ...] = ()


class GatewayError(Exception):
    """The root. `detail` is read by the caller: it says what to do and repeats nothing that was sent."""

    status = 500
    code = "INTERNAL_ERROR"
    title = "Internal Error"

    def __init__(
        self,
        detail: str = "Something went wrong inside the gateway. Its log tells more under the request id.",
        *,
        faults: Sequence[Fault] = (),
        retry_after: timedelta | None = None,
        vendor: VendorSaid | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.retry_after = retry_after
        self.vendor = vendor
        self._headers = dict(headers or {})

    def restated(self, detail: str | None = None) -> Self:
        """The same error anew: one that several callers meet must not gather what is added for one of them."""
        said = self.detail if detail is None else detail
        return type(self)(
            said, faults=self.faults, retry_after=self.retry_after, vendor=self.vendor, headers=self._headers
        )

    def headers(self) -> dict[str, str]:
        """Headers that belong to this error wherever it is answered."""
        if self.retry_after is None:
            return self._headers
        # Rounded up: a caller that obeys must not come a moment too early.
        return self._headers | {"Retry-After": str(max(1, math.ceil(self.retry_after.total_seconds())))}


class BodyNotJson(GatewayError):
    """The body is not JSON, or not UTF-8."""

    status, code, title = 400, "BODY_NOT_JSON", "Body Is Not JSON"


class CallerUnknown(GatewayError):
    """The credential is not one of ours."""

    status, code, title = 401, "CREDENTIAL_INVALID", "Credential Invalid"
    challenge = 'error="invalid_token"'

    def headers(self) -> dict[str, str]:
        """The challenge of RFC 6750, section 3."""
        challenge = f'Bearer realm="wazzup-gateway", {self.challenge}'
        return super().headers() | {"WWW-Authenticate": challenge.rstrip(", ")}


class CredentialMissing(CallerUnknown):
    """No Authorization header. RFC 6750 wants a bare challenge then."""

    code, title = "CREDENTIAL_MISSING", "Credential Missing"
    challenge = ""


class TokenExpired(CallerUnknown):
    """The token was good once: ask for a new one."""

    code, title = "TOKEN_EXPIRED", "Token Expired"
    challenge = 'error="invalid_token", error_description="The token expired"'


class Forbidden(GatewayError):
    """We know the caller, and the caller may not do this."""

    status, code, title = 403, "FORBIDDEN", "Forbidden"


class OtherUser(Forbidden):
    """A token of one user, a request for another."""

    code, title = "OTHER_USER", "Other User"


class RouteUnknown(GatewayError):
    """Nothing lives at this path."""

    status, code, title = 404, "NOT_FOUND", "Not Found"


class WebhookUnknown(RouteUnknown):
    """No webhook of this account has this id."""

    code, title = "WEBHOOK_NOT_FOUND", "Webhook Not Found"


class EventUnknown(RouteUnknown):
    """No event of this account has this id, or it is older than events are kept."""

    code, title = "EVENT_NOT_FOUND", "Event Not Found"


class DeliveryUnknown(RouteUnknown):
    """No delivery of this account has this id, or it is older than deliveries are kept."""

    code, title = "DELIVERY_NOT_FOUND", "Delivery Not Found"


class MethodUnknown(GatewayError):
    """The path exists, the method does not."""

    status, code, title = 405, "METHOD_NOT_ALLOWED", "Method Not Allowed"


class BodyTooSlow(GatewayError):
    """The body did not arrive in time."""

    status, code, title = 408, "BODY_TOO_SLOW", "Body Too Slow"


class Conflict(GatewayError):
    """What is asked for does not go together with how things are."""

    status, code, title = 409, "CONFLICT", "Conflict"


class WebhooksExhausted(Conflict):
    """The account has as many webhooks as it may."""

    code, title = "WEBHOOKS_EXHAUSTED", "Too Many Webhooks"


class WebhookDisabled(Conflict):
    """The webhook is disabled: enable it first."""

    code, title = "WEBHOOK_DISABLED", "Webhook Disabled"


class BodyTooLarge(GatewayError):
    """The body is larger than any honest one."""

    status, code, title = 413, "BODY_TOO_LARGE", "Body Too Large"


class ContentTypeUnknown(GatewayError):
    """Only plain application/json is read."""

    status, code, title = 415, "CONTENT_TYPE_UNSUPPORTED", "Content Type Unsupported"


class Invalid(GatewayError):
    """The body or a parameter breaks the contract; each fault says where and what to do."""

    status, code, title = 422, "VALIDATION_FAILED", "Validation Failed"


class RateLimited(GatewayError):
    """This user asked too often."""

    status, code, title = 429, "RATE_LIMITED", "Too Many Requests"


class Stopping(GatewayError):
    """The gateway was asked to end, and this request took longer than it may wait."""

    status, code, title = 503, "GATEWAY_STOPPING", "Gateway Stopping"


class StoreUnavailable(GatewayError):
    """Redis does not answer, and this cannot be done without it."""

    status, code, title = 503, "STORE_UNAVAILABLE", "Store Unavailable"


class KeysUnavailable(GatewayError):
    """The CRM's JWKS cannot be read now, so no user token can be checked."""

    status, code, title = 503, "JWKS_UNAVAILABLE", "Token Keys Unavailable"


class WazzupError(GatewayError):
    """Wazzup is the cause. `vendor` keeps what it said."""

    status, code, title = 502, "WAZZUP_ERROR", "Wazzup Failed"


class WazzupRefused(WazzupError):
    """Wazzup finds the question itself wrong: the caller can mend it."""

    status, code, title = 422, "WAZZUP_REFUSED", "Wazzup Refused The Request"


class UserUnknown(WazzupRefused):
    """Wazzup does not know the CRM user. The operator can let the gateway introduce users: WAZZUP_SYNC_USERS."""

    code, title = "WAZZUP_USER_UNKNOWN", "User Unknown At Wazzup"


class WazzupForbidden(WazzupError):
    """Wazzup refuses the gateway's credentials: only the operator can mend it."""

    code, title = "WAZZUP_FORBIDDEN", "Wazzup Refused The Gateway"


class WazzupUnavailable(WazzupError):
    """Wazzup is down or out of reach. A link that is still good may be given instead."""

    code, title = "WAZZUP_UNAVAILABLE", "Wazzup Unavailable"


class WazzupUnreadable(WazzupUnavailable):
    """Wazzup answered with something that is no answer, or with a link that we do not trust."""

    code, title = "WAZZUP_UNREADABLE", "Wazzup Answer Unreadable"


class WazzupBusy(WazzupUnavailable):
    """Wazzup asks for fewer requests."""

    status, code, title = 503, "WAZZUP_BUSY", "Wazzup Busy"


class BudgetSpent(WazzupBusy):
    """The calls of WAZZUP_RATE_LIMIT are spent for now, and others wait longer."""

    code, title = "WAZZUP_BUDGET_SPENT", "Wazzup Budget Spent"


class CircuitOpen(WazzupUnavailable):
    """Wazzup keeps failing, so it is left alone for some seconds."""

    status, code, title = 503, "WAZZUP_CIRCUIT_OPEN", "Wazzup Left Alone"


class WazzupTimeout(WazzupUnavailable):
    """Wazzup took longer than WAZZUP_TIMEOUT_SECONDS."""

    status, code, title = 504, "WAZZUP_TIMEOUT", "Wazzup Timed Out"
