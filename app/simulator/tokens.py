"""The grants of `POST /v2/oauth/token`: what was given out, and until when. A used refresh token is dead."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.simulator.options import Options
from app.simulator.refusals import INVALID_GRANT, RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token that was given out; `expires_at` is None for one that the simulation was started with."""

    partner: bool
    expires_at: datetime | None


class Tokens:
    """Every v2 token that works, or that worked once and has expired since."""

    def __init__(self, options: Options, now: Callable[[], datetime]) -> None:
        self._options = options
        self._now = now
        self._access: dict[str, AccessToken] = {}
        self._refresh: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """Forget every grant; only what the simulation was started with works."""
        self._access = {token: AccessToken(partner=False, expires_at=None) for token in self._options.access_tokens}
        self._refresh = {self._options.refresh_token}

    def revoke_access(self) -> None:
        """Make every access token unknown, as when its owner withdraws them. Refresh tokens live on."""
        self._access.clear()

    def authorise(self) -> str:
        """Give the refresh token that a customer gets who goes through the consent page once more."""
        return str(self._issue_pair()["refresh_token"])

    def given(self) -> set[str]:
        """List every token that works or worked."""
        return {*self._access, *self._refresh}

    def admit_account(self, token: str) -> None:
        """Let an account's token pass; raise `RefusedError` for any other."""
        if self._living(token).partner:
            raise RefusedError(403, "OAUTH_SCOPE_FORBIDDEN")

    def issue_machine_token(self) -> dict[str, object]:
        """Give the partner a token for itself: good for an exchange, and for nothing of an account's."""
        return {"access_token": self._issue(partner=True), "expires_in": self._options.token_lifetime_seconds}

    def exchange(self, subject_token: str) -> dict[str, object]:
        """Give an account's tokens for a living machine token."""
        try:
            machine = self._living(subject_token)
        except RefusedError as refusal:
            raise RefusedError(400, INVALID_GRANT) from refusal
        if not machine.partner:
            raise RefusedError(400, INVALID_GRANT)
        return self._issue_pair()

    def refresh(self, refresh_token: str, client_id: str) -> dict[str, object]:
        """Give new tokens for a refresh token, once."""
        if refresh_token not in self._refresh or client_id != self._options.client_id:
            raise RefusedError(400, INVALID_GRANT)
        self._refresh.remove(refresh_token)
        return self._issue_pair()

    def _living(self, token: str) -> AccessToken:
        found = self._access.get(token)
        if found is None:
            raise RefusedError(401, "OAUTH_TOKEN_UNKNOWN_OR_REVOKED")
        if found.expires_at is not None and found.expires_at <= self._now():
            raise RefusedError(401, "OAUTH_TOKEN_INVALID_OR_EXPIRED")
        return found

    def _issue_pair(self) -> dict[str, object]:
        refresh_token = secrets.token_urlsafe(24)
        self._refresh.add(refresh_token)
        return {
            "access_token": self._issue(partner=False),
            "refresh_token": refresh_token,
            "expires_in": self._options.token_lifetime_seconds,
        }

    def _issue(self, *, partner: bool) -> str:
        token = secrets.token_urlsafe(24)
        lifetime = timedelta(seconds=self._options.token_lifetime_seconds)
        self._access[token] = AccessToken(partner=partner, expires_at=self._now() + lifetime)
        return token
