"""The way to the CRMs' servers: one pool of connections, whose every address is checked where it is connected to."""

from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx

from app.connections import pooled
from app.webhooks.egress import CheckedNames, Egress

# Shorter than the five seconds of the most common servers: a connection that the peer is just closing loses a delivery.
KEEP_ALIVE = 4.0
_PROXY_AUTHENTICATION = 407


def webhook_client(egress: Egress, *, connections: int, proxies_from_environment: bool) -> httpx.AsyncBaseTransport:
    """What a `Sender` posts with; it is closed by its context. HTTP/1.1, TLS verified, no cookies.

    `connections`: at least as many as there are attempts at a time, to whatever hosts. An attempt that waits for a free
    one waits at the cost of its CRM.

    `proxies_from_environment`: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are honoured. Behind a proxy only it
    knows what a name leads to: it must check the addresses then.

    Raises:
        ValueError: names the variable of a proxy that cannot be used.
    """
    direct = pooled(
        limit=connections,
        keepalive_timeout=KEEP_ALIVE,
        resolver=CheckedNames(egress),
        socket_factory=egress.open_socket,
    )
    if not proxies_from_environment:
        return direct
    return ByEnvironment(direct, egress, connections)


class ByEnvironment(httpx.AsyncBaseTransport):
    """Through the proxies that the environment names, and directly where it names none."""

    def __init__(self, direct: httpx.AsyncBaseTransport, egress: Egress, connections: int) -> None:
        self._direct = direct
        self._egress = egress
        named = getproxies()
        self._proxied = {
            scheme: pooled(proxy=proxy, limit=connections, keepalive_timeout=KEEP_ALIVE)
            for scheme in ("http", "https")
            if (proxy := _proxy(scheme, named.get(scheme) or named.get("all")))
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends `request` on its way.

        Raises:
            httpx.ProxyError: the proxy cannot be reached, or does not serve us.
            AddressForbidden: the host is an address that may not be reached.
        """
        host = request.url.raw_host.decode("ascii")
        proxied = self._proxied.get(request.url.scheme)
        if proxied is None or proxy_bypass(host):
            return await self._direct.handle_async_request(request)
        self._egress.check_host(host)
        return await _through(proxied, request)

    async def aclose(self) -> None:
        """Closes all connections."""
        for one in (self._direct, *self._proxied.values()):
            await one.aclose()


async def _through(proxied: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    try:
        response = await proxied.handle_async_request(request)
    except httpx.TransportError as error:
        # The only name that is looked up here is the proxy's.
        if isinstance(error.__cause__, aiohttp.ClientConnectorDNSError | aiohttp.ClientProxyConnectionError):
            raise httpx.ProxyError("unreachable") from error
        raise
    if response.status_code == _PROXY_AUTHENTICATION:
        await response.aclose()
        raise httpx.ProxyError("wants credentials")
    return response


def _proxy(scheme: str, named: str | None) -> httpx.Proxy | None:
    if not named:
        return None
    try:
        proxy = httpx.Proxy(named if "://" in named else f"http://{named}")
    except (httpx.InvalidURL, ValueError):
        proxy = None
    if proxy is None or proxy.url.scheme not in {"http", "https"} or not proxy.url.host:
        raise ValueError(f"{scheme.upper()}_PROXY or ALL_PROXY: write a proxy such as http://proxy.internal:3128")
    return proxy
