"""One account's way out, assembled: events in, webhooks, deliveries. `assembly` does the rest of an account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import httpx

from app.accounts import Account
from app.clock import Clock
from app.events.relay import Answer, EventRelay
from app.events.waiting import Waiting
from app.sealing import KeyRing
from app.store import Store
from app.telemetry import Telemetry
from app.variables import Misconfigured
from app.webhooks.archive import Archive, Delivery
from app.webhooks.channel import webhook_client
from app.webhooks.desk import WebhookDesk
from app.webhooks.dispatcher import MOST, Desk, Dispatcher
from app.webhooks.egress import Egress
from app.webhooks.outbox import Put, RedisOutbox
from app.webhooks.registry import WebhookRegistry
from app.webhooks.replay import Replayer
from app.webhooks.sender import Sender

USER_AGENT = "wazzup-gateway"
# For the addresses of one name.
NAMES = timedelta(seconds=5)


@dataclass(frozen=True)
class Outgoing:
    """What carries one account's events out."""

    relay: EventRelay
    desk: WebhookDesk
    dispatcher: Dispatcher
    registry: WebhookRegistry
    http: httpx.AsyncBaseTransport


@dataclass(frozen=True)
class Answers:
    """The outbox as a relay needs it: it puts, and it tells how far the deliveries are."""

    outbox: RedisOutbox
    archive: Archive

    async def put(self, event_id: str, kind: str, body: bytes, *, once: str, waiter: str) -> Put:
        """As `RedisOutbox.put`."""
        return await self.outbox.put(event_id, kind, body, once=once, waiter=waiter)

    async def answers(self, event_id: str) -> Sequence[Answer]:
        """The last answer of each webhook."""
        return [_answer(one) for one in await self.archive.deliveries_of(event_id)]


def outgoing(
    name: str, account: Account, store: Store, ring: KeyRing, clock: Clock, telemetry: Telemetry, waiting: Waiting
) -> Outgoing:
    """The way out of the account `name`.

    Raises:
        Misconfigured: a proxy of the environment cannot be used.
    """
    waits = account.webhook_retry_seconds
    kept, longest = account.event_retention_seconds, sum(waits, timedelta(0)) * 1.1
    # A DNS server that is silent must not be taken for a CRM that is.
    egress = Egress(account.webhook_allow_networks, patience=min(NAMES, account.webhook_timeout_seconds / 2))
    http = _client(account, egress)
    sender = Sender(http, account.webhook_timeout_seconds, clock, USER_AGENT)
    outbox = RedisOutbox(store, clock, name, kept=kept, longest=longest, first_wait=waits[0])
    archive = Archive(store, name)
    registry = WebhookRegistry(store, ring, clock, name, kept=kept)
    replayer = Replayer(store, clock, name, life=kept + longest)
    return Outgoing(
        relay=EventRelay(Answers(outbox, archive), waiting, name, clock, telemetry),
        desk=WebhookDesk(registry, archive, replayer, sender, egress, name, clock, telemetry),
        dispatcher=Dispatcher(
            Desk(name, outbox, sender, registry.opened, waits, account.webhook_timeout_seconds), clock, telemetry
        ),
        registry=registry,
        http=http,
    )


def _client(account: Account, egress: Egress) -> httpx.AsyncBaseTransport:
    try:
        # Twice as many as are under way at once: a test of a webhook must not wait for deliveries.
        return webhook_client(egress, connections=2 * MOST, proxies_from_environment=account.webhook_use_proxy)
    except ValueError as error:
        raise Misconfigured([str(error)]) from None


def _answer(one: Delivery) -> Answer:
    last = one.attempts[-1] if one.attempts else None
    return Answer(
        webhook_id=one.webhook_id,
        state=one.status,
        tried=last is not None or one.status != "pending",
        status=last.status if last else None,
        body=last.body if last else "",
    )
