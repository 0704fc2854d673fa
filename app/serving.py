"""A door: from a socket and a signal to an orderly end.

What listens is bound before anything is opened, so that a taken port costs nothing but a sentence. On SIGTERM or
Ctrl-C no new connection is accepted, requests under way are answered, and the process ends with status 0.
"""

import asyncio
import ctypes
import errno
import gc
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp

# Seconds for requests under way; together with closing the store it stays within the ten that orchestrators give.
GRACE = 8


class PortTaken(Exception):
    """Somebody else listens there."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        PortTaken: with a sentence that says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise PortTaken(f"Cannot listen on {host}:{port}: {error.strerror}. Check HOST and PORT.") from None
        raise PortTaken(
            f"{host}:{port} is taken. Stop what listens there, or choose another port: PORT={port % 65535 + 1}."
        ) from None


class Server(uvicorn.Server):
    """uvicorn, ended by us: by itself it raises the signal again at the end, so that the status is not 0."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=GRACE,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to `until_stopped`."""
        yield


async def serve(
    app: FastAPI,
    sock: socket.socket,
    *,
    reread: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serves `app` on `sock` until a signal asks to stop, and calls `stopping` then: not only once all is answered.

    SIGHUP calls `reread`, while requests go on.
    """
    server = Server(app)
    stop_on_signal(server, also=stopping)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    async with app.router.lifespan_context(app):
        give_back_memory()
        ready()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reread)
        if asked.is_set():  # While the services opened: what they have read may be older than the signal.
            reread()
        await server.serve(sockets=[sock])


def stop_on_signal(
    *servers: uvicorn.Server,
    signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    also: Callable[[], None] = lambda: None,
) -> None:
    """Tells `servers` to finish when the process is asked to end, and calls `also`."""

    def stop() -> None:
        also()
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, stop)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs `main` on the event loop that the gateway is measured with."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def give_back_memory() -> None:
    """Returns what start-up left behind to the system: some 12 MiB of import-time garbage, which glibc keeps.

    What is loaded by now stays for good, so it is not looked at again; and a request leaves little behind, so garbage
    is collected less often than Python's default of every 700 objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 10)
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
