"""What CRM pages load: the right bytes, small, for every page there is, and as long kept as may be."""

import gzip
import re
from base64 import b64encode
from hashlib import sha384
from pathlib import Path

import pytest

from app.web.files import load
from tests.driver import CRM, Gateway

SOURCE = Path(__file__).parent.parent.parent / "app" / "web" / "wazzup-chat.js"
README = Path(__file__).parent.parent.parent / "README.md"
ELEMENT = "/wazzup-chat.js"
TYPES = "/wazzup-chat.d.ts"
STRANGER = "https://stranger.example"
ELEMENTS = [ELEMENT, load().element.versioned]


def headers(accepts: str, **others: str) -> dict[str, str]:
    return {"Accept-Encoding": accepts} | {name.replace("_", "-"): value for name, value in others.items()}


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        *((path, "text/javascript; charset=utf-8") for path in ELEMENTS),
        (TYPES, "application/typescript; charset=utf-8"),
    ],
)
async def test_a_file_says_what_it_is(gateway: Gateway, path: str, media_type: str) -> None:
    answer = await gateway.http.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_element_weighs_at_most_six_kib_and_needs_nothing_else(gateway: Gateway) -> None:
    answer = await gateway.http.get(ELEMENT, headers=headers("gzip"))

    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) <= 6 * 1024
    assert len(gzip.compress(answer.content)) <= 6 * 1024
    assert not re.search(r"\bimport\b(?!\.meta)", answer.text)


async def test_comments_and_indentation_stay_at_home_and_nothing_else_does(gateway: Gateway) -> None:
    source = load().element.content.decode()

    assert not re.search(r"(?m)^\s*(//|/\*|\*)", source)
    assert "  #frame" not in source
    assert source.startswith("const HOME=")
    assert source.rstrip().endswith(");")


def test_what_the_element_says_is_served_as_it_was_written() -> None:
    """Only the air between words of the language goes; inside quotes there is none to spare."""
    code = re.sub(r"(?m)^\s*(//.*|/\*\*(.|\n)*?\*/)$", "", SOURCE.read_text())
    quoted = re.findall(r'"[^"\n]*"|`[^`]*`', code)
    said = [part for one in quoted for part in re.split(r"\$\{[^}]*\}|\n", one)]

    served = load().element.content.decode()

    assert len(said) > 100
    assert [part for part in said if part not in served] == []


@pytest.mark.parametrize("path", [*ELEMENTS, TYPES])
@pytest.mark.parametrize("origin", [CRM, STRANGER, None])
async def test_every_page_may_load_it_and_no_answer_differs_by_page(
    gateway: Gateway, path: str, origin: str | None
) -> None:
    answer = await gateway.http.get(path, headers={"Origin": origin} if origin else {})

    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    assert answer.headers.get_list("vary") == ["Accept-Encoding"]
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_the_plain_url_is_asked_about_each_time_and_what_is_known_is_not_sent_again(gateway: Gateway) -> None:
    first = await gateway.http.get(ELEMENT)
    again = await gateway.http.get(ELEMENT, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    changed = await gateway.http.get(ELEMENT, headers={"If-None-Match": '"other"'})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert changed.status_code == 200


async def test_a_versioned_url_is_kept_for_ever(gateway: Gateway) -> None:
    answer = await gateway.http.get(load().element.versioned)

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == (await gateway.http.get(ELEMENT)).content


async def test_a_version_that_is_not_served_says_which_one_is(gateway: Gateway) -> None:
    answer = await gateway.http.get("/wazzup-chat.0123456789abcdef.js", headers={"Origin": CRM})

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert load().element.versioned in answer.json()["detail"]
    assert "immutable" not in answer.headers.get("cache-control", "")


async def test_the_integrity_hash_is_that_of_what_is_served(gateway: Gateway) -> None:
    served = (await gateway.http.get(load().element.versioned)).content

    assert load().element.integrity == f"sha384-{b64encode(sha384(served).digest()).decode()}"


@pytest.mark.parametrize(
    "accepts", ["gzip", "br, gzip;q=0.5", "GZIP , identity", "*", "deflate, gzip; q=1.0, *;q=0", "*;q=0, gzip"]
)
async def test_who_takes_gzip_gets_it(gateway: Gateway, accepts: str) -> None:
    answer = await gateway.http.get(ELEMENT, headers=headers(accepts))

    assert answer.headers.get("content-encoding") == "gzip"
    assert answer.text.startswith("const HOME")


@pytest.mark.parametrize(
    "accepts",
    ["", "identity", "br", "gzip;q=0", "gzip; q=0.00, br", "xgzip", "gzip-x", "gzip;q=0, *", "*, GZIP ;q=0.0", "*;q=0"],
)
async def test_who_does_not_take_gzip_gets_it_plain(gateway: Gateway, accepts: str) -> None:
    answer = await gateway.http.get(ELEMENT, headers=headers(accepts))

    assert "content-encoding" not in answer.headers
    assert answer.text.startswith("const HOME")


async def test_two_encodings_are_two_entities(gateway: Gateway) -> None:
    plain = await gateway.http.get(ELEMENT, headers=headers("identity"))
    packed = await gateway.http.get(ELEMENT, headers=headers("gzip"))
    mixed = await gateway.http.get(ELEMENT, headers=headers("gzip", If_None_Match=plain.headers["etag"]))

    assert plain.headers["etag"] != packed.headers["etag"]
    assert mixed.status_code == 200


@pytest.mark.parametrize("path", [*ELEMENTS, TYPES])
async def test_a_head_tells_what_a_get_would(gateway: Gateway, path: str) -> None:
    told, got = await gateway.http.head(path), await gateway.http.get(path)

    assert told.status_code == 200
    assert told.headers["etag"] == got.headers["etag"]


async def test_nothing_can_be_sent_there(gateway: Gateway) -> None:
    answer = await gateway.http.post(ELEMENT)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_the_readme_pins_what_is_served() -> None:
    element = load().element

    pinned = f'src="https://gateway.example{element.versioned}"\n  integrity="{element.integrity}" crossorigin'

    assert pinned in README.read_text()
