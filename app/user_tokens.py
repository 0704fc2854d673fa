"""User tokens: JWTs that the CRM's back end signs, so that a browser may ask for its own user's chat.

HS256 with a shared secret, or RS256, ES256 and EdDSA with a public key (PEM, or a JWKS that is fetched). `sub` and
`exp` are required, `aud` and, where configured, `iss` must fit (RFC 7519). The algorithm follows from the key that the
operator chose, never from the token alone (RFC 8725, section 3.1).
"""

import asyncio
import base64
import binascii
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jwt
from joserfc.errors import ClaimError, JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from app.auth import UserClaims
from app.clock import Clock
from app.errors import CallerUnknown, KeysUnavailable, TokenExpired
from app.telemetry import Journal

# Both names of the same signature: RFC 8037's, which CRMs still write, and RFC 9864's.
_EDWARDS = ("EdDSA", "Ed25519")
_REGISTRY = JWSRegistry(algorithms=["HS256", "RS256", "ES256", *_EDWARDS])

# `iat` and `nbf` of a token that was signed on a machine whose clock runs ahead. `exp` gets no such grace.
_CLOCK_SKEW = 30
# Control characters, and halves of surrogate pairs, which JSON can write and UTF-8 cannot.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What Wazzup takes; a longer name is cut rather than refused, since the user can do nothing about it.
_LONGEST_NAME = 150
_FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)

JWKS_LIFETIME = timedelta(minutes=10)
# An unknown `kid` may mean that the CRM rotated its keys, or that somebody plays: asked again at most this often.
JWKS_PAUSE = timedelta(seconds=30)
JWKS_PATIENCE = 5.0
JWKS_CAP = 256 * 1024


class KeySource(Protocol):
    """Where the key for a token comes from, and what it may be used for."""

    @property
    def algorithms(self) -> Sequence[str]: ...

    def has(self, kid: str | None) -> bool: ...
    async def find(self, kid: str | None) -> Key | None: ...


