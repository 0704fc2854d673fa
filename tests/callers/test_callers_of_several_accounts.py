"""Who calls is of one account, and no account's trouble is another's."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx
import pytest
import respx
from joserfc.jwk import RSAKey

from app.auth import Authenticator, Caller, Keys, Role, UserTokens
from app.clock import Clock as AnyClock
from app.errors import CallerUnknown, GatewayError, KeysUnavailable, TokenExpired
from app.sealing import KeyRing
from app.telemetry import Telemetry
from app.user_tokens import FixedKey, Jwks, JwtUserTokens
from tests.callers.signing import published, signed
from tests.driver import NOON, SECRET_KEY, Clock, user_token

SOUTHERN = "the-secret-of-south-the-secret-of-south"
NORTHS, SOUTHS = "https://north.example/jwks.json", "https://south.example/jwks.json"
OF_NORTH = RSAKey.generate_key(2048, {"kid": "of-north"}, private=True)
OF_SOUTH = RSAKey.generate_key(2048, {"kid": "of-south"}, private=True)


@dataclass
class Network:
    """Where the JWKS of both accounts are, or are not."""

    http: httpx.AsyncClient
    north: respx.Route
    south: respx.Route
    clock: AnyClock

    def jwks(self, url: str) -> UserTokens:
        return JwtUserTokens(Jwks(url, self.http, self.clock, Telemetry()), "wazzup-gateway", None, self.clock)


@pytest.fixture
async def network(clock: Clock) -> AsyncIterator[Network]:
    with respx.mock(assert_all_called=False) as mocked:
        async with httpx.AsyncClient() as http:
            routes = mocked.get(NORTHS), mocked.get(SOUTHS)
            yield Network(http, *routes, clock)


def secret(clock: Clock, text: str = SOUTHERN) -> UserTokens:
    return JwtUserTokens(FixedKey.secret(text), "wazzup-gateway", None, clock)


def authenticator(clock: Clock, **users: UserTokens) -> Authenticator:
    keys = [Keys.of(name, server=(f"key-of-{name}",), admin=(), users=one) for name, one in users.items()]
    return Authenticator(keys, KeyRing.of([SECRET_KEY]), clock)


def published_as(*keys: RSAKey) -> httpx.Response:
    return httpx.Response(200, json=published(*keys))


async def test_a_token_is_verified_although_another_accounts_keys_cannot_be_read(
    network: Network, clock: Clock
) -> None:
    network.north.mock(side_effect=httpx.ConnectError)
    network.south.mock(return_value=published_as(OF_SOUTH))
    auth = authenticator(clock, north=network.jwks(NORTHS), south=network.jwks(SOUTHS))

    caller = await auth.identify(f"Bearer {signed(OF_SOUTH, 'RS256', kid='of-south')}")

    assert caller == Caller("south", Role.USER, "anna")


@pytest.mark.parametrize("order", [("north", "south"), ("south", "north")])
async def test_while_one_accounts_keys_cannot_be_read_nobody_knows_a_token_that_the_others_do_not_take(
    network: Network, clock: Clock, order: tuple[str, str]
) -> None:
    network.north.mock(side_effect=httpx.ConnectError)
    known = {"north": network.jwks(NORTHS), "south": secret(clock)}
    auth = authenticator(clock, **{name: known[name] for name in order})

    with pytest.raises(KeysUnavailable):
        await auth.identify(f"Bearer {signed(OF_NORTH, 'RS256', kid='of-north')}")


async def test_that_nobody_knows_is_told_although_another_accounts_jwks_says_no(network: Network, clock: Clock) -> None:
    network.north.mock(side_effect=httpx.ConnectError)
    network.south.mock(return_value=published_as(OF_SOUTH))
    auth = authenticator(clock, north=network.jwks(NORTHS), south=network.jwks(SOUTHS))

    with pytest.raises(KeysUnavailable):
        await auth.identify(f"Bearer {signed(OF_NORTH, 'RS256', kid='of-north')}")


async def test_whose_key_is_at_hand_is_asked_first_so_that_nobody_waits_for_anothers_jwks(
    network: Network, clock: Clock
) -> None:
    network.north.mock(side_effect=httpx.ConnectError)
    network.south.mock(return_value=published_as(OF_SOUTH))
    south = network.jwks(SOUTHS)
    await south.verify(signed(OF_SOUTH, "RS256", kid="of-south"))
    auth = authenticator(clock, north=network.jwks(NORTHS), south=south, west=secret(clock))

    published_one = await auth.identify(f"Bearer {signed(OF_SOUTH, 'RS256', kid='of-south')}")
    shared_one = await auth.identify(f"Bearer {user_token('anna', secret=SOUTHERN)}")

    assert (published_one.account, shared_one.account) == ("south", "west")
    assert network.north.call_count == 0


@pytest.mark.parametrize("order", [("north", "south"), ("south", "north")])
async def test_an_expired_token_is_told_so_whatever_the_other_accounts_say(
    clock: Clock, order: tuple[str, str]
) -> None:
    known = {"north": secret(clock, "another-secret"), "south": secret(clock)}
    auth = authenticator(clock, **{name: known[name] for name in order})

    with pytest.raises(TokenExpired):
        await auth.identify(f"Bearer {user_token('anna', secret=SOUTHERN, exp=int(NOON.timestamp()) - 1)}")


async def test_a_stranger_is_no_accounts(network: Network, clock: Clock) -> None:
    network.north.mock(return_value=published_as(OF_NORTH))
    auth = authenticator(clock, north=network.jwks(NORTHS), south=secret(clock))

    for token in (user_token("anna", secret="a-strangers-secret"), signed(OF_SOUTH, "RS256", kid="of-south")):
        with pytest.raises(CallerUnknown):
            await auth.identify(f"Bearer {token}")


@pytest.mark.parametrize("credential", ["nonsense", "a.b.c", "wgr_x.y"])
async def test_what_is_no_token_is_refused_without_asking_for_anybodys_keys(
    network: Network, clock: Clock, credential: str
) -> None:
    network.north.mock(side_effect=httpx.ConnectError)
    auth = authenticator(clock, north=network.jwks(NORTHS), south=secret(clock))

    with pytest.raises(CallerUnknown):
        await auth.identify(f"Bearer {credential}")

    assert network.north.call_count == 0


async def test_a_relay_token_is_its_accounts_and_cannot_be_made_anothers(clock: Clock) -> None:
    auth = authenticator(clock, north=secret(clock, "another-secret"), south=secret(clock))
    of_north, of_south = (auth.relay_token(name, "anna").token for name in ("north", "south"))

    crossed = f"{of_south.partition('.')[0]}.{of_north.partition('.')[2]}"

    assert (await auth.identify(f"Bearer {of_north}")).account == "north"
    assert (await auth.identify(f"Bearer {of_south}")).account == "south"
    with pytest.raises(CallerUnknown):
        await auth.identify(f"Bearer {crossed}")


gone: list[Callable[[Authenticator], str]] = [
    lambda auth: "key-of-south",
    lambda auth: user_token("anna", secret=SOUTHERN),
    lambda auth: auth.relay_token("south", "anna").token,
]


@pytest.mark.parametrize("credential", gone, ids=["key", "user token", "relay token"])
async def test_nothing_of_an_account_that_is_gone_is_good(
    clock: Clock, credential: Callable[[Authenticator], str]
) -> None:
    before = authenticator(clock, north=secret(clock, "another-secret"), south=secret(clock))
    header = f"Bearer {credential(before)}"
    await before.identify(header)

    after = authenticator(clock, north=secret(clock, "another-secret"))

    with pytest.raises(GatewayError) as refused:
        await after.identify(header)
    assert refused.value.status == 401
