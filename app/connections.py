"""Connections to other servers, as all who call use them: pooled, TLS verified, nothing remembered between calls."""

import ssl
from functools import cache
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport


def pooled(*, proxy: httpx.Proxy | None = None, **connector: Any) -> AiohttpTransport:
    """HTTP/1.1, verified by the certificates of this machine, of no environment's proxy. `connector`: aiohttp's words.

    No cookies: a session that a peer sets must not travel from one account's or webhook's call to another's.
    """
    return AiohttpTransport(
        verify=verified(),
        proxy=proxy,
        trust_env=False,
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=verified(), **connector), cookie_jar=aiohttp.DummyCookieJar()
        ),
    )


@cache
def verified() -> ssl.SSLContext:
    """One for the process, since it reads all certificates. It verifies peers, and offers HTTP/1.1 (ALPN)."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
