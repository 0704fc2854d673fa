"""A link goes into an iframe of the CRM: one that a browser would take elsewhere never passes."""

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wazzup.guard import LONGEST_LINK, ForeignLink, guarded, own_end

WAZZUP = ("*.wazzup24.com",)
LOOPBACK = ("127.0.0.1",)

quick = settings(max_examples=200, deadline=None, database=None, derandomize=True)


@pytest.mark.parametrize(
    ("link", "hosts"),
    [
        ("https://app.wazzup24.com/1234-1234/chat/whatsapp/37111234567?token=a.b.c", WAZZUP),
        ("https://app.wazzup24.com", WAZZUP),
        ("https://app.wazzup24.com/", WAZZUP),
        ("https://app.wazzup24.com?token=x", WAZZUP),
        ("https://app.wazzup24.com#x", WAZZUP),
        ("https://app.wazzup24.com:8443/chat", WAZZUP),
        ("https://a.b.c.wazzup24.com/chat", WAZZUP),
        ("https://APP.Wazzup24.COM/chat", WAZZUP),
        ("https://app.wazzup24.com/chat", ("*.WAZZUP24.com",)),
        ("https://app.wazzup24.com/a%20b/@me/'x'(y)*z!$&,;=~", WAZZUP),
        ("https://wazzup24.com/chat", ("wazzup24.com",)),
        ("https://chat.example/", ("*.wazzup24.com", "chat.example")),
        ("https://127.0.0.1/", LOOPBACK),
        ("http://127.0.0.1/", LOOPBACK),
        ("http://127.0.0.1:9001/1234/chat?token=x", LOOPBACK),
        ("http://localhost:9001/", ("localhost",)),
        ("http://[::1]:9001/", ("::1",)),
        ("http://[::1]:9001/", ("[::1]",)),
    ],
)
def test_a_link_to_a_named_host_passes_unchanged(link: str, hosts: tuple[str, ...]) -> None:
    assert guarded(link, hosts) == link


@pytest.mark.parametrize(
    "link",
    [
        # Another host.
        "https://wazzup24.com/chat",
        "https://evilwazzup24.com/chat",
        "https://app.wazzup24.com.evil/chat",
        "https://wazzup24.com.evil.example/chat",
        "https://app.wazzup24.com.",
        "https://.wazzup24.com.evil/",
        "https://elsewhere.example/app.wazzup24.com",
        "https://elsewhere.example?.wazzup24.com",
        "https://elsewhere.example#.wazzup24.com",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0x7f000001/",
        # Another host for a browser.
        "https://elsewhere.example\\.wazzup24.com/",
        "https://elsewhere.example\\@app.wazzup24.com/",
        "https:\\\\app.wazzup24.com/",
        "https:/\\app.wazzup24.com/",
        "https://app.wazzup24.com\\@elsewhere.example/",
        "https://user@app.wazzup24.com/",
        "https://user:password@app.wazzup24.com/",
        "https://app.wazzup24.com@elsewhere.example/",
        "https://app.wazzup24.com:443@elsewhere.example/",
        "https://app.wazzup24.com%2eevil.example/",
        "https://elsewhere.example%00.wazzup24.com/",
        "https://elsewhere.example%2f.wazzup24.com/",
        "https://\uff57\uff41\uff5a\uff5a\uff55\uff5024.wazzup24.com/",
        "https://app.wazzup24\u3002com/",
        "https://app.wazzup24.com\u2044.elsewhere.example/",
        "https://ápp.wazzup24.com/",
        "https://app.wazzup24.com\uff0f@elsewhere.example/",
        # What a browser strips before it reads.
        " https://app.wazzup24.com/",
        "https://app.wazzup24.com/ ",
        "\thttps://app.wazzup24.com/",
        "https://app.wazzup24.com/\n",
        "https://app.waz\nzup24.com/",
        "ht\ttps://app.wazzup24.com/",
        "https://app.wazzup24.com/a\rb",
        "https://app.wazzup24.com/a\x00b",
        "https://app.wazzup24.com/a\x7fb",
        "https://app.wazzup24.com/a\x85b",
        "https://app.wazzup24.com/a b",
        "https://app.wazzup24.com/\u202ex",
        "https://app.wazzup24.com/\\x",
        "https://app.wazzup24.com/?x=\ud800",
        # What would break out of an attribute.
        'https://app.wazzup24.com/"onload="x',
        "https://app.wazzup24.com/<script>",
        "https://app.wazzup24.com/a>b",
        # Another scheme, or none.
        "http://app.wazzup24.com/",
        "HTTPS://app.wazzup24.com/",
        "ftp://app.wazzup24.com/",
        "wss://app.wazzup24.com/",
        "javascript:alert(1)//app.wazzup24.com/",
        "data:text/html,x",
        "blob:https://app.wazzup24.com/x",
        "//app.wazzup24.com/",
        "/app.wazzup24.com/",
        "app.wazzup24.com/",
        "https:app.wazzup24.com/",
        "https:///app.wazzup24.com/",
        "https://",
        "https:///",
        "",
        # A port that is none.
        "https://app.wazzup24.com:/",
        "https://app.wazzup24.com:x/",
        "https://app.wazzup24.com:-1/",
        "https://app.wazzup24.com:443:443/",
        "https://app.wazzup24.com:123456/",
        "https://app.wazzup24.com:65536/",
        # No text at all.
        None,
        7,
        b"https://app.wazzup24.com/",
        ["https://app.wazzup24.com/"],
        {"link": "https://app.wazzup24.com/"},
    ],
)
def test_a_link_that_leads_elsewhere_does_not_pass(link: object) -> None:
    with pytest.raises(ForeignLink):
        guarded(link, WAZZUP)


