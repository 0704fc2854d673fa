"""The chat window's messages, as the page relays them, and what CRMs receive of them.

Wazzup documents two types and no complete list, so any other `WZ_…` is carried unchanged.
"""

from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

EventId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class PostedEvent(BaseModel):
    """The iframe's message as it came, and what the page adds. What is not known is carried along."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    type: Annotated[str, Field(max_length=64, pattern=r"^WZ_[A-Z_]+$", examples=["WZ_CREATE_ENTITY"])]
    data: dict[str, Any] = Field(description="As Wazzup sent it. `userId`, where present, is the caller's user.")
    id: EventId | None = Field(
        default=None, description="Made by the page: the same id within 24 hours is the same event."
    )
    occurred_at: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        default=None, description="When the page got the message."
    )

    @model_validator(mode="after")
    def _can_be_carried(self) -> Self:
        # What is no number to a receiver would arrive as null, which is something else.
        if not _readable(self.data) or not _readable(self.model_extra):
            raise ValueError("send numbers that fit a double: NaN, Infinity and 1e400 cannot be carried")
        return self


def _readable(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, dict):
        return all(map(_readable, value.values()))
    return all(map(_readable, value)) if isinstance(value, list) else True


class Accepted(BaseModel):
    """The event and its deliveries are stored."""

    id: str
    duplicate: bool = Field(description="It was posted before, and nothing is sent again.")
    deliveries: int


class AnswerOfCrm(BaseModel):
    """What a webhook answered."""

    status: int | None
    body: str


class Result(BaseModel):
    """How far the delivery to one webhook is."""

    webhook_id: str
    status: Literal["pending", "delivered", "dead"]
    response: AnswerOfCrm | None


class Answered(BaseModel):
    """Every webhook was tried within the time that the page waits (`Prefer: wait`)."""

    id: str
    results: list[Result]


class Context(BaseModel):
    """What the gateway knows of an event."""

    user_id: str | None = Field(description="The CRM user in whose window it happened.")
    trust: Literal["browser", "server", "test"] = Field(
        description="`browser`: a page relayed it, so check what it says. `server`: it came with a server key. "
        "`test`: an example, sent by `POST /webhooks/{id}/test`."
    )
    received_at: datetime
    occurred_at: datetime | None
    message: dict[str, Any] | None = Field(
        default=None, description="What the window's message said besides its type and data, if anything."
    )


class Delivered(BaseModel):
    """What a CRM receives."""

    id: str = Field(examples=["evt_01KAMPE8M0ABCDEFGHJKMN"])
    timestamp: datetime
    account: str
    context: Context


class Entity(BaseModel):
    """A deal, as Wazzup shows it in its list."""

    model_config = ConfigDict(extra="allow")

    id: str | int
    name: str | None = None
    link: str | None = Field(default=None, description="May be absent, or `#`.")
    closed: bool | None = None
    responsibleUserName: str | None = None  # noqa: N815 - the vendor's word


class WindowData(BaseModel):
    """What both documented messages say. Ids may be strings or numbers."""

    model_config = ConfigDict(extra="allow")

    chatType: str | None = None  # noqa: N815 - the vendor's word
    chatId: str | int | None = None  # noqa: N815 - the vendor's word
    channelId: str | None = None  # noqa: N815 - the vendor's word
    userId: str | int | None = None  # noqa: N815 - the vendor's word
    integrationId: str | int | None = None  # noqa: N815 - the vendor's word


class OpenData(WindowData):
    """What `WZ_OPEN_ENTITY` says besides."""

    entity: Entity


class CreateEntity(Delivered):
    """The user clicked + in the Deals list. Make the deal, answer with it (a page may wait for it), and tell Wazzup of
    it by `POST /deals`, or its list will not show it.
    """

    type: Literal["WZ_CREATE_ENTITY"]
    data: WindowData


class OpenEntity(Delivered):
    """The user clicked an entry of the Deals list: open that deal."""

    type: Literal["WZ_OPEN_ENTITY"]
    data: OpenData


class AnyOther(Delivered):
    """A message that Wazzup does not document, carried unchanged."""

    type: str = Field(pattern=r"^WZ_[A-Z_]+$")
    data: dict[str, Any]
