"""An account in words: how Wazzup is entered for it, who may call, and what of that an operator should think over."""

from collections.abc import Iterator

from app.accounts import AccessToken, Account, ApiKey, RefreshGrant, TokenExchange
from app.diagnosis.findings import Finding, counted, misconfigured, ok, warning
from app.limits import Rate
from app.sealing import SECRET_LENGTH

WEAK_KEY = 16

_APIS = {"v2": "Wazzup's partner API (v2)", "v3": "Wazzup's public API (v3)"}


def findings_of(account: Account) -> list[Finding]:
    """What is set, in words.

    Raises:
        Misconfigured: it says no way into Wazzup, or several.
    """
    return [
        ok("configuration", f"{_APIS[account.wazzup_api]} at {account.base_url}, {_way_in(account)}."),
        *_callers(account),
        _origins(account),
        ok("limits", f"{_rate(account.wazzup_rate_limit)} to Wazzup; {_rate(account.link_rate_limit)} of each user."),
        ok("users", "Introduced to Wazzup before their first link." if account.wazzup_sync_users else _STRANGERS),
    ]


_STRANGERS = "Not introduced to Wazzup, which has to know them already (WAZZUP_SYNC_USERS)."


def doubts(account: Account) -> Iterator[tuple[str, str]]:
    """What an operator should think over before anybody calls: what it is, as logs name it, and a sentence."""
    if not account.knows_a_caller:
        yield "callers.missing", "API_KEYS: nobody may call. Set it, ADMIN_API_KEYS or a JWT_ variable."
    if any(len(key) < WEAK_KEY for key in account.keys):
        yield "secret.weak", f"API_KEYS, ADMIN_API_KEYS: use at least {WEAK_KEY} random characters."
    if account.jwt_secret and len(account.jwt_secret.get_secret_value()) < SECRET_LENGTH:
        yield "secret.weak", f"JWT_SECRET: use at least {SECRET_LENGTH} characters (RFC 7518, section 3.2)."


def _way_in(account: Account) -> str:
    # Without the client's id: who mixes up two variables has written the refresh token there.
    match account.wazzup_way():
        case AccessToken():
            return "by an access token"
        case RefreshGrant():
            return "by the refresh grant of an OAuth client"
        case TokenExchange(account_id=number):
            return f"by a partner's token, exchanged for one of the account {number}"
        case ApiKey():
            return "by an API key"


def _callers(account: Account) -> Iterator[Finding]:
    if account.knows_a_caller:
        known = [
            *([counted(len(account.api_keys), "server key")] if account.api_keys else []),
            *([counted(len(account.admin_api_keys), "admin key")] if account.admin_api_keys else []),
            *([f"users by {how}"] if (how := _user_tokens(account)) else []),
        ]
        yield ok("callers", f"Who may call: {', '.join(known)}.")
    for _, sentence in doubts(account):
        yield warning("callers", sentence, *misconfigured(sentence).mends)


def _user_tokens(account: Account) -> str | None:
    if account.jwt_secret:
        return "tokens that JWT_SECRET signs (HS256)"
    if account.jwt_public_key:
        return "tokens that JWT_PUBLIC_KEY verifies"
    return "tokens that the keys at JWT_JWKS_URL verify" if account.jwt_jwks_url else None


def _origins(account: Account) -> Finding:
    if account.allowed_origins:
        return ok("origins", f"Pages of {', '.join(account.allowed_origins)} may call.")
    if account.signer:
        says = "User tokens are for browsers, but pages of no origin may call."
        return warning("origins", says, "ALLOWED_ORIGINS")
    return ok("origins", "No page in a browser may call.")


def _rate(rate: Rate) -> str:
    return f"{counted(rate.calls, 'call')} in {counted(rate.seconds, 'second')}"
