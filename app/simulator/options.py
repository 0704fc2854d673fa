"""What a simulated Wazzup can be told at the start. The defaults are made up, for the demo to use."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """So many calls in so many seconds; the next one is answered 429."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How strict the simulation is, whose credentials it takes, and how long its things live."""

    account_id: str = "12341234"
    """The digits of the account; a link shows them with a dash."""

    access_tokens: AbstractSet[str] = frozenset({"demo-access-token"})
    """v2 access tokens that never expire. Those granted by `POST /v2/oauth/token` come on top."""

    api_keys: AbstractSet[str] = frozenset({"demo-api-key"})
    """v3 API keys."""

    partner_email: str = "partner@example.com"
    partner_password: str = "demo-partner-password"  # noqa: S105  # opens nothing but this simulation
    client_id: str = "demo-client"
    refresh_token: str = "demo-refresh-token"  # noqa: S105  # the first one; each use replaces it

    token_lifetime_seconds: int = HOUR
    link_lifetime_seconds: int = 8 * HOUR

    opaque_links: bool = False
    """The link's token is not a JWT, so that its expiry cannot be read from it."""

    unknown_users_refused: bool = False
    """A link for a user that was never sent to Wazzup is refused."""

    v2_rate_limit: RateLimit | None = None
    """The vendor names none for v2."""

    v3_rate_limit: RateLimit | None = RateLimit(calls=500, seconds=5)

    calls_kept: int = 1000
    """How many recorded calls are kept; the oldest go first."""
