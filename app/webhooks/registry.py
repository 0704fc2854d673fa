"""Who asked to hear about what. Records lie sealed; what is wanted lies beside them, where an event finds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from app.clock import Clock
from app.errors import Conflict, WebhooksExhausted, WebhookUnknown
from app.ids import made_at, new_id
from app.sealing import KeyRing, Unsealable
from app.store import Script, Store
from app.webhooks.models import EVERY, Secret, Webhook
from app.webhooks.scripts import SHARED

# For so long both secrets sign after a rotation.
OVERLAP: Final = timedelta(hours=24)
# What one account may register: each event looks at all of them.
MOST: Final = 100

_WRITE = Script(
    SHARED
    + """
local hook, record, wants, must = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local known = redis.call('HEXISTS', P .. 'hooks:all', hook)
if must == 'new' and redis.call('HLEN', P .. 'hooks:all') >= tonumber(ARGV[6]) then return 0 end
if must == 'known' and known == 0 then return 0 end
if must == 'known' and redis.call('HGET', P .. 'hooks:all', hook) ~= ARGV[7] then return 2 end
redis.call('HSET', P .. 'hooks:all', hook, record)
if redis.call('HEXISTS', P .. 'hooks:off', hook) == 0 then redis.call('HSET', P .. 'hooks:wants', hook, wants) end
return 1
"""
)

_TURN = Script(
    SHARED
    + """
local hook, wants, off = ARGV[2], ARGV[3], ARGV[4]
if redis.call('HEXISTS', P .. 'hooks:all', hook) == 0 then return 0 end
if off == '' then
  redis.call('HDEL', P .. 'hooks:off', hook)
  redis.call('HDEL', P .. 'hooks:health', hook .. ':since', hook .. ':first')
  redis.call('HSET', P .. 'hooks:wants', hook, wants)
elseif redis.call('HDEL', P .. 'hooks:wants', hook) == 1 then
  redis.call('HSET', P .. 'hooks:off', hook, off)
  indexed(hook)
  redis.call('PUBLISH', 'wg:bell', ARGV[5])
end
return 1
"""
)

# What is pending is buried by whoever claims next; what was told of deliveries ends with its own life.
_DELETE = Script(
    SHARED
    + """
local hook = ARGV[2]
local known = redis.call('HDEL', P .. 'hooks:all', hook)
for _, name in ipairs({'hooks:wants', 'hooks:off'}) do redis.call('HDEL', P .. name, hook) end
redis.call('HDEL', P .. 'hooks:health', hook .. ':since', hook .. ':first')
redis.call('PEXPIRE', P .. 'hooks:log:' .. hook, ARGV[3])
redis.call('PEXPIRE', P .. 'hooks:dead:' .. hook, ARGV[3])
indexed(hook)
redis.call('ZADD', P .. 'hooks:next', 'XX', 0, hook)
redis.call('PUBLISH', 'wg:bell', ARGV[4])
return known
"""
)


_RESEAL = Script("""
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
""")


@dataclass(frozen=True, slots=True)
class Off:
    """Why a webhook is disabled, and since when."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Registered:
    """A webhook, and whether it is disabled. `sealed` is the record as it was read."""

    webhook: Webhook
    off: Off | None
    sealed: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True)
