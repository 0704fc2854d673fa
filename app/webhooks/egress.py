"""Which addresses a webhook may reach: every address that a name has, and again the one that is connected to.

The table below is our own, since `ipaddress.is_global` passes addresses that lead back inside (mapped, translated and
tunnelled ones among them). `WEBHOOK_ALLOW_NETWORKS` opens named networks.
"""

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# The addresses that a name has for connections to a port; raises socket.gaierror.
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]

LONGEST_URL = 2048

_LINK_LOCAL, _METADATA = "link-local", "a cloud's metadata service"
# The special-purpose registries of IANA and what clouds keep for themselves. Of IPv6 only 2000::/3 is given out, so
# whatever lies outside is reserved. The longest prefix that fits tells the kind.
_FORBIDDEN = {
    "no host's": "0.0.0.0/8 ::/128",
    "loopback": "127.0.0.0/8 ::1/128",
    "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10",
    "shared by the customers of a carrier": "100.64.0.0/10",
    _LINK_LOCAL: "169.254.0.0/16 fe80::/10",
    _METADATA: "169.254.169.254 169.254.170.2 169.254.170.23 169.254.42.42 168.63.129.16 100.100.100.200 192.0.0.192 "
    "fd00:ec2::254 fd00:ec2::23 fd00:42::42 fd20:ce::254",
    "for documentation": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
    "for protocols and benchmarks": "192.0.0.0/24 198.18.0.0/15 2001::/23",
    "a tunnel's": "192.88.99.0/24 2001::/32 2002::/16 64:ff9b:1::/48 ::/96 ::ffff:0:0:0/96",
    "multicast": "224.0.0.0/4 ff00::/8",
    "reserved": "240.0.0.0/4 ::/3 4000::/2 8000::/1",
}
# Opened only by a network that lies within them: who writes 0.0.0.0/0 or 10.0.0.0/8 does not think of these.
_OPENED_BY_NAME = {_LINK_LOCAL, _METADATA}
_TABLE = [(ip_network(network), kind) for kind, networks in _FORBIDDEN.items() for network in networks.split()]

# Other ways to write an IPv4 address: mapped (RFC 4291), and by the well-known prefix of NAT64 (RFC 6052), where a
# network without IPv4 finds the whole public one.
_WRITTEN_AS_IPV6 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
# What carries one in its last 32 bits: compatible (RFC 4291), translated (RFC 2765), local NAT64 (RFC 8215).
_CARRYING = (IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b:1::/48"))
# ISATAP (RFC 5214) marks the interface identifier, below any prefix; one bit of the mark may be set or not.
_ISATAP, _ISATAP_MARK = 0x00005EFE, 0xFDFFFFFF

# The characters of RFC 3986 and no others: what libraries read differently (backslashes, blanks, other alphabets,
# digits in circles) is not in it.
_URL = re.compile(r"https?://([^/?#]*)[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]*", re.ASCII | re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_NAME = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!\Z)|\Z))+", re.ASCII)
# A host whose last part is a number is an address to a resolver, however odd (URL Standard, section 3.5).
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
_LAST_PORT = 65535


