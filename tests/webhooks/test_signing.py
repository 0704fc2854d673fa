"""A signature is the specification's: its known answers, its own library, and secrets that all libraries read alike."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from app.webhooks.signing import checked_secret, new_secret, signed_headers

EVENT_ID = "evt_2kWkKmVQ"


def secret_of(length: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(length))).decode()


@pytest.mark.parametrize(
    ("secret", "event_id", "timestamp", "body", "signature"),
    [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1649367553,
            b'{"email":"test@example.com","username":"test_user"}',
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ],
)
def test_the_known_answers_are_ours(secret: str, event_id: str, timestamp: int, body: bytes, signature: str) -> None:
    headers = signed_headers(event_id, body, [secret], datetime.fromtimestamp(timestamp, UTC))

    assert headers == {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


@given(body=st.text(), key=st.binary(min_size=24, max_size=64))
def test_the_specification_s_library_verifies_what_we_sign(body: str, key: bytes) -> None:
    secret = checked_secret("whsec_" + base64.b64encode(key).decode())

    headers = signed_headers(EVENT_ID, body.encode(), [secret], datetime.now(UTC))

    verified(secret, body.encode(), headers)


def verified(secret: str, body: bytes, headers: dict[str, str]) -> None:
    """Returns if the library finds a good signature."""
    Webhook(secret).verify(body, headers, json_parse=False)


def test_while_two_secrets_live_either_verifies_and_a_third_does_not() -> None:
    new, old, other = new_secret(), new_secret(), new_secret()

    headers = signed_headers(EVENT_ID, b"{}", [new, old], datetime.now(UTC))

    assert len(headers["webhook-signature"].split(" ")) == 2
    verified(new, b"{}", headers)
    verified(old, b"{}", headers)
    with pytest.raises(WebhookVerificationError):
        verified(other, b"{}", headers)


def test_a_body_that_was_changed_on_the_way_is_found_out() -> None:
    secret = new_secret()

    headers = signed_headers(EVENT_ID, b'{"a":1}', [secret], datetime.now(UTC))

    with pytest.raises(WebhookVerificationError):
        verified(secret, b'{"a":2}', headers)


def test_a_part_of_a_second_is_cut_off_so_that_no_clock_sees_a_time_to_come() -> None:
    at = datetime.fromtimestamp(1614265330, UTC) + timedelta(microseconds=999_999)

    assert signed_headers(EVENT_ID, b"", [secret_of(24)], at)["webhook-timestamp"] == "1614265330"


def test_new_secrets_are_good_and_no_two_are_equal() -> None:
    made = {new_secret() for _ in range(100)}

    assert len(made) == 100
    assert {checked_secret(secret) for secret in made} == made


@pytest.mark.parametrize("length", [24, 25, 26, 32, 64])
def test_a_secret_of_one_s_own_has_24_to_64_bytes(length: int) -> None:
    assert checked_secret(secret_of(length)) == secret_of(length)


@pytest.mark.parametrize(
    "text",
    {
        "": "",
        "only the prefix": "whsec_",
        "no prefix": secret_of(32)[6:],
        "another prefix": "whsk_" + secret_of(32)[6:],
        "the prefix in capitals": secret_of(32).replace("whsec_", "WHSEC_"),
        "the prefix twice": "whsec_" + secret_of(32),
        "too short": secret_of(23),
        "too long": secret_of(65),
        "no padding": secret_of(25).rstrip("="),
        "too much padding": secret_of(24) + "====",
        "bits that are left over": secret_of(25)[:-3] + "B==",
        "the URL's alphabet": "whsec_" + base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "a blank": secret_of(32)[:20] + " " + secret_of(32)[20:],
        "a line's end": secret_of(32) + "\n",
        "something behind the padding": secret_of(25) + "AAAA",
        "another alphabet": "whsec_" + "ж" * 44,
        "digits of another alphabet": "whsec_" + "\u0661" * 44,
    }.values(),
)
def test_any_other_secret_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(ValueError, match="write whsec_ and behind it 24 to 64 bytes in base64") as refused:
        checked_secret(text)

    assert not text or text == "whsec_" or text not in str(refused.value)