class WebhookRegistry:
    """The webhooks of one account. Every method may raise `StoreUnavailable`."""

    store: Store
    ring: KeyRing
    clock: Clock
    account: str
    kept: timedelta

    async def add(
        self, *, url: str, events: tuple[str, ...], description: str, headers: Mapping[str, str], secret: str
    ) -> Registered:
        """Registers a webhook. It gets the events that are accepted from now on.

        Raises:
            WebhooksExhausted: the account has as many as it may.
        """
        name = new_id("wh", self.clock.now())
        webhook = Webhook(
            id=name,
            url=url,
            events=events,
            description=description,
            headers=tuple(headers.items()),
            secrets=(Secret(value=secret),),
            created_at=made_at(name),
        )
        if not await self._write(webhook, must="new"):
            raise WebhooksExhausted(f"An account has at most {MOST} webhooks: delete one, or let one want more types.")
        return Registered(webhook, None)

    async def get(self, webhook_id: str) -> Registered:
        """The webhook of this id.

        Raises:
            WebhookUnknown: there is none.
        """
        sealed = await self.store.do("HGET", f"{self._prefix}hooks:all", webhook_id)
        off = await self.store.do("HGET", f"{self._prefix}hooks:off", webhook_id)
        record = self.opened(webhook_id, sealed) if sealed else None
        if record is None:
            raise _unknown()
        return Registered(record, _off(off), sealed)

    async def all(self) -> list[Registered]:
        """Every webhook, newest first."""
        records = await self.store.do("HGETALL", f"{self._prefix}hooks:all")
        off = _pairs(await self.store.do("HGETALL", f"{self._prefix}hooks:off"))
        found = [
            Registered(webhook, _off(off.get(webhook.id)))
            for name, sealed in _pairs(records).items()
            if (webhook := self.opened(name, sealed))
        ]
        return sorted(found, key=lambda one: one.webhook.id, reverse=True)

    async def change(self, known: Registered, webhook: Webhook) -> None:
        """Replaces what was `known`.

        Raises:
            WebhookUnknown: it was deleted meanwhile.
            Conflict: it was changed meanwhile: neither a secret nor anything else is to be lost by that.
        """
        match await self._write(webhook, must="known", was=known.sealed):
            case 0:
                raise _unknown()
            case 2:
                raise Conflict("The webhook was changed by somebody else meanwhile. Look at it, and try again.")

    async def enable(self, webhook: Webhook) -> None:
        """Lets it have events from now on. Those that came meanwhile can be replayed."""
        await self._turn(webhook, b"")

    async def disable(self, webhook: Webhook, reason: str) -> None:
        """Gives it no more events; what is pending ends as dead."""
        at = int(self.clock.now().timestamp() * 1000)
        await self._turn(webhook, orjson.dumps({"reason": reason, "at": at}))

    async def delete(self, webhook_id: str) -> None:
        """Forgets it; what is pending ends as dead.

        Raises:
            WebhookUnknown: there is none.
        """
        life = self.kept // timedelta(milliseconds=1)
        if not await self._run(_DELETE, webhook_id, life, self.account):
            raise _unknown()

    async def reseal(self) -> None:
        """Seals what older secrets have sealed by the newest, so that they may be taken away."""
        name = f"{self._prefix}hooks:all"
        for webhook_id, sealed in _pairs(await self.store.do("HGETALL", name)).items():
            webhook = self.opened(webhook_id, sealed)
            if webhook and not self.ring.is_newest(sealed):
                await self.store.run(_RESEAL, keys=(name,), args=(webhook_id, sealed, self._sealed(webhook)))

    def opened(self, webhook_id: str, sealed: bytes) -> Webhook | None:
        """A record as it lies in the store; None if it cannot be opened, since its secret is gone."""
        try:
            says: dict[str, Any] = orjson.loads(self.ring.open(sealed, name=self._name(webhook_id)))
        except (Unsealable, ValueError):
            return None
        return Webhook(
            id=webhook_id,
            url=says["url"],
            events=tuple(says["events"]),
            description=says["description"],
            headers=tuple((name, value) for name, value in says["headers"]),
            secrets=tuple(
                Secret(value=value, until=datetime.fromisoformat(until) if until else None)
                for value, until in says["secrets"]
            ),
            created_at=made_at(webhook_id),
        )

    async def _write(self, webhook: Webhook, *, must: str, was: bytes = b"") -> int:
        sealed = self._sealed(webhook)
        return int(await self._run(_WRITE, webhook.id, sealed, _wants(webhook), must, MOST, was))

    def _sealed(self, webhook: Webhook) -> bytes:
        says = {
            "url": webhook.url,
            "events": webhook.events,
            "description": webhook.description,
            "headers": webhook.headers,
            "secrets": [(one.value, one.until.isoformat() if one.until else None) for one in webhook.secrets],
        }
        return self.ring.seal(orjson.dumps(says), name=self._name(webhook.id))

    async def _turn(self, webhook: Webhook, off: bytes) -> None:
        if not await self._run(_TURN, webhook.id, _wants(webhook), off, self.account):
            raise _unknown()

    async def _run(self, script: Script, *args: str | bytes | int) -> Any:
        return await self.store.run(script, keys=(f"{self._prefix}hooks:next",), args=(self._prefix, *args))

    def _name(self, webhook_id: str) -> str:
        return f"{self._prefix}hooks:{webhook_id}"

    @property
    def _prefix(self) -> str:
        return f"wg:{{{self.account}}}:"


def _wants(webhook: Webhook) -> str:
    return EVERY if EVERY in webhook.events else ",".join(webhook.events)


def _pairs(flat: Any) -> dict[str, bytes]:
    if isinstance(flat, dict):
        return {name.decode(): value for name, value in flat.items()}
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


def _off(sealed: bytes | None) -> Off | None:
    if not sealed:
        return None
    says = orjson.loads(sealed)
    return Off(says["reason"], datetime.fromtimestamp(says["at"] / 1000, UTC))


def _unknown() -> WebhookUnknown:
    return WebhookUnknown("There is no webhook of this id. GET /webhooks lists them.")
