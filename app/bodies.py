"""Bodies as they cross the wire: strict, and what texts in them may hold."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# C0, DEL and C1. Invisible marks stay allowed: names need joiners, and pasted phone numbers carry direction marks.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _printable(value: str) -> str:
    if _CONTROLS.search(value):
        raise ValueError("control characters are not allowed here")
    return value


class Wire(BaseModel):
    """A body as it crosses the wire: strict types, no unknown fields, never changed once read."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, str_strip_whitespace=True)


Text = Annotated[str, AfterValidator(_printable)]
Id = Annotated[Text, Field(min_length=1, max_length=256)]
# An empty string is how many CRMs write "nothing"; the vendor's own samples do. It is read as absent.
OptionalId = Annotated[Text, Field(max_length=256)] | None
