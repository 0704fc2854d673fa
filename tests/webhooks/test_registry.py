"""Registrations lie sealed: nobody who reads the store can send in our name, or learn where to."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from app.errors import Conflict, WebhookUnknown
from app.sealing import KeyRing
from app.store import Store, connected
from app.webhooks.models import Secret
from app.webhooks.registry import Registered, WebhookRegistry
from app.webhooks.signing import new_secret
from tests.driver import NOON, SECRET_KEY, Clock

OLD, NEW = SECRET_KEY, "another-secret-key-another-secret-key"
SECRET = new_secret()
GIVEN: dict[str, Any] = {
    "url": "https://crm.example/wazzup?token=hunter2",
    "events": ("WZ_A", "WZ_B"),
    "description": "Zebulon's",
    "headers": {"Authorization": "Basic Zm9v"},
    "secret": SECRET,
}


@pytest.fixture
async def store(redis_url: str, clock: Clock) -> AsyncIterator[Store]:
    async with connected(redis_url, clock) as opened:
        yield opened


def registry_on(store: Store, clock: Clock, *keys: str, account: str = "default") -> WebhookRegistry:
    return WebhookRegistry(store, KeyRing.of(keys or [OLD]), clock, account, kept=timedelta(days=7))


async def test_what_is_registered_is_found_as_it_was(store: Store, clock: Clock) -> None:
    registry = registry_on(store, clock)

    made = await registry.add(**GIVEN)

    assert await registry.get(made.webhook.id) == made
    assert await registry.all() == [made]
    assert made.off is None
    assert (made.webhook.url, made.webhook.events) == (GIVEN["url"], GIVEN["events"])
    assert (made.webhook.secrets, made.webhook.created_at) == ((Secret(value=SECRET),), NOON)


async def test_nothing_of_it_can_be_read_in_the_store(store: Store, redis: Redis, clock: Clock) -> None:
    made = await registry_on(store, clock).add(**GIVEN)

    lying = str(await redis.hgetall("wg:{default}:hooks:all")) + str(await redis.hgetall("wg:{default}:hooks:wants"))

    assert made.webhook.id in lying
    for told in (SECRET, SECRET[6:], "crm.example", "hunter2", "Zebulon", "Authorization", "Zm9v"):
        assert told not in lying


async def test_a_record_cannot_be_moved_to_another_webhook_or_account(store: Store, redis: Redis, clock: Clock) -> None:
    registry = registry_on(store, clock)
    mine, other = await registry.add(**GIVEN), await registry.add(**GIVEN | {"secret": new_secret()})
    sealed = await redis.hget("wg:{default}:hooks:all", mine.webhook.id)
    assert sealed

    await redis.hset("wg:{default}:hooks:all", other.webhook.id, sealed)
    await redis.hset("wg:{north}:hooks:all", mine.webhook.id, sealed)

    assert await registry.all() == [mine]
    with pytest.raises(WebhookUnknown):
        await registry.get(other.webhook.id)
    with pytest.raises(WebhookUnknown):
        await registry_on(store, clock, account="north").get(mine.webhook.id)


async def test_a_new_secret_key_reads_what_the_old_one_sealed(store: Store, clock: Clock) -> None:
    """And what is written since then needs the old one no more."""
    made = await registry_on(store, clock, OLD).add(**GIVEN)
    both = registry_on(store, clock, NEW, OLD)

    assert await both.get(made.webhook.id) == made
    await both.change(await both.get(made.webhook.id), replace(made.webhook, description="changed"))

    changed = (await registry_on(store, clock, NEW).get(made.webhook.id)).webhook
    assert (changed.description, changed.secrets) == ("changed", made.webhook.secrets)


async def test_a_record_whose_key_is_gone_is_not_there_but_can_be_deleted(store: Store, clock: Clock) -> None:
    made = await registry_on(store, clock, OLD).add(**GIVEN)
    without = registry_on(store, clock, NEW)

    assert await without.all() == []
    await without.delete(made.webhook.id)

    with pytest.raises(WebhookUnknown):
        await registry_on(store, clock, OLD).get(made.webhook.id)


async def test_an_old_secret_signs_until_its_end(store: Store, clock: Clock) -> None:
    registry = registry_on(store, clock)
    made = (await registry.add(**GIVEN)).webhook
    newest, until = new_secret(), NOON + timedelta(hours=24)
    known = await registry.get(made.id)
    await registry.change(known, replace(made, secrets=(Secret(value=newest), Secret(value=SECRET, until=until))))

    webhook = (await registry.get(made.id)).webhook

    assert webhook.target(NOON).secrets == (newest, SECRET)
    assert webhook.target(until - timedelta(seconds=1)).secrets == (newest, SECRET)
    assert webhook.target(until).secrets == (newest,)


async def test_it_is_disabled_with_a_reason_and_enabled_again(store: Store, redis: Redis, clock: Clock) -> None:
    registry = registry_on(store, clock)
    made = (await registry.add(**GIVEN)).webhook

    await registry.disable(made, "because")
    clock.advance(hours=1)
    await registry.disable(made, "and again")
    disabled = await registry.get(made.id)
    await registry.change(disabled, replace(made, events=("WZ_C",)))
    wanted_while_off = await redis.hgetall("wg:{default}:hooks:wants")
    await registry.enable(replace(made, events=("WZ_C",)))

    assert disabled.off
    assert (disabled.off.reason, disabled.off.at) == ("because", NOON)
    assert wanted_while_off == {}
    assert (await registry.get(made.id)).off is None
    assert await redis.hgetall("wg:{default}:hooks:wants") == {made.id.encode(): b"WZ_C"}


async def test_what_was_deleted_is_not_brought_back_by_a_late_change(store: Store, redis: Redis, clock: Clock) -> None:
    registry = registry_on(store, clock)
    made = (await registry.add(**GIVEN)).webhook
    known = await registry.get(made.id)
    await registry.delete(made.id)

    for late in (
        registry.change(known, made),
        registry.enable(made),
        registry.disable(made, "x"),
        registry.delete(made.id),
    ):
        with pytest.raises(WebhookUnknown):
            await late

    assert await redis.exists("wg:{default}:hooks:all", "wg:{default}:hooks:wants", "wg:{default}:hooks:off") == 0


async def test_neither_a_secret_nor_a_header_is_in_what_is_printed(store: Store, clock: Clock) -> None:
    made: Registered = await registry_on(store, clock).add(**GIVEN)

    printed = repr(made) + repr(made.webhook.target(NOON))

    assert SECRET not in printed
    assert "Zm9v" not in printed


async def test_of_two_changes_at_once_the_second_is_told_and_undoes_nothing(store: Store, clock: Clock) -> None:
    """Else a change of the description could bring back a secret that was rotated out meanwhile."""
    registry = registry_on(store, clock)
    made = (await registry.add(**GIVEN)).webhook
    known = await registry.get(made.id)
    await registry.change(known, replace(made, description="first"))

    with pytest.raises(Conflict):
        await registry.change(known, replace(made, description="second"))

    assert (await registry.get(made.id)).webhook.description == "first"


async def test_what_an_older_secret_key_sealed_is_sealed_anew_and_outlives_it(store: Store, clock: Clock) -> None:
    made = await registry_on(store, clock, OLD).add(**GIVEN)

    await registry_on(store, clock, NEW, OLD).reseal()

    assert await registry_on(store, clock, NEW).get(made.webhook.id) == made
