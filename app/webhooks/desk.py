"""What admins do with webhooks: each thing that they ask for in one step, with the checks that it needs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from app.clock import Clock
from app.errors import Fault, Invalid, WebhookDisabled
from app.ids import new_id
from app.telemetry import Journal
from app.webhooks.archive import Archive
from app.webhooks.attempt import Delivered, Failed, Hindered, Parcel, Refused
from app.webhooks.egress import Egress
from app.webhooks.models import (
    AskedReplay,
    AskedWebhook,
    ChangedWebhook,
    DeliveryPage,
    EventPage,
    MadeWebhook,
    Replayed,
    Secret,
    Status,
    Tested,
    ToldEvent,
    ToldWebhook,
    Webhook,
    WebhookPage,
    WholeEvent,
)
from app.webhooks.registry import OVERLAP, Registered, WebhookRegistry
from app.webhooks.replay import Replayer
from app.webhooks.sender import Sender, checked_headers
from app.webhooks.signing import checked_secret, new_secret
from app.webhooks.telling import made_webhook, told_delivery, told_webhook

# Ids that were never made here are not looked up: what stands in a path may be anything.
_WEBHOOK_ID: Final = re.compile(r"wh_[0-9A-Z]{22}")
# Secrets of one webhook that sign at the same time.
_MOST_SIGNING: Final = 5
_DISABLED_BY_ADMIN: Final = "an admin disabled it"
_EXAMPLE: Final = {
    "chatType": "whatsapp",
    "chatId": "37111234567",
    "channelId": "00000000-0000-0000-0000-000000000000",
    "userId": "crm-user-1",
    "integrationId": "0",
}


@dataclass(frozen=True)
class WebhookDesk:
    """The webhooks, events and deliveries of one account, for its admins."""

    registry: WebhookRegistry
    archive: Archive
    replayer: Replayer
    sender: Sender
    egress: Egress
    account: str
    clock: Clock
    journal: Journal

    async def add(self, asked: AskedWebhook) -> MadeWebhook:
        """Registers a webhook.

        Raises:
            Invalid: its URL, headers or secret cannot be used; says what to do.
        """
        secret = _secret(asked.secret)
        headers = _headers(asked.headers)
        await self._check_url(asked.url)
        made = await self.registry.add(
            url=asked.url,
            events=tuple(dict.fromkeys(asked.events)),
            description=asked.description,
            headers=headers,
            secret=secret,
        )
        self._note("webhook.registered", made.webhook)
        return made_webhook(made, secret)

    async def page(self, cursor: str | None, limit: int) -> WebhookPage:
        """Webhooks, newest first."""
        rest = [one for one in await self.registry.all() if cursor is None or one.webhook.id < cursor]
        shown = rest[:limit]
        return WebhookPage(
            data=[told_webhook(one) for one in shown], next=shown[-1].webhook.id if len(rest) > limit else None
        )

    async def get(self, webhook_id: str) -> ToldWebhook:
        """One webhook.

        Raises:
            WebhookUnknown: there is none of this id.
        """
        return told_webhook(await self._found(webhook_id))

    async def change(self, webhook_id: str, changed: ChangedWebhook) -> ToldWebhook:
        """Changes what is given.

        Raises:
            WebhookUnknown: there is none of this id.
            Conflict: somebody else changed it meanwhile.
            Invalid: as for `add`.
        """
        found = await self._found(webhook_id)
        webhook = found.webhook
        if update := await self._update(changed):
            webhook = replace(webhook, **update)
            await self.registry.change(found, webhook)
        if changed.enabled is True:
            await self.registry.enable(webhook)
        elif changed.enabled is False:
            await self.registry.disable(webhook, _DISABLED_BY_ADMIN)
        self._note("webhook.changed", webhook)
        return await self.get(webhook_id)

    async def delete(self, webhook_id: str) -> None:
        """Deletes it.

        Raises:
            WebhookUnknown: there is none of this id.
        """
        # Not opened: a record whose SECRET_KEY is gone must not be there for ever.
        await self.registry.delete(webhook_id if _WEBHOOK_ID.fullmatch(webhook_id) else "")
        self.journal.note("webhook.deleted", account=self.account, webhook_id=webhook_id)

    async def rotate(self, webhook_id: str) -> MadeWebhook:
        """A new secret; the old one signs for a day.

        Raises:
            WebhookUnknown: there is none of this id.
        """
        found = await self._found(webhook_id)
        secret, until = new_secret(), self.clock.now() + OVERLAP
        newest, *older = found.webhook.secrets
        # Who rotates twice within a day had that day promised for each.
        living = [one for one in older if one.until and one.until > self.clock.now()]
        kept = [replace(newest, until=until), *living][: _MOST_SIGNING - 1]
        webhook = replace(found.webhook, secrets=(Secret(value=secret), *kept))
        await self.registry.change(found, webhook)
        self._note("webhook.rotated", webhook)
        return made_webhook(Registered(webhook, found.off), secret)

    async def test(self, webhook_id: str) -> Tested:
        """Sends an example, once.

        Raises:
            WebhookUnknown: there is none of this id.
        """
        webhook = (await self._found(webhook_id)).webhook
        now, started = self.clock.now(), self.clock.monotonic()
        outcome = await self.sender.send(webhook.target(now), self._example(now))
        took = round((self.clock.monotonic() - started) * 1000)
        self._note("webhook.tested", webhook, outcome=type(outcome).__name__.lower())
        match outcome:
            case Delivered(status, body):
                return Tested(delivered=True, status=status, error=None, body=body, duration_ms=took)
            case Failed(reason, status, body, _) | Refused(reason, status, body):
                return Tested(delivered=False, status=status, error=reason, body=body, duration_ms=took)
            case Hindered(reason):
                return Tested(delivered=False, status=None, error=reason, body="", duration_ms=took)

    async def deliveries(
        self, webhook_id: str, *, status: Status | None, cursor: str | None, limit: int
    ) -> DeliveryPage:
        """Deliveries of a webhook, newest first.

        Raises:
            WebhookUnknown: there is none of this id.
        """
        await self._found(webhook_id)
        found, after = await self.archive.deliveries(webhook_id, status=status, cursor=cursor, limit=limit)
        return DeliveryPage(data=[told_delivery(one) for one in found], next=after)

    async def replay(self, webhook_id: str, asked: AskedReplay) -> Replayed:
        """Sends again what is asked for.

        Raises:
            WebhookUnknown: there is none of this id.
            WebhookDisabled: it gets nothing now.
            Invalid: the span is empty.
        """
        found = await self._found(webhook_id)
        if found.off:
            raise WebhookDisabled("The webhook is disabled: enable it first, by PATCH with enabled: true.")
        until = asked.until or self.clock.now() + timedelta(seconds=1)
        if until <= asked.since:
            detail = "until is not after since: nothing was accepted in that span."
            raise Invalid(detail, faults=[Fault(detail, "#/until")])
        sent = await self.replayer.replay(webhook_id, asked.status, since=asked.since, until=until)
        self._note("webhook.replayed", found.webhook, deliveries=sent)
        return Replayed(deliveries=sent)

    async def events(self, *, cursor: str | None, limit: int) -> EventPage:
        """Events, newest first."""
        kept, after = await self.archive.events(cursor=cursor, limit=limit)
        return EventPage(
            data=[ToldEvent(id=one.id, type=one.type, received_at=one.received_at) for one in kept], next=after
        )

    async def event(self, event_id: str) -> WholeEvent:
        """One event, and what became of it.

        Raises:
            EventUnknown: there is none of this id, or it is kept no more.
        """
        message = await self.archive.event(event_id)
        return WholeEvent(
            id=event_id,
            type=message["type"],
            received_at=message["timestamp"],
            message=message,
            deliveries=[told_delivery(one) for one in await self.archive.deliveries_of(event_id)],
        )

    async def replay_event(self, event_id: str) -> Replayed:
        """Sends one event again to every webhook that wants it.

        Raises:
            EventUnknown: there is none of this id, or it is kept no more.
        """
        message = await self.archive.event(event_id)
        return Replayed(deliveries=await self.replayer.replay_event(event_id, message["type"]))

    async def retry(self, delivery_id: str) -> None:
        """Sends a delivery again, at once; see `Replayer.retry`."""
        await self.replayer.retry(delivery_id)

    async def _found(self, webhook_id: str) -> Registered:
        return await self.registry.get(webhook_id if _WEBHOOK_ID.fullmatch(webhook_id) else "")

    async def _update(self, changed: ChangedWebhook) -> dict[str, Any]:
        given = {name: value for name, value in changed.model_dump(exclude={"enabled"}).items() if value is not None}
        if "url" in given:
            await self._check_url(given["url"])
        if "headers" in given:
            given["headers"] = tuple(_headers(given["headers"]).items())
        if "events" in given:
            given["events"] = tuple(dict.fromkeys(given["events"]))
        return given

    async def _check_url(self, url: str) -> None:
        try:
            await self.egress.resolvable(self.egress.checked_url(url))
        except ValueError as error:
            raise _invalid(str(error), "#/url") from None

    def _example(self, now: datetime) -> Parcel:
        event_id = new_id("evt", now)
        context = {"user_id": "crm-user-1", "trust": "test", "received_at": now, "occurred_at": None}
        message = {
            "id": event_id,
            "type": "WZ_CREATE_ENTITY",
            "timestamp": now,
            "account": self.account,
            "data": _EXAMPLE,
            "context": context,
        }
        return Parcel(event_id, orjson.dumps(message, option=orjson.OPT_UTC_Z))

    def _note(self, what: str, webhook: Webhook, **facts: Any) -> None:
        self.journal.note(what, account=self.account, webhook_id=webhook.id, **facts)


def _secret(given: str | None) -> str:
    if given is None:
        return new_secret()
    try:
        return checked_secret(given)
    except ValueError as error:
        raise _invalid(str(error), "#/secret") from None


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    try:
        return dict(checked_headers(given))
    except ValueError as error:
        raise _invalid(str(error), "#/headers") from None


def _invalid(sentence: str, pointer: str) -> Invalid:
    detail = f"{sentence[:1].upper()}{sentence[1:].rstrip('.')}."
    return Invalid(detail, faults=[Fault(detail, pointer)])
