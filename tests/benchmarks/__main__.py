"""`make bench`: what is claimed about speed and size, measured side by side with baselines, in one run.

Single numbers of one machine say little; the ratios are what to read. Every comparison alternates between its sides,
so that a machine that changes its speed changes all of them.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import orjson
from joserfc import jwt
from joserfc.jwk import OctKey

from app.embedded import server_binary
from app.telemetry import configure
from tests.benchmarks.deliveries import deliveries
from tests.benchmarks.load import Run, closed_loop, middle, request
from tests.crowd import Crowd, Turnstile
from tests.driver import running as driven
from tests.driver import simulated
from tests.ports import free_port

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "100000"))
CONNECTIONS = 16
VENDOR_SECONDS = 0.02

JWT_SECRET = "benchmark-secret-benchmark-secret-benchmark"
QUESTION = {
    "scope": "card",
    "chats": [
        {"contact_name": "Anthony Stone", "chat_type": "whatsapp", "chat_id": "37111234567"},
        {"contact_name": "Anthony Stone", "chat_type": "telegram", "username": "my_tg_user"},
    ],
    "use_events": {"deals": True, "messages": False},
}


def main() -> None:
    """Runs every benchmark and prints its figures."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(valkey(home))
        wazzup = stack.enter_context(baseline("vendor", redis))
        gateway, process, ready = stack.enter_context(served(home, redis, wazzup))
        print(f"start to ready        {ready:7.2f} s")
        at_rest = resident(process)
        print(f"resident at rest      {at_rest:7.1f} MiB")
        hits(gateway, stack.enter_context(baseline("bare", redis)), stack.enter_context(baseline("fastapi", redis)))
        misses(gateway, wazzup)
        settled = resident(process)
        soak(gateway)
        print(
            f"resident after {REQUESTS:6} {resident(process):7.1f} MiB  (before: {settled:.1f}, at rest: {at_rest:.1f})"
        )
        asyncio.run(crowd(redis))
        bare, crm = (stack.enter_context(baseline(name, redis)) for name in ("writing", "crm"))
        asyncio.run(deliveries(redis, gateway, bare, crm, home))


def hits(gateway: str, bare: str, fastapi: str) -> None:
    """`POST /links` on a cache hit, beside (a) a bare ASGI app and (b) an empty FastAPI endpoint."""
    sides = {"gateway": gateway, "(a) bare ASGI": bare, "(b) empty FastAPI": fastapi}
    body = orjson.dumps(QUESTION)
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, url in sides.items():
            asked = [request(f"{url}/links", body, token("user-1"))]
            runs[name].append(asyncio.run(closed_loop(url, asked, connections=CONNECTIONS, seconds=SECONDS)))
    ours = middle(runs["gateway"])
    print(f"\nPOST /links, cache hit: {ROUNDS} alternations of {SECONDS:g} s, {CONNECTIONS} connections, medians")
    for name in sides:
        one = middle(runs[name])
        ratio = middle(
            [Run(a.per_second / b.per_second, 0, 0) for a, b in zip(runs["gateway"], runs[name], strict=True)]
        )
        print(
            f"  {name:18} {one.per_second:7.0f}/s  p50 {one.p50:6.2f} ms  p99 {one.p99:6.2f} ms"
            f"   gateway/this: {ratio.per_second:.2f} of the requests, {ours.p50 / one.p50:.2f} of p50"
        )


def misses(gateway: str, wazzup: str) -> None:
    """What the gateway adds to Wazzup's own time, one request at a time, each for another user."""
    direct: list[Run] = []
    through: list[Run] = []
    body = orjson.dumps({"user_id": "x", **QUESTION})
    for turn in range(ROUNDS):
        direct.append(
            asyncio.run(closed_loop(wazzup, [request(f"{wazzup}/v2", body, "x")], connections=1, seconds=SECONDS))
        )
        asked = [
            request(f"{gateway}/links", orjson.dumps({"user_id": f"miss-{turn}-{i}", **QUESTION}), "bench-key")
            for i in range(int(SECONDS / VENDOR_SECONDS) + 1)
        ]
        through.append(asyncio.run(closed_loop(gateway, asked, connections=1, seconds=SECONDS)))
    print(f"\nPOST /links, miss; Wazzup takes {VENDOR_SECONDS * 1000:.0f} ms")
    print(f"  Wazzup asked directly  p50 {middle(direct).p50:6.2f} ms   p99 {middle(direct).p99:6.2f} ms")
    print(f"  through the gateway    p50 {middle(through).p50:6.2f} ms   p99 {middle(through).p99:6.2f} ms")
    print(f"  the gateway adds       p50 {middle(through).p50 - middle(direct).p50:6.2f} ms\n")


