"""Keys that a CRM publishes (JWKS): read when needed, kept when the CRM is away, never asked for by whoever likes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import respx
from joserfc.jwk import ECKey

from app.errors import CallerUnknown, GatewayError, KeysUnavailable
from app.user_tokens import Jwks
from tests.callers.signing import (
    EC,
    ED,
    JWKS_URL,
    RSA,
    SIGNERS,
    STRANGER,
    Key,
    b64,
    by_algorithm,
    claims,
    hs256,
    pem,
    published,
    signed,
    signer,
    tokens,
)
from tests.driver import Clock
from tests.hurry import HurriedLoop


@dataclass
class Notes:
    """A journal that keeps what it is told."""

    troubles: list[str] = field(default_factory=list)

    def note(self, what: str, /, **facts: Any) -> None: ...

    def trouble(self, what: str, /, error: BaseException | None = None, **facts: Any) -> None:
        self.troubles.append(what)


@dataclass
class Publisher:
    """The CRM's address of its keys, and those who ask there."""

    route: respx.Route
    jwks: Jwks
    clock: Clock
    notes: Notes

    def publishes(self, *keys: Key) -> None:
        self.answers(200, json=published(*keys))

    def answers(self, status: int, **content: Any) -> None:
        self.route.mock(return_value=httpx.Response(status, **content))

    def fails(self, error: Any) -> None:
        self.route.mock(side_effect=error)

    @property
    def asked(self) -> int:
        return self.route.call_count

    async def believes(self, key: Key, *, kid: str | None, algorithm: str = "RS256") -> bool:
        """Whether a token of `key` that names it `kid` is taken."""
        token = signed(key, algorithm, kid=kid, exp=int(self.clock.now().timestamp()) + 60)
        try:
            await tokens(self.clock, self.jwks).verify(token)
        except CallerUnknown:
            return False
        return True


@pytest.fixture
async def crm(clock: Clock) -> AsyncIterator[Publisher]:
    """A CRM that publishes one key, named `rsa`."""
    with respx.mock(assert_all_called=False) as network:
        async with httpx.AsyncClient() as http:
            notes = Notes()
            publisher = Publisher(network.get(JWKS_URL), Jwks(JWKS_URL, http, clock, notes), clock, notes)
            publisher.publishes(RSA)
            yield publisher


@by_algorithm
async def test_a_token_is_verified_by_a_published_key(crm: Publisher, algorithm: str) -> None:
    crm.publishes(RSA, EC, ED)
    key = signer(algorithm)

    assert await crm.believes(key, kid=key.kid, algorithm=algorithm)


async def test_keys_are_fetched_once_and_again_after_ten_minutes(crm: Publisher, clock: Clock) -> None:
    for _ in range(3):
        assert await crm.believes(RSA, kid="rsa")
    clock.advance(minutes=10)
    assert await crm.believes(RSA, kid="rsa")
    assert crm.asked == 1

    clock.advance(seconds=1)
    assert await crm.believes(RSA, kid="rsa")
    assert crm.asked == 2


async def test_a_key_that_is_withdrawn_is_not_believed_after_ten_minutes(crm: Publisher, clock: Clock) -> None:
    assert await crm.believes(RSA, kid="rsa")
    crm.publishes(EC)

    clock.advance(minutes=10, seconds=1)

    assert not await crm.believes(RSA, kid="rsa")


async def test_an_unknown_kid_is_looked_for_once_more_so_that_new_keys_work_at_once(
    crm: Publisher, clock: Clock
) -> None:
    assert await crm.believes(RSA, kid="rsa")
    crm.publishes(RSA, EC)
    clock.advance(seconds=30)

    assert await crm.believes(EC, kid="ec", algorithm="ES256")
    assert crm.asked == 2


async def test_whatever_kids_come_the_crm_is_asked_at_most_every_30_seconds(crm: Publisher, clock: Clock) -> None:
    for second in range(60):
        for kid in (f"made-up-{second}", "rsa", None):
            await crm.believes(STRANGER, kid=kid)
        clock.advance(seconds=1)

    assert crm.asked == 2


async def test_a_stranger_who_names_a_known_key_is_not_believed(crm: Publisher) -> None:
    assert not await crm.believes(STRANGER, kid="rsa")


