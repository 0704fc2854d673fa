"""Who is calling, and what that caller may do. Secrets are compared in constant time and kept only as digests."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

import orjson

from app.clock import Clock
from app.errors import (
    CallerUnknown,
    CredentialMissing,
    Forbidden,
    GatewayError,
    KeysUnavailable,
    OtherUser,
    TokenExpired,
)
from app.sealing import KeyRing
from app.telemetry import learned

# Verified user tokens are remembered: checking a signature costs more than the rest of a request. Bounded in number,
# and in time, so that a key withdrawn from the CRM's JWKS is not trusted for the rest of a long token's life.
REMEMBERED = 4096
REMEMBERED_FOR = timedelta(minutes=5)

RELAY_LIFETIME = timedelta(hours=12)
_RELAY_PREFIX = "wgr_"
_RELAY_PURPOSE = b"relay-token"


class Role(StrEnum):
    """What a credential is."""

    SERVER = "server"
    ADMIN = "admin"
    USER = "user"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose credential was good. `user_id` is set for tokens, which speak for one user only."""

    account: str
    role: Role
    user_id: str | None = None
    user_name: str | None = None

    def must_be_admin(self) -> None:
        """Raises `Forbidden` for everybody else."""
        if self.role is not Role.ADMIN:
            raise Forbidden("This needs an admin key (ADMIN_API_KEYS).")

    def may_ask_for_links(self) -> None:
        """Raises `Forbidden` for a relay token, which only posts events."""
        if self.role is Role.RELAY:
            raise Forbidden("A relay token only posts events. Ask for links with a user token or a server key.")

    def may_tell_deals(self) -> None:
        """Raises `Forbidden` for tokens: who sees a deal is for the CRM's back end to say, not for a page."""
        if self.role not in {Role.SERVER, Role.ADMIN}:
            raise Forbidden("Deals are told by the CRM's back end: send a server key (API_KEYS).")

    def may_speak_for(self, user_id: str) -> None:
        """Raises `OtherUser` when a token's caller names another user."""
        if self.user_id is not None and self.user_id != user_id:
            raise OtherUser("The token belongs to another user. Leave user_id out, or send that user's token.")


@dataclass(frozen=True, slots=True)
class UserClaims:
    """What a verified user token says."""

    user_id: str
    name: str | None
    expires_at: datetime


class UserTokens(Protocol):
    """Verifies the CRM's user tokens, or raises `CallerUnknown`. Without its key at hand, it must be fetched."""

    def has_key_for(self, token: str) -> bool: ...
    async def verify(self, token: str) -> UserClaims: ...


@dataclass(frozen=True)
class Keys:
    """The credentials of one account, as digests."""

    account: str
    server: Sequence[bytes]
    admin: Sequence[bytes]
    users: UserTokens | None

    @classmethod
    def of(cls, account: str, *, server: Sequence[str], admin: Sequence[str], users: UserTokens | None) -> "Keys":
        """The same from the keys themselves."""
        return cls(account, [_digest(key) for key in server], [_digest(key) for key in admin], users)


@dataclass(frozen=True, slots=True)
class RelayToken:
    """What lets a page post events of one user for a while."""

    token: str = field(repr=False)
    expires_at: datetime


