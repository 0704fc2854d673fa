"""What the link memory promises, on a real store: sealed, nameless, exact, and forgettable."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some
from redis.asyncio import Redis

from app.limits import Rate
from app.links.cache import RedisClaim, RedisLinkCache
from app.links.models import ActiveChat, Chat, ChatType, Link, LinkRequest, UseEvents
from app.sealing import KeyRing
from app.store import Store, connected
from tests.driver import NOON, SECRET_KEY, Clock

REQUEST = LinkRequest(
    account="default",
    user_id="crm-user-1",
    scope="card",
    author_name="John Smith",
    chats=(Chat(chat_type=ChatType.WHATSAPP, chat_id="37111234567", contact_name="Anthony Stone"),),
)
URL = "https://app.wazzup24.com/1234-1234/chat/whatsapp/37111234567?token=t"


@pytest.fixture
async def store(redis_url: str, clock: Clock) -> Any:
    async with connected(redis_url, clock) as opened:
        yield opened


def cache_on(store: Store, clock: Clock, **other: Any) -> RedisLinkCache:
    usual: dict[str, Any] = {"rate": Rate(60, timedelta(seconds=60)), "vendor": ("v2", "https://wazzup", "credential")}
    return RedisLinkCache(store, KeyRing.of([SECRET_KEY]), clock, **(usual | other))


def link(seconds: float = 300) -> Link:
    return Link(url=URL, issued_at=NOON, expires_at=NOON + timedelta(seconds=seconds))


async def keep(cache: RedisLinkCache, request: LinkRequest, kept: Link) -> None:
    claim = await cache.claim(request, not_before=NOON + timedelta(days=1))
    assert isinstance(claim, RedisClaim)
    await claim.keep(kept)


async def test_what_was_kept_is_recalled(store: Store, clock: Clock) -> None:
    cache = cache_on(store, clock)

    await keep(cache, REQUEST, link())

    assert (await cache.recall(REQUEST)).link == link()


async def test_a_link_is_gone_when_its_time_is_over(store: Store, clock: Clock) -> None:
    cache = cache_on(store, clock)
    await keep(cache, REQUEST, link(seconds=300))

    clock.advance(seconds=300)

    assert (await cache.recall(REQUEST)).link is None


async def test_redis_itself_lets_go_of_it_too(store: Store, clock: Clock, redis: Redis) -> None:
    await keep(cache_on(store, clock), REQUEST, link(seconds=300))

    lives = [await redis.ttl(name) async for name in redis.scan_iter("wg:*")]

    assert all(0 < life <= 300 for life in lives)


async def test_redis_holds_neither_link_nor_phone_number_nor_name(store: Store, clock: Clock, redis: Redis) -> None:
    cache = cache_on(store, clock)
    await cache.recall(REQUEST)
    await keep(cache, REQUEST, link())

    names = [name async for name in redis.scan_iter("*")]
    values = b"".join([await redis.dump(name) or b"" for name in names])

    for secret in (b"wazzup24", b"37111234567", b"Anthony", b"Smith", b"crm-user-1", b"token"):
        assert secret not in b"".join(names)
        assert secret not in values


async def test_a_value_that_is_moved_under_another_name_is_a_miss(store: Store, clock: Clock, redis: Redis) -> None:
    cache = cache_on(store, clock)
    other = replace(REQUEST, user_id="another")
    await keep(cache, REQUEST, link())
    await keep(cache, other, link())

    [first, second] = [name async for name in redis.scan_iter("wg:*:links:link:*")]
    await redis.set(second, await redis.get(first) or b"")

    assert sorted([(await cache.recall(one)).link is None for one in (REQUEST, other)]) == [False, True]


@pytest.mark.parametrize("damage", [b"", b"x", b"1" * 13, b"\xff" * 200])
async def test_a_damaged_value_is_a_miss(store: Store, clock: Clock, redis: Redis, damage: bytes) -> None:
    cache = cache_on(store, clock)
    await keep(cache, REQUEST, link())
    [name] = [name async for name in redis.scan_iter("wg:*:links:link:*")]

    await redis.set(name, damage)

    assert (await cache.recall(REQUEST)).link is None


DIFFERENT = [
    replace(REQUEST, account="north"),
    replace(REQUEST, user_id="crm-user-2"),
    replace(REQUEST, author_name=None),
    replace(REQUEST, author_name="John"),
    replace(REQUEST, scope="global"),
    replace(REQUEST, chats=()),
    replace(REQUEST, chats=(*REQUEST.chats, Chat(chat_type=ChatType.VIBER, chat_id="1"))),
    replace(REQUEST, chats=(replace(REQUEST.chats[0], contact_name=None),)),
    replace(REQUEST, chats=(replace(REQUEST.chats[0], chat_type=ChatType.VIBER),)),
    replace(REQUEST, chats=(Chat(chat_type=ChatType.WHATSAPP, username="37111234567", contact_name="Anthony Stone"),)),
    replace(REQUEST, active_chat=ActiveChat(chat_type=ChatType.WHATSAPP, chat_id="37111234567")),
    replace(REQUEST, active_chat=ActiveChat(chat_type=ChatType.WHATSAPP, chat_id="37111234567", channel_id="c")),
    replace(REQUEST, use_events=UseEvents(deals=True)),
    replace(REQUEST, use_events=UseEvents(messages=True)),
    replace(REQUEST, client_type="bitrix"),
]


@pytest.mark.parametrize("other", DIFFERENT)
async def test_any_difference_that_shapes_the_link_is_another_question(
    store: Store, clock: Clock, other: LinkRequest
) -> None:
    cache = cache_on(store, clock)

    await keep(cache, REQUEST, link())

    assert (await cache.recall(other)).link is None


@pytest.mark.parametrize(
    "vendor", [("v3", "https://wazzup", "credential"), ("v2", "https://x", "credential"), ("v2", "https://wazzup", "y")]
)
async def test_other_credentials_or_another_api_are_another_question(
    store: Store, clock: Clock, vendor: tuple[str, ...]
) -> None:
    await keep(cache_on(store, clock), REQUEST, link())

    assert (await cache_on(store, clock, vendor=vendor).recall(REQUEST)).link is None


async def test_the_order_of_chats_matters(store: Store, clock: Clock) -> None:
    cache = cache_on(store, clock)
    two = (*REQUEST.chats, Chat(chat_type=ChatType.VIBER, chat_id="37111234567"))
    await keep(cache, replace(REQUEST, chats=two), link())

    assert (await cache.recall(replace(REQUEST, chats=two[::-1]))).link is None


@given(pair=some.tuples(some.text(max_size=5), some.text(max_size=5)), also=some.tuples(some.text(max_size=5)))
def test_no_two_texts_run_together_in_a_name(pair: tuple[str, str], also: tuple[str]) -> None:
    """`("ab", "c")` and `("a", "bc")` are different questions."""
    cache = cache_on(cast(Store, None), Clock())
    one = replace(REQUEST, user_id=pair[0], client_type=pair[1])
    other = replace(REQUEST, user_id=pair[0] + also[0], client_type=pair[1])

    assert (cache._names(one).link == cache._names(other).link) == (one == other)


async def test_a_quota_is_counted_for_each_user_and_window(store: Store, clock: Clock, redis: Redis) -> None:
    cache = cache_on(store, clock, rate=Rate(2, timedelta(seconds=60)))

    used = [(await cache.recall(REQUEST)).quota for _ in range(3)]
    other = (await cache.recall(replace(REQUEST, user_id="another"))).quota

    assert [quota.exceeded for quota in used] == [False, False, True]
    assert not other.exceeded
    assert timedelta(seconds=58) < used[-1].resets_in <= timedelta(seconds=60)


async def test_only_one_replica_may_ask_at_a_time(store: Store, clock: Clock) -> None:
    cache = cache_on(store, clock)

    first = await cache.claim(REQUEST, not_before=NOON)
    second = await cache.claim(REQUEST, not_before=NOON)

    assert isinstance(first, RedisClaim)
    assert second is None


async def test_a_claim_that_is_released_is_free_and_one_that_is_kept_gives_the_link(store: Store, clock: Clock) -> None:
    cache = cache_on(store, clock)
    first = await cache.claim(REQUEST, not_before=NOON)
    assert isinstance(first, RedisClaim)
    await first.release()

    second = await cache.claim(REQUEST, not_before=NOON)
    assert isinstance(second, RedisClaim)
    await second.keep(link())

    assert await cache.claim(REQUEST, not_before=NOON) == link()


async def test_a_claim_outlives_a_dead_holder_by_seconds_only(store: Store, clock: Clock, redis: Redis) -> None:
    await cache_on(store, clock).claim(REQUEST, not_before=NOON)

    [name] = [name async for name in redis.scan_iter("wg:*:links:lock:*")]

    assert 0 < await redis.pttl(name) <= 3000


async def test_a_link_that_has_expired_by_one_clock_leaves_room_for_one_claim_by_that_clock(
    store: Store, clock: Clock
) -> None:
    """A replica whose clock is six minutes ahead holds its claim like any other, and what it keeps is recalled."""
    await keep(cache_on(store, clock), REQUEST, link(seconds=300))
    ahead = Clock(NOON + timedelta(minutes=6))
    cache = cache_on(store, ahead)
    long_ago = NOON - timedelta(days=365)

    claim = await cache.claim(REQUEST, not_before=long_ago)

    assert isinstance(claim, RedisClaim)
    assert await cache.claim(REQUEST, not_before=long_ago) is None
    newer = Link(url=URL, issued_at=ahead.now(), expires_at=ahead.now() + timedelta(seconds=300))
    await claim.keep(newer)
    assert (await cache.recall(REQUEST)).link == newer


@pytest.mark.parametrize("kind", ["link", "refused"])
async def test_what_a_lost_key_sealed_leaves_room_for_one_claim(
    store: Store, clock: Clock, redis: Redis, kind: str
) -> None:
    cache = cache_on(store, clock)
    name = getattr(cache._names(REQUEST), kind)
    sealed = KeyRing.of(["lost-secret-lost-secret-lost-secret-lost-secret"]).seal(b"[]", name=name)
    await redis.set(name, b"%013d" % (NOON.timestamp() * 1000) + sealed)

    first = await cache.claim(REQUEST, not_before=NOON)

    assert isinstance(first, RedisClaim)
    assert await cache.claim(REQUEST, not_before=NOON) is None


@pytest.mark.parametrize("damage", [b"x", b"1" * 13, b"\xff" * 200])
async def test_a_damaged_value_leaves_room_for_one_claim(
    store: Store, clock: Clock, redis: Redis, damage: bytes
) -> None:
    cache = cache_on(store, clock)
    await redis.set(cache._names(REQUEST).link, damage)

    first = await cache.claim(REQUEST, not_before=NOON - timedelta(days=365))

    assert isinstance(first, RedisClaim)
    assert await cache.claim(REQUEST, not_before=NOON - timedelta(days=365)) is None


async def test_only_its_holder_gives_up_a_claim(store: Store, clock: Clock, redis: Redis) -> None:
    """A holder that was frozen beyond its lease must not free what a sibling has taken meanwhile."""
    cache = cache_on(store, clock)
    frozen = await cache.claim(REQUEST, not_before=NOON)
    assert isinstance(frozen, RedisClaim)
    await redis.delete(frozen.lease.key)
    await cache.claim(REQUEST, not_before=NOON)

    await frozen.release()

    assert await redis.exists(frozen.lease.key)


async def test_a_users_links_are_forgotten_and_nobody_elses(store: Store, clock: Clock) -> None:
    cache = cache_on(store, clock)
    other = replace(REQUEST, user_id="another")
    for request in (REQUEST, replace(REQUEST, scope="global", chats=()), other):
        await keep(cache, request, link())

    forgotten = await cache.forget("default", "crm-user-1")

    assert forgotten == 2
    assert (await cache.recall(REQUEST)).link is None
    assert (await cache.recall(other)).link == link()


async def test_links_named_before_a_rotation_are_forgotten_too(store: Store, clock: Clock, redis: Redis) -> None:
    before = cache_on(store, clock)
    await keep(before, REQUEST, link())
    rotated = replace(before, ring=KeyRing.of(["new-secret-new-secret-new-secret-new-secret", SECRET_KEY]))

    await rotated.forget("default", "crm-user-1")

    assert (await before.recall(REQUEST)).link is None