async def test_a_token_for_one_key_is_not_verified_by_another(crm: Publisher) -> None:
    crm.publishes(RSA, STRANGER)

    assert not await crm.believes(RSA, kid="stranger")


async def test_a_token_without_a_kid_is_taken_where_there_is_only_one_key(crm: Publisher) -> None:
    assert await crm.believes(RSA, kid=None)


async def test_a_token_without_a_kid_is_refused_where_there_is_a_choice(crm: Publisher) -> None:
    crm.publishes(RSA, EC)

    assert not await crm.believes(RSA, kid=None)


async def test_keys_of_an_unusable_kind_are_left_out(crm: Publisher) -> None:
    odd = [
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "odd"},
        {"kty": "oct", "k": b64(b"shared"), "kid": "shared"},
        {"kid": "none"},
    ]
    crm.answers(200, json={"keys": odd + published(RSA)["keys"]})

    assert await crm.believes(RSA, kid="rsa")
    assert await crm.believes(RSA, kid=None)


@pytest.mark.parametrize(
    "odd",
    [
        ECKey.generate_key("P-384", {"kid": "odd"}, private=True).as_dict(private=False),
        {"kty": "EC", "crv": "P-256K", "x": "AA", "y": "AA", "kid": "odd"},
        {"kty": "RSA", "kid": "odd"},
        {"kty": "OKP", "crv": "X25519", "x": b64(b"\x09" * 32), "kid": "odd"},
        {"kty": "RSA", "n": 5, "e": "AQAB", "kid": "odd"},
        5,
    ],
    ids=["P-384", "unknown curve", "nothing in it", "X25519", "n is a number", "no object"],
)
async def test_one_odd_key_does_not_spoil_the_good_ones(crm: Publisher, odd: object) -> None:
    crm.answers(200, json={"keys": [odd, *published(RSA)["keys"]]})

    assert await crm.believes(RSA, kid="rsa")


async def test_a_shared_secret_that_is_published_is_not_believed(crm: Publisher) -> None:
    secret = "published-by-mistake-published-by-mistake"
    crm.answers(200, json={"keys": [{"kty": "oct", "k": b64(secret.encode()), "kid": "shared"}]})

    with pytest.raises(GatewayError):
        await tokens(crm.clock, crm.jwks).verify(hs256(claims(), secret=secret, kid="shared"))


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
async def test_a_published_public_key_does_not_pass_for_a_shared_secret(crm: Publisher, kid: str) -> None:
    crm.publishes(RSA, EC, ED)
    public = pem(next(key for key in SIGNERS.values() if key.kid == kid))

    with pytest.raises(CallerUnknown):
        await tokens(crm.clock, crm.jwks).verify(hs256(claims(), secret=public, kid=kid))


async def test_a_kid_that_is_no_name_breaks_nothing(crm: Publisher) -> None:
    for kid in (5, None, ["rsa"], {"rsa": 1}):
        with pytest.raises(CallerUnknown):
            await tokens(crm.clock, crm.jwks).verify(hs256(claims(), kid=kid))


BROKEN: list[tuple[int, dict[str, Any]]] = [
    (500, {}),
    (404, {"json": {"keys": []}}),
    (302, {"headers": {"location": "https://evil.example"}}),
    (200, {}),
    (200, {"content": b"<html>Sign in</html>"}),
    (200, {"content": b"\xff"}),
    (200, {"content": b"[" * 100_000}),
    (200, {"json": []}),
    (200, {"json": {}}),
    (200, {"json": {"keys": None}}),
    (200, {"json": {"keys": 5}}),
    (200, {"json": {"keys": []}}),
    (200, {"json": {"keys": [5]}}),
    (200, {"json": {"keys": ["rsa"]}}),
    (200, {"json": {"keys": [None]}}),
    (200, {"json": {"keys": [{"kty": ["RSA"]}]}}),
    (200, {"json": {"keys": [{"kty": "RSA"}]}}),
    (200, {"json": {"keys": [{"kty": "RSA", "n": 5, "e": 3, "kid": "rsa"}]}}),
    (200, {"json": {"keys": [{"kty": "RSA", "n": "AA", "e": "AA", "kid": "rsa"}]}}),
    (200, {"json": {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "rsa"}]}}),
    (200, {"json": {"keys": [{"kty": "EC", "crv": 5, "x": [], "y": {}, "kid": "rsa"}]}}),
    (200, {"json": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "rsa"}]}}),
    (200, {"content": json.dumps({"padding": "x" * 256 * 1024} | published(RSA)).encode()}),
    (200, {"content": b"not gzip", "headers": {"content-encoding": "gzip"}}),
]
broken_answers = pytest.mark.parametrize(("status", "content"), BROKEN, ids=lambda part: str(part)[:50])


