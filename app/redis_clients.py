"""What a store's URL leads to: one Redis, a Sentinel's master, a cluster."""

from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

# Seconds. Long enough for a store that is busy, short enough that a link is never a second late because of it.
PATIENCE = 0.5
# One batch at a time, and a connection for it; the other is for a retry that overlaps with the one it gives up.
CONNECTIONS = 2


def client_for(url: str, stack: AsyncExitStack) -> Redis | RedisCluster:
    """A client that is closed with `stack`, and so are the clients that it needs to find its way."""
    options: dict[str, Any] = {
        # Not for each read: `Store.do` bounds the whole command, which also gives up the connection that it hung on.
        "socket_timeout": None,
        "socket_connect_timeout": PATIENCE,
        # Once more, at once: a store that was restarted has dropped every pooled connection.
        "retry": Retry(NoBackoff(), 1),
    }
    client: Redis | RedisCluster
    match urlsplit(url).scheme:
        case "redis+sentinel":
            client = _sentinel(url, options, stack)
        case "redis+cluster":
            client = RedisCluster.from_url(url.replace("redis+cluster", "redis", 1), **options)
        case _:
            client = Redis.from_url(url, max_connections=CONNECTIONS, **options)
    stack.push_async_callback(client.aclose)
    return client


def listener_for(url: str, stack: AsyncExitStack) -> Redis:
    """A client that hears what is published: in a cluster, by any of its nodes, since all of them are told."""
    client = client_for(url.replace("redis+cluster", "redis", 1), stack)
    assert isinstance(client, Redis)  # noqa: S101 - only a cluster's URL leads to anything else
    return client


def _sentinel(url: str, options: dict[str, Any], stack: AsyncExitStack) -> Redis:
    """`redis+sentinel://[user:password@]host:port,host:port/service[/db][?sentinel_password=…]`."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    service, _, db = parts.path.strip("/").partition("/")
    sentinel_password = dict(parse_qsl(parts.query)).get("sentinel_password")
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [_address(host) for host in hosts.split(",")],
        sentinel_kwargs=options | ({"password": sentinel_password} if sentinel_password else {}),
        **options,
    )
    for sentinel in sentinels.sentinels:
        stack.push_async_callback(sentinel.aclose)
    client: Redis = sentinels.master_for(
        service or "mymaster",
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(db or 0),
        max_connections=CONNECTIONS,
    )
    return client


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":") if ":" in host.rpartition("]")[2] else (host, "", "26379")
    return name.strip("[]"), int(port)
