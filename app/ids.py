"""Names that sort by the time they were made: `evt_` and `wh_`, in the alphabet that `webhook-id` allows."""

import secrets
from datetime import UTC, datetime
from typing import Final

# Crockford's base 32: sorts as the number does.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME, _CHANCE = 10, 12


def new_id(kind: str, at: datetime) -> str:
    """`kind`, then ten characters of time (milliseconds) and twelve (60 bits) of chance."""
    return f"{kind}_{_written(int(at.timestamp() * 1000), _TIME)}{_written(secrets.randbits(60), _CHANCE)}"


def oldest_since(at: datetime) -> str:
    """Sorts before every event id made since."""
    return f"evt_{_written(max(0, int(at.timestamp() * 1000)), _TIME)}"


def made_at(name: str) -> datetime:
    """When an id was made."""
    number = 0
    for character in name.partition("_")[2][:_TIME]:
        number = number * 32 + _ALPHABET.index(character)
    return datetime.fromtimestamp(number / 1000, UTC)


def _written(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> (5 * place) & 31] for place in range(length - 1, -1, -1))
