"""Commands travel together, and none of them is left behind."""

import asyncio
from typing import Any, cast

from redis.asyncio import Redis

from app.store import Store
from tests.driver import Clock


class Echo:
    """A Redis that answers at once: the tightest case, since nothing ever waits for the network."""

    async def execute_command(self, *command: Any) -> Any:
        return command

    def pipeline(self, *, transaction: bool) -> "Echo.Pipeline":
        return Echo.Pipeline()

    class Pipeline:
        def __init__(self) -> None:
            self.commands: list[Any] = []

        def execute_command(self, *command: Any) -> None:
            self.commands.append(command)

        async def execute(self, *, raise_on_error: bool) -> list[Any]:
            return self.commands


async def test_every_command_is_answered_and_with_its_own_answer() -> None:
    """Who asks again the moment it is answered comes just when the sender is about to rest."""
    store = Store(cast(Redis, Echo()), Clock())

    async def caller(name: int) -> list[Any]:
        return [await store.do("ECHO", name, turn) for turn in range(50)]

    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(caller(name) for name in range(6)))

    assert answers == [[("ECHO", name, turn) for turn in range(50)] for name in range(6)]


async def test_a_caller_that_goes_away_holds_nobody_up() -> None:
    store = Store(cast(Redis, Echo()), Clock())
    gone = asyncio.create_task(store.do("ECHO", "gone"))
    stays = asyncio.create_task(store.do("ECHO", "stays"))
    await asyncio.sleep(0)

    gone.cancel()

    assert await stays == ("ECHO", b"stays")
