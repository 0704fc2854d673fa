"""What the gateway is measured against: apps that do as little as can be done, served exactly like the gateway."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from app.clock import SystemClock
from app.ids import made_at, new_id
from app.links.models import LinkQuestion
from app.serving import Server, give_back_memory, listen, run
from app.webhooks.scripts import PUT

KEY = "benchmark"


def bare(redis: Redis) -> Any:
    """(a) A bare ASGI app that does one Redis GET."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        value: Any = await redis.get(KEY)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(value)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": value})

    return app


def writing(redis: Redis) -> Any:
    """A bare ASGI app that makes the same write as the gateway does for an event, and nothing else."""
    put = redis.register_script(PUT.text)
    prefix = "wg:{bare}:"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        at = SystemClock().now()
        now = int(at.timestamp() * 1000)
        event = new_id("evt", at)
        args = [
            prefix,
            event,
            "WZ_CREATE_ENTITY",
            message["body"],
            900_000_000,
            now,
            now,
            "evt_0",
            "",
            0,
            "",
            0,
            "bare",
        ]
        await put(keys=[f"{prefix}hooks:next"], args=args)
        body = b'{"id": "%s", "duplicate": false, "deliveries": 0}' % event.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def crm(_: Redis) -> Any:
    """A CRM that says yes at once. GET tells how many came since the last DELETE, and how long each took to come."""
    latencies: list[float] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        body = b""
        match scope["method"]:
            case "POST":
                if scope["path"] == "/hangs":
                    await asyncio.sleep(60)
                latencies.append(time.time() - made_at(orjson.loads(message["body"])["id"]).timestamp())
            case "DELETE":
                latencies.clear()
            case _:
                whole = scope["path"] == "/latencies"
                body = orjson.dumps(latencies if whole else len(latencies))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def empty_fastapi(redis: Redis) -> FastAPI:
    """(b) An empty FastAPI endpoint that validates the same body and does the same GET."""
    app = FastAPI()

    @app.post("/links")
    async def link(question: LinkQuestion) -> dict[str, str]:
        value: Any = await redis.get(KEY)
        return {"link": value.decode()}

    return app


def vendor(_: Redis) -> Any:
    """A Wazzup that answers after a fixed time, with a link of its own for each question."""
    delay = float(os.environ["VENDOR_SECONDS"])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(delay)
        link = f"http://127.0.0.1:1/1234-1234/chat?token={time.time_ns()}"
        body = orjson.dumps({"data": {"link": link}, "meta": {"timestamp": int(time.time())}})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


@asynccontextmanager
async def _redis() -> AsyncIterator[Redis]:
    async with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        await redis.set(KEY, "https://app.wazzup24.com/1234-1234/chat/whatsapp/37111234567?token=" + "x" * 400)
        yield redis


async def _serve(name: str, port: int) -> None:
    async with _redis() as redis:
        app = {"bare": bare, "fastapi": empty_fastapi, "vendor": vendor, "writing": writing, "crm": crm}[name](redis)
        with listen("127.0.0.1", port) as sock:
            give_back_memory()  # and the same rhythm of garbage collection
            await Server(app).serve(sockets=[sock])


if __name__ == "__main__":
    run(_serve(sys.argv[1], int(sys.argv[2])))