@dataclass(frozen=True)
class FixedKey:
    """One key from the environment."""

    key: Key
    algorithms: Sequence[str]

    def has(self, kid: str | None) -> bool:
        """Always."""
        return True

    async def find(self, kid: str | None) -> Key | None:
        """The one key: a `kid` says nothing where there is no choice."""
        return self.key

    @classmethod
    def secret(cls, secret: str) -> "FixedKey":
        """A secret shared with the CRM."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # told at the start, in our own words
            return cls(OctKey.import_key(secret), ("HS256",))

    @classmethod
    def pem(cls, pem: str) -> "FixedKey":
        """A public key in PEM; `\\n` may stand for a line break, as it does in many `.env` files.

        Raises:
            ValueError: not a public key that signs user tokens.
        """
        text = pem.replace("\\n", "\n")
        try:
            public = load_pem_public_key(text.encode())
        except UnsupportedAlgorithm as error:
            raise ValueError("a key of a kind that is not known here") from error
        match public:
            case RSAPublicKey():
                return cls(RSAKey.import_key(text), ("RS256",))
            case EllipticCurvePublicKey() if public.curve.name == "secp256r1":
                return cls(ECKey.import_key(text), ("ES256",))
            case Ed25519PublicKey():
                return cls(OKPKey.import_key(text), _EDWARDS)
            case _:
                raise ValueError("not a key for RS256, ES256 or EdDSA")


class Jwks:
    """A JWKS that the CRM publishes: fetched with a time-out, kept, and fetched again for a `kid` it does not know."""

    algorithms = ("RS256", "ES256", *_EDWARDS)

    def __init__(self, url: str, http: httpx.AsyncClient, clock: Clock, journal: Journal) -> None:
        self._url = url
        self._http = http
        self._clock = clock
        self._journal = journal
        self._keys: list[Key] = []
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._failure: Exception | None = None
        self._fetching = asyncio.Lock()

    def has(self, kid: str | None) -> bool:
        """Whether `find` gives a key, though perhaps an old one, without waiting for the network."""
        return self._known(kid) is not None

    async def find(self, kid: str | None) -> Key | None:
        """The key named `kid`; without a `kid`, the only key there is.

        Raises:
            KeysUnavailable: the JWKS was never read, and cannot be read now.
        """
        known = self._known(kid)
        # While one request fetches, the others go on with what is known.
        if known is None or (self._is_stale() and not self._fetching.locked()):
            await self._refresh(kid)
        return self._known(kid)

    def _known(self, kid: str | None) -> Key | None:
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.kid == kid), None)

    def _is_stale(self) -> bool:
        return self._fetched_at is None or self._clock.now() - self._fetched_at > JWKS_LIFETIME

    async def _refresh(self, kid: str | None) -> None:
        async with self._fetching:
            if not self._is_stale() and self._known(kid) is not None:
                return  # Another request has just fetched it.
            now = self._clock.now()
            if self._tried_at is None or now - self._tried_at >= JWKS_PAUSE:
                self._tried_at = now
                await self._fetch(now)
        if self._fetched_at is None:
            raise KeysUnavailable(
                "The CRM's keys (JWT_JWKS_URL) cannot be read now, so user tokens cannot be checked. Try again soon.",
                retry_after=JWKS_PAUSE,
            ) from self._failure

    async def _fetch(self, now: datetime) -> None:
        try:
            self._keys = await self._download()
        except (httpx.HTTPError, OSError, TimeoutError, ValueError, TypeError, KeyError, JoseError) as error:
            # What is known stays in use: a CRM's outage must not log everybody out.
            self._journal.trouble("jwks.failed", error, hint="JWT_JWKS_URL")
            self._failure = error
            return
        self._fetched_at, self._failure = now, None

    async def _download(self) -> list[Key]:
        async with asyncio.timeout(JWKS_PATIENCE), self._http.stream("GET", self._url) as response:
            response.raise_for_status()
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > JWKS_CAP:
                    raise ValueError("the JWKS is too large")
        if keys := [key for entry in orjson.loads(body)["keys"] if (key := _usable(entry))]:
            return keys
        raise ValueError("the JWKS holds no key that can be used")


def _usable(entry: Any) -> Key | None:
    """A key of a JWKS, or None: what we cannot read does not spoil the others (RFC 7517, section 5)."""
    kinds: dict[Any, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    try:
        key = kinds[entry["kty"]].import_key(entry)
        key.public_key  # noqa: B018 - reads the numbers, which may be none
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return key


@dataclass(frozen=True)
class JwtUserTokens:
    """Verifies user tokens against one source of keys."""

    keys: KeySource
    audience: str
    issuer: str | None
    clock: Clock

    def has_key_for(self, token: str) -> bool:
        """Whether the key that the token names is at hand."""
        try:
            return self.keys.has(_kid(token))
        except CallerUnknown:
            return False

    async def verify(self, token: str) -> UserClaims:
        """What the token says, once its signature and claims are proven.

        Raises:
            TokenExpired: proven, but past its `exp`.
            CallerUnknown: not proven; says what is wrong, not what was sent.
            KeysUnavailable: the keys cannot be read.
        """
        key = await self.keys.find(_kid(token))
        if key is None:
            raise CallerUnknown("The user token is signed by a key that is not known here.")
        now = self.clock.now()
        try:
            claims = _decoded(token, key, self.keys.algorithms)
            self._rules(now).validate(claims)
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise CallerUnknown(f"The user token is not valid: {_reason(error)}.") from None
        return _claims(claims, now)

    def _rules(self, now: datetime) -> jwt.JWTClaimsRegistry:
        rules: dict[str, Any] = {
            "aud": {"essential": True, "value": self.audience},
            "sub": {"essential": True},
        }
        if self.issuer:
            rules["iss"] = {"essential": True, "value": self.issuer}
        return _NoExpiry(now=int(now.timestamp()), leeway=_CLOCK_SKEW, **rules)


class _NoExpiry(jwt.JWTClaimsRegistry):
    """All rules but `exp`, which is judged without leeway and answered with an error of its own."""

    def validate_exp(self, value: object) -> None:
        """Left to `_claims`."""


def _decoded(token: str, key: Key, algorithms: Sequence[str]) -> dict[str, Any]:
    with warnings.catch_warnings():
        # joserfc warns that EdDSA is called Ed25519 now: the CRM wrote it, and the operator cannot change that.
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.decode(token, key, algorithms=algorithms, registry=_REGISTRY).claims


def _claims(claims: dict[str, Any], now: datetime) -> UserClaims:
    user_id, name, expiry = claims["sub"].strip(), claims.get("name"), claims.get("exp")
    if isinstance(expiry, bool) or not (
        isinstance(expiry, int) or (isinstance(expiry, float) and math.isfinite(expiry))
    ):
        raise CallerUnknown("The user token is not valid: exp is missing or not a number.")
    if not user_id or _CONTROLS.search(user_id):
        raise CallerUnknown("The user token is not valid: sub must be the CRM user's id.")
    if expiry <= now.timestamp():
        raise TokenExpired("The user token expired. Ask the CRM for a new one.")
    named = _CONTROLS.sub(" ", name).strip()[:_LONGEST_NAME] if isinstance(name, str) else ""
    return UserClaims(user_id, named or None, datetime.fromtimestamp(min(expiry, _FAR_FUTURE.timestamp()), UTC))


def _kid(token: str) -> str | None:
    """Which key the token says it was signed with: a hint for the search, proven by the signature."""
    header, dot, _ = token.partition(".")
    try:
        found = orjson.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))) if dot else None
    except (ValueError, binascii.Error):
        found = None
    if not isinstance(found, dict):
        raise CallerUnknown("The credential is neither a key nor a user token of this gateway.")
    kid = found.get("kid")
    return kid if isinstance(kid, str) else None


def _reason(error: Exception) -> str:
    # joserfc's short words for the rule that was broken; its messages, and everybody else's, may quote the token.
    words = getattr(error, "error", "malformed")
    return f"{words}: {error.claim}" if isinstance(error, ClaimError) else str(words)
