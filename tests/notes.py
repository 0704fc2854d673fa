"""A journal that can be read."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Notes:
    """A journal that keeps what it was told."""

    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def note(self, what: str, /, **facts: Any) -> None:
        self.told.append((what, facts))

    def trouble(self, what: str, /, error: BaseException | None = None, **facts: Any) -> None:
        self.told.append((what, facts | ({"error": error} if error else {})))

    def of(self, what: str) -> list[dict[str, Any]]:
        """The facts of every note of this kind."""
        return [facts for kind, facts in self.told if kind == what]