@pytest.mark.parametrize(
    ("link", "hosts"),
    [
        ("http://127.0.0.1/", WAZZUP),
        ("http://localhost/", LOOPBACK),
        ("http://127.0.0.2/", ("127.0.0.2",)),
        ("http://10.0.0.1/", ("10.0.0.1",)),
        ("http://app.wazzup24.com/", ("app.wazzup24.com",)),
        ("http://localhost.evil/", ("*.evil", "localhost")),
        ("http://127.0.0.1.evil/", ("*.evil", "127.0.0.1")),
        ("http://0.0.0.0/", ("0.0.0.0",)),
        ("http://[::2]/", ("::2",)),
    ],
)
def test_plain_http_is_for_a_named_loopback_host_only(link: str, hosts: tuple[str, ...]) -> None:
    with pytest.raises(ForeignLink):
        guarded(link, hosts)


def test_nothing_passes_where_no_host_is_named() -> None:
    with pytest.raises(ForeignLink):
        guarded("https://app.wazzup24.com/", ())


def test_four_kibibytes_pass_and_one_byte_more_does_not() -> None:
    longest = "https://app.wazzup24.com/".ljust(LONGEST_LINK, "x")

    assert guarded(longest, WAZZUP) == longest
    with pytest.raises(ForeignLink):
        guarded(longest + "x", WAZZUP)


@pytest.mark.parametrize("link", ["https://app.wazzup24.com/s3cret x", "https://s3cret.example/", "http://s3cret/"])
def test_a_refusal_never_quotes_the_link(link: str) -> None:
    with pytest.raises(ForeignLink) as caught:
        guarded(link, WAZZUP)

    assert "s3cret" not in str(caught.value)


PIECES = st.sampled_from([
    "https://", "http://", "//", "app.wazzup24.com", ".wazzup24.com", "wazzup24.com", "evil.example", "127.0.0.1",
    "[::1]", "@", ":", ":443", "/", "\\", "?", "#", "%2e", "%00", ".", "\t", "\n", " ", "x", "\u3002", "\uff0f",
    "[", "]",
])  # fmt: skip


@given(link=st.lists(PIECES, max_size=8).map("".join))
@quick
def test_whatever_passes_has_a_named_host_for_every_reader(link: str) -> None:
    try:
        passed = guarded(link, (*WAZZUP, "127.0.0.1"))
    except ForeignLink:
        return

    read = urlsplit(passed)
    assert read.username is None
    assert read.hostname is not None
    assert read.hostname.endswith(".wazzup24.com") or read.hostname == "127.0.0.1"
    assert read.scheme == "https" or read.hostname == "127.0.0.1"
    assert passed.isascii()
    assert passed.isprintable()
    assert "\\" not in passed


@given(link=st.one_of(st.text(), st.text().map("https://app.wazzup24.com/{}".format), st.binary(), st.integers()))
@quick
def test_no_link_breaks_the_guard(link: object) -> None:
    try:
        guarded(link, WAZZUP)
    except ForeignLink:
        return

    assert isinstance(link, str)
    assert link.startswith("https://app.wazzup24.com/")


# Part of every number below, so that the time can be seen in the answer.
NOON = 1_795_348_800


def linked(token: str) -> str:
    return f"https://app.wazzup24.com/1234-1234/chat/whatsapp/37111234567?token={token}"


def jwt(claims: Any) -> str:
    """An unsigned token: nobody here verifies it."""
    return "e30." + base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=").decode() + ".c2ln"


@pytest.mark.parametrize("expiry", [NOON, NOON + 0.9, str(NOON)])
def test_the_end_of_a_link_is_read_from_its_token(expiry: object) -> None:
    assert own_end(linked(jwt({"exp": expiry}))) == datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_other_parameters_do_not_hide_the_token() -> None:
    link = f"https://app.wazzup24.com/?a=b&token={jwt({'exp': NOON})}&c=d#e"

    assert own_end(link) == datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "0123456789abcdef" * 8,
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "e30.%%%.c2ln",
        "e30.!!!.c2ln",
        "e30.bnVsbA.c2ln",
        "e30.//8.c2ln",
        "e30.\u00e9\u00e9\u00e9\u00e9.c2ln",
        jwt({}),
        jwt([]),
        jwt("exp"),
        jwt(7),
        jwt(None),
        jwt({"exp": None}),
        jwt({"exp": "soon"}),
        jwt({"exp": []}),
        jwt({"exp": {}}),
        jwt({"exp": 10**18}),
        jwt({"exp": -(10**18)}),
        jwt({"exp": 1e300}),
        jwt({"exp": "9" * 5000}),
        jwt({"nested": [[[[]]]]}),
    ],
)
def test_a_token_whose_end_cannot_be_read_has_none(token: str) -> None:
    assert own_end(linked(token)) is None


@given(token=st.one_of(st.text(), st.from_regex(r"[\w%.-]{0,40}\.[\w%.=-]{0,40}\.[\w%-]{0,40}", fullmatch=True)))
@quick
def test_no_token_breaks_the_reading(token: str) -> None:
    end = own_end(linked(token))

    assert end is None or end.tzinfo is UTC


JSON = st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(), st.lists)


@given(claims=st.one_of(st.fixed_dictionaries({"exp": JSON}), JSON))
@quick
def test_no_claims_break_the_reading(claims: Any) -> None:
    end = own_end(linked(jwt(claims)))

    assert end is None or end.tzinfo is UTC
