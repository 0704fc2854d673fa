"""How what a CRM knows of a contact becomes chats, by example."""

import pytest

from app.links.contacts import (
    Chats,
    Unusable,
    chats_of,
    known_country,
    phone_digits,
    vendor_chat_id,
    vendor_username,
)
from app.links.models import Chat, ChatType, Contact

OPAQUE = [kind for kind in ChatType if kind not in {ChatType.WHATSAPP, ChatType.VIBER, ChatType.INSTAGRAM}]


def opened(
    contact: Contact, *, country: str | None = None, types: tuple[ChatType, ...] = (ChatType.WHATSAPP,)
) -> Chats:
    return chats_of(contact, country=country, phone_chat_types=types)


def ids(chats: Chats) -> list[tuple[str, str | None]]:
    return [(chat.chat_type.value, chat.chat_id or chat.username) for chat in chats.chats]


@pytest.mark.parametrize(
    ("raw", "country", "digits"),
    [
        pytest.param("+371 11 234 567", None, "37111234567", id="the contract's own example"),
        pytest.param("00371 11 234 567", None, "37111234567", id="00 for +"),
        pytest.param("+371\u00a011\u202f234\u2011567", None, "37111234567", id="what word processors write"),
        pytest.param("+٣٧١ ١١ ٢٣٤ ٥٦٧", None, "37111234567", id="Arabic digits"),  # noqa: RUF001
        pytest.param("tel:+371-11-234-567", None, "37111234567", id="tel: URI"),
        pytest.param("+371 11 234 567 ext. 12", None, "37111234567", id="extension"),
        pytest.param("+7 912 345-67-89 (доб. 5)", None, "79123456789", id="Russian extension"),
        pytest.param("'+37111234567", None, "37111234567", id="a spreadsheet's apostrophe"),
        pytest.param("+44 (0) 20 7946 0958", None, "442079460958", id="trunk zero in brackets"),
        pytest.param("+39 06 698 12345", None, "390669812345", id="Italy keeps its zero"),
        pytest.param("8 (912) 345-67-89", "RU", "79123456789", id="Russian trunk 8"),
        pytest.param("79123456789", "RU", "79123456789", id="own code without plus"),
        pytest.param("37129123456", "LV", "37129123456", id="own code without plus, no trunk prefix"),
        pytest.param("491701234567", "DE", "491701234567", id="own code without plus, ambiguous"),
        pytest.param("390 123 4567", "IT", "393901234567", id="national, though it starts with its code"),
        pytest.param("11 234 567", "LV", "37111234567", id="possible is enough"),
        pytest.param("29123456", "lv", "37129123456", id="the country in lower case"),
        pytest.param("+37129123456", "RU", "37129123456", id="a plus outweighs the country"),
        pytest.param("0037129123456", "US", "37129123456", id="00 outweighs the country's own prefix"),
    ],
)
def test_a_phone_number_becomes_its_international_digits(raw: str, country: str | None, digits: str) -> None:
    assert phone_digits(raw, country=country) == digits


@pytest.mark.parametrize(
    ("raw", "country", "advice"),
    [
        pytest.param("29123456", None, "DEFAULT_COUNTRY", id="national, but of which country?"),
        pytest.param("", None, "DEFAULT_COUNTRY", id="empty"),
        pytest.param("+371", None, "No such number", id="only a country code"),
        pytest.param("+999123456789", None, "No such number", id="no such country code"),
        pytest.param("29123456", "XX", "No such number", id="no such country"),
        pytest.param("345-67-89", "RU", "Wrong length", id="no area code"),
        pytest.param("+371 2912345678", None, "Wrong length", id="too long"),
        pytest.param("79123456789", "LV", "Wrong length", id="another country's, without plus"),
        pytest.param("+49 123456789012345", None, "Send all 5 to 15", id="longer than any number"),
        pytest.param("+1 800 FLOWERS", None, "Send one number", id="letters"),
        pytest.param("+37129123456, +37129123457", None, "Send one number", id="two numbers"),
        pytest.param("0301234\n0305678", "DE", "Send one number", id="two short numbers on two lines"),
        pytest.param("tel:29123456;phone-context=+371", "RU", "Send one number", id="a local tel: URI"),
    ],
)
def test_a_phone_number_of_nobody_is_refused_with_advice(raw: str, country: str | None, advice: str) -> None:
    with pytest.raises(Unusable) as refusal:
        phone_digits(raw, country=country)

    assert refusal.value.field == "phone"
    assert advice in refusal.value.detail


