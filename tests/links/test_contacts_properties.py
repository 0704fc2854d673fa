"""What holds for every spelling of an id, not only for those that somebody thought of."""

import re
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.links.contacts import Unusable, chats_of, phone_digits, vendor_chat_id, vendor_username
from app.links.models import ChatType, Contact

ALPHABETS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "".join(map(chr, range(0xFF10, 0xFF1A)))]
SEPARATORS = st.text(" -.()/\u00a0\u202f\u2011\u2013\u200b\u202a", max_size=2)
MARKS = st.text("\u200b\u200e\u200f\u202a\u202c\u2068\u2069\ufeff \u00a0", max_size=3)

NUMBERS = st.one_of(
    st.from_regex(r"3712[0-9]{7}", fullmatch=True),
    st.from_regex(r"79[0-9]{9}", fullmatch=True),
    st.from_regex(r"4477[0-9]{8}", fullmatch=True),
)
USERNAMES = st.from_regex(r"[a-z][a-z0-9_]{3,31}", fullmatch=True)
INSTAGRAM_NAMES = st.from_regex(r"[a-z0-9_]{1,30}", fullmatch=True)

ANY_TYPE = st.sampled_from(list(ChatType))
# Every one holds digits or letters that no sentence of ours does: hypothesis also tries words that it read in our code.
SECRETS = st.one_of(
    st.from_regex(r"\+?[0-9]{6,20}", fullmatch=True),
    st.text("zqjZQJ@+.", min_size=6),
    st.text().map("{}zqjzqj".format),
)

quick = settings(max_examples=60, deadline=None, database=None)


@st.composite
def spellings(draw: st.DrawFn, digits: str, prefixes: tuple[str, ...]) -> str:
    alphabet = draw(st.sampled_from(ALPHABETS))
    dialled = draw(st.sampled_from(prefixes)) + digits
    written = [(alphabet[int(c)] if c.isdigit() else c) + draw(SEPARATORS) for c in dialled]
    return draw(MARKS) + "".join(written) + draw(MARKS)


@st.composite
def cased(draw: st.DrawFn, text: str) -> str:
    return "".join(c.upper() if draw(st.booleans()) else c for c in text)


@st.composite
def linked(draw: st.DrawFn, name: str, forms: tuple[str, ...]) -> str:
    text = draw(st.sampled_from(forms)).format(draw(cased(name)))
    return draw(MARKS) + text + draw(MARKS)


TELEGRAM_FORMS = (
    "{}",
    "@{}",
    "t.me/{}",
    "https://t.me/{}?start=x",
    "http://T.ME/{}/",
    "telegram.me/{}",
    "tg://resolve?domain={}",
)
INSTAGRAM_FORMS = ("@{}", "{}", "instagram.com/@{}", "HTTPS://www.Instagram.com/{}/?hl=en")


@quick
@given(st.data(), NUMBERS)
def test_any_spelling_of_a_phone_number_is_the_same_number(data: st.DataObject, digits: str) -> None:
    spelled = data.draw(spellings(digits, ("+", "00", "+00")))

    assert phone_digits(spelled, country=data.draw(st.sampled_from([None, "LV", "US"]))) == digits


@quick
@given(st.data(), NUMBERS, st.sampled_from([ChatType.WHATSAPP, ChatType.VIBER]))
def test_any_spelling_of_a_messengers_number_is_the_same_chat(
    data: st.DataObject, digits: str, chat_type: ChatType
) -> None:
    spelled = data.draw(spellings(digits, ("", "+", "00")))

    assert vendor_chat_id(chat_type, spelled) == digits


@quick
@given(st.data(), USERNAMES)
def test_any_spelling_of_a_username_is_the_same_user(data: st.DataObject, name: str) -> None:
    assert vendor_username(data.draw(linked(name, TELEGRAM_FORMS))) == name


@quick
@given(st.data(), INSTAGRAM_NAMES)
def test_any_spelling_of_an_instagram_name_is_the_same_account(data: st.DataObject, name: str) -> None:
    assume(name not in {"p", "tv", "reel", "reels", "share", "direct", "explore", "stories"})

    assert vendor_chat_id(ChatType.INSTAGRAM, data.draw(linked(name, INSTAGRAM_FORMS))) == name


@quick
@given(st.data(), ANY_TYPE)
def test_an_id_in_the_vendors_form_stays_as_it_is(data: st.DataObject, chat_type: ChatType) -> None:
    raw = data.draw(
        st.one_of(
            NUMBERS.flatmap(lambda digits: spellings(digits, ("+", "00"))),
            INSTAGRAM_NAMES.flatmap(lambda name: linked(name, INSTAGRAM_FORMS)),
            st.text("aB9._-@/:", min_size=1),
            st.text(min_size=1),
        )
    )

    once = usable(lambda: vendor_chat_id(chat_type, raw))

    assert vendor_chat_id(chat_type, once) == once


@quick
@given(USERNAMES.flatmap(lambda name: linked(name, TELEGRAM_FORMS)))
def test_a_username_in_the_vendors_form_stays_as_it_is(raw: str) -> None:
    once = vendor_username(raw)

    assert vendor_username(once) == once


@quick
@given(st.data(), NUMBERS)
def test_a_phone_number_read_is_an_id_in_the_vendors_form(data: st.DataObject, digits: str) -> None:
    once = phone_digits(data.draw(spellings(digits, ("+", "00"))), country=None)

    assert vendor_chat_id(ChatType.WHATSAPP, once) == once
    assert phone_digits(f"+{once}", country=None) == once


@pytest.mark.parametrize(
    "read",
    [
        vendor_username,
        lambda raw: phone_digits(raw, country=None),
        lambda raw: phone_digits(raw, country="LV"),
        *(lambda raw, chat_type=chat_type: vendor_chat_id(chat_type, raw) for chat_type in ChatType),
    ],
)
@quick
@given(raw=SECRETS)
def test_anything_is_read_or_refused_and_a_refusal_never_repeats_the_value(
    read: Callable[[str], str], raw: str
) -> None:
    try:
        read(raw)
    except Unusable as refusal:
        assert_silent_about(raw, refusal.detail)


@quick
@given(fields=st.dictionaries(st.sampled_from(sorted(Contact.model_fields.keys() - {"name", "phones"})), SECRETS))
def test_neither_warnings_nor_refusals_of_a_contact_repeat_a_value(fields: dict[str, str]) -> None:
    contact = Contact.model_construct(**fields)  # type: ignore[arg-type]

    try:
        said = " ".join(chats_of(contact, country=None, phone_chat_types=(ChatType.VIBER,)).warnings)
    except Unusable as refusal:
        said = str(refusal)

    for raw in fields.values():
        assert_silent_about(raw, said)


def assert_silent_about(raw: str, sentence: str) -> None:
    for piece in [raw, *re.findall(r"[0-9]{4,}|[zqjZQJ]{3,}", raw)]:
        assert len(piece.strip()) < 3 or piece not in sentence


def usable(read: Callable[[], str]) -> str:
    """Read, or tell hypothesis to think of something else."""
    try:
        return read()
    except Unusable:
        assume(False)
        raise
