"""Proof of who sent it: the signatures of Standard Webhooks 1.0.0, over the very bytes that are sent."""

import base64
import hmac
import secrets as randomness
from collections.abc import Sequence
from datetime import datetime

_PREFIX = "whsec_"
_FRESH = 32
_SHORTEST, _LONGEST = 24, 64


def new_secret() -> str:
    """A secret that was never used."""
    return _PREFIX + base64.b64encode(randomness.token_bytes(_FRESH)).decode()


def checked_secret(text: str) -> str:
    """`text`, if it is a secret that every library of the specification reads as the same key.

    Raises:
        ValueError: says how a secret is written, and quotes nothing.
    """
    try:
        key = _key(text)
    except ValueError:
        key = b""
    # Compared with what we would write: decoders differ about padding and about bits that are left over.
    if text != _PREFIX + base64.b64encode(key).decode() or not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"write {_PREFIX} and behind it 24 to 64 bytes in base64, with its padding")
    return text


def signed_headers(event_id: str, body: bytes, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The three headers of an attempt made `at`. Each of `secrets` signs: the CRM may know only one of them."""
    timestamp = str(int(at.timestamp()))
    signed = b"%s.%s.%s" % (event_id.encode(), timestamp.encode(), body)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def _key(secret: str) -> bytes:
    # Not remembered: to decode it takes half a microsecond, and a cache would keep keys that were rotated away.
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
