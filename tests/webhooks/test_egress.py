"""A webhook reaches no address inside, however it is written, and whatever a name says."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv6Address, ip_network
from urllib.parse import urlsplit

import httpx
import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from app.webhooks.egress import AddressForbidden, CheckedNames, Egress, looked_up

# Both lists as they stand in webhook-delivery.md.
MUST_BE_REFUSED = """
0.0.0.0 0.1.2.3 10.254.0.0 100.64.0.1 100.100.100.200 127.0.0.1 127.254.254.254 169.254.169.254 172.16.10.65 192.0.0.0
192.0.0.8 192.0.0.255 192.0.2.255 192.88.99.3 192.168.10.65 198.18.0.0 198.51.100.65 203.0.113.6 224.1.2.3 233.252.0.16
239.255.255.250
240.240.240.240 255.255.255.255 168.63.129.16 :: ::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::7f00:1 ::ffff:0:7f00:1
::5efe:7f00:1
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::7f00:1 2001::1 2001:db8::1 2002:7f00:1::1 2002:a9fe:a9fe::1 3fff::1
fc00::1 fd00:ec2::254
fd7a:115c:a1e0::1 fe80::1 febf:ffff::1 fec0::1 ff02::1 100::1 5f00::1
"""
SPELLINGS = "127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 0177.1 017700000001 127。0。0。1 ①②⑦.⓪.⓪.①"
MUST_PASS = "1.1.1.1 8.8.8.8 2606:4700:4700::1111 2001:4860:4860::8888"

CLOSED = Egress(allowed=())


def opening(*networks: str) -> Egress:
    return Egress(allowed=[ip_network(network) for network in networks])


def saying(*addresses: str) -> Egress:
    """An egress whose DNS knows every name, by these addresses."""

    async def lookup(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return Egress(allowed=(), lookup=lookup)


def failing(error: OSError) -> Egress:
    async def lookup(_host: str, _port: int) -> Sequence[str]:
        raise error

    return Egress(allowed=(), lookup=lookup)


def url_of(address: str) -> str:
    return f"https://[{address}]/" if ":" in address else f"https://{address}/"


def info_of(address: str) -> tuple[int, int, int, str, tuple[object, ...]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443)


# Addresses.


@pytest.mark.parametrize("address", MUST_BE_REFUSED.split())
async def test_what_must_be_refused_is_refused_everywhere(address: str) -> None:
    with pytest.raises(AddressForbidden):
        CLOSED.check(address)
    with pytest.raises(AddressForbidden):
        CLOSED.checked_url(url_of(address))
    with pytest.raises(AddressForbidden):
        CLOSED.open_socket(info_of(address))
    with pytest.raises(AddressForbidden):
        await saying(address).resolvable("https://crm.example/")
    with pytest.raises(AddressForbidden):
        await CheckedNames(saying(address)).resolve("crm.example", 443)


@pytest.mark.parametrize("address", MUST_PASS.split())
async def test_what_must_pass_passes_everywhere(address: str) -> None:
    CLOSED.check(address)
    assert CLOSED.checked_url(url_of(address)) == url_of(address)
    CLOSED.open_socket(info_of(address)).close()
    await saying(address).resolvable("https://crm.example/")
    assert [one["host"] for one in await CheckedNames(saying(address)).resolve("crm.example", 443)] == [address]


@pytest.mark.parametrize("spelling", SPELLINGS.split())
@pytest.mark.parametrize("dot", ["", "."])
def test_an_odd_spelling_is_no_way_around(spelling: str, dot: str) -> None:
    with pytest.raises(ValueError, match="write"):
        opening("0.0.0.0/0", "127.0.0.0/8").checked_url(f"http://{spelling}{dot}/")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_all_its_ipv6_clothes(address: object) -> None:
    def passes(text: str) -> bool:
        try:
            CLOSED.check(text)
        except AddressForbidden:
            return False
        return True

    assert passes(f"::ffff:{address}") == passes(str(address))
    assert passes(f"64:ff9b::{address}") == passes(str(address))
    assert passes(f"2606:4700::5efe:{address}") == passes(str(address))
    assert passes(f"2606:4700::200:5efe:{address}") == passes(str(address))
    assert not passes(f"::{address}")
    assert not passes(f"::ffff:0:{address}")
    assert not passes(f"64:ff9b:1::{address}")


@given(st.ip_addresses(v=6))
def test_of_ipv6_nothing_passes_that_is_not_given_out(address: IPv6Address) -> None:
    networks = [ip_network(one) for one in ("2000::/3", "::ffff:0:0/96", "64:ff9b::/96")]

    if not any(address in network for network in networks):
        with pytest.raises(AddressForbidden):
            CLOSED.check(str(address))


def test_a_zone_does_not_hide_an_address() -> None:
    with pytest.raises(AddressForbidden):
        CLOSED.check("fe80::1%eth0")


# Networks that the operator opens.


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.1.0.0/16", "10.1.2.3"),
        ("10.1.0.0/16", "::ffff:10.1.2.3"),
        ("10.1.0.0/16", "64:ff9b::10.1.2.3"),
        ("127.0.0.1/32", "127.0.0.1"),
        ("::1/128", "::1"),
        ("fc00::/7", "fd00::1"),
        ("0.0.0.0/0", "127.0.0.1"),
        ("100.64.0.0/10", "100.64.0.1"),
        ("169.254.169.254/32", "169.254.169.254"),
        ("169.254.0.0/16", "169.254.1.2"),
        ("169.254.1.0/24", "169.254.1.2"),
        ("fe80::/10", "fe80::1"),
        ("fe80::1/128", "fe80::1"),
        ("fd00:ec2::254/128", "fd00:ec2::254"),
        ("168.63.129.16/32", "168.63.129.16"),
        ("100.100.100.200/32", "100.100.100.200"),
    ],
)
def test_a_named_network_is_open(network: str, address: str) -> None:
    opening("192.0.2.0/24", network).check(address)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.1.0.0/16", "10.2.0.1"),
        ("10.0.0.0/8", "192.168.0.1"),
        ("::/0", "127.0.0.1"),
        ("::/0", "::ffff:127.0.0.1"),
        ("::/0", "::7f00:1"),
        ("::/0", "2002:7f00:1::1"),
        ("0.0.0.0/0", "::1"),
        ("0.0.0.0/0", "169.254.169.254"),
        ("169.0.0.0/8", "169.254.169.254"),
        ("169.254.0.0/16", "169.254.169.254"),
        ("0.0.0.0/0", "169.254.1.2"),
        ("0.0.0.0/0", "168.63.129.16"),
        ("0.0.0.0/0", "100.100.100.200"),
        ("100.64.0.0/10", "100.100.100.200"),
        ("::/0", "fe80::1"),
        ("::/0", "fd00:ec2::254"),
        ("fc00::/7", "fd00:ec2::254"),
        ("0.0.0.0/0", "::ffff:169.254.169.254"),
        ("0.0.0.0/0", "64:ff9b::a9fe:a9fe"),
        ("2001::/32", "2001:0:808:808::80ff:fffe"),  # Teredo writes its client's address, 127.0.0.1, inverted
    ],
)
def test_no_more_is_open_than_was_named(network: str, address: str) -> None:
    with pytest.raises(AddressForbidden):
        opening(network).check(address)


# URLs.


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example",
        "https://crm.example/",
        "http://crm.example/hook",
        "HTTPS://CRM.example/Hook",
        "https://crm.example:8443/a/b?c=d&e=%20f",
        "https://xn--e1afmkfd.xn--p1ai/",
        "https://crm_1.example/",
        "http://crm:8080/hook",
        "https://1.crm.example/",
        "https://1-2-3-4.example/",
        "https://8.8.8.8:1/",
        "https://[2606:4700:4700::1111]:8443/",
        "https://[::ffff:8.8.8.8]/",
        "https://crm.example/" + "a" * 2028,
    ],
)
def test_a_plain_url_passes_as_it_is(url: str) -> None:
    assert CLOSED.checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "crm.example/hook",
        "//crm.example/",
        "ftp://crm.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https:///hook",
        "https://?a",
        "https://:443/",
        "https:crm.example",
        "https:\\\\crm.example\\",
        "https://crm.example\\@127.0.0.1/",
        "https://user@crm.example/",
        "https://user:password@crm.example/",
        "https://@crm.example/",
        "https://crm.example/#part",
        "https://crm.example#@127.0.0.1/",
        " https://crm.example/",
        "https://crm.example/ ",
        "https://crm.example/a b",
        "https://crm.example/\n",
        "https://crm.example\n/",
        "ht\ntps://crm.example/",
        "https://crm.exa\tmple/",
        "https://crm.example/\x00",
        "https://crm.example/\x7f",
        "https://crm.example/ä",
        "https://пример.рф/",
        "https://crm.example./",
        "https://crm..example/",
        "https://.crm.example/",
        "https://-crm.example/",
        "https://crm-.example/",
        "https://crm.example:/",
        "https://crm.example:0/",
        "https://crm.example:65536/",
        "https://crm.example:8e3/",
        "https://crm.example:-1/",
        "https://crm.example:443:443/",
        "https://crm%2eexample/",
        "https://127%2e0%2e0%2e1/",
        "https://crm.example,127.0.0.1/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 126 + "aa/",
        "https://crm.example/" + "a" * 2029,
        "https://[::1",
        "https://::1/",
        "https://[]/",
        "https://[crm.example]/",
        "https://[127.0.0.1]/",
        "https://[::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[v1.a]/",
        "https://[2606:4700:4700::1111].example/",
        "https://8.8.8.8.8/",
        "https://8.8.8/",
        "https://8.8.8.08/",
        "https://08.8.8.8/",
        "https://crm.8/",
        "https://256.1.1.1/",
    ],
)
def test_any_other_url_is_refused_with_a_sentence_that_says_how_it_is_written(url: str) -> None:
    with pytest.raises(ValueError, match=r"^write "):
        opening("0.0.0.0/0", "::/0").checked_url(url)


def test_a_password_in_a_url_is_told_where_it_belongs() -> None:
    with pytest.raises(ValueError, match="credentials belong into headers"):
        CLOSED.checked_url("https://user:password@crm.example/")


hosts = st.one_of(
    st.text("abcXYZ019-_.", min_size=1, max_size=20),
    st.text("0123456789xX.", min_size=1, max_size=16),
    st.ip_addresses().map(lambda one: f"[{one}]" if one.version == 6 else str(one)),
    st.ip_addresses(v=4).map(lambda one: f"[::ffff:{one}]"),
)


@given(
    hosts, st.sampled_from(["", ":80", ":8443"]), st.text("ab/?&=%20@:.[];", max_size=10).map(lambda rest: "/" + rest)
)
def test_what_passes_means_the_same_host_to_every_library(host: str, port: str, rest: str) -> None:
    url = f"http://{host}{port}{rest}"
    try:
        opening("0.0.0.0/0", "::/0").checked_url(url)
    except ValueError:
        return

    plain = host.strip("[]").lower()
    assert urlsplit(url).hostname == plain
    assert httpx.URL(url).raw_host.decode() == plain
    meant = yarl.URL(str(httpx.URL(url))).raw_host
    assert meant == plain or ip_network(str(meant)) == ip_network(plain)  # yarl writes IPv6 in its shortest form


# Names.


async def test_one_bad_address_refuses_all() -> None:
    with pytest.raises(AddressForbidden):
        await saying("8.8.8.8", "127.0.0.1").resolvable("https://crm.example/")
    with pytest.raises(AddressForbidden):
        await CheckedNames(saying("2606:4700:4700::1111", "8.8.8.8", "::1")).resolve("crm.example", 443)


async def test_a_refusal_says_of_which_kind_the_address_is_and_what_opens_it() -> None:
    with pytest.raises(AddressForbidden) as refused:
        await saying("169.254.169.254").resolvable("https://crm.example/")

    assert str(refused.value).startswith("the address is a cloud's metadata service; WEBHOOK_ALLOW_NETWORKS")
    assert "169" not in str(refused.value)


async def test_a_name_that_dns_does_not_know_yet_may_be_registered() -> None:
    await failing(socket.gaierror(socket.EAI_NONAME, "unknown")).resolvable("https://crm.example/")
    await failing(socket.gaierror(socket.EAI_AGAIN, "silent")).resolvable("https://crm.example/")
    await saying().resolvable("https://crm.example/")


async def test_a_dns_server_that_is_silent_is_not_waited_for_long() -> None:
    async def lookup(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    egress = Egress(allowed=(), lookup=lookup, patience=timedelta(milliseconds=10))

    with pytest.raises(socket.gaierror) as silent:
        await egress.addresses("crm.example", 443)
    assert silent.value.errno == socket.EAI_AGAIN


async def test_the_system_s_own_answer_is_judged_too() -> None:
    assert set(await looked_up("localhost", 80)) <= {"127.0.0.1", "::1"}
    with pytest.raises(AddressForbidden):
        await CLOSED.resolvable("http://localhost/")


async def test_a_name_that_cannot_be_asked_for_is_an_error_and_no_silence() -> None:
    with pytest.raises(ValueError, match="label"):
        await looked_up("a" * 70 + ".example", 80)


async def test_an_answer_that_nobody_waits_for_any_more_is_dropped() -> None:
    asking = asyncio.create_task(looked_up("localhost", 80))
    await asyncio.sleep(0)
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await looked_up("127.0.0.1", 80) == ["127.0.0.1"]
