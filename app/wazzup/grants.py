"""How v2 tokens are obtained: `POST /v2/oauth/token`, in the two ways that need no browser.

Wazzup Label has an OAuth client and a refresh token, which every use replaces. White Label is a partner, who trades
a machine token for the tokens of one account, as often as needed.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from app.errors import WazzupForbidden, WazzupRefused, WazzupUnreadable
from app.wazzup.metered import MeteredWire

PATH = "/v2/oauth/token"
SCOPE = "transport,crm"
MACHINE_TOKEN = "urn:wazzup:oauth:token-type:machine_token"  # noqa: S105 - the name of a kind of token
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the name of a grant
LONGEST_LIFE = timedelta(days=365)
# For a token whose life is not told: short, since a token that is renewed too early costs a call and nothing else.
UNTOLD_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Granted:
    """Tokens as Wazzup gave them. Only `expires_in` tells how long they live: no two sources agree on a number."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: timedelta


class Grantor(Protocol):
    """A way to tokens. `used_up`: each use costs what it asked with. `identity`: what the operator set."""

    @property
    def used_up(self) -> bool: ...
    @property
    def identity(self) -> str: ...
    async def grant(self, refresh_token: str | None, /) -> Granted: ...


@dataclass(frozen=True)
class Refresh:
    """Wazzup Label: the refresh grant. Each refresh token is good for one use, and is answered with the next."""

    wire: MeteredWire
    client_id: str
    refresh_token: str = field(repr=False)
    used_up: bool = True

    @property
    def identity(self) -> str:
        """What the operator set: another one is another grant."""
        return f"{self.client_id}\n{self.refresh_token}"

    async def grant(self, refresh_token: str | None) -> Granted:
        """Tokens for `refresh_token`, or for the operator's own.

        Raises:
            WazzupForbidden: it is used up, expired or revoked.
            WazzupError: as `Wire.post`.
        """
        using = refresh_token or self.refresh_token
        data = {"refresh_token": using, "client_id": self.client_id}
        question = {"grant_type": "refresh_token", "refresh_token_data": data}
        try:
            answer = await self.wire.post(PATH, question, authorization=None, secrets=(using,))
        except (WazzupRefused, WazzupForbidden) as error:
            raise WazzupForbidden(
                "Wazzup does not renew the gateway's tokens: the refresh token is used up, expired or revoked. "
                "Operator: authorise once more and set WAZZUP_REFRESH_TOKEN.",
                vendor=error.vendor,
            ) from error
        return _granted(answer)


@dataclass(frozen=True)
class Exchange:
    """White Label: the partner's machine token, traded for the tokens of one of its accounts."""

    wire: MeteredWire
    email: str
    password: str = field(repr=False)
    account_id: str
    used_up: bool = False

    @property
    def identity(self) -> str:
        """Whose tokens these are; a changed password changes nothing about them."""
        return f"{self.email}\n{self.account_id}"

    async def grant(self, _refresh_token: str | None) -> Granted:
        """New tokens of the account.

        Raises:
            WazzupForbidden: Wazzup refuses the partner, or the account is not the partner's.
            WazzupError: as `Wire.post`.
        """
        machine = await self._asked(
            {"grant_type": "client_credentials", "client_credentials_data": {"scope": SCOPE}}, secrets=()
        )
        data = {
            "subject_token": machine.access_token,
            "subject_token_type": MACHINE_TOKEN,
            "requested_subject": self.account_id,
            "scope": SCOPE,
        }
        return await self._asked(
            {"grant_type": TOKEN_EXCHANGE, "token_exchange_data": data}, secrets=(machine.access_token,)
        )

    async def _asked(self, question: dict[str, Any], secrets: Sequence[str]) -> Granted:
        basic = b64encode(f"{self.email}:{self.password}".encode()).decode()
        try:
            answer = await self.wire.post(
                PATH, question, authorization=f"Basic {basic}", secrets=(basic, self.password, *secrets)
            )
        except WazzupRefused as error:
            raise WazzupForbidden(
                "Wazzup does not exchange the partner's token. Operator: wazzup.code says why; check "
                "WAZZUP_PARTNER_EMAIL, WAZZUP_PARTNER_PASSWORD and WAZZUP_ACCOUNT_ID.",
                vendor=error.vendor,
            ) from error
        return _granted(answer)


def _granted(answer: Any) -> Granted:
    data = answer.get("data") if isinstance(answer, dict) else None
    fields: dict[str, Any] = data if isinstance(data, dict) else {}
    access, refresh = fields.get("access_token"), fields.get("refresh_token")
    if not _usable(access):
        raise WazzupUnreadable("Wazzup's answer holds no token.")
    # The rest is read kindly: what was asked with may be used up, and this answer all that is left of the grant.
    return Granted(str(access), str(refresh) if _usable(refresh) else None, _life(fields.get("expires_in")))


def _usable(token: object) -> bool:
    return isinstance(token, str) and token != "" and token.isascii() and token.isprintable()


def _life(seconds: object) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return UNTOLD_LIFE
    return timedelta(seconds=min(seconds, LONGEST_LIFE.total_seconds()))
