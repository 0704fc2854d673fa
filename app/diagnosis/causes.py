"""Why a connection failed, in plain words. Told by an error's type alone: its message may quote a password."""

import socket
import ssl
from collections.abc import Iterator

import aiohttp
import httpx
from redis import exceptions as redis
from redis.asyncio.sentinel import MasterNotFoundError

# The first that fits. What is told of Redis comes first: its errors carry those of the network.
_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((redis.AuthenticationError,), "it does not take the user or the password"),
    ((redis.NoPermissionError,), "it does not let this user do that"),
    ((redis.ReadOnlyError,), "it is a replica that takes no writes"),
    ((redis.OutOfMemoryError,), "its memory is full"),
    ((redis.BusyLoadingError,), "it is still reading its data"),
    ((MasterNotFoundError,), "no Sentinel knows where its primary is"),
    ((socket.gaierror,), "nobody knows a host of this name"),
    ((ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError), "its certificate is not to be trusted"),
    ((ssl.SSLError,), "it does not speak TLS"),
    ((ConnectionRefusedError, FileNotFoundError), "nobody listens there"),
    # Not httpx.TimeoutException: its aiohttp transport calls every lost connection one.
    ((TimeoutError, redis.TimeoutError), "no answer comes in time"),
    ((aiohttp.ClientResponseError, httpx.DecodingError), "what it speaks is not HTTP"),
    ((redis.ResponseError, redis.InvalidResponse), "it refuses the command, as Redis would not"),
    ((ConnectionError, redis.ConnectionError, httpx.TransportError, aiohttp.ClientError), "the connection breaks"),
)
_FURTHEST = 10


def in_plain_words(error: BaseException | None) -> str:
    """Half a sentence, such as `nobody listens there`."""
    chain = list(_chain(error))
    for kinds, words in _WORDS:
        if any(isinstance(one, kinds) for one in chain):
            return words
    return f"it fails with {type(chain[-1]).__name__}" if chain else "it does not answer"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_FURTHEST):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
