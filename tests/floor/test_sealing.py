"""What lies in Redis is unreadable there, and unmovable."""

import traceback

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.sealing import KeyRing, Unsealable

OLD = "the-old-secret-the-old-secret-the-old-secret"
NEW = "the-new-secret-the-new-secret-the-new-secret"
RING = KeyRing.of([OLD])

contents = st.binary(max_size=200)
names = st.text(max_size=40)
secrets = st.text(min_size=32, max_size=48)

quick = settings(max_examples=80, deadline=None, database=None)


def opens(ring: KeyRing, sealed: bytes, name: str) -> bool:
    try:
        ring.open(sealed, name=name)
    except Unsealable:
        return False
    return True


@quick
@given(contents, names)
def test_what_is_sealed_opens_under_its_name(content: bytes, name: str) -> None:
    sealed = RING.seal(content, name=name)

    assert RING.open(sealed, name=name) == content


@quick
@given(contents, names, names)
def test_what_is_moved_under_another_name_is_nothing(content: bytes, name: str, other: str) -> None:
    assume(name != other)

    sealed = RING.seal(content, name=name)

    assert not opens(RING, sealed, other)


@quick
@given(contents, names, st.data())
def test_what_is_cut_short_is_nothing(content: bytes, name: str, data: st.DataObject) -> None:
    sealed = RING.seal(content, name=name)

    kept = data.draw(st.integers(0, len(sealed) - 1))

    assert not opens(RING, sealed[:kept], name)
    assert not opens(RING, sealed[len(sealed) - kept :], name)


@quick
@given(contents, names, st.data())
def test_one_flipped_bit_anywhere_makes_it_nothing(content: bytes, name: str, data: st.DataObject) -> None:
    sealed = bytearray(RING.seal(content, name=name))

    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    assert not opens(RING, bytes(sealed), name)


@quick
@given(contents, names, contents)
def test_what_something_is_appended_to_is_nothing(content: bytes, name: str, more: bytes) -> None:
    assume(more)

    sealed = RING.seal(content, name=name)

    assert not opens(RING, sealed + more, name)


@quick
@given(st.binary(max_size=100), names)
def test_what_was_never_sealed_is_nothing(garbage: bytes, name: str) -> None:
    assert not opens(RING, garbage, name)


@quick
@given(contents, names, secrets)
def test_a_ring_with_other_secrets_opens_nothing(content: bytes, name: str, secret: str) -> None:
    assume(secret != OLD)

    sealed = KeyRing.of([secret]).seal(content, name=name)

    assert not opens(RING, sealed, name)


@quick
@given(st.binary(min_size=8, max_size=100), names)
def test_what_is_sealed_cannot_be_read_and_never_looks_the_same(content: bytes, name: str) -> None:
    first, second = RING.seal(content, name=name), RING.seal(content, name=name)

    assert first != second
    assert content not in first


@quick
@given(contents, names)
def test_a_new_secret_in_front_still_opens_what_the_old_one_sealed(content: bytes, name: str) -> None:
    sealed = KeyRing.of([OLD]).seal(content, name=name)

    rotated = KeyRing.of([NEW, OLD])

    assert rotated.open(sealed, name=name) == content


@quick
@given(contents, names)
def test_the_newest_secret_seals_so_the_old_one_alone_cannot_open(content: bytes, name: str) -> None:
    sealed = KeyRing.of([NEW, OLD]).seal(content, name=name)

    assert opens(KeyRing.of([NEW]), sealed, name)
    assert not opens(KeyRing.of([OLD]), sealed, name)


def test_what_a_secret_sealed_is_nothing_once_that_secret_is_gone() -> None:
    sealed = KeyRing.of([OLD]).seal(b"link", name="name")

    assert not opens(KeyRing.of([NEW]), sealed, "name")


@quick
@given(contents, contents)
def test_hashes_are_equal_for_equal_input_only(one: bytes, other: bytes) -> None:
    assert (RING.hashed(one) == KeyRing.of([OLD]).hashed(other)) == (one == other)


@quick
@given(contents, secrets, secrets)
def test_another_secret_gives_another_hash(content: bytes, one: str, other: str) -> None:
    assume(one != other)

    assert KeyRing.of([one]).hashed(content) != KeyRing.of([other]).hashed(content)


@quick
@given(contents)
def test_a_hash_is_made_by_the_newest_secret_and_those_of_older_ones_can_be_listed(content: bytes) -> None:
    rotated = KeyRing.of([NEW, OLD])

    assert rotated.hashed(content) == KeyRing.of([NEW]).hashed(content)
    assert rotated.hashes(content) == [KeyRing.of([NEW]).hashed(content), KeyRing.of([OLD]).hashed(content)]


def test_a_hash_can_stand_in_a_key_of_redis() -> None:
    name = RING.hashed(b"+371 11 234 567 {tag}:*")

    assert name.isalnum()
    assert name.isascii()


@quick
@given(contents)
def test_what_is_signed_is_known_again_by_every_ring_with_the_secret(content: bytes) -> None:
    signature = KeyRing.of([OLD]).sign(content, purpose=b"greeting")

    assert KeyRing.of([OLD]).is_signed(content, signature, purpose=b"greeting")
    assert KeyRing.of([NEW, OLD]).is_signed(content, signature, purpose=b"greeting")
    assert not KeyRing.of([NEW]).is_signed(content, signature, purpose=b"greeting")


@quick
@given(contents, contents)
def test_a_signature_is_good_for_one_message_and_one_purpose(content: bytes, other: bytes) -> None:
    signature = RING.sign(content, purpose=b"greeting")

    assert not RING.is_signed(content, signature, purpose=b"farewell")
    assert RING.is_signed(other, signature, purpose=b"greeting") == (content == other)


@quick
@given(contents, st.text(max_size=80))
def test_what_was_never_signed_is_not_signed(content: bytes, garbage: str) -> None:
    assert not RING.is_signed(content, garbage, purpose=b"greeting")


def test_a_ring_shows_no_secret() -> None:
    ring = KeyRing.of([NEW, OLD])

    shown = f"{ring!r} {ring!s} {[ring]}"

    assert shown.startswith("KeyRing(2 keys)")
    assert not any(secret in shown for secret in (NEW, OLD))


@pytest.mark.parametrize(
    "sealed", [b"", b"garbage", RING.seal(b"link", name="another name")], ids=["empty", "garbage", "of another name"]
)
def test_a_refusal_never_says_which_part_did_not_fit(sealed: bytes) -> None:
    with pytest.raises(Unsealable) as refused:
        RING.open(sealed, name="name")

    assert str(refused.value) == ""
    assert OLD not in "".join(traceback.format_exception(refused.value))
