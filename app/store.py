"""The door to Redis: one seam where its failures become ours, and a plain answer to "is it fit to keep promises?".

Every key, its type and its life. `{account}` is the hash tag: all keys of an account share a slot of Redis Cluster.

| key                              | type   | life                | holds                                    |
|----------------------------------|--------|---------------------|------------------------------------------|
| `wg:{account}:links:link:<hash>` | string | the link's lifetime | a sealed link                            |
| `wg:{account}:links:of:<hash>`   | zset   | its longest link's  | names of one user's links, by expiry     |
| `wg:{account}:links:lock:<hash>` | string | 3 s, renewed        | the replica that is asking this question |
| `wg:{account}:links:rate:<hash>` | string | one window          | how often a user asked                   |
| `wg:{account}:links:refused:…`   | string | 5 s                 | a sealed refusal of Wazzup               |
| `wg:{account}:wazzup:token`      | string | a year, renewed     | the sealed grant of tokens               |
| `wg:{account}:wazzup:token:lock` | string | 3 s, renewed        | the replica that is renewing it          |
| `wg:{account}:wazzup:calls`      | zset   | a call and a window | calls to Wazzup, by when they ended      |
| `wg:{account}:wazzup:line` …     | zset   | 1 s, renewed        | users who wait for a call, and since when|
| `wg:{account}:wazzup:since` …    | zset   | 2 min, or as told   | users who were sent away, by since when  |
| `wg:{account}:wazzup:pause`      | string | as Wazzup asked     | nobody calls                             |
| `wg:{account}:wazzup:user:…`     | string | a day               | a user whom Wazzup was told of           |
| `wg:{-}:health:<what>`           | string | 60 s                | proof that the store can be written      |
"""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError, ResponseError

from app.clock import Clock
from app.errors import StoreUnavailable
from app.redis_clients import PATIENCE, client_for
from app.telemetry import Journal

# Seconds. After a failure nobody else waits for the store in vain: it is asked again after this long.
HOLD_OFF = 1.0
# Seconds, the last of the store's patience. They count from when this process looks again: where the machine stalled
# and not the store, its answer lies there, unread.
LAST_LOOK = 0.1

Command = tuple[str | bytes | int, ...]