@pytest.mark.parametrize(("code", "known"), [("LV", True), ("lv", True), ("XX", False), ("001", False), ("", False)])
def test_a_country_is_known_by_its_two_letters(code: str, known: bool) -> None:
    assert known_country(code) is known


@pytest.mark.parametrize(
    "raw", ["37111234567@c.us", "37111234567:3@s.whatsapp.net", "https://wa.me/37111234567?text=hi"]
)
def test_whatsapps_own_addresses_are_understood(raw: str) -> None:
    assert vendor_chat_id(ChatType.WHATSAPP, raw) == "37111234567"


@pytest.mark.parametrize(
    ("raw", "advice"),
    [
        pytest.param("", "Send all 5 to 15", id="empty"),
        pytest.param("1234", "Send all 5 to 15", id="too short"),
        pytest.param("1234567890123456", "Send all 5 to 15", id="too long"),
        pytest.param("011234567", "international form", id="national"),
        pytest.param("371abc34567", "Send one number", id="letters"),
        pytest.param("371²1234567", "Send one number", id="a footnote is no digit"),
        pytest.param("37111234567+37111234568", "Send one number", id="two numbers"),
        pytest.param("120363@g.us", "whatsgroup", id="a group"),
        pytest.param("37111234567@lid", "Send one number", id="an address that is not a number"),
    ],
)
def test_what_cannot_be_a_whatsapp_id_is_refused_with_advice(raw: str, advice: str) -> None:
    with pytest.raises(Unusable, match=advice) as refusal:
        vendor_chat_id(ChatType.WHATSAPP, raw)

    assert refusal.value.field == "chat_id"


@pytest.mark.parametrize(
    "raw", ["wood.chairs_1", "@Wood.Chairs_1", "https://www.instagram.com/Wood.Chairs_1/reels?x=y"]
)
def test_an_instagram_account_is_its_name_in_lower_case(raw: str) -> None:
    assert vendor_chat_id(ChatType.INSTAGRAM, raw) == "wood.chairs_1"


@pytest.mark.parametrize("raw", ["", "@", "two words", ".name", "name.", "na..me", "n" * 31, "+37111234567"])
def test_what_cannot_be_an_instagram_account_is_refused(raw: str) -> None:
    with pytest.raises(Unusable, match="account") as refusal:
        vendor_chat_id(ChatType.INSTAGRAM, raw)

    assert refusal.value.field == "chat_id"


@pytest.mark.parametrize("raw", ["instagram.com", "instagram.com/instagram.com", "instagram.com/p/CX/"])
def test_an_instagram_link_to_no_account_is_refused(raw: str) -> None:
    with pytest.raises(Unusable, match="account"):
        vendor_chat_id(ChatType.INSTAGRAM, raw)


@pytest.mark.parametrize("chat_type", OPAQUE)
@pytest.mark.parametrize("raw", ["1670185", "-100123", "aB9-x_Y", "u2i-Zz~1 2", "120363@g.us"])
def test_opaque_ids_go_through_untouched(chat_type: ChatType, raw: str) -> None:
    assert vendor_chat_id(chat_type, raw) == raw