@broken_answers
async def test_a_broken_jwks_keeps_the_old_keys(crm: Publisher, status: int, content: dict[str, Any]) -> None:
    assert await crm.believes(RSA, kid="rsa")

    # A stream that cannot be decoded fails as it is read, not as it is made.
    crm.fails(lambda _: httpx.Response(status, **streamed(content)))
    crm.clock.advance(minutes=11)

    assert await crm.believes(RSA, kid="rsa")
    assert crm.notes.troubles == ["jwks.failed"]


@broken_answers
async def test_until_keys_were_read_once_nobody_can_be_known(
    crm: Publisher, status: int, content: dict[str, Any]
) -> None:
    crm.fails(lambda _: httpx.Response(status, **streamed(content)))

    with pytest.raises(KeysUnavailable) as refused:
        await crm.believes(RSA, kid="rsa")

    assert refused.value.headers()["Retry-After"] == "30"
    assert JWKS_URL not in str(refused.value)


def streamed(content: dict[str, Any]) -> dict[str, Any]:
    if "content" not in content:
        return content

    async def stream() -> AsyncIterator[bytes]:
        yield content["content"]

    return content | {"content": stream()}


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, OSError])
async def test_a_crm_out_of_reach_keeps_the_old_keys(crm: Publisher, error: type[Exception]) -> None:
    assert await crm.believes(RSA, kid="rsa")

    crm.fails(error)
    crm.clock.advance(hours=5)

    assert await crm.believes(RSA, kid="rsa")


async def test_a_crm_that_is_down_is_asked_again_after_30_seconds(crm: Publisher, clock: Clock) -> None:
    crm.fails(httpx.ConnectError)
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            await crm.believes(RSA, kid="rsa")
    assert crm.asked == 1

    crm.publishes(RSA)
    clock.advance(seconds=30)

    assert await crm.believes(RSA, kid="rsa")
    assert crm.asked == 2


async def test_requests_that_come_together_fetch_the_keys_once(crm: Publisher) -> None:
    all_have_asked = asyncio.Event()

    async def slowly(_: httpx.Request) -> httpx.Response:
        await all_have_asked.wait()
        return httpx.Response(200, json=published(RSA))

    async def ask(*, last: bool) -> bool:
        asking = asyncio.create_task(crm.believes(RSA, kid="rsa"))
        for _ in range(10 if last else 0):
            await asyncio.sleep(0)  # as far as it gets without an answer
        if last:
            all_have_asked.set()
        return await asking

    crm.fails(slowly)
    believed = await asyncio.gather(*(ask(last=number == 19) for number in range(20)))

    assert all(believed)
    assert crm.asked == 1


async def _never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def _by_drops() -> AsyncIterator[bytes]:
    for byte in json.dumps(published(RSA)):
        await asyncio.sleep(1)
        yield byte.encode()


@pytest.mark.parametrize("body", [_never, _by_drops])
def test_a_jwks_that_comes_too_slowly_is_given_up(clock: Clock, body: Callable[[], AsyncIterator[bytes]]) -> None:
    async def story() -> float:
        started = asyncio.get_running_loop().time()
        async with httpx.AsyncClient() as http:
            jwks = Jwks(JWKS_URL, http, clock, Notes())
            with pytest.raises(KeysUnavailable):
                await jwks.find("rsa")
        return asyncio.get_running_loop().time() - started

    with respx.mock as network, asyncio.Runner(loop_factory=HurriedLoop) as runner:
        network.get(JWKS_URL).mock(side_effect=lambda _: httpx.Response(200, content=body()))
        took = runner.run(story())

    assert 4 < took < 8  # five, and what the machine takes beside
