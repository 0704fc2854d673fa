"""User tokens: what a CRM signs is believed, and nothing else; and no token, however odd, breaks anything."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from app.auth import Authenticator, Caller, Keys, Role, UserClaims
from app.errors import CallerUnknown, GatewayError, TokenExpired
from app.sealing import KeyRing
from app.user_tokens import FixedKey, JwtUserTokens
from tests.callers.signing import (
    EC,
    ED,
    NOW,
    RSA,
    STRANGER,
    Key,
    b64,
    by_algorithm,
    claims,
    hs256,
    pem,
    signed,
    signer,
    tokens,
)
from tests.driver import JWT_SECRET, NOON, SECRET_KEY, Clock

# --- keys and algorithms --------------------------------------------------------------------------


async def test_a_token_signed_with_the_shared_secret_names_its_user(clock: Clock) -> None:
    verified = await tokens(clock).verify(hs256(claims(name="Anna Berzina")))

    assert verified == UserClaims("anna", "Anna Berzina", NOON + timedelta(hours=1))


@by_algorithm
async def test_a_token_is_verified_by_a_public_key_in_pem(clock: Clock, algorithm: str) -> None:
    key = signer(algorithm)

    verified = await tokens(clock, FixedKey.pem(pem(key))).verify(signed(key, algorithm))

    assert verified.user_id == "anna"


async def test_a_pem_may_be_written_in_one_line_as_in_an_env_file(clock: Clock) -> None:
    in_one_line = pem(EC).replace("\n", "\\n")

    verified = await tokens(clock, FixedKey.pem(in_one_line)).verify(signed(EC, "ES256"))

    assert verified.user_id == "anna"


@pytest.mark.parametrize(
    "unfit",
    [
        "",
        "not a key",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        RSA.as_pem(private=True).decode(),
        ECKey.generate_key("P-384", private=True).as_pem(private=False).decode(),
        OKPKey.generate_key("X25519", private=True).as_pem(private=False).decode(),
        OKPKey.generate_key("Ed448", private=True).as_pem(private=False).decode(),
        "-----BEGIN PUBLIC KEY-----\nMAswBQYDKgMEAwIAAA==\n-----END PUBLIC KEY-----",
    ],
    ids=["empty", "no PEM", "broken", "private", "P-384", "X25519", "Ed448", "of an algorithm to come"],
)
def test_a_pem_that_signs_no_user_tokens_is_no_key(unfit: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        FixedKey.pem(unfit)


@by_algorithm
async def test_a_token_signed_by_a_stranger_is_refused(clock: Clock, algorithm: str) -> None:
    kinds: dict[str, Callable[[], Key]] = {
        "RS256": lambda: RSAKey.generate_key(2048, private=True),
        "ES256": lambda: ECKey.generate_key("P-256", private=True),
    }
    stranger = kinds.get(algorithm, lambda: OKPKey.generate_key("Ed25519", private=True))()

    with pytest.raises(CallerUnknown):
        await tokens(clock, FixedKey.pem(pem(signer(algorithm)))).verify(signed(stranger, algorithm))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS384", "RS256", "dir", 5, None, ["HS256"], {}])
async def test_a_token_cannot_choose_another_algorithm_than_the_secrets(clock: Clock, algorithm: object) -> None:
    with pytest.raises(CallerUnknown):
        await tokens(clock).verify(hs256(claims(), alg=algorithm))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256"])
async def test_a_token_without_a_signature_is_refused(clock: Clock, algorithm: str) -> None:
    unsigned = hs256(claims(), alg=algorithm).rpartition(".")[0] + "."

    for keys in (FixedKey.secret(JWT_SECRET), FixedKey.pem(pem(RSA))):
        with pytest.raises(CallerUnknown):
            await tokens(clock, keys).verify(unsigned)


@pytest.mark.parametrize("key", [RSA, EC, ED], ids=["RSA", "EC", "Ed25519"])
async def test_the_public_key_does_not_pass_for_a_shared_secret(clock: Clock, key: Key) -> None:
    """Key confusion: the attacker knows the public key, and signs with it as if it were the secret of HS256."""
    public = pem(key)

    for secret in (public, public.strip(), json.dumps(key.as_dict(private=False))):
        with pytest.raises(CallerUnknown):
            await tokens(clock, FixedKey.pem(public)).verify(hs256(claims(), secret=secret))


@pytest.mark.parametrize("other", ["RS384", "RS512", "PS256"])
async def test_an_rsa_key_verifies_rs256_only(clock: Clock, other: str) -> None:
    token = jwt.encode({"alg": other}, claims(), RSA, algorithms=[other])

    with pytest.raises(CallerUnknown):
        await tokens(clock, FixedKey.pem(pem(RSA))).verify(token)


async def test_a_key_that_the_token_brings_along_is_not_used(clock: Clock) -> None:
    token = jwt.encode(
        {"alg": "RS256", "jwk": STRANGER.as_dict(private=False), "jku": "https://evil.example/jwks"},
        claims(),
        STRANGER,
    )

    with pytest.raises(CallerUnknown):
        await tokens(clock, FixedKey.pem(pem(RSA))).verify(token)


# --- claims ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", ["wazzup-gateway", ["wazzup-gateway"], ["crm", "wazzup-gateway"]])
async def test_a_token_for_this_gateway_is_good(clock: Clock, audience: object) -> None:
    assert (await tokens(clock).verify(hs256(claims(aud=audience)))).user_id == "anna"


@pytest.mark.parametrize("audience", [None, "", "crm", ["crm"], [], "wazzup-gateway2", {"wazzup-gateway": 1}, 5, True])
async def test_a_token_for_somebody_else_is_refused(clock: Clock, audience: object) -> None:
    with pytest.raises(CallerUnknown, match="aud"):
        await tokens(clock).verify(hs256(claims(aud=audience)))


@pytest.mark.parametrize("issuer", [None, "", "https://other.example", ["https://crm.example"], 5])
async def test_a_token_of_another_issuer_is_refused_where_one_is_required(clock: Clock, issuer: object) -> None:
    with pytest.raises(CallerUnknown, match="iss"):
        await tokens(clock, issuer="https://crm.example").verify(hs256(claims(iss=issuer)))


async def test_the_required_issuer_is_good_and_any_other_where_none_is_required(clock: Clock) -> None:
    token = hs256(claims(iss="https://crm.example"))

    assert (await tokens(clock, issuer="https://crm.example").verify(token)).user_id == "anna"
    assert (await tokens(clock).verify(token)).user_id == "anna"


async def test_one_second_before_its_exp_a_token_is_good_and_at_its_exp_it_is_not(clock: Clock) -> None:
    token = hs256(claims(exp=NOW + 60))

    clock.advance(seconds=59)
    assert (await tokens(clock).verify(token)).user_id == "anna"

    clock.advance(seconds=1)
    with pytest.raises(TokenExpired):
        await tokens(clock).verify(token)


async def test_a_token_of_a_stranger_is_unknown_rather_than_expired(clock: Clock) -> None:
    with pytest.raises(CallerUnknown) as refused:
        await tokens(clock).verify(hs256(claims(exp=NOW - 60), secret="another-secret-another-secret-another"))

    assert type(refused.value) is CallerUnknown


@pytest.mark.parametrize("expiry", [-1, 0, NOW - 1, NOW, NOW - 0.5, -(10**30)])
async def test_a_token_whose_exp_is_past_is_expired(clock: Clock, expiry: float) -> None:
    with pytest.raises(TokenExpired):
        await tokens(clock).verify(hs256(claims(exp=expiry)))


@pytest.mark.parametrize("expiry", [NOW + 0.5, NOW + 1.0, 10**12, 10**30, 10**400, 1e300])
async def test_an_exp_may_be_a_fraction_or_far_away(clock: Clock, expiry: float) -> None:
    verified = await tokens(clock).verify(hs256(claims(exp=expiry)))

    assert verified.expires_at > NOON


@pytest.mark.parametrize("expiry", ["missing", "null", "true", "false", '"1900000000"', "[]", "{}", "NaN", "Infinity"])
async def test_a_token_without_a_sensible_exp_is_refused(clock: Clock, expiry: str) -> None:
    said = "" if expiry == "missing" else f', "exp": {expiry}'

    with pytest.raises(CallerUnknown) as refused:
        await tokens(clock).verify(hs256(f'{{"sub": "anna", "aud": "wazzup-gateway"{said}}}'.encode()))

    assert type(refused.value) is CallerUnknown


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_clock_that_runs_half_a_minute_ahead_is_forgiven_and_more_is_not(clock: Clock, claim: str) -> None:
    assert (await tokens(clock).verify(hs256(claims(**{claim: NOW + 30})))).user_id == "anna"

    with pytest.raises(CallerUnknown, match=claim):
        await tokens(clock).verify(hs256(claims(**{claim: NOW + 31})))


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize("odd", ["soon", True, [], {}, float("nan"), float("inf")])
async def test_an_nbf_or_iat_that_is_no_number_is_refused(clock: Clock, claim: str, odd: object) -> None:
    with pytest.raises(CallerUnknown, match=claim):
        await tokens(clock).verify(hs256(claims(**{claim: odd})))


@pytest.mark.parametrize("user_id", [None, "", "  ", 42, 0, True, ["anna"], {"id": "anna"}, "an\nna", "\x00", "\x85"])
async def test_a_token_without_a_users_id_is_refused(clock: Clock, user_id: object) -> None:
    with pytest.raises(CallerUnknown, match="sub"):
        await tokens(clock).verify(hs256(claims(sub=user_id)))


async def test_half_a_character_is_no_users_id(clock: Clock) -> None:
    """JSON can spell half of a surrogate pair; nobody can write it down again."""
    with pytest.raises(CallerUnknown, match="sub"):
        await tokens(clock).verify(hs256(b'{"sub": "\\ud800", "aud": "wazzup-gateway", "exp": 1900000000}'))


async def test_half_a_character_in_a_name_can_be_written_down(clock: Clock) -> None:
    payload = b'{"sub": "anna", "name": "A\\ud800", "aud": "wazzup-gateway", "exp": 1900000000}'

    verified = await tokens(clock).verify(hs256(payload))

    assert verified.name is not None
    assert verified.name.encode().startswith(b"A")


@pytest.mark.parametrize(
    ("name", "understood"),
    [
        ("Anna Berzina", "Anna Berzina"),
        ("Anna\r\nBerzina\x00", "Anna  Berzina"),
        ("  Anna ", "Anna"),
        ("\t\n", None),
        ("", None),
        (None, None),
        (5, None),
        (["Anna"], None),
        ("ā" * 200, "ā" * 150),
    ],
)
async def test_a_name_is_brought_to_what_wazzup_takes(clock: Clock, name: object, understood: str | None) -> None:
    verified = await tokens(clock).verify(hs256(claims(name=name)))

    assert verified.name == understood


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "e30", "ÿ.ÿ.ÿ", "W10.e30.", "eyJhbGciOiJIUzI1NiJ9..", "\x00"],
)
async def test_what_is_no_token_at_all_is_unknown(clock: Clock, token: str) -> None:
    with pytest.raises(CallerUnknown):
        await tokens(clock).verify(token)


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"5", b'"anna"', b"{", b"\xff", b"[" * 100_000])
async def test_a_signed_payload_that_is_no_object_is_refused(clock: Clock, payload: bytes) -> None:
    with pytest.raises(CallerUnknown):
        await tokens(clock).verify(hs256(payload))


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"b64": False, "crit": ["b64"]}, {"zip": "DEF"}, {"kid": 5}])
async def test_a_header_that_asks_for_more_than_we_understand_breaks_nothing(
    clock: Clock, header: dict[str, Any]
) -> None:
    answer = await asyncio.gather(tokens(clock).verify(hs256(claims(), **header)), return_exceptions=True)

    assert isinstance(answer[0], UserClaims | CallerUnknown)


async def test_what_is_critical_to_the_sender_and_unknown_to_us_is_refused(clock: Clock) -> None:
    with pytest.raises(CallerUnknown):
        await tokens(clock).verify(hs256(claims(), crit=["mfa"], mfa=True))


async def test_a_refusal_repeats_nothing_of_the_token(clock: Clock) -> None:
    token = hs256(claims(sub="anna\n", iss="https://internal.example", aud="payroll"))

    with pytest.raises(CallerUnknown) as refused:
        await tokens(clock, issuer="https://crm.example").verify(token)

    assert not any(word in str(refused.value) for word in (token, "anna", "internal", "payroll", "crm.example"))


# --- remembered -----------------------------------------------------------------------------------


@dataclass
class Counted:
    """Verifies, and counts how often it had to."""

    tokens: JwtUserTokens
    asked: int = 0

    def has_key_for(self, token: str) -> bool:
        return self.tokens.has_key_for(token)

    async def verify(self, token: str) -> UserClaims:
        self.asked += 1
        return await self.tokens.verify(token)


@pytest.fixture
def counted(clock: Clock) -> Counted:
    return Counted(tokens(clock))


@pytest.fixture
def auth(counted: Counted, clock: Clock) -> Authenticator:
    keys = Keys.of("north", server=(), admin=(), users=counted)
    return Authenticator([keys], KeyRing.of([SECRET_KEY]), clock)


async def test_a_user_token_is_its_users_caller(auth: Authenticator) -> None:
    caller = await auth.identify(f"Bearer {hs256(claims(name='Anna'))}")

    assert caller == Caller("north", Role.USER, "anna", "Anna")


async def test_a_good_token_is_verified_once_and_again_after_five_minutes(
    auth: Authenticator, counted: Counted, clock: Clock
) -> None:
    header = f"Bearer {hs256(claims())}"

    first = await auth.identify(header)
    clock.advance(minutes=4, seconds=59)
    assert await auth.identify(header) == first
    assert counted.asked == 1

    clock.advance(seconds=1)
    assert await auth.identify(header) == first
    assert counted.asked == 2


async def test_a_token_is_not_remembered_beyond_its_exp(auth: Authenticator, clock: Clock) -> None:
    header = f"Bearer {hs256(claims(exp=NOW + 60))}"

    await auth.identify(header)
    clock.advance(seconds=60)

    with pytest.raises(TokenExpired):
        await auth.identify(header)


async def test_a_refused_token_is_not_remembered(auth: Authenticator, counted: Counted, clock: Clock) -> None:
    early = f"Bearer {hs256(claims(nbf=NOW + 60))}"

    with pytest.raises(CallerUnknown):
        await auth.identify(early)
    clock.advance(seconds=60)

    assert (await auth.identify(early)).user_id == "anna"
    assert counted.asked == 2


async def test_tokens_that_differ_at_all_are_remembered_apart(auth: Authenticator, counted: Counted) -> None:
    anna = await auth.identify(f"Bearer {hs256(claims(sub='anna'))}")
    boris = await auth.identify(f"Bearer {hs256(claims(sub='boris'))}")

    assert (anna.user_id, boris.user_id) == ("anna", "boris")
    assert counted.asked == 2


async def test_a_user_token_belongs_to_the_account_whose_key_it_fits(clock: Clock) -> None:
    south = FixedKey.secret("the-secret-of-south-the-secret-of-south")
    auth = Authenticator(
        [
            Keys.of("north", server=(), admin=(), users=tokens(clock)),
            Keys.of("none", server=(), admin=(), users=None),
            Keys.of("south", server=(), admin=(), users=tokens(clock, south)),
        ],
        KeyRing.of([SECRET_KEY]),
        clock,
    )

    caller = await auth.identify(f"Bearer {hs256(claims(), secret='the-secret-of-south-the-secret-of-south')}")

    assert caller.account == "south"


# --- whatever comes -------------------------------------------------------------------------------

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
# What JSON can spell, or many parsers read, and hardly anybody expects.
NASTY = [float("nan"), float("inf"), float("-inf"), 10**400, -1, True, "", " ", "\x00", "a\ud800", [], {}, ["a"]]
odd_values = st.one_of(st.sampled_from(NASTY), json_values)
headers = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c", "cty", "zip", "enc"]), odd_values
)
odd_claims = st.dictionaries(
    st.sampled_from(["sub", "name", "aud", "iss", "exp", "nbf", "iat", "jti", "", "é"]), odd_values, max_size=2
)
quick = settings(max_examples=200, deadline=None, database=None)


async def refused_or_known(header: str, users: JwtUserTokens) -> None:
    """The only two ways that an `Authorization` header may end; anything else fails the test."""
    keys = Keys.of("north", server=("key",), admin=("boss",), users=users)
    auth = Authenticator([keys], KeyRing.of([SECRET_KEY]), Clock())
    [end] = await asyncio.gather(auth.identify(header), return_exceptions=True)
    if isinstance(end, Caller):
        assert end.role is Role.USER
        assert isinstance(end.user_id, str)
        assert end.user_id.encode()
        assert end.user_name is None or end.user_name.encode()
    else:
        assert isinstance(end, GatewayError)
        assert end.status == 401


@quick
@given(st.binary().map(lambda garbage: garbage.decode("latin-1")))
async def test_garbage_in_the_header_never_breaks_anything(garbage: str) -> None:
    await refused_or_known(garbage, tokens(Clock()))
    await refused_or_known(f"Bearer {garbage}", tokens(Clock()))


@quick
@given(st.lists(st.binary(max_size=40), min_size=2, max_size=6))
async def test_garbage_in_the_form_of_a_token_never_breaks_anything(parts: list[bytes]) -> None:
    await refused_or_known(f"Bearer {'.'.join(b64(part) for part in parts)}", tokens(Clock()))


@quick
@given(headers, odd_claims)
async def test_an_odd_header_never_breaks_anything(header: dict[str, Any], odd: dict[str, Any]) -> None:
    await refused_or_known(f"Bearer {hs256(claims() | odd, **header)}", tokens(Clock()))
    await refused_or_known(f"Bearer {hs256(claims() | odd, **header)}", tokens(Clock(), FixedKey.pem(pem(EC))))


@quick
@given(odd_claims)
async def test_odd_claims_with_a_good_signature_never_break_anything(odd: dict[str, Any]) -> None:
    await refused_or_known(f"Bearer {hs256(claims() | odd)}", tokens(Clock()))


@quick
@given(json_values)
async def test_an_odd_payload_with_a_good_signature_never_breaks_anything(payload: Any) -> None:
    await refused_or_known(f"Bearer {hs256(json.dumps(payload).encode())}", tokens(Clock()))
