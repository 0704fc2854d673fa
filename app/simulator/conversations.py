"""What was said in the chats: kept as long as the world is, bounded, and the same in every window.

Nothing runs between two looks. A contact's answer is written down when the user's message is, with the time at which it
will have been said; so are the ticks of a message read off its age.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.simulator.chats import Chat, key_of
from app.simulator.smalltalk import answer, beginning

MESSAGES_KEPT = 200
"""In one chat; the oldest go first."""

CHATS_KEPT = 500
"""Those that were begun first go first, and begin anew when they are opened again."""

DELIVERED_AFTER = timedelta(seconds=0.7)
READ_AFTER = timedelta(seconds=1.5)
TYPING_AFTER = timedelta(seconds=1.7)
ANSWERED_AFTER = timedelta(seconds=3.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, perhaps one that will be said only later."""

    id: str
    text: str
    at: datetime
    author: str | None
    """The user's name; None where the contact said it."""

    def status(self, now: datetime) -> str:
        """Say how far a user's message has come."""
        if now < self.at + DELIVERED_AFTER:
            return "sent"
        return "delivered" if now < self.at + READ_AFTER else "read"


@dataclass(slots=True, kw_only=True)
class Conversation:
    """One chat and what was said in it, in order."""

    chat: Chat
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=MESSAGES_KEPT))
    turns: int = 0

    def said(self, now: datetime) -> list[Message]:
        """List what has been said by now."""
        return [message for message in self.messages if message.at <= now]

    def is_being_answered(self, now: datetime) -> bool:
        """Say whether the contact is writing."""
        return any(now < message.at <= now + ANSWERED_AFTER - TYPING_AFTER for message in self.messages)

    def say(self, message: Message) -> None:
        """Add a message of the user's, once, and the contact's answer.

        An answer that was still to come is put off: the contact has one more message to read first.
        """
        if any(known.id == message.id for known in self.messages):
            return
        for unsaid in [later for later in self.messages if later.at > message.at]:
            self.messages.remove(unsaid)
        self.messages.append(message)
        self.messages.append(self._answer(message))
        self.turns += 1

    def _answer(self, message: Message) -> Message:
        return Message(
            id=f"answer-to-{message.id}",
            text=answer(key=key_of(self.chat), turn=self.turns),
            at=message.at + ANSWERED_AFTER,
            author=None,
        )


class Conversations:
    """Every chat that was looked at. Each has a name: the contact's."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._begun: dict[str, Conversation] = {}

    def __iter__(self) -> Iterator[Conversation]:
        return iter(self._begun.values())

    def of(self, chat: Chat, *, user_name: str) -> Conversation:
        """Give the conversation of a chat. A new one has begun some days ago, with somebody named `user_name`."""
        key = key_of(chat)
        if key not in self._begun:
            self._begun[key] = Conversation(chat=chat)
            self._begun[key].messages.extend(self._past(chat, user_name))
            while len(self._begun) > CHATS_KEPT:
                del self._begun[next(iter(self._begun))]
        return self._begun[key]

    def clear(self) -> None:
        """Forget what was said."""
        self._begun.clear()

    def _past(self, chat: Chat, user_name: str) -> Iterator[Message]:
        now = self._now().replace(second=0, microsecond=0)
        for number, line in enumerate(beginning(chat_type=chat["chatType"], name=chat["name"])):
            yield Message(
                id=f"{key_of(chat)}-{number}",
                text=line.text,
                at=now - timedelta(minutes=line.minutes_ago),
                author=user_name if line.outgoing else None,
            )
