"""From a caller's question to a request that Wazzup can grant, or a refusal that says what to do.

Wazzup is never asked what cannot work, and two questions that mean the same become equal requests.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from app.errors import Fault, Invalid
from app.links.contacts import Unusable, chats_of, vendor_chat_id, vendor_username
from app.links.models import (
    ActiveChat,
    AskedActiveChat,
    AskedChat,
    AskedEvents,
    Chat,
    ChatType,
    Contact,
    LinkQuestion,
    LinkRequest,
    UseEvents,
)


@dataclass(frozen=True)
class Manners:
    """How an account's questions are read: what is assumed, and what its Wazzup takes."""

    default_events: UseEvents
    phone_chat_types: tuple[ChatType, ...]
    country: str | None
    client_type: str
    longest_user_id: int
    channel_required: bool
    introduces_users: bool = False


@dataclass(frozen=True)
class Asker:
    """The caller, as far as a question is concerned: a token names its user, a key names none."""

    account: str
    user_id: str | None = None
    user_name: str | None = None


@dataclass(frozen=True)
class Settled:
    """A request, and what the caller should know about how it was read."""

    request: LinkRequest
    warnings: tuple[str, ...] = ()


def settle(question: LinkQuestion, asker: Asker, manners: Manners) -> Settled:
    """The request that `question` means.

    Raises:
        Invalid: it cannot work; every fault says what to do.
    """
    chats, warnings = _chats(question, manners)
    scope = question.scope or ("card" if chats else "global")
    _check_scope(scope, question, chats)
    active, dropped = _active(question.active_chat, manners)
    own_name = (question.user and question.user.name) or asker.user_name or None
    return Settled(
        LinkRequest(
            account=asker.account,
            user_id=_user_id(question, asker, manners),
            user_name=(own_name or question.author_name or None) if manners.introduces_users else None,
            author_name=question.author_name or own_name,
            scope=scope,
            chats=chats,
            active_chat=active,
            use_events=_events(question.use_events, manners.default_events),
            client_type=manners.client_type if question.client_type is None else question.client_type,
        ),
        (*warnings, *dropped),
    )


def named_user(question: LinkQuestion) -> str | None:
    """The user that the body names, if it names one.

    Raises:
        Invalid: it names two.
    """
    nested = question.user.id if question.user else None
    if question.user_id and nested and question.user_id != nested:
        raise _invalid("user_id and user.id name different users; send one of them.", "#/user_id")
    return question.user_id or nested


def _user_id(question: LinkQuestion, asker: Asker, manners: Manners) -> str:
    user_id = asker.user_id or named_user(question)
    if not user_id:
        raise _invalid("A server key speaks for no user: say which one in user_id.", "#/user_id")
    if len(user_id) > manners.longest_user_id:
        raise _invalid(f"Wazzup knows no user ids longer than {manners.longest_user_id} characters.", "#/user_id")
    return user_id


def _chats(question: LinkQuestion, manners: Manners) -> tuple[tuple[Chat, ...], tuple[str, ...]]:
    if question.contact is None:
        return _distinct(_all(question.chats)), ()
    if question.chats:
        raise _invalid("Send either chats or contact, not both.", "#/contact")
    return _contact_chats(question.contact, manners)


def _contact_chats(contact: Contact, manners: Manners) -> tuple[tuple[Chat, ...], tuple[str, ...]]:
    try:
        found = chats_of(contact, country=manners.country, phone_chat_types=manners.phone_chat_types)
    except Unusable as error:
        raise _invalid(error.detail, f"#/contact/{error.field}".rstrip("/")) from None
    return found.chats, found.warnings


def _all(asked: Iterable[AskedChat]) -> list[Chat]:
    chats: list[Chat] = []
    faults: list[Fault] = []
    for index, one in enumerate(asked):
        try:
            chat_id, username = _address(one)
            chats.append(
                Chat(
                    chat_type=one.chat_type,
                    chat_id=chat_id,
                    username=username,
                    contact_name=one.contact_name or None,
                )
            )
        except Unusable as error:
            faults.append(Fault(error.detail, f"#/chats/{index}/{error.field}".rstrip("/")))
    if faults:
        raise Invalid("Some chats cannot be opened; see errors.", faults=faults)
    return chats


def _address(asked: AskedChat | AskedActiveChat) -> tuple[str | None, str | None]:
    """`(chat_id, username)` in the vendor's form, exactly one of them set."""
    if asked.username and asked.chat_type is not ChatType.TELEGRAM:
        raise Unusable("username", "Only Telegram chats have a username; send chat_id.")
    if asked.chat_id:
        # Whether Wazzup takes both is unknown, and the id is the surer of the two.
        return vendor_chat_id(asked.chat_type, asked.chat_id), None
    if asked.username:
        return None, vendor_username(asked.username)
    wanted = "chat_id or username" if asked.chat_type is ChatType.TELEGRAM else "chat_id"
    raise Unusable("chat_id", f"Say which chat: {wanted} is missing.")


def _active(asked: AskedActiveChat | None, manners: Manners) -> tuple[ActiveChat | None, tuple[str, ...]]:
    if asked is None:
        return None, ()
    try:
        chat_id, username = _address(asked)
    except Unusable as error:
        raise _invalid(error.detail, f"#/active_chat/{error.field}".rstrip("/")) from None
    if manners.channel_required and not asked.channel_id:
        return None, ("active_chat was left out: without channel_id this Wazzup API opens a blank window.",)
    channel = asked.channel_id or None
    return ActiveChat(chat_type=asked.chat_type, chat_id=chat_id, username=username, channel_id=channel), ()


def _check_scope(scope: str, question: LinkQuestion, chats: tuple[Chat, ...]) -> None:
    if scope == "card" and not chats:
        raise _invalid("A card shows given chats: send chats or contact, or ask for scope global.", "#/chats")
    if scope == "global" and chats:
        field = "contact" if question.contact else "chats"
        raise _invalid(f"scope global shows all chats: leave {field} out, or ask for scope card.", f"#/{field}")


def _distinct(chats: list[Chat]) -> tuple[Chat, ...]:
    seen: dict[tuple[str, str | None, str | None], Chat] = {}
    for chat in chats:
        seen.setdefault((chat.chat_type, chat.chat_id, chat.username), chat)
    return tuple(seen.values())


def _events(asked: AskedEvents | None, default: UseEvents) -> UseEvents:
    if asked is None:
        return default
    return UseEvents(
        deals=default.deals if asked.deals is None else asked.deals,
        messages=default.messages if asked.messages is None else asked.messages,
    )


def _invalid(detail: str, pointer: str) -> Invalid:
    return Invalid(detail, faults=[Fault(detail, pointer)])
