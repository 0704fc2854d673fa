"""What a CRM knows of a contact becomes chats, ids in the vendor's form: the same chat is the same request.

Pure: nothing is looked up, nothing is guessed. What cannot open a chat is refused with a sentence that says
what to do and never repeats the value: sentences are logged, values are personal data.

A phone number is read as it is dialled in `country`. `country`'s own code may come without a +, any other
needs its + or 00, lest a slip in a national number become a stranger's chat. whatsapp and viber ids, being in
the vendor's form, are international even without a +. Names are read however they are linked or capitalised.
All other ids are opaque and go through untouched.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers

from app.links.models import MOST_CHATS, Chat, ChatType, Contact

_SHORTEST, _LONGEST = 5, 15  # digits; the longest is ITU-T E.164's
_NAMED_AFTER_THEIR_CHAT = ("instagram", "vk", "avito", "max", "whatsgroup", "telegroup", "maxgroup")
_FIELDS = ("phone", "phones", "whatsapp", "viber", "telegram", "telegram_id", *_NAMED_AFTER_THEIR_CHAT)

_SEPARATORS = r"\s()\[\]{}（）［］.．·/／~～'’\"\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d"  # noqa: RUF001
# A + further in is the start of a second number.
_ONE_NUMBER = re.compile(rf"[{_SEPARATORS}]*(?P<plus>[+\uff0b]*)[0-9{_SEPARATORS}]*")
_EXTENSION = re.compile(
    r"[\s,;]*(?:ext(?:ensio)?n?|доб(?:авочный)?|вн|[#xх])[\s.:=]*[0-9]{1,7}\s*#?\s*\)?$",  # noqa: RUF001
    re.IGNORECASE,
)
_WHATSAPP_ADDRESS = re.compile(
    r"(?P<jid>[^@:]+)(?::[0-9]+)?@(?:c\.us|s\.whatsapp\.net)|(?:https?://)?wa\.me/(?P<link>[^/?#]+).*",
    re.IGNORECASE | re.ASCII,
)

_USERNAME = re.compile(r"[A-Za-z0-9_]{4,32}")
_NUMERIC = re.compile(r"\+?[0-9][0-9\s().\-]*")
_TELEGRAM_LINK = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:t\.me|telegram\.(?:me|dog))(?:/s)?(?:/|$)"
    r"|tg:(?://)?resolve\?(?:[^#]*&)?domain=)(?P<name>[^/?#&]*).*",
    re.IGNORECASE | re.ASCII,
)
_TELEGRAM_INVITE = re.compile(r"\+.*|joinchat", re.IGNORECASE | re.ASCII)

_INSTAGRAM_NAME = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9._]{1,30}(?<!\.)")
_INSTAGRAM_LINK = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?instagram\.com(?:/|$)(?P<name>[^/?#]*).*", re.IGNORECASE | re.ASCII
)
_INSTAGRAM_PAGES = frozenset({"direct", "explore", "p", "reel", "reels", "share", "stories", "tv"})


class Unusable(ValueError):
    """A value that cannot open a chat. `detail` says what to do and never contains the value."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(field, detail)
        self.field = field
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail


@dataclass(frozen=True, slots=True)
class Chats:
    """The chats that a contact opens, and what was left out and why."""

    chats: tuple[Chat, ...]
    warnings: tuple[str, ...]


def chats_of(contact: Contact, *, country: str | None, phone_chat_types: tuple[ChatType, ...]) -> Chats:
    """Every usable field as a chat, each chat once; `Unusable` for none, or for more than a link holds."""
    chats: dict[Chat, None] = {}
    problems: list[Unusable] = []
    for field, raw in _given(contact):
        if field == "telegram" and any(chat.chat_type is ChatType.TELEGRAM for chat in chats):
            continue  # telegram_id came first and opened it: an id never changes, a username may
        try:
            found = _opened(field, raw, contact.name, country, phone_chat_types)
        except Unusable as error:
            problems.append(Unusable(field, error.detail))
        else:
            chats.update(dict.fromkeys(found))
    if not chats:
        raise _nothing_usable(problems)
    if len(chats) > MOST_CHATS:
        raise Unusable("phones", f"A link holds at most {MOST_CHATS} chats: send fewer numbers.")
    return Chats(tuple(chats), tuple(f"{each.field} was left out: {each.detail}" for each in problems))


