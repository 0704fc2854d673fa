"""The vendor's contract as we hold it (`openapi/wazzup-v2.json`, `wazzup-v3.json`), asked about one message.

    check_request("v2", "POST", "/v2/iframe-links/chats", {"user_id": "crm-user-1", "scope": "global"})
    check_answer("v3", "POST", "/v3/iframe", 200, {"url": "https://app.wazzup24.com/…"})

Both say nothing where the message is as agreed, and raise `AssertionError` with every disagreement otherwise.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Generation = Literal["v2", "v3"]

FOLDER = Path(__file__).parent.parent / "openapi"


def check_request(generation: Generation, method: str, path: str, body: object) -> None:
    """Assert that the vendor takes this body on this route."""
    pointer = f"{_operation(generation, method, path)}/requestBody"
    _check(f"{method} {path}", generation, pointer, body)


def check_answer(generation: Generation, method: str, path: str, status: int, body: object) -> None:
    """Assert that the vendor may answer so; `body` is the parsed JSON, or None where there is none."""
    responses = f"{_operation(generation, method, path)}/responses"
    known = str(status) in _found(generation, responses)
    pointer = _followed(generation, f"{responses}/{status if known else 'default'}")
    if body is None:
        may_be_empty = _found(generation, pointer).get("x-may-be-empty")
        assert may_be_empty, f"{method} {path}: the {generation} contract knows no {status} without a body"
        return
    _check(f"{method} {path}: {status}", generation, pointer, body)


@cache
def contract(generation: Generation) -> dict[str, Any]:
    """Read the whole document."""
    document: dict[str, Any] = json.loads((FOLDER / f"wazzup-{generation}.json").read_text("utf-8"))
    return document


def _operation(generation: Generation, method: str, path: str) -> str:
    operations = contract(generation)["paths"].get(path, {})
    assert method.lower() in operations, f"the {generation} contract knows no {method} {path}"
    return f"/paths/{path.replace('/', '~1')}/{method.lower()}"


def _found(generation: Generation, pointer: str) -> dict[str, Any]:
    found: dict[str, Any] = _documents().resolver().lookup(f"urn:wazzup-{generation}#{pointer}").contents
    return found


def _followed(generation: Generation, pointer: str) -> str:
    found = _found(generation, pointer)
    return found["$ref"].removeprefix("#") if "$ref" in found else pointer


def _check(what: str, generation: Generation, pointer: str, body: object) -> None:
    schema = {"$ref": f"urn:wazzup-{generation}#{pointer}/content/application~1json/schema"}
    errors = _Validator(schema, registry=_documents()).iter_errors(body)
    complaints = [complaint for error in errors for complaint in _told(error)]
    assert not complaints, "\n".join([f"{what}: not as the {generation} contract says", *complaints])


def _told(error: ValidationError) -> Iterator[str]:
    yield f"  {error.json_path}: {error.message}"
    for cause in error.context or ():
        yield f"    perhaps {cause.json_path}: {cause.message}"


@cache
def _documents() -> Registry[Any]:
    generations: tuple[Generation, ...] = ("v2", "v3")
    return Registry().with_resources(
        (f"urn:wazzup-{generation}", DRAFT202012.create_resource(contract(generation))) for generation in generations
    )


def _pattern(_validator: Any, pattern: str, value: object, _schema: Any) -> Iterator[ValidationError]:
    # In a JSON schema `$` is the very end; in Python it also stands before a last newline.
    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # jsonschema's
