"""What posts to a CRM's server, and a server that says whatever a test likes, byte by byte."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network

from app.clock import SystemClock
from app.webhooks.attempt import Outcome, Parcel, Target
from app.webhooks.channel import webhook_client
from app.webhooks.egress import Egress
from app.webhooks.sender import Sender
from app.webhooks.signing import new_secret
from tests.driver import Clock

SECRET = new_secret()
BODY = b'{"id": "evt_1",  "data": {"name": "\xd0\x96"}}\n'
HERE = ip_network("127.0.0.1/32")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"

Speaks = Callable[["Crm", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Crm:
    """A server of a CRM, as it saw what came. It opens no file: the tests tell it what to say."""

    speaks: Speaks
    port: int = 0
    connections: int = 0
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    reads_bodies: bool = True
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=of-the-crm"

    @property
    def headers(self) -> dict[str, str]:
        """Those of the last request."""
        lines = self.requests[-1][0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append((head, b""))
                if self.reads_bodies:
                    self.requests[-1] = head, await reader.readexactly(int(self.headers.get("content-length", 0)))
                await self.speaks(self, reader, writer)
        self.gone.set()
        writer.close()


def saying(raw: bytes, *, ends: bool = True) -> Speaks:
    """These bytes, whether they are an answer or not."""

    async def speaks(_crm: Crm, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if ends:
            writer.close()

    return speaks


def answering(raw: bytes = OK) -> Speaks:
    """An answer to each request, on a connection that stays open."""
    return saying(raw, ends=False)


@contextlib.asynccontextmanager
async def serving(
    speaks: Speaks, tls: ssl.SSLContext | None = None, *, reads_bodies: bool = True
) -> AsyncIterator[Crm]:
    """A CRM's server on a port of its own. With `reads_bodies` off, it speaks as soon as it has the headers."""
    crm = Crm(speaks, reads_bodies=reads_bodies)
    async with await asyncio.start_server(crm.connected, "127.0.0.1", ssl=tls) as server:
        crm.port = server.sockets[0].getsockname()[1]
        try:
            yield crm
        finally:
            for writer in crm.open:
                writer.transport.abort()


@dataclass(frozen=True)
class Post:
    """A sender, and the target and parcel that most tests send."""

    sender: Sender

    async def send(self, url: str, body: bytes = BODY, headers: tuple[tuple[str, str], ...] = ()) -> Outcome:
        return await self.sender.send(Target("wh_1", url, headers, (SECRET,)), Parcel("evt_1", body))


@contextlib.asynccontextmanager
async def posting(
    egress: Egress | None = None, *, patience: float = 5, proxies: bool = False, clock: Clock | None = None
) -> AsyncIterator[Post]:
    """A sender on its real transport; `patience` is in seconds."""
    way = webhook_client(egress or Egress([HERE]), connections=8, proxies_from_environment=proxies)
    async with way as http:
        yield Post(Sender(http, timedelta(seconds=patience), clock or SystemClock(), "wazzup-gateway/1.2.3"))


async def outcome_of(raw: bytes) -> Outcome:
    """What an attempt comes to where these bytes are all that is said."""
    async with serving(saying(raw)) as crm, posting() as post:
        return await post.send(crm.url)


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
