"""Complaints about a body, in the vendor's words: they name fields, and never repeat a submitted value.

A `Check` looks at one field and says what is wrong with it; a `Rule` looks at one record as a whole.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request

from app.simulator.refusals import invalid

Check = Callable[[str, object], Iterator[str]]
Rule = Callable[[dict[str, Any]], Iterator[str]]

DEEPEST: Final = 20
"""How many levels a body may have: far more than any has that passes."""


def read_json(body: bytes) -> Any:
    """A body, read so strictly that whatever was read can be said again: no half of an emoji, no NaN, not too deep.

    Raises:
        ValueError: it is no such JSON.
    """
    found = orjson.loads(body)
    if not _is_shallow(found, DEEPEST):
        raise ValueError("too deep")
    return found


async def read_checked(request: Request, check: Check) -> Any:
    """The request's JSON body, once nothing is wrong with it; else a 400 with every complaint."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise invalid("body must be JSON")
    try:
        body = read_json(await request.body())
    except ValueError as error:
        raise invalid("body must be JSON") from error
    if complaints := tuple(check("", body)):
        raise invalid(*complaints)
    return body


def text(*, max_length: int | None = None, pattern: str | None = None) -> Check:
    """A string with something in it."""

    def check(name: str, value: object) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{name} must be a string"
        elif not value.strip():
            yield f"{name} should not be empty"
        elif max_length is not None and len(value) > max_length:
            yield f"{name} must be shorter than or equal to {max_length} characters"
        elif pattern is not None and not re.fullmatch(pattern, value):
            yield f"{name} must match the required format"

    return check


def label(*, max_length: int | None = None) -> Check:
    """A string that may be empty."""
    filled = text(max_length=max_length)

    def check(name: str, value: object) -> Iterator[str]:
        if value != "":
            yield from filled(name, value)

    return check


def choice(*choices: str) -> Check:
    """One of a few words."""

    def check(name: str, value: object) -> Iterator[str]:
        if value not in choices:
            yield f"{name} must be a valid enum value"

    return check


def flag(name: str, value: object) -> Iterator[str]:
    """True or false, and nothing that only looks like it."""
    if not isinstance(value, bool):
        yield f"{name} must be a boolean value"


def many(item: Check, *, at_least: int = 0, at_most: int | None = None) -> Check:
    """A list, each of whose items passes."""

    def check(name: str, value: object) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{name or 'body'} must be an array"
        elif len(value) < at_least:
            yield f"{name or 'body'} must contain at least {at_least} elements"
        elif at_most is not None and len(value) > at_most:
            yield f"{name or 'body'} must contain no more than {at_most} elements"
        else:
            for index, one in enumerate(value):
                yield from item(_inside(name, str(index)), one)

    return check


def record(fields: Mapping[str, Check], *rules: Rule, required: tuple[str, ...] = ()) -> Check:
    """An object with these fields and no other; its rules are asked once every field is fine by itself."""

    def check(name: str, value: object) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{name or 'body'} must be an object"
            return
        complaints = list(_field_complaints(name, value, fields, required))
        if not complaints:
            complaints = [_inside(name, complaint) for rule in rules for complaint in rule(value)]
        yield from complaints

    return check


def _field_complaints(
    name: str, value: dict[str, Any], fields: Mapping[str, Check], required: tuple[str, ...]
) -> Iterator[str]:
    for field in sorted(value.keys() - fields.keys()):
        yield _inside(name, f"property {field} should not exist")
    for field, check in fields.items():
        if field in value:
            yield from check(_inside(name, field), value[field])
        elif field in required:
            yield f"{_inside(name, field)} should not be empty"


def _is_shallow(value: object, levels: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(one, levels - 1) for one in inside)


def _inside(name: str, rest: str) -> str:
    return f"{name}.{rest}" if name else rest
