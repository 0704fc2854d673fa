"""How a variable is written: as text, or in a file's own lists, numbers and booleans. What it means is the same.

What is wrong is refused with a sentence that names the variable and says what to do. No sentence quotes a value: it
may be a secret.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from app.limits import Rate

LOOPBACK = {"127.0.0.1", "localhost", "::1"}

_ACCOUNT_ID = re.compile(r"\d+(-\d+)*", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Misconfigured(Exception):
    """The gateway cannot be served from what it is told. Each problem names its variable and says what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def sentences(error: ValidationError) -> list[str]:
    """Everything that is wrong, each by its variable's name."""
    return [_sentence(problem) for problem in error.errors()]


def _sentence(problem: ErrorDetails) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    path = problem["loc"]
    return f"{str(path[0]).upper()}: {message}" if path else message


def _listed(value: object) -> object:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError("write a list, or its parts with commas between them")  # noqa: TRY004 - what pydantic hears
    stripped = (part.strip() if isinstance(part, str) else part for part in parts)
    return [part for part in stripped if part != ""]


def _seconds(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=float(_number(value)))
    except (ValueError, OverflowError):
        raise ValueError("write plain seconds, for example 300") from None


def _number(value: object) -> str | float:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else "no number"


def _sensible(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= timedelta(days=365):
        raise ValueError("write seconds between 0 and a year")
    return value


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be more than 0 seconds")
    return value


def _rate(value: object) -> object:
    if isinstance(value, Rate):
        return value
    return Rate.read(value if isinstance(value, str) else "")


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.netloc
        or value != f"{parts.scheme}://{parts.netloc}"
        or "*" in value
    ):
        raise ValueError("write exact origins such as https://crm.example, without a path; * is refused")
    return value.lower()


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[@?#]", value):
        raise ValueError("write a plain URL such as https://tech.wazzup24.com")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("plain http is only for a loopback address: the credentials would travel in the clear")
    return value.rstrip("/")


def _store_url(secret: SecretStr) -> SecretStr:
    parts = urlsplit(secret.get_secret_value())
    if parts.scheme not in {"redis", "rediss", "redis+sentinel", "redis+cluster", "unix"}:
        raise ValueError("write redis://, rediss://, redis+sentinel:// or redis+cluster://")
    if parts.scheme != "unix":
        ports = [host.rpartition(":")[2] for host in parts.netloc.rpartition("@")[2].split(",") if ":" in host]
        if not parts.netloc or not all(port.isdecimal() or port.endswith("]") for port in ports):
            raise ValueError("write host:port behind the //, for example redis://localhost:6379/0")
    return secret


def _credential(secret: SecretStr) -> SecretStr:
    return SecretStr(_for_a_header(secret.get_secret_value()))


def _for_a_header(value: str) -> str:
    stripped = value.strip()  # A secret that is mounted as a file often ends with a line break.
    if not (stripped.isascii() and stripped.isprintable()):
        raise ValueError("write plain printable ASCII, since a header carries nothing else safely")
    return stripped


def _login(secret: SecretStr) -> SecretStr:
    stripped = secret.get_secret_value().strip("\r\n")
    if _CONTROLS.search(stripped):
        raise ValueError("holds a line break or another control character, which no login has")
    return SecretStr(stripped)


def _country(value: str) -> str:
    if not (len(value) == 2 and value.isascii() and value.isalpha()):  # noqa: PLR2004 - ISO 3166 alpha-2
        raise ValueError("write two letters such as LV (ISO 3166)")
    return value.upper()


def _schedule(value: object) -> object:
    return [_seconds(part) for part in _numbers(value)]


def _numbers(value: object) -> Iterable[object]:
    parts = _listed(value)
    assert isinstance(parts, list)  # noqa: S101 - or it was refused
    return parts


def _some(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not value:
        raise ValueError("write the wait before each attempt, at least one, for example 0,5,30")
    return value


def _network(value: object) -> object:
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError("write networks such as 10.1.0.0/16, without host bits") from None


def _account_id(value: object) -> object:
    text = str(value) if isinstance(value, str | int) else ""
    if not _ACCOUNT_ID.fullmatch(text):
        raise ValueError("write the number that Wazzup shows for the account, for example 1234-1234")
    return text.replace("-", "")


Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_listed)]
Credential = Annotated[SecretStr, AfterValidator(_credential)]
"""What is sent in a header: stripped, and nothing but printable ASCII."""
Credentials = Annotated[tuple[Credential, ...], BeforeValidator(_listed)]
ClientId = Annotated[str, AfterValidator(_for_a_header)]
Login = Annotated[SecretStr, AfterValidator(_login)]
"""A part of HTTP Basic, which is sent in UTF-8 (RFC 7617)."""
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_listed)]
Events = Annotated[tuple[Literal["deals", "messages"], ...], BeforeValidator(_listed)]
PhoneChats = Annotated[tuple[Literal["whatsapp", "viber"], ...], BeforeValidator(_listed)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_sensible)]
PositiveSeconds = Annotated[Seconds, AfterValidator(_positive)]
Schedule = Annotated[
    tuple[Annotated[timedelta, AfterValidator(_sensible)], ...], BeforeValidator(_schedule), AfterValidator(_some)
]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_listed)]
CallRate = Annotated[Rate, BeforeValidator(_rate)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
StoreUrl = Annotated[SecretStr, AfterValidator(_store_url)]
Country = Annotated[str, AfterValidator(_country)]
AccountId = Annotated[str, BeforeValidator(_account_id)]
"""As Wazzup takes it: digits, without the dash that it is shown with."""
