"""A body is read if it is JSON, of its type and small enough; whatever else comes is refused, and not repeated."""

from collections.abc import AsyncIterator

import orjson
import pytest

from app.edge import BODY_CAP
from tests.driver import CARD, SERVER_KEY, Gateway
from tests.edge.driver import PROBLEM, SECRET, is_problem, post


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null x",
        b"user_id=crm-user-1",
        b"\xef\xbb\xbf{}",
        b'{"user_id": "\xff"}',
        b'{"user_id": "\\ud800"}',
        b'{"user_id": "\\udc00\\ud800"}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        '{"user_id": "u"}'.encode("utf-16"),
        b"\x00",
    ],
)
async def test_what_is_not_json_is_a_400(gateway: Gateway, body: bytes) -> None:
    answer = await post(gateway, body)

    is_problem(answer, 400, "BODY_NOT_JSON")


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"7",
        b"[]",
        b'"x"',
        b"{}",
        b'{"user_id": "u", "max_age": NaN}',
        b'{"user_id": "u", "max_age": Infinity}',
        b'{"user_id": "u", "max_age": -1}',
        b'{"user_id": "u", "max_age": 1.5}',
        b'{"user_id": "u", "max_age": 1e400}',
        b'{"user_id": 7}',
        b'{"user_id": "u\\u0000"}',
        b'{"user_id": "u", "chats": {}}',
        b'{"user_id": "u", "chats": [[[[]]]]}',
        b'{"user_id": "u", "chats": [' + b",".join([b"{}"] * 51) + b"]}",
        b'{"user_id": "u", "unknown": 1}',
        b'{"user_id": "u", "\\u0000": 1}',
        b'{"user_id": "u", "~/\\"": 1}',
        b'{"' + b"x" * 60_000 + b'": 1}',
    ],
)
async def test_json_that_breaks_the_contract_is_a_422_that_says_where(gateway: Gateway, body: bytes) -> None:
    answer = await post(gateway, body)

    problem = is_problem(answer, 422, "VALIDATION_FAILED")
    assert problem["errors"]
    assert all(one.keys() == {"detail", "pointer"} for one in problem["errors"])
    assert all(one["pointer"].startswith("#") for one in problem["errors"])


@pytest.mark.parametrize("field", ["user_id", "max_age", "chats", "unknown"])
async def test_a_number_that_no_machine_holds_is_the_callers_mistake(gateway: Gateway, field: str) -> None:
    answer = await post(gateway, b'{"%s": %s}' % (field.encode(), b"9" * 5000))

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == PROBLEM


async def test_a_refusal_does_not_repeat_what_was_sent(gateway: Gateway) -> None:
    answer = await gateway.link({"user_id": ["+37111234567"], "chats": [{"chat_type": SECRET}]})

    assert answer.status_code == 422
    assert "37111234567" not in answer.text
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"user_id": "u", "max_age": 1%s}' % (b"0" * 30),
        b'{"user_id": "v", "user_id": "u"}',
        b'{"user_id": "u", "scope": "card", "scope": "global"}',
        b' \n\t{"user_id": "u"}\r\n ',
        '{"user_id": "ю😀"}'.encode(),
        b'{"user_id": "\\ud83d\\ude00"}',
    ],
)
async def test_odd_json_that_is_no_error_is_answered(gateway: Gateway, body: bytes) -> None:
    answer = await post(gateway, body)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "text/json"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Content-Type": "application/json, text/plain"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "br, gzip"}, 415),
        ({"Content-Encoding": "identity"}, 200),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "Application/JSON ;charset=UTF-8"}, 200),
    ],
)
async def test_only_plain_json_is_read(gateway: Gateway, headers: dict[str, str], status: int) -> None:
    answer = await post(gateway, orjson.dumps(CARD), **headers)

    assert answer.status_code == status
    if status == 415:
        is_problem(answer, 415, "CONTENT_TYPE_UNSUPPORTED")


async def test_a_body_of_no_announced_type_is_not_read(gateway: Gateway) -> None:
    answer = await gateway.http.post(
        "/links", content=orjson.dumps(CARD), headers={"Authorization": f"Bearer {SERVER_KEY}"}
    )

    is_problem(answer, 415, "CONTENT_TYPE_UNSUPPORTED")


def padded(size: int) -> bytes:
    return orjson.dumps(CARD).ljust(size)


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 5000):
        yield body[start : start + 5000]


async def test_64_kib_are_read(gateway: Gateway) -> None:
    announced = await post(gateway, padded(BODY_CAP))
    chunked = await post(gateway, in_pieces(padded(BODY_CAP)))

    assert [announced.status_code, chunked.status_code] == [200, 200]


async def test_a_byte_more_than_64_kib_is_a_413_announced_or_not(gateway: Gateway) -> None:
    announced = await post(gateway, padded(BODY_CAP + 1))
    chunked = await post(gateway, in_pieces(padded(BODY_CAP + 1)))

    is_problem(announced, 413, "BODY_TOO_LARGE")
    is_problem(chunked, 413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("length", ["65537", "9" * 30, "9" * 5000])
async def test_a_body_that_announces_too_much_is_not_waited_for(gateway: Gateway, length: str) -> None:
    answer = await post(gateway, b"{}", Content_Length=length)

    is_problem(answer, 413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("length", ["", "-1", "x", "²", "1.5", "0x10"])
async def test_a_length_that_is_no_number_is_no_failure_of_ours(gateway: Gateway, length: str) -> None:
    headers = [(b"content-length", length.encode("latin-1")), (b"content-type", b"application/json")]

    answer = await gateway.http.post("/links", content=b"{}", headers=headers)

    is_problem(answer, 401, "CREDENTIAL_MISSING")