def vendor_chat_id(chat_type: ChatType, raw: str) -> str:
    """A `chat_id` in the vendor's form for its type; `Unusable` (`chat_id`) for what cannot be one."""
    match chat_type:
        case ChatType.WHATSAPP | ChatType.VIBER:
            if raw.isascii() and raw.isdecimal():  # already in the vendor's form, as nearly always
                return _international("chat_id", raw.removeprefix("00"))
            number = _whatsapp_number(raw) if chat_type is ChatType.WHATSAPP else raw
            return _international("chat_id", _dialled("chat_id", number).removeprefix("+"))
        case ChatType.INSTAGRAM:
            return _instagram_name(raw)
        case ChatType.TELEGRAM:
            return _telegram_id(raw)
        case _:
            return _opaque(raw)


def vendor_username(raw: str) -> str:
    """A Telegram username without @, in lower case: Telegram does not tell cases apart, a cache would."""
    text = _visible(raw)
    link = _TELEGRAM_LINK.fullmatch(text)
    if link and _TELEGRAM_INVITE.fullmatch(link["name"]):
        raise Unusable("username", "An invite or phone link names nobody: send the Telegram username.")
    name = (link["name"] if link else text).removeprefix("@")
    if _NUMERIC.fullmatch(name):
        raise Unusable("username", "Never a phone number; a Telegram id goes into chat_id (in a contact: telegram_id).")
    if not _USERNAME.fullmatch(name):
        raise Unusable("username", "Send a username (4 to 32 of a-z, 0-9, underscore) or its t.me link.")
    return name.lower()


def phone_digits(raw: str, *, country: str | None) -> str:
    """The international number's digits, extension dropped; `Unusable` (`phone`) if there is none.

    `country`, an ISO 3166 alpha-2 code, tells how a number without + or 00 is read.
    """
    dialled = _dialled("phone", _EXTENSION.sub("", re.sub("^(?i:tel):(//)?", "", _plain(raw))))
    if country is None and not dialled.startswith("+"):
        raise Unusable(
            "phone", "Write the number with + and its country code, or let the operator set DEFAULT_COUNTRY."
        )
    number = _parsed(f"+{dialled}" if _lacks_its_plus(dialled, country) else dialled, country)
    # Not is_valid_number: numbering plans change faster than libraries. Not is_possible_number: it also lets
    # numbers without an area code pass, which nobody can be reached by.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise Unusable("phone", "Wrong length for its country: write all of it, with + and country code.")
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return _international("phone", digits.removeprefix("+"))


def known_country(code: str) -> bool:
    """Whether national numbers of this country (ISO 3166 alpha-2, in any case) can be read."""
    return code.upper() in phonenumbers.SUPPORTED_REGIONS


def _given(contact: Contact) -> Iterator[tuple[str, str]]:
    """Field and value of all that is given, in the order in which the chats shall stand."""
    fields = [
        ("phone", contact.phone),
        *((f"phones/{index}", phone) for index, phone in enumerate(contact.phones)),
        ("whatsapp", contact.whatsapp),
        ("viber", contact.viber),
        ("telegram_id", contact.telegram_id),
        ("telegram", contact.telegram),
        *((field, getattr(contact, field)) for field in _NAMED_AFTER_THEIR_CHAT),
    ]
    return ((field, raw) for field, raw in fields if raw)


def _opened(
    field: str, raw: str, name: str | None, country: str | None, phone_chat_types: tuple[ChatType, ...]
) -> list[Chat]:
    match field.partition("/")[0]:
        case "phone" | "phones":
            digits = phone_digits(raw, country=country)
            return [Chat(chat_type=kind, chat_id=digits, contact_name=name) for kind in phone_chat_types]
        case "telegram":
            return [Chat(chat_type=ChatType.TELEGRAM, username=vendor_username(raw), contact_name=name)]
        case "whatsapp" | "viber":
            chat_id = _messenger_number(ChatType(field), raw, country)
        case _:
            chat_id = vendor_chat_id(ChatType(field.removesuffix("_id")), raw)
    return [Chat(chat_type=ChatType(field.removesuffix("_id")), chat_id=chat_id, contact_name=name)]


def _nothing_usable(problems: list[Unusable]) -> Unusable:
    match problems:
        case []:
            return Unusable("", f"A contact opens chats by at least one of {', '.join(_FIELDS)}: send one.")
        case [problem]:
            return problem
        case _:
            return Unusable("", f"No field of this contact opens a chat. {' '.join(map(str, problems))}")


