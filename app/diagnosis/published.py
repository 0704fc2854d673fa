"""The keys that a CRM publishes: can they be read? They are, as when the gateway serves, and within the same time."""

import httpx

from app.auth import UserTokens
from app.diagnosis.causes import in_plain_words
from app.diagnosis.findings import Finding, failed, ok
from app.errors import KeysUnavailable
from app.user_tokens import Jwks, JwtUserTokens


async def published_keys(users: UserTokens | None) -> list[Finding]:
    """One finding where user tokens are verified by a JWKS; else none."""
    if not (isinstance(users, JwtUserTokens) and isinstance(users.keys, Jwks)):
        return []
    try:
        await users.keys.find(None)
    except KeysUnavailable as error:
        says = f"The keys at JWT_JWKS_URL cannot be read, so nobody gets in by a user token: {_why(error.__cause__)}."
        return [failed("keys", says, "JWT_JWKS_URL")]
    return [ok("keys", "The keys at JWT_JWKS_URL can be read.")]


def _why(error: BaseException | None) -> str:
    match error:
        case httpx.HTTPStatusError(response=httpx.Response(status_code=status)):
            return f"it answers {status}"
        case ValueError() | TypeError() | KeyError():
            return "what is there is no JWKS with a key that can be used"
        case _:
            return in_plain_words(error)
