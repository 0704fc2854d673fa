"""A webhook's own headers go along if they replace none of ours, and nothing that is shown contains a secret."""

import pytest

from app.webhooks.attempt import Delivered, Failed, Parcel, Target
from app.webhooks.egress import AddressForbidden
from app.webhooks.sender import checked_headers
from tests.webhooks.posting import SECRET, answering, posting, serving

pytestmark = pytest.mark.usefixtures("no_proxies")


async def test_a_webhook_s_own_headers_go_along_and_replace_none_of_ours() -> None:
    ours = ("Host", "CONTENT-TYPE", "content-length", "Connection", "Transfer-Encoding", "User-Agent", "Webhook-Id")
    own = (("Authorization", "Bearer of-the-crm"), ("X-Tenant", "7"), *((name, "evil") for name in ours))

    async with serving(answering()) as crm, posting() as post:
        assert isinstance(await post.send(crm.url, headers=own), Delivered)

    assert crm.headers["authorization"] == "Bearer of-the-crm"
    assert crm.headers["x-tenant"] == "7"
    assert b"evil" not in crm.requests[0][0]


def test_headers_of_a_webhook_s_own_are_taken_as_they_are() -> None:
    own = {"Authorization": "Bearer a.b-c_d/e+f=", "X-Tenant": "7", "X-Empty": "", "X-Quote": '"a";b=c'}

    assert checked_headers(own) == tuple(own.items())
    assert checked_headers({f"X-{n}": "a" for n in range(20)})
    assert checked_headers({"X": "a" * 4095})


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {name: "a"}
            for name in (
                "Host", "content-type", "Content-Length", "CONTENT-ENCODING", "content-x", "Connection", "Keep-Alive",
                "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "User-Agent", "Accept-Encoding",
                "Proxy-Authorization", "webhook-id", "Webhook-Signature", "webhook-x",
                "", "a b", "a:", "a\n", "a\r\nb", "ä", "a\x00", "a(b)", ":path",
            )
        ),
        *({"x": value} for value in ("a\r\nb: c", "a\n", "a\r", "a\x00b", "a\x7f", "ä", "€", "Ж", "\ud800", "a\x0bb")),
        {f"X-{n}": "a" for n in range(21)},
        {"X": "a" * 4096},
        {"x-a": "1", "X-A": "2"},
    ],
)  # fmt: skip
def test_any_other_header_is_refused_with_a_sentence_that_quotes_no_value(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^(write|leave out) "):
        checked_headers(headers)


def test_nothing_that_is_shown_contains_a_secret_or_a_body() -> None:
    target = Target("wh_1", "https://crm.example/?token=t0ken", (("Authorization", "s3cret"),), (SECRET,))
    shown = repr([target, Parcel("evt_1", b"b0dy"), Delivered(200, "b0dy"), Failed("status 500", 500, "b0dy")])

    assert [word for word in ("t0ken", "s3cret", SECRET, SECRET[6:], "b0dy") if word in shown] == []
    assert AddressForbidden("private").args[0].startswith("the address is private")
