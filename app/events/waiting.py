"""Pages that wait for answers, on this replica. Whoever settles a delivery tells the replica on which a page waits."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Waiting:
    """Wakes whoever watches an event. `channel` names this replica."""

    channel: str
    _watchers: dict[str, set[asyncio.Event]] = field(default_factory=dict, repr=False)

    @contextmanager
    def watching(self, event_id: str) -> Iterator[asyncio.Event]:
        """What is set when something about the event may have changed."""
        changed = asyncio.Event()
        self._watchers.setdefault(event_id, set()).add(changed)
        try:
            yield changed
        finally:
            self._watchers[event_id].discard(changed)
            if not self._watchers[event_id]:
                del self._watchers[event_id]

    def heard(self, event_id: str) -> None:
        """Something about this event has changed; "": perhaps about any."""
        for name in [event_id] if event_id else list(self._watchers):
            for changed in self._watchers.get(name, ()):
                changed.set()