@pytest.mark.parametrize("chat_type", OPAQUE)
@pytest.mark.parametrize("raw", ["", "\u200b", "16\x0070185", "16\n70185", "\ud800"])
def test_empty_ids_and_control_characters_are_refused(chat_type: ChatType, raw: str) -> None:
    with pytest.raises(Unusable) as refusal:
        vendor_chat_id(chat_type, raw)

    assert refusal.value.field == "chat_id"


@pytest.mark.parametrize("raw", ["@my_tg_user", "t.me/my_tg_user", "https://t.me/+abc", "tg://user?id=1"])
def test_a_telegram_name_is_no_chat_id_and_belongs_into_username(raw: str) -> None:
    with pytest.raises(Unusable, match="username"):
        vendor_chat_id(ChatType.TELEGRAM, raw)


@pytest.mark.parametrize("raw", ["+37111234567", "+371 11 234-567", "\u202a+37111234567"])
def test_a_telegram_chat_id_is_never_a_phone_number(raw: str) -> None:
    with pytest.raises(Unusable, match="Never a phone number"):
        vendor_chat_id(ChatType.TELEGRAM, raw)


@pytest.mark.parametrize("raw", ["@My_TG_User", "t.me/s/my_tg_user/17", "tg:resolve?x=1&domain=my_tg_user"])
def test_a_telegram_username_is_known_however_it_is_written(raw: str) -> None:
    assert vendor_username(raw) == "my_tg_user"


@pytest.mark.parametrize("raw", ["https://t.me/+AbCdEf", "t.me/joinchat/AbCdEf", "t.me/+37111234567"])
def test_an_invite_or_phone_link_names_no_telegram_user(raw: str) -> None:
    with pytest.raises(Unusable, match="invite or phone link"):
        vendor_username(raw)


@pytest.mark.parametrize("raw", ["+371 11 234 567", "37111234567", "1670185"])
def test_a_number_is_no_telegram_username(raw: str) -> None:
    with pytest.raises(Unusable, match=r"Never a phone number.*chat_id"):
        vendor_username(raw)


@pytest.mark.parametrize("raw", ["", "abc", "a" * 33, "my tg user", "https://x.org/my_tg_user", "t.me/"])
def test_what_cannot_be_a_telegram_username_is_refused_with_advice(raw: str) -> None:
    with pytest.raises(Unusable, match="4 to 32") as refusal:
        vendor_username(raw)

    assert refusal.value.field == "username"


def test_the_contracts_example_opens_whatsapp_and_telegram() -> None:
    contact = Contact(name="Anthony Stone", phone="+371 11 234 567", telegram="@my_tg_user")

    chats = opened(contact)

    assert chats.chats == (
        Chat(chat_type=ChatType.WHATSAPP, chat_id="37111234567", contact_name="Anthony Stone"),
        Chat(chat_type=ChatType.TELEGRAM, username="my_tg_user", contact_name="Anthony Stone"),
    )
    assert chats.warnings == ()


def test_chats_stand_in_a_fixed_order() -> None:
    contact = Contact(
        **{"maxgroup": "g3", "telegroup": "g2", "whatsgroup": "g1", "max": "m", "avito": "a", "vk": "v"},
        **{"instagram": "i", "telegram": "name", "viber": "37120000003", "whatsapp": "37120000002"},
        phones=["+37120000001"],
        phone="+37120000000",
    )

    chats = ids(opened(contact, types=(ChatType.VIBER, ChatType.WHATSAPP)))

    assert chats[:2] == [("viber", "37120000000"), ("whatsapp", "37120000000")]
    assert chats[2:4] == [("viber", "37120000001"), ("whatsapp", "37120000001")]
    assert chats[4:6] == [("whatsapp", "37120000002"), ("viber", "37120000003")]
    assert chats[6:10] == [("telegram", "name"), ("instagram", "i"), ("vk", "v"), ("avito", "a")]
    assert chats[10:] == [("max", "m"), ("whatsgroup", "g1"), ("telegroup", "g2"), ("maxgroup", "g3")]