def soak(gateway: str) -> None:
    """Many requests of many users and questions: what must not stay in memory."""
    done = 0
    while done < REQUESTS:
        asked = [
            request(f"{gateway}/links", orjson.dumps(QUESTION), token(f"user-{(done + i) % 5000}")) for i in range(500)
        ]
        run = asyncio.run(closed_loop(gateway, asked, connections=CONNECTIONS, seconds=2))
        done += int(run.per_second * 2)


async def crowd(redis: str) -> None:
    """500 users come over 10 s to two replicas that may call 50 times in 5 s, and each stays until it has its link."""
    configure(level="error", form="json", output=sys.stderr)
    wazzup = simulated()
    turnstile, visitors = Turnstile(wazzup), Crowd()
    began = time.perf_counter()
    async with (
        driven(redis, wazzup=wazzup, through=turnstile, wazzup_rate_limit="50/5") as one,
        driven(redis, wazzup=wazzup, through=turnstile, wazzup_rate_limit="50/5") as two,
    ):
        await visitors.come([one, two], users=500, over=10)
    told = sum("retry-after" in refusal.headers for refusal in visitors.refusals)
    print("\n500 users over 10 s on two replicas, WAZZUP_RATE_LIMIT=50/5")
    print(
        f"  at Wazzup              at most {turnstile.most_within(5)} calls in any 5 s, {len(turnstile.times)} in all"
    )
    print(f"  users served           {len(visitors.waits)} in {time.perf_counter() - began:.0f} s (45 s at best)")
    print(f"  the longest wait       {max(visitors.waits):.0f} s")
    print(f"  refusals               {len(visitors.refusals)}, {told} of them with Retry-After")


def token(user: str) -> str:
    """A user token."""
    claims = {"sub": user, "aud": "wazzup-gateway", "exp": int(time.time()) + 3600, "name": "John Smith"}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(JWT_SECRET))


@contextmanager
def valkey(home: Path) -> Iterator[str]:
    """One store for all sides."""
    port = free_port()
    command = [server_binary(), "--port", str(port), "--dir", str(home), "--appendonly", "yes", "--save", ""]
    with running(command, {}, home / "valkey.log"):
        wait(lambda: socket.create_connection(("127.0.0.1", port)).close())
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def baseline(name: str, redis: str) -> Iterator[str]:
    """One of the apps of `baselines`, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.baselines", name, str(port)]
    with running(command, {"REDIS_URL": redis, "VENDOR_SECONDS": str(VENDOR_SECONDS)}, Path(os.devnull)):
        wait(lambda: socket.create_connection(("127.0.0.1", port)).close())
        yield f"http://127.0.0.1:{port}"


@contextmanager
def served(home: Path, redis: str, wazzup: str) -> Iterator[tuple[str, int, float]]:
    """The gateway with everything on; its URL, its process, and the seconds from start to ready."""
    port = free_port()
    environment = {
        "PORT": str(port),
        "REDIS_URL": redis,
        "SECRET_KEY": "benchmark-benchmark-benchmark-benchmark",
        "API_KEYS": "bench-key",
        "JWT_SECRET": JWT_SECRET,
        "ALLOWED_ORIGINS": "https://crm.example",
        "LINK_RATE_LIMIT": "1000000000/60",
        "WAZZUP_RATE_LIMIT": "1000000000/5",
        "WAZZUP_BASE_URL": wazzup,
        "WAZZUP_LINK_HOSTS": "127.0.0.1",
        "WAZZUP_ACCESS_TOKEN": "benchmark",
    }
    started = time.perf_counter()
    with running([sys.executable, "-m", "app", "serve", "--no-worker"], environment, home / "gateway.log") as process:
        url = f"http://127.0.0.1:{port}"
        wait(lambda: urlopen(f"{url}/health/ready").close())
        yield url, process, time.perf_counter() - started


@contextmanager
def running(command: Sequence[object], environment: dict[str, str], log: Path) -> Iterator[int]:
    """A process for as long as the context lasts."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command], env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(15)


def wait(attempt: Callable[[], object]) -> None:
    """Tries until it works."""
    ends_at = time.monotonic() + 20
    while True:
        try:
            attempt()
            return
        except OSError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.005)


def resident(process: int) -> float:
    """MiB of a process that are in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
