"""Proof that the gateway sent it: Standard Webhooks 1.0.0, verified by hand, since it takes so few lines."""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

# Seconds that a message may be old, or ahead: what was recorded elsewhere cannot be played again later.
TOLERANCE: Final = 300


class NotGenuine(Exception):
    """Why it is not believed."""


def verify(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> str:
    """The `webhook-id` of a message that is genuine. `body` is what came, byte for byte.

    Raises:
        NotGenuine: not signed with `secret`, or not now.
    """
    name, sent, signatures = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    # ASCII first: other alphabets have digits too, and a very long number is no time.
    if not (sent.isascii() and sent.isdecimal() and len(sent) < len(str(10**12))):
        raise NotGenuine("no timestamp")
    if abs(now.timestamp() - int(sent)) > TOLERANCE:
        raise NotGenuine("too old, or ahead of its time")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([name.encode("latin-1"), sent.encode(), body])
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    # Several, while the secret is being rotated. Compared in constant time.
    if not any(hmac.compare_digest(one.encode("latin-1"), expected) for one in signatures.split(" ")):
        raise NotGenuine("wrong signature")
    return name
