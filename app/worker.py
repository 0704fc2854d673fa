"""A door: delivers webhooks, and does nothing else. Run as many as needed beside gateways on the same Redis."""

import asyncio
import signal
from collections.abc import Callable

from app.settings import Settings
from app.telemetry import Telemetry
from app.variables import Misconfigured
from app.wiring import open_services


async def work(settings: Settings, ready: Callable[[], None] = lambda: None) -> None:
    """Delivers until SIGTERM or Ctrl-C; then ends what is under way, or hands it back. SIGHUP re-reads ACCOUNTS_FILE.

    Raises:
        Misconfigured: it has no store in common with the gateways.
    """
    if settings.redis_url is None:
        raise Misconfigured(
            [
                "REDIS_URL: not set. A worker shares a Redis with its gateways; one that runs an embedded store "
                "delivers by itself"
            ]
        )
    stopping, telemetry = asyncio.Event(), Telemetry()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with open_services(settings, telemetry) as house:
        loop.add_signal_handler(signal.SIGHUP, lambda: house.follow(telemetry))
        ready()
        await stopping.wait()
        house.stop()
