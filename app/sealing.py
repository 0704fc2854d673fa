"""What lies in Redis is unreadable there, and unmovable: opened under another name, it is nothing.

Every secret of `SECRET_KEY` (newest first) gives independent keys by HKDF-SHA256 (RFC 5869): one seals
(AES-256-GCM), one turns names into keyed hashes, one signs (BLAKE2b, RFC 7693). The newest seals and signs; all of them
open and verify, so a secret is rotated by putting a new one in front, and taking the old one away when what it sealed
and signed has expired.
"""

import hmac
import os
from collections.abc import Sequence
from hashlib import blake2b
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# Characters of a secret that others cannot guess, however long they try.
SECRET_LENGTH = 32

_VERSION = b"\x01"
_ID, _NONCE = 4, 12
_HEADER = len(_VERSION) + _ID + _NONCE


class Unsealable(Exception):
    """Not sealed by us, sealed for another name, or sealed by a secret that is gone. Never says which."""


class KeyRing:
    """Seals, opens and names with a ring of secrets."""

    def __init__(self, keys: Sequence["_Key"]) -> None:
        self._newest = keys[0]
        self._by_id = {key.id: key for key in keys}

    @classmethod
    def of(cls, secrets: Sequence[str]) -> Self:
        """A ring of these secrets, newest first; at least one."""
        return cls([_Key(secret.encode()) for secret in secrets])

    def __repr__(self) -> str:
        return f"KeyRing({len(self._by_id)} keys)"

    def seal(self, secret: bytes, *, name: str) -> bytes:
        """`secret`, readable only by `open` with the same name."""
        nonce = os.urandom(_NONCE)
        key = self._newest
        return _VERSION + key.id + nonce + key.aead.encrypt(nonce, secret, name.encode())

    def open(self, sealed: bytes, *, name: str) -> bytes:
        """What was sealed for `name`.

        Raises:
            Unsealable: for everything that this ring did not seal for this very name.
        """
        key = self._by_id.get(sealed[1 : 1 + _ID])
        if sealed[:1] != _VERSION or key is None:
            raise Unsealable
        try:
            return key.aead.decrypt(sealed[1 + _ID : _HEADER], sealed[_HEADER:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsealable from error

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest secret sealed it, so that it outlives the others."""
        return sealed[1 : 1 + _ID] == self._newest.id

    def sign(self, message: bytes, *, purpose: bytes) -> str:
        """A signature that only this ring makes, and that is worth nothing for another purpose."""
        return self._newest.signature(message, purpose).hex()

    def is_signed(self, message: bytes, signature: str, *, purpose: bytes) -> bool:
        """Whether a secret of this ring signed `message` for `purpose`. Takes as long for every wrong signature."""
        return any(
            hmac.compare_digest(key.signature(message, purpose).hex().encode(), signature.encode())
            for key in self._by_id.values()
        )

    def hashed(self, what: bytes) -> str:
        """A keyed hash of `what` to use in a name: equal for equal input, meaningless without the ring."""
        return self._newest.hashed(what)

    def hashes(self, what: bytes) -> list[str]:
        """`what` as each secret of the ring names it, newest first: to find what was kept before a rotation."""
        return [key.hashed(what) for key in self._by_id.values()]


class _Key:
    def __init__(self, secret: bytes) -> None:
        self.id = _derived(secret, b"id", _ID)
        self.aead = AESGCM(_derived(secret, b"seal", 32))
        self._hash_key = _derived(secret, b"name", 32)
        self._sign_key = _derived(secret, b"sign", 32)

    def hashed(self, what: bytes) -> str:
        return blake2b(what, key=self._hash_key, digest_size=16).hexdigest()

    def signature(self, message: bytes, purpose: bytes) -> bytes:
        return blake2b(message, key=self._sign_key, person=purpose, digest_size=32).digest()


def _derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=b"wazzup-gateway", info=purpose).derive(secret)
