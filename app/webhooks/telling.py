"""What admins are told, from what we know."""

from app.webhooks.archive import Delivery
from app.webhooks.models import Attempt, MadeWebhook, ToldDelivery, ToldWebhook
from app.webhooks.registry import Registered


def told_webhook(one: Registered) -> ToldWebhook:
    """A webhook without what is secret."""
    webhook = one.webhook
    return ToldWebhook(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        description=webhook.description,
        headers=[name for name, _ in webhook.headers],
        enabled=one.off is None,
        disabled_reason=one.off and one.off.reason,
        disabled_at=one.off and one.off.at,
        created_at=webhook.created_at,
    )


def made_webhook(one: Registered, secret: str) -> MadeWebhook:
    """The same, with its secret for the only time."""
    return MadeWebhook(**told_webhook(one).model_dump(), secret=secret)


def told_delivery(one: Delivery) -> ToldDelivery:
    """A delivery and its attempts."""
    return ToldDelivery(
        id=one.id,
        event_id=one.event_id,
        webhook_id=one.webhook_id,
        type=one.type,
        status=one.status,
        next_attempt_at=one.next_attempt_at,
        reason=one.reason,
        attempts=[
            Attempt(at=each.at, duration_ms=each.duration_ms, status=each.status, error=each.error, body=each.body)
            for each in one.attempts
        ],
    )
