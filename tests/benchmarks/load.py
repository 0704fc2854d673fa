"""A closed-loop load generator on bare sockets: it must cost less than what it measures."""

import asyncio
import time
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Run:
    """One run against one server."""

    per_second: float
    p50: float
    p99: float


def request(url: str, body: bytes, token: str) -> bytes:
    """The bytes of one POST."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def closed_loop(url: str, requests: list[bytes], *, connections: int, seconds: float) -> Run:
    """Each connection sends its next request when it has its answer; requests are taken in turn."""
    times: list[float] = []
    ends_at = time.perf_counter() + seconds
    turn = iter(range(1 << 62))

    async def worker() -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (started := time.perf_counter()) < ends_at:
            writer.write(requests[next(turn) % len(requests)])
            await _answer(reader)
            times.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    taken = time.perf_counter() - started
    times.sort()
    return Run(len(times) / taken, times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000)


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 20"):
        raise AssertionError(head.decode() + (await reader.read(2000)).decode(errors="replace"))
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)


def middle(runs: list[Run]) -> Run:
    """The median of several runs, figure by figure."""
    return Run(*(median(getattr(run, figure) for run in runs) for figure in ("per_second", "p50", "p99")))
