"""What signs the user tokens of the tests: a CRM with keys of every kind, and an attacker who writes tokens by hand."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from app.user_tokens import FixedKey, JwtUserTokens, KeySource
from tests.driver import JWT_SECRET, NOON, Clock

NOW = int(NOON.timestamp())
JWKS_URL = "https://crm.example/jwks.json"

Key = RSAKey | ECKey | OKPKey

RSA = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
EC = ECKey.generate_key("P-256", {"kid": "ec"}, private=True)
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"}, private=True)
SIGNERS: dict[str, Key] = {"RS256": RSA, "ES256": EC, "Ed25519": ED}
STRANGER = RSAKey.generate_key(2048, {"kid": "stranger"}, private=True)

by_algorithm = pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "Ed25519"])


def claims(**chosen: Any) -> dict[str, Any]:
    """What a CRM claims of its user; a claim of None is left out."""
    usual = {"sub": "anna", "aud": "wazzup-gateway", "exp": NOW + 3600}
    return {name: value for name, value in (usual | chosen).items() if value is not None}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs256(payload: bytes | dict[str, Any], *, secret: str = JWT_SECRET, **header: Any) -> str:
    """A token made by hand, as an attacker or an odd library would: any payload, any header."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{b64(json.dumps({'alg': 'HS256', 'typ': 'JWT'} | header).encode())}.{b64(body)}"
    return f"{signed}.{b64(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def signed(key: Key, algorithm: str, *, kid: str | None = None, **chosen: Any) -> str:
    header = {"alg": "Ed25519" if algorithm == "EdDSA" else algorithm} | ({"kid": kid} if kid else {})
    if algorithm != "EdDSA":
        return jwt.encode(header, claims(**chosen), key, algorithms=[algorithm])
    # The same signature under the older name, which our library still reads but no longer likes to write.
    assert isinstance(key, OKPKey)
    head = {"alg": "EdDSA"} | ({"kid": kid} if kid else {})
    message = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims(**chosen)).encode())}"
    private: Any = key.private_key
    return f"{message}.{b64(private.sign(message.encode()))}"


def signer(algorithm: str) -> Key:
    return SIGNERS["Ed25519" if algorithm == "EdDSA" else algorithm]


def pem(key: Key) -> str:
    return key.as_pem(private=False).decode()


def published(*keys: Key) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def tokens(clock: Clock, keys: KeySource | None = None, *, issuer: str | None = None) -> JwtUserTokens:
    return JwtUserTokens(keys or FixedKey.secret(JWT_SECRET), "wazzup-gateway", issuer, clock)
