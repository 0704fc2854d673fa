"""Every call to another server goes the same way: verified, in HTTP/1.1, and with nothing brought along."""

import ssl
from contextlib import suppress

import aiohttp

from app.connections import pooled, verified


def hello() -> bytes:
    """The first that a peer hears of us."""
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        verified().wrap_bio(heard, said, server_hostname="crm.example").do_handshake()
    return said.read()


def test_a_peer_must_prove_who_it_is() -> None:
    assert (verified().verify_mode, verified().check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_peer_is_told_that_we_speak_http_1_1_and_nothing_else() -> None:
    said = hello()

    assert b"\x08http/1.1" in said
    assert b"\x02h2" not in said


async def test_certificates_are_read_once_for_all_connections() -> None:
    transports = [pooled(limit=1), pooled(limit=2)]
    sessions = [one.get_client() for one in transports]

    contexts = {one.ssl_context for one in transports} | {
        one.connector._ssl for one in sessions if isinstance(one.connector, aiohttp.TCPConnector)
    }

    for session in sessions:
        await session.close()
    assert contexts == {verified()}