def _messenger_number(chat_type: ChatType, raw: str, country: str | None) -> str:
    """The vendor's form, unless only reading it as a phone number makes it a number that exists.

    People type what they dial: `8 912 …` in Russia, `+44 (0) 20 …`. Taken for the vendor's form, those digits
    would quietly open a chat with nobody.
    """
    dialled = _existing(raw, country)
    try:
        chat_id = vendor_chat_id(chat_type, raw)
    except Unusable:
        if dialled is None:
            raise
        return dialled
    return chat_id if dialled is None or _existing(f"+{chat_id}", None) == chat_id else dialled


def _existing(raw: str, country: str | None) -> str | None:
    try:
        digits = phone_digits(raw, country=country)
    except Unusable:
        return None
    return digits if phonenumbers.is_valid_number(_parsed(f"+{digits}", None)) else None


def _lacks_its_plus(dialled: str, country: str | None) -> bool:
    """Whether these are the country's own code and an own number, as CRMs store them.

    `parse` takes 49 170 1234567 for 04917 01234567, yet where there is a trunk prefix, it is written. Where
    there is none (Italy: 390 1234567), `parse` decides.
    """
    region = (country or "").upper()
    code = str(phonenumbers.country_code_for_region(region))
    is_dialled_with_trunk = bool(phonenumbers.ndd_prefix_for_region(region, True))
    return is_dialled_with_trunk and dialled.startswith(code) and bool(_existing(f"+{dialled}", None))


def _parsed(dialled: str, country: str | None) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(dialled, country and country.upper())
    except phonenumbers.NumberParseException as error:
        raise Unusable("phone", "No such number: write +, the country code, then the number.") from error


def _dialled(field: str, raw: str) -> str:
    """A number as it is dialled: ASCII digits only, after a + if it is written as an international one."""
    text = _plain(raw)
    number = _ONE_NUMBER.fullmatch(text)
    # Two short numbers on two lines can, together, look like one long number.
    if number is None or len(text.splitlines()) > 1:
        raise Unusable(field, "Send one number: digits, spaces, hyphens, dots, brackets, a leading +.")
    digits = re.sub("[^0-9]", "", text)
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    return f"+{digits}" if number["plus"] else digits


def _international(field: str, digits: str) -> str:
    if digits.startswith("0"):
        raise Unusable(field, "A leading 0 is national: send the number in international form.")
    if not _SHORTEST <= len(digits) <= _LONGEST:
        raise Unusable(field, f"Send all {_SHORTEST} to {_LONGEST} digits, country code included.")
    return digits


def _whatsapp_number(raw: str) -> str:
    text = _visible(raw)
    if text.lower().endswith("@g.us"):
        raise Unusable("chat_id", "This is a WhatsApp group: send it as a whatsgroup chat.")
    address = _WHATSAPP_ADDRESS.fullmatch(text)
    return (address["jid"] or address["link"]) if address else text


def _instagram_name(raw: str) -> str:
    text = _visible(raw)
    link = _INSTAGRAM_LINK.fullmatch(text)
    name = (link["name"] if link else text).removeprefix("@").lower()
    if link and name in _INSTAGRAM_PAGES:
        raise Unusable("chat_id", "This link leads to no account: send the Instagram account's name.")
    # The site's own address would pass for a name.
    if not _INSTAGRAM_NAME.fullmatch(name) or _INSTAGRAM_LINK.fullmatch(name):
        raise Unusable("chat_id", "Send the account name (1 to 30 of a-z, 0-9, dot, underscore) or its link.")
    return name


def _telegram_id(raw: str) -> str:
    text = _plain(raw)
    if text.lower().startswith(("@", "tg:")) or _TELEGRAM_LINK.fullmatch(text):
        raise Unusable("chat_id", "This is a name, not an id: send it as username (in a contact: telegram).")
    if text.startswith("+") and _NUMERIC.fullmatch(text):
        raise Unusable("chat_id", "Never a phone number: send the id that Wazzup gave, or the username.")
    return _opaque(raw)


def _opaque(raw: str) -> str:
    if not _visible(raw):
        raise Unusable("chat_id", "An id cannot be empty: send it as Wazzup gave it.")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in raw):
        raise Unusable("chat_id", "An id holds no control characters: send it as Wazzup gave it.")
    return raw


def _visible(raw: str) -> str:
    """Without direction marks, zero-width spaces and soft hyphens, which come along with copied text."""
    if raw.isascii():  # nearly always
        return raw.strip()
    return "".join(c for c in raw if unicodedata.category(c) != "Cf").strip()


def _plain(raw: str) -> str:
    """What is visible, its digits (Arabic, full-width, …) in ASCII."""
    text = _visible(raw)
    return text if text.isascii() else "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
