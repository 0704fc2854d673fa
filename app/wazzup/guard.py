"""Which links we hand out. They go into an iframe of the CRM: one that points elsewhere is an attack or an error."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import orjson

from app.errors import WazzupUnreadable

LONGEST_LINK = 4096
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
# The characters of RFC 3986 and no others: what browsers read differently from us (backslashes, user info, IDNA,
# blanks) is not in it.
_LINK = re.compile(
    r"(https?)://([A-Za-z0-9.-]+|\[::1\])(?::([0-9]{1,5}))?(?:[/?#][A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*)?", re.ASCII
)
_LAST_PORT = 65535


class ForeignLink(ValueError):
    """A link that we do not hand out. Never quotes it; `host` is where it leads, if that is what is wrong with it."""

    def __init__(self, what: str, host: str | None = None) -> None:
        super().__init__(what)
        self.host = host


def guarded(link: object, hosts: Sequence[str]) -> str:
    """`link`, if it is an https link of at most 4 KiB to one of `hosts`.

    A host is a name, or `*.` and a name for everything below it. Plain http passes only for a loopback host.

    Raises:
        ForeignLink: says which rule it breaks.
    """
    if not isinstance(link, str) or len(link) > LONGEST_LINK:
        raise ForeignLink("no link of at most 4 KiB")
    found = _LINK.fullmatch(link)
    if found is None or int(found[3] or 0) > _LAST_PORT:
        raise ForeignLink("not a plain http(s) link")
    scheme, host = found[1], found[2].lower()
    if not any(_fits(host, pattern.lower()) for pattern in hosts):
        raise ForeignLink("a link to a host that WAZZUP_LINK_HOSTS does not name", host)
    if scheme != "https" and host not in _LOOPBACK:
        raise ForeignLink("a link without https")
    return link


def link_of(find: Callable[[], object], hosts: Sequence[str]) -> str:
    """The link that `find` picks out of an answer, guarded.

    Raises:
        WazzupUnreadable: there is none, or none that we hand out.
    """
    try:
        return guarded(find(), hosts)
    except ForeignLink as error:
        raise WazzupUnreadable(f"Wazzup's answer is not used: {error}.") from error
    except (LookupError, TypeError):
        raise WazzupUnreadable("Wazzup's answer is not used: there is no link in it.") from None


def _fits(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[1:]
    return host in {pattern, f"[{pattern}]"}


def own_end(link: str) -> datetime | None:
    """When the link's token ends, where it is a JWT with an `exp`. Unverified: believed to be a time, and no more."""
    return end_of(parse_qs(urlsplit(link).query).get("token", [""])[0])


def end_of(token: str) -> datetime | None:
    """When `token` ends, where it is a JWT with an `exp`. Unverified, as above."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (ValueError, binascii.Error, KeyError, TypeError, OverflowError, OSError):
        return None