def test_the_same_chat_by_several_fields_is_opened_once() -> None:
    contact = Contact(phone="29123456", phones=["+371 29 123 456", "29123457"], whatsapp="0037129123456")

    chats = opened(contact, country="LV")

    assert ids(chats) == [("whatsapp", "37129123456"), ("whatsapp", "37129123457")]


def test_a_telegram_id_outweighs_the_telegram_name() -> None:
    chats = opened(Contact(telegram="@my_tg_user", telegram_id="1670185"))

    assert chats == Chats((Chat(chat_type=ChatType.TELEGRAM, chat_id="1670185"),), ())


def test_an_unusable_telegram_id_leaves_the_telegram_name_to_open_the_chat() -> None:
    chats = opened(Contact(telegram="@my_tg_user", telegram_id="+37111234567"))

    assert ids(chats) == [("telegram", "my_tg_user")]
    assert chats.warnings[0].startswith("telegram_id was left out: Never a phone number")


@pytest.mark.parametrize(
    ("raw", "country", "chat_id"),
    [
        pytest.param("37129123456", "US", "37129123456", id="the vendor's form needs no plus"),
        pytest.param("5215512345678", "MX", "5215512345678", id="the vendor may know better"),
        pytest.param("8 912 345 67 89", "RU", "79123456789", id="as dialled in the country"),
        pytest.param("0412 345 678", "AU", "61412345678", id="as dialled, refused by the vendor's form"),
        pytest.param("+44 (0) 20 7946 0958", None, "442079460958", id="with a trunk zero"),
        pytest.param("8 912 345 67 89", None, "89123456789", id="no country: taken as it is"),
    ],
)
def test_a_messengers_number_may_be_as_people_dial_it(raw: str, country: str | None, chat_id: str) -> None:
    assert ids(opened(Contact(whatsapp=raw), country=country)) == [("whatsapp", chat_id)]


def test_an_unusable_field_is_a_warning_while_another_opens_a_chat() -> None:
    contact = Contact(phone="29123456", phones=["+37129123456", "none"], telegram="+37129123456")

    chats = opened(contact)

    assert ids(chats) == [("whatsapp", "37129123456")]
    assert [warning.partition(" ")[0] for warning in chats.warnings] == ["phone", "phones/1", "telegram"]
    assert "29123456" not in "".join(chats.warnings)


def test_the_only_field_if_unusable_is_refused_by_its_own_sentence() -> None:
    with pytest.raises(Unusable, match=r"^phones/0: Write the number"):
        opened(Contact(name="Anthony Stone", phones=["29123456"]))


def test_several_fields_if_all_unusable_are_each_named() -> None:
    with pytest.raises(Unusable) as refusal:
        opened(Contact(phone="29123456", telegram="+37129123456"))

    assert refusal.value.field == ""
    assert "phone: Write the number" in refusal.value.detail
    assert "telegram: Never a phone number" in refusal.value.detail


def test_a_contact_by_name_alone_is_told_what_opens_a_chat() -> None:
    with pytest.raises(Unusable) as refusal:
        opened(Contact(name="Anthony Stone"))

    assert refusal.value.field == ""
    assert all(field in refusal.value.detail for field in Contact.model_fields.keys() - {"name"})


def test_more_chats_than_a_link_holds_are_refused() -> None:
    both = (ChatType.WHATSAPP, ChatType.VIBER)
    phones = [f"+371291234{number}" for number in range(10, 30)]
    ten_more = {"whatsapp": "37120000000", "viber": "37120000000", "telegram": "name", "instagram": "name"}
    ten_more |= dict.fromkeys(("vk", "avito", "max", "whatsgroup", "telegroup", "maxgroup"), "id")

    assert len(opened(Contact(phones=phones, **ten_more), types=both).chats) == 50
    with pytest.raises(Unusable, match="at most 50"):
        opened(Contact(phone="+37129123430", phones=phones, **ten_more), types=both)
