"""A delivery goes to the address that was checked, over verified TLS; what our machine lacks is not the CRM's fault."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.webhooks.attempt import Delivered, Failed, Hindered
from app.webhooks.egress import Egress, Lookup
from tests.webhooks.posting import HERE, Crm, answering, posting, serving

pytestmark = pytest.mark.usefixtures("no_proxies")


# Names and addresses.


def names(*answers: Sequence[str] | OSError) -> tuple[Lookup, list[str]]:
    """A DNS that gives these answers, one after the other, and the names it was asked for."""
    asked: list[str] = []

    async def lookup(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        given = answers[min(len(asked), len(answers)) - 1]
        if isinstance(given, OSError):
            raise given
        return given

    return lookup, asked


def named(crm: Crm, host: str = "crm.example") -> str:
    return f"http://{host}:{crm.port}/"


async def test_a_name_leads_to_the_address_that_was_checked() -> None:
    lookup, asked = names(["127.0.0.1"], ["10.0.0.1"])

    async with serving(answering()) as crm, posting(Egress([HERE], lookup)) as post:
        assert await post.send(named(crm)) == Delivered(200, "OK")

    assert asked == ["crm.example"]
    assert crm.headers["host"] == f"crm.example:{crm.port}"


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.2"], ["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["::1", "127.0.0.1"], ["::ffff:127.0.0.2"]],
)
async def test_one_bad_address_and_nothing_is_connected(addresses: list[str]) -> None:
    lookup, _ = names(addresses)

    async with serving(answering()) as crm, posting(Egress([HERE], lookup)) as post:
        assert await post.send(named(crm)) == Failed("address not allowed")

    assert crm.connections == 0


async def test_a_name_that_was_good_when_it_was_registered_is_checked_again() -> None:
    lookup, _ = names(["8.8.8.8"], ["127.0.0.1"])
    egress = Egress([], lookup)

    async with serving(answering()) as crm, posting(egress) as post:
        await egress.resolvable(egress.checked_url(named(crm)))
        assert await post.send(named(crm)) == Failed("address not allowed")

    assert crm.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"])
async def test_no_way_of_writing_our_own_host_reaches_it(host: str) -> None:
    async with serving(answering()) as crm, posting(Egress([])) as post:
        assert await post.send(named(crm, host)) == Failed("address not allowed")

    assert crm.connections == 0


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①"])
async def test_not_even_an_odd_spelling_that_was_stored_reaches_it(host: str) -> None:
    async with serving(answering()) as crm, posting(Egress([])) as post:
        assert await post.send(named(crm, host)) in (Failed("address not allowed"), Failed("url unusable"))

    assert crm.connections == 0


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
async def test_a_name_that_nobody_knows_is_the_crms_failure(code: int) -> None:
    lookup, _ = names(socket.gaierror(code, "unknown"))

    async with posting(Egress([], lookup)) as post:
        assert await post.send("http://crm.example/") == Failed("name unknown")


async def test_a_url_that_nobody_could_register_is_a_failure_and_no_error() -> None:
    async with posting() as post:
        for url in (
            "ftp://crm.example/",
            "http://",
            "no url",
            "http://[::bad/",
            "http://" + "a" * 70 + "/",
            "http://a b/",
        ):
            assert isinstance(await post.send(url), Failed)


# Our own failures.


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM])
async def test_a_dns_server_that_does_not_answer_is_our_own_failure(code: int) -> None:
    lookup, _ = names(socket.gaierror(code, "silent"))

    async with posting(Egress([], lookup)) as post:
        assert await post.send("http://crm.example/") == Hindered("dns server does not answer")


async def test_a_dns_server_that_is_silent_is_not_taken_for_a_crm_that_is() -> None:
    async def lookup(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with posting(Egress([], lookup, timedelta(milliseconds=50))) as post:
        assert await post.send("http://crm.example/") == Hindered("dns server does not answer")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EMFILE, "no file descriptor"),
        (errno.ENFILE, "no file descriptor"),
        (errno.ENOBUFS, "no memory"),
        (errno.EADDRNOTAVAIL, "no port"),
        (errno.ENETUNREACH, "no network"),
    ],
)
async def test_what_our_machine_lacks_is_our_own_failure(number: int, reason: str) -> None:
    class Exhausted(Egress):
        def open_socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
            raise OSError(number, "exhausted")

    async with posting(Exhausted([HERE])) as post:
        assert await post.send("http://127.0.0.1:9/") == Hindered(reason)


# TLS.


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "both.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_a_failure(self_signed: ssl.SSLContext) -> None:
    async with serving(answering(), self_signed) as crm, posting() as post:
        assert await post.send(f"https://127.0.0.1:{crm.port}/") == Failed("tls")

    assert crm.requests == []


async def test_a_server_that_speaks_no_tls_is_a_failure() -> None:
    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greets, "127.0.0.1") as server, posting() as post:
        port = server.sockets[0].getsockname()[1]
        assert await post.send(f"https://127.0.0.1:{port}/") == Failed("tls")
