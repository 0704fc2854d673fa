"""Everything a simulated Wazzup remembers. All of it can be read from a test, and forgotten by `reset()`."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import OctKey

from app.simulator.conversations import Conversations
from app.simulator.faults import Faults
from app.simulator.operations import operation_of
from app.simulator.options import Options, RateLimit
from app.simulator.tokens import Tokens

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as it came. Of the Authorization header only the scheme is kept."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    """The parsed JSON; None where there was none."""

    @property
    def operation(self) -> str | None:
        """What the route is called, in either generation."""
        return operation_of(self.path)


class RateMeter:
    """Admits so many calls in any window of so many seconds."""

    def __init__(self, limit: RateLimit | None, now: Now) -> None:
        self._limit = limit
        self._now = now
        self._admitted: deque[datetime] = deque()

    def admits(self) -> bool:
        """Count a call, unless it is one too many. A refused call does not count."""
        if self._limit is None:
            return True
        now = self._now()
        while self._admitted and self._admitted[0] <= now - timedelta(seconds=self._limit.seconds):
            self._admitted.popleft()
        if len(self._admitted) >= self._limit.calls:
            return False
        self._admitted.append(now)
        return True

    def reset(self) -> None:
        """Forget the calls so far."""
        self._admitted.clear()


class World:
    """One simulated Wazzup account: what it was told, what it gave out, what it was asked.

    `users`, `contacts` and `deals` are by id, each as it was last sent.
    """

    def __init__(self, *, public_url: str, options: Options, now: Now) -> None:
        self.public_url = public_url.rstrip("/")
        self.options = options
        self.now = now
        self.link_key = OctKey.generate_key(256)
        self.calls: list[Call] = []
        self.faults = Faults()
        self.users: dict[str, dict[str, Any]] = {}
        self.contacts: dict[str, dict[str, Any]] = {}
        self.deals: dict[str, dict[str, Any]] = {}
        self.conversations = Conversations(now)
        self.tokens = Tokens(options, now)
        self.rates = {
            "/v2/": RateMeter(options.v2_rate_limit, now),
            "/v3/": RateMeter(options.v3_rate_limit, now),
        }

    def record(self, call: Call) -> None:
        """Remember a call, and of the old ones only as many as the options say."""
        self.calls.append(call)
        del self.calls[: max(0, len(self.calls) - self.options.calls_kept)]

    def calls_to(self, operation: str) -> list[Call]:
        """List the recorded calls of one operation, in the order they came."""
        return [call for call in self.calls if call.operation == operation]

    def admits(self, path: str) -> bool:
        """Say whether the rate limit of the path's generation lets one more call through."""
        return all(meter.admits() for prefix, meter in self.rates.items() if path.startswith(prefix))

    def name_of_user(self, user_id: str) -> str:
        """Give the name that a user was sent with, or the id of one who never was."""
        name: str = self.users.get(user_id, {}).get("name", user_id)
        return name

    def strangers_in(self, deals: list[dict[str, Any]], responsible: str) -> Iterator[str]:
        """Say which deals name a user or a contact that was never sent. `responsible` is the user's field."""
        for index, deal in enumerate(deals):
            if deal[responsible] not in self.users:
                yield f"{index}.{responsible} must be a known user"
            if not self.contacts.keys() >= set(deal["contacts"]):
                yield f"{index}.contacts must be known contacts"

    def reset(self) -> None:
        """Forget everything since the start. Links that were given out go on working."""
        for forgotten in (self.calls, self.users, self.contacts, self.deals, self.conversations, self.faults):
            forgotten.clear()
        for meter in self.rates.values():
            meter.reset()
        self.tokens.reset()
