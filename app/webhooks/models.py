"""What a CRM registers, and what it reads about its webhooks.

Wire models are the public contract; `Webhook` is one registration, as it is kept.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from app.bodies import Text, Wire
from app.webhooks.attempt import Target

EVERY = "*"

Kind = Annotated[str, Field(max_length=64, pattern=r"^(\*|WZ_[A-Z_]+)$", examples=["WZ_CREATE_ENTITY", "*"])]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=32)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A signing secret; one that was rotated out signs until its end."""

    value: str = field(repr=False)
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One registration. What disables it is kept apart: workers write that, and never this."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    secrets: tuple[Secret, ...]
    created_at: datetime

    def target(self, now: datetime) -> Target:
        """Where a delivery goes, signed with every secret that lives."""
        living = tuple(one.value for one in self.secrets if one.until is None or one.until > now)
        return Target(id=self.id, url=self.url, headers=self.headers, secrets=living)


class AskedWebhook(Wire):
    """Where events are to be sent."""

    url: Annotated[str, Field(max_length=2048, examples=["https://crm.example/wazzup"])]
    events: Kinds = Field(default=[EVERY], description="Which types; `*` stands for all, also for those to come.")
    description: Annotated[Text, Field(max_length=200)] = ""
    headers: dict[str, str] = Field(default={}, description="Sent along with each delivery.")
    secret: str | None = Field(
        default=None, description="Your own `whsec_…`: base64 of 24 to 64 bytes. By default a new one is made."
    )


class ChangedWebhook(Wire):
    """What is to be changed; what is left out stays."""

    url: Annotated[str, Field(max_length=2048)] | None = None
    events: Kinds | None = None
    description: Annotated[Text, Field(max_length=200)] | None = None
    headers: dict[str, str] | None = None
    enabled: bool | None = None


class ToldWebhook(BaseModel):
    """A webhook, as admins see it. Its secret is told once, and header values never."""

    id: str
    url: str
    events: list[str]
    description: str
    headers: list[str] = Field(description="The names of the headers that are sent along.")
    enabled: bool
    disabled_reason: str | None
    disabled_at: datetime | None
    created_at: datetime


class MadeWebhook(ToldWebhook):
    """The same, with its secret for the only time."""

    secret: str


class Attempt(BaseModel):
    """One attempt to deliver."""

    at: datetime
    duration_ms: int
    status: int | None = Field(description="Of the CRM's answer, if there was one.")
    error: str | None
    body: str = Field(description="The first KiB of the CRM's answer.")


Status = Literal["pending", "delivered", "dead"]


class ToldDelivery(BaseModel):
    """One event for one webhook."""

    id: str
    event_id: str
    webhook_id: str
    type: str
    status: Status
    next_attempt_at: datetime | None
    reason: str | None = Field(description="Why it is dead.")
    attempts: list[Attempt]


class WebhookPage(BaseModel):
    """A part of the list; `next` reads on as `?cursor=`."""

    data: list[ToldWebhook]
    next: str | None


class DeliveryPage(BaseModel):
    """A part of the list; `next` reads on as `?cursor=`."""

    data: list[ToldDelivery]
    next: str | None


class Tested(BaseModel):
    """What the CRM said to an example event."""

    delivered: bool
    status: int | None
    error: str | None
    body: str = Field(description="The first KiB of the CRM's answer.")
    duration_ms: int


class AskedReplay(Wire):
    """Which events are to be sent again."""

    since: Annotated[AwareDatetime, Field(strict=False)] = Field(description="Accepted at this time or later.")
    until: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        default=None, description="Accepted before; by default until now."
    )
    status: Literal["dead", "missed", "all"] = "dead"


class Replayed(BaseModel):
    """How many deliveries are under way again."""

    deliveries: int


class ToldEvent(BaseModel):
    """An event that is kept."""

    id: str
    type: str
    received_at: datetime


class EventPage(BaseModel):
    """A part of the list; `next` reads on as `?cursor=`."""

    data: list[ToldEvent]
    next: str | None


class WholeEvent(ToldEvent):
    """An event as it is sent, and what became of it."""

    message: dict[str, Any] = Field(description="What the webhooks receive.")
    deliveries: list[ToldDelivery]
