"""Whose fault it is that an attempt came to nothing: the CRM's attempts are used up only by the CRM's failures."""

import errno
import socket
import ssl

import aiohttp
import httpx

from app.webhooks.attempt import Failed, Hindered
from app.webhooks.egress import AddressForbidden

# All that httpx, and aiohttp through its transport, raise for what a peer does or a network lacks.
FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError, ValueError)

# What our machine or our network has no more of. A host that is down (EHOSTUNREACH) is not among them.
_OURS = {
    errno.EMFILE: "no file descriptor",
    errno.ENFILE: "no file descriptor",
    errno.ENOBUFS: "no memory",
    errno.ENOMEM: "no memory",
    errno.EADDRNOTAVAIL: "no port",
    errno.ENETDOWN: "no network",
    errno.ENETUNREACH: "no network",
}
_THEIRS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection closed",
    errno.EPIPE: "connection closed",
    errno.ETIMEDOUT: "timeout",
}
# The resolver's definite answers; with any other it says that it cannot tell. Not every system has all of them.
_UNKNOWN = {getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")}
_PROXY_AUTHENTICATION = 407

# By kind, the first that fits; what is told by a number follows below.
_BY_KIND: tuple[tuple[tuple[type[BaseException], ...], Failed | Hindered], ...] = (
    ((AddressForbidden,), Failed("address not allowed")),
    ((TimeoutError, httpx.TimeoutException), Failed("timeout")),
    ((httpx.ProxyError, aiohttp.ClientProxyConnectionError), Hindered("egress proxy does not serve us")),
    ((ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError), Failed("tls")),
    ((aiohttp.ClientPayloadError,), Failed("answer is cut off")),
    (
        (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError, httpx.ReadError),
        Failed("connection closed"),
    ),
    ((httpx.InvalidURL, httpx.UnsupportedProtocol, aiohttp.InvalidURL), Failed("url unusable")),
)


def blamed(error: Exception) -> Failed | Hindered:
    """What an attempt that ended in `error`, one of `FOREIGN`, came to."""
    root = _root(error)
    match root:
        case aiohttp.ClientHttpProxyError(status=status):
            return _proxy_said(status)
        case aiohttp.ClientConnectorDNSError(os_error=reason):
            return Failed("name unknown") if reason.errno in _UNKNOWN else Hindered("dns server does not answer")
    told = next((outcome for kinds, outcome in _BY_KIND if isinstance(root, kinds)), None)
    return told or (_no_connection(root.errno) if isinstance(root, OSError) else Failed("answer is no http"))


def _root(error: Exception) -> BaseException:
    """What httpx's transport translated, which tells more: it turns nearly all of it into a time-out."""
    return error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error


def _no_connection(number: int | None) -> Failed | Hindered:
    if number in _OURS:
        return Hindered(_OURS[number])
    return Failed(_THEIRS.get(number or 0, "connection failed"))


def _proxy_said(status: int) -> Failed | Hindered:
    """A proxy that answers a CONNECT tells of the CRM, unless it wants to know who we are."""
    if status == _PROXY_AUTHENTICATION:
        return Hindered("egress proxy does not serve us")
    return Failed(f"egress proxy status {status}")