@dataclass(frozen=True)
class Script:
    """A Lua script: atomic, one round trip, sent once and then called by its hash."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


class Store:
    """Redis as this gateway uses it: scripts and commands that answer soon, or raise `StoreUnavailable`.

    Commands that come while others are under way travel together, next: for many small requests the way to Redis and
    back, not Redis, is what costs.
    """

    def __init__(self, client: Redis | RedisCluster, clock: Clock, journal: Journal | None = None) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._journal = journal
        self._failing = False
        self._waiting: list[tuple[Command, asyncio.Future[Any]]] = []
        self._loaded: set[Script] = set()
        self._sender: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._down_until = 0.0

    async def run(self, script: Script, *, keys: Sequence[str], args: Sequence[str | bytes | int] = ()) -> Any:
        """The answer of `script`. All keys belong to one account.

        Raises:
            StoreUnavailable: no answer within half a second, or within a second after such a failure.
        """
        if script in self._loaded:
            try:
                return await self.do("EVALSHA", script.sha, len(keys), *keys, *args)
            except NoScriptError:
                self._loaded.clear()  # Redis was restarted, and knows none of them.
        self._loaded.add(script)
        return await self.do("EVAL", script.text, len(keys), *keys, *args)

    def tell(self, script: Script, *, keys: Sequence[str], args: Sequence[str | bytes | int] = ()) -> None:
        """Sends `script`, and does not wait: for what may be lost, as it is when the store does not answer."""

        async def telling() -> None:
            with suppress(StoreUnavailable):
                await self.run(script, keys=keys, args=args)

        task = asyncio.create_task(telling())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def do(self, *command: str | bytes | int) -> Any:
        """The answer to one command.

        Raises:
            StoreUnavailable: as for `run`.
        """
        if self._clock.monotonic() < self._down_until:
            raise _unavailable()
        # Encoded here, so that what cannot be encoded fails for its own caller and not for the whole batch.
        encoded = [part.encode() if isinstance(part, str) else part for part in command[1:]]
        answer = self._loop.create_future()
        self._waiting.append(((command[0], *encoded), answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                async with asyncio.timeout(None) as limit:
                    last_look = self._loop.call_later(PATIENCE - LAST_LOOK, self._look_once_more, limit)
                    try:
                        answers = await self._exchange([command for command, _ in batch])
                    finally:
                        last_look.cancel()
            except Exception as error:  # whatever it is: who waits must be told
                self._down_until = self._clock.monotonic() + HOLD_OFF
                self._tell(error)
                # Those who came meanwhile would only wait as long, and as much in vain.
                batch, self._waiting = batch + self._waiting, []
                answers = [error] * len(batch)
            else:
                self._tell(None)
            for (_, waiting), answer in zip(batch, answers, strict=True):
                _settle(waiting, answer)
        # Here and not in a callback: who comes between our last look and a callback would wait for nobody.
        self._sender = None

    def _look_once_more(self, limit: asyncio.Timeout) -> None:
        limit.reschedule(self._loop.time() + LAST_LOOK)

    def _tell(self, error: Exception | None) -> None:
        """Once when it fails, and once when it is back."""
        if self._failing == (error is not None):
            return
        self._failing = error is not None
        if self._journal and error:
            self._journal.trouble("store.failed", error)
        elif self._journal:
            self._journal.note("store.recovered")

    async def _exchange(self, commands: list[Command]) -> Sequence[Any]:
        """One answer for each command; what Redis has against one command is that command's answer."""
        if len(commands) == 1:
            return [await self._answer(commands[0])]
        if isinstance(self._client, RedisCluster):
            return await asyncio.gather(*(self._answer(command) for command in commands))
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await pipeline.execute(raise_on_error=False)

    async def _answer(self, command: Command) -> Any:
        try:
            return await self._client.execute_command(*command)
        except ResponseError as error:
            return error

    async def settled(self) -> None:
        """Returns when what was told before has arrived, or is lost: no later than a command may take."""
        await asyncio.gather(*self._telling)

    async def rest(self) -> None:
        """Ends what is still under way, and takes nothing more: a late command would open a connection that stays."""
        await self.settled()
        self._down_until = math.inf
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])

    async def unfitness(self) -> list[str]:
        """Why this store may lose what it was given, in sentences; empty when it keeps its promises.

        Raises:
            StoreUnavailable: it cannot even be asked.
        """
        persistence, memory = (
            _fields(await self.do("INFO", "persistence")),
            _fields(await self.do("INFO", "memory")),
        )
        found = []
        if persistence.get("aof_enabled") != "1":
            found.append("The append-only file is off: a restart loses data. Start Redis with --appendonly yes.")
        elif persistence.get("aof_last_write_status") == "err":
            found.append("The append-only file cannot be written: is the disk full?")
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            found.append(f"maxmemory-policy is {policy}: under memory pressure data vanishes. Set it to noeviction.")
        return found

    async def probe(self, name: str) -> None:
        """Writes a key that expires by itself.

        Raises:
            StoreUnavailable: the store cannot be written.
        """
        await self.do("SET", f"wg:{{-}}:health:{name}", "1", "EX", 60)


def _settle(waiting: asyncio.Future[Any], answer: Any) -> None:
    if waiting.done():
        return  # Who asked went away.
    if isinstance(answer, NoScriptError):
        waiting.set_exception(answer)
    elif isinstance(answer, Exception):
        unavailable = _unavailable()
        unavailable.__cause__ = answer
        waiting.set_exception(unavailable)
    else:
        waiting.set_result(answer)


def _unavailable() -> StoreUnavailable:
    return StoreUnavailable(
        "The store does not answer. Try again in a moment.", retry_after=timedelta(seconds=HOLD_OFF)
    )


@asynccontextmanager
async def connected(url: str, clock: Clock, journal: Journal | None = None) -> AsyncIterator[Store]:
    """The store behind `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`.

    Connections are opened when first needed: a gateway starts, and gives links, without its store.
    """
    async with AsyncExitStack() as stack:
        store = Store(client_for(url, stack), clock, journal)
        stack.push_async_callback(store.rest)
        yield store


def _fields(info: Any) -> dict[str, str]:
    if isinstance(info, dict):
        return {str(name): str(value) for name, value in info.items()}
    lines = info.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
