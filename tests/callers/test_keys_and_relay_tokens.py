"""Who may call: keys of the operator, and the tokens that the gateway hands to pages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth import Authenticator, Caller, Keys, Role
from app.errors import CallerUnknown, CredentialMissing, Forbidden, GatewayError, OtherUser, TokenExpired
from app.sealing import KeyRing
from tests.driver import SERVER_KEY, Clock, Gateway

SERVER, ADMIN = "server-key-of-north", "admin-key-of-north"
SOUTH = "server-key-of-south"
OLD, NEW = "the-old-secret-the-old-secret-the-old-secret", "the-new-secret-the-new-secret-the-new-secret"
RELAY_HOURS = 12


def keys(account: str = "north", *, server: tuple[str, ...] = (SERVER,), admin: tuple[str, ...] = (ADMIN,)) -> Keys:
    return Keys.of(account, server=server, admin=admin, users=None)


def authenticator(clock: Clock, *accounts: Keys, secrets: tuple[str, ...] = (OLD,)) -> Authenticator:
    return Authenticator(accounts or (keys(),), KeyRing.of(secrets), clock)


@pytest.fixture
def auth(clock: Clock) -> Authenticator:
    return authenticator(clock)


# --- keys -----------------------------------------------------------------------------------------


async def test_a_server_key_speaks_for_any_user_and_manages_nothing(auth: Authenticator) -> None:
    caller = await auth.identify(f"Bearer {SERVER}")

    assert caller == Caller("north", Role.SERVER)
    caller.may_ask_for_links()
    caller.may_speak_for("anybody")
    with pytest.raises(Forbidden, match="ADMIN_API_KEYS"):
        caller.must_be_admin()


async def test_an_admin_key_may_do_everything(auth: Authenticator) -> None:
    caller = await auth.identify(f"Bearer {ADMIN}")

    assert caller == Caller("north", Role.ADMIN)
    caller.may_ask_for_links()
    caller.may_speak_for("anybody")
    caller.must_be_admin()


async def test_a_key_belongs_to_its_account_only(clock: Clock) -> None:
    auth = authenticator(clock, keys("north"), keys("south", server=(SOUTH,), admin=()))

    assert (await auth.identify(f"Bearer {SOUTH}")).account == "south"
    assert (await auth.identify(f"Bearer {SERVER}")).account == "north"


async def test_several_keys_are_good_at_the_same_time(clock: Clock) -> None:
    auth = authenticator(clock, keys(server=("one", "two")))

    assert await auth.identify("Bearer one") == await auth.identify("Bearer two") == Caller("north", Role.SERVER)


async def test_a_key_that_nobody_gave_out_is_unknown(auth: Authenticator) -> None:
    with pytest.raises(CallerUnknown) as refused:
        await auth.identify("Bearer not-a-key-of-ours")

    assert "not-a-key-of-ours" not in str(refused.value)


@pytest.mark.parametrize("nearly", [SERVER[:-1], f"{SERVER}x", SERVER.upper(), f"{SERVER} x", f"x{SERVER}"])
async def test_a_key_is_the_whole_key(auth: Authenticator, nearly: str) -> None:
    with pytest.raises(CallerUnknown):
        await auth.identify(f"Bearer {nearly}")


async def test_without_any_keys_nobody_is_known(clock: Clock) -> None:
    auth = authenticator(clock, keys(server=(), admin=()))

    with pytest.raises(CallerUnknown):
        await auth.identify(f"Bearer {SERVER}")


@pytest.mark.parametrize("header", [None, ""])
async def test_who_sends_no_credential_is_told_how_to(auth: Authenticator, header: str | None) -> None:
    with pytest.raises(CredentialMissing, match="Authorization: Bearer"):
        await auth.identify(header)


@pytest.mark.parametrize("header", [f"Basic {SERVER}", f"Token {SERVER}", SERVER, "Bearer", "Bearer ", "Bearer\t"])
async def test_what_is_no_bearer_credential_is_refused_with_how_to_send_one(auth: Authenticator, header: str) -> None:
    with pytest.raises(CallerUnknown, match="Authorization: Bearer"):
        await auth.identify(header)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "BeArEr"])
async def test_the_scheme_is_understood_in_any_case(auth: Authenticator, scheme: str) -> None:
    caller = await auth.identify(f"{scheme} {SERVER}")

    assert caller.role is Role.SERVER


async def test_spaces_around_a_key_do_not_matter(auth: Authenticator) -> None:
    caller = await auth.identify(f"Bearer   {SERVER} ")

    assert caller.role is Role.SERVER


# --- relay tokens ---------------------------------------------------------------------------------


async def test_a_relay_token_speaks_for_its_user_only(auth: Authenticator) -> None:
    token = auth.relay_token("north", "anna").token

    caller = await auth.identify(f"Bearer {token}")

    assert caller == Caller("north", Role.RELAY, "anna")
    caller.may_speak_for("anna")
    with pytest.raises(OtherUser):
        caller.may_speak_for("boris")


async def test_a_relay_token_neither_asks_for_links_nor_manages(auth: Authenticator) -> None:
    caller = await auth.identify(f"Bearer {auth.relay_token('north', 'anna').token}")

    with pytest.raises(Forbidden, match="only posts events"):
        caller.may_ask_for_links()
    with pytest.raises(Forbidden):
        caller.must_be_admin()


async def test_a_page_that_asks_for_a_link_with_its_relay_token_is_forbidden(gateway: Gateway) -> None:
    relay = (await gateway.link(key=SERVER_KEY)).json()["relay"]

    answer = await gateway.link(key=relay["token"])

    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_a_relay_token_is_good_until_it_expires_and_not_a_second_longer(
    auth: Authenticator, clock: Clock
) -> None:
    relay = auth.relay_token("north", "anna")

    clock.advance(hours=RELAY_HOURS, seconds=-1)
    assert (await auth.identify(f"Bearer {relay.token}")).user_id == "anna"

    clock.advance(seconds=1)
    assert clock.now() == relay.expires_at
    with pytest.raises(TokenExpired, match="POST /links"):
        await auth.identify(f"Bearer {relay.token}")


async def test_a_relay_token_is_good_at_every_replica_with_the_same_secret(clock: Clock) -> None:
    token = authenticator(clock).relay_token("north", "anna").token

    caller = await authenticator(clock).identify(f"Bearer {token}")

    assert caller.user_id == "anna"


async def test_a_relay_token_survives_a_new_secret_in_front(clock: Clock) -> None:
    token = authenticator(clock, secrets=(OLD,)).relay_token("north", "anna").token

    caller = await authenticator(clock, secrets=(NEW, OLD)).identify(f"Bearer {token}")

    assert caller.user_id == "anna"


async def test_a_relay_token_of_another_gateway_is_unknown(auth: Authenticator, clock: Clock) -> None:
    token = authenticator(clock, secrets=(NEW,)).relay_token("north", "anna").token

    with pytest.raises(CallerUnknown) as refused:
        await auth.identify(f"Bearer {token}")

    assert type(refused.value) is CallerUnknown


async def test_a_relay_token_that_was_changed_anywhere_is_unknown(auth: Authenticator) -> None:
    token = auth.relay_token("north", "anna").token

    for place, character in enumerate(token):
        changed = f"{token[:place]}{'B' if character == 'A' else 'A'}{token[place + 1 :]}"
        with pytest.raises(CallerUnknown):
            await auth.identify(f"Bearer {changed}")


async def test_a_relay_token_cannot_be_made_to_speak_for_another_user(auth: Authenticator) -> None:
    annas, boriss = (auth.relay_token("north", user).token for user in ("anna", "boris"))

    spliced = {annas[:cut] + boriss[cut:] for cut in range(len(annas))} - {annas, boriss}

    for token in spliced:
        with pytest.raises(CallerUnknown):
            await auth.identify(f"Bearer {token}")


@pytest.mark.parametrize(
    "token", ["wgr_", "wgr_0", "wgr_.", "wgr_..", "wgr_00.00", "wgr_ÿÿ.ÿÿ", "wgr_W10=.", "wgr_\x00.\x00"]
)
async def test_what_only_looks_like_a_relay_token_is_unknown(auth: Authenticator, token: str) -> None:
    with pytest.raises(CallerUnknown, match="relay token"):
        await auth.identify(f"Bearer {token}")


async def test_a_relay_token_of_an_account_that_is_gone_is_unknown(clock: Clock) -> None:
    token = authenticator(clock, keys("north"), keys("south")).relay_token("south", "anna").token

    with pytest.raises(CallerUnknown, match="not served here any more"):
        await authenticator(clock, keys("north")).identify(f"Bearer {token}")


# --- whatever comes -------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.one_of(
        # HTTP servers hand over a header's bytes one by one, as characters of Latin-1.
        st.binary().map(lambda header: header.decode("latin-1")),
        st.binary().map(lambda credential: f"Bearer {credential.decode('latin-1')}"),
        st.binary().map(lambda token: f"Bearer wgr_{token.decode('latin-1')}"),
        st.tuples(st.binary(), st.binary()).map(
            lambda halves: f"Bearer wgr_{halves[0].decode('latin-1')}.{halves[1].decode('latin-1')}"
        ),
    )
)
async def test_garbage_is_refused_and_never_breaks_anything(header: str) -> None:
    with pytest.raises(GatewayError) as refused:
        await authenticator(Clock()).identify(header)

    assert refused.value.status == 401


async def test_no_secret_is_ever_shown(auth: Authenticator) -> None:
    relay = auth.relay_token("north", "anna")
    caller = await auth.identify(f"Bearer {relay.token}")

    shown = f"{auth!r} {auth!s} {keys()!r} {caller!r} {relay!r} {relay!s}"

    assert not any(secret in shown for secret in (SERVER, ADMIN, OLD, relay.token))