class Authenticator:
    """Knows every credential of every account."""

    def __init__(self, keys: Sequence[Keys], ring: KeyRing, clock: Clock) -> None:
        self._keys = keys
        self._ring = ring
        self._clock = clock
        self._relay_token = lru_cache(maxsize=1024)(self._signed_relay_token)
        self._verified: dict[bytes, tuple[Caller, datetime]] = {}  # in the order of their coming

    async def identify(self, authorization: str | None) -> Caller:
        """The caller behind an `Authorization` header.

        Raises:
            CredentialMissing: there is none.
            TokenExpired: it was good once.
            CallerUnknown: it is none of ours.
            KeysUnavailable: a CRM's JWKS cannot be read, so nobody knows.
        """
        caller = await self._caller(_bearer(authorization))
        learned(account=caller.account, caller=caller.role.value)
        return caller

    def relay_token(self, account: str, user_id: str) -> RelayToken:
        """A token with which a page posts events of `user_id`, and nothing else."""
        # To the minute, so that a user who asks again at once gets the token that is already made.
        return self._relay_token(
            account, user_id, (self._clock.now() + RELAY_LIFETIME).replace(second=0, microsecond=0)
        )

    def _signed_relay_token(self, account: str, user_id: str, expires_at: datetime) -> RelayToken:
        says = urlsafe_b64encode(orjson.dumps([account, user_id, int(expires_at.timestamp())]))
        signature = self._ring.sign(says, purpose=_RELAY_PURPOSE)
        return RelayToken(f"{_RELAY_PREFIX}{says.decode()}.{signature}", expires_at)

    async def _caller(self, credential: str) -> Caller:
        digest = _digest(credential)
        if remembered := self._remembered(digest):
            return remembered
        if known := self._by_key(digest):
            return known
        if credential.startswith(_RELAY_PREFIX):
            return self._by_relay_token(credential)
        return await self._by_user_token(credential, digest)

    def _by_key(self, digest: bytes) -> Caller | None:
        found: Caller | None = None
        # No early return: how long this takes says nothing about which key came close.
        for keys in self._keys:
            for role, digests in ((Role.SERVER, keys.server), (Role.ADMIN, keys.admin)):
                for known in digests:
                    if hmac.compare_digest(known, digest):
                        found = Caller(keys.account, role)
        return found

    def _by_relay_token(self, credential: str) -> Caller:
        says, _, signature = credential.removeprefix(_RELAY_PREFIX).partition(".")
        if not self._ring.is_signed(says.encode(), signature, purpose=_RELAY_PURPOSE):
            raise CallerUnknown("The relay token is not one of this gateway's.")
        account, user_id, expires_at = orjson.loads(urlsafe_b64decode(says))
        if expires_at <= self._clock.now().timestamp():
            raise TokenExpired("The relay token expired. POST /links gives a new one.")
        if not any(keys.account == account for keys in self._keys):
            raise CallerUnknown("The relay token's account is not served here any more.")
        return Caller(account, Role.RELAY, user_id)

    async def _by_user_token(self, credential: str, digest: bytes) -> Caller:
        refused: GatewayError = CallerUnknown("The credential is neither a key nor a user token of this gateway.")
        for account, users in self._verifiers(credential):
            try:
                claims = await users.verify(credential)
            except TokenExpired:
                raise  # Proven to be this account's: no other one would take it.
            except (CallerUnknown, KeysUnavailable) as error:
                # While one account's keys cannot be read, nobody knows whether the token is that account's.
                refused = refused if isinstance(refused, KeysUnavailable) else error
                continue
            caller = Caller(account, Role.USER, claims.user_id, claims.name)
            self._remember(digest, caller, claims.expires_at)
            return caller
        raise refused

    def _verifiers(self, token: str) -> list[tuple[str, UserTokens]]:
        """Who may know the token, first those who need not fetch a key: no account waits for the JWKS of another."""
        found = [(keys.account, keys.users) for keys in self._keys if keys.users]
        return sorted(found, key=lambda one: not one[1].has_key_for(token)) if len(found) > 1 else found

    def _remembered(self, digest: bytes) -> Caller | None:
        known = self._verified.get(digest)
        if known is None:
            return None
        if known[1] <= self._clock.now():
            del self._verified[digest]
            return None
        return known[0]

    def _remember(self, digest: bytes, caller: Caller, expires_at: datetime) -> None:
        self._verified[digest] = (caller, min(expires_at, self._clock.now() + REMEMBERED_FOR))
        if len(self._verified) > REMEMBERED:
            del self._verified[next(iter(self._verified))]


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise CredentialMissing("Send Authorization: Bearer with a server key or a user token.")
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise CallerUnknown("Send the credential as Authorization: Bearer <key or token>.")
    return credential.strip()


def _digest(credential: str) -> bytes:
    return sha256(credential.encode("utf-8", "surrogateescape")).digest()