class AddressForbidden(ValueError):
    """Not an address that a webhook may reach. Says of which kind it is, and quotes nothing."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the address is {kind}; WEBHOOK_ALLOW_NETWORKS can open networks for webhooks")


async def looked_up(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says.

    Raises:
        socket.gaierror: the name is unknown, or nobody answers.
        OSError: no thread to ask with.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def tell(how: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
            loop.call_soon_threadsafe(lambda: None if answer.done() else how())

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        except (OSError, ValueError) as error:
            told = error
            tell(lambda: answer.set_exception(told))
        else:
            tell(lambda: answer.set_result([str(info[4][0]) for info in found]))

    # Not the loop's pool: it has four threads, and four names whose servers are silent would hold up every webhook.
    # A daemon, since such a name must not hold up the end of the process either.
    try:
        threading.Thread(target=ask, name=f"lookup {host}", daemon=True).start()
    except RuntimeError as error:
        raise socket.gaierror(socket.EAI_AGAIN, "no thread to look up names") from error
    return await answer


@dataclass(frozen=True)
class Egress:
    """The way out: what is forbidden, but for the networks that the operator opens."""

    allowed: Sequence[Network]
    lookup: Lookup = looked_up
    patience: timedelta = timedelta(seconds=5)
    """For one name. Shorter than an attempt may take, or a DNS server that is silent is taken for a CRM that is."""

    def check(self, address: str) -> None:
        """Returns if `address` may be reached, with everything that it may turn into on its way.

        Raises:
            AddressForbidden: says which kind of address it is.
        """
        for form in _forms(ip_address(address)):
            rule = _rule(form)
            if rule and not self._opens(form, *rule):
                raise AddressForbidden(rule[1])

    def checked_url(self, url: str) -> str:
        """`url`, if a webhook may be registered with it. A name is not looked up: see `resolvable`.

        Raises:
            AddressForbidden: its host is an address that may not be reached.
            ValueError: says how a URL is written, and quotes nothing.
        """
        self.check_host(_destination(url)[0])
        return url

    def check_host(self, host: str) -> None:
        """Returns if `host` is a name, or an address that may be reached; raises as `checked_url`."""
        if (address := _spelled(host)) is not None:
            self.check(address)

    async def resolvable(self, url: str) -> None:
        """Returns unless the name in `url` leads, by one of its addresses, where a webhook may not point.

        A name that cannot be looked up passes: DNS may be slow, or not yet know a new host, and every connection is
        checked again anyway. What this is for is to tell now, and not by a dead delivery.

        Raises:
            AddressForbidden: by at least one address.
        """
        with contextlib.suppress(OSError):
            await self.addresses(*_destination(url))

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """All addresses of `host`, each of them allowed: one that is not refuses all.

        Raises:
            AddressForbidden: for at least one.
            socket.gaierror: the name is unknown (`EAI_NONAME`), or nobody answers (`EAI_AGAIN`).
        """
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                found = await self.lookup(host, port)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from None
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        for address in found:
            self.check(address)
        return found

    def open_socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """A socket for the address that is about to be connected to, and for no other: no time to change it.

        Raises:
            AddressForbidden: not one that may be reached.
        """
        family, kind, protocol, _, destination = info
        self.check(str(destination[0]))
        return socket.socket(family, kind, protocol)

    def _opens(self, form: Address, network: Network, kind: str) -> bool:
        widest = network.prefixlen if kind in _OPENED_BY_NAME else 0
        return any(form in allowed and allowed.prefixlen >= widest for allowed in self.allowed)


class CheckedNames(AbstractResolver):
    """What aiohttp resolves names with: it hears of no address that is not allowed."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        """All addresses of `host`; raises as `Egress.addresses`."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._egress.addresses(host, port)
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _rule(address: Address) -> tuple[Network, str] | None:
    """The network of the table that `address` lies in, the smallest one, and its kind."""
    fitting = (rule for rule in _TABLE if address in rule[0])
    return max(fitting, key=lambda rule: rule[0].prefixlen, default=None)


def _forms(address: Address) -> Iterator[Address]:
    """The addresses that all must be allowed for `address`: itself, unless it only writes another, and those inside."""
    if isinstance(address, IPv4Address):
        yield address
        return
    bits = int(address)
    last = IPv4Address(bits & 0xFFFFFFFF)
    if not any(address in network for network in _WRITTEN_AS_IPV6):
        yield address
    if any(address in network for network in (*_WRITTEN_AS_IPV6, *_CARRYING)) and bits > 1:  # neither :: nor ::1
        yield last
    if bits >> 32 & _ISATAP_MARK == _ISATAP:
        yield last
    yield from address.teredo or ()
    if address.sixtofour:
        yield address.sixtofour


def _destination(url: str) -> tuple[str, int]:
    """Host and port of a URL that all libraries read alike; an IPv6 address without its brackets."""
    if len(url) > LONGEST_URL:
        raise ValueError("write a URL of at most 2 KiB")
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(
            "write a plain URL such as https://crm.example/events: http or https, no fragment, only ASCII "
            "(a name as xn--…, everything else percent-encoded)"
        )
    if "@" in found[1]:
        raise ValueError("write no user and no password into the URL: credentials belong into headers")
    authority = _AUTHORITY.fullmatch(found[1])
    if authority is None or not (_spelled(authority[1]) or _NAME.fullmatch(authority[1])):
        raise ValueError("write the host as a name such as crm.example, without a dot at its end")
    default = 443 if url[:5].lower() == "https" else 80
    port = default if authority[2] is None else int(authority[2])
    if not 1 <= port <= _LAST_PORT:
        raise ValueError("write a port between 1 and 65535")
    return authority[1].strip("[]"), port


def _spelled(host: str) -> str | None:
    """The address that `host` writes out, or None for a name."""
    if ":" not in host and not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        raise ValueError("write an IP address in its usual form: 192.0.2.1, or [2001:db8::1]") from None
