"""Asking for a link, in both generations: what is given, what is refused, and in which words."""

import pytest
from joserfc import jwt

from app.simulator.options import Options
from tests.simulator.driver import ORIGIN, Wazzup
from tests.simulator.examples import (
    BAD_V2_LINKS,
    BAD_V3_LINKS,
    GOOD_V2_LINKS,
    GOOD_V3_LINKS,
    V2_CARD,
    V2_GLOBAL,
    V3_CARD,
    V3_GLOBAL,
    Body,
    v2_card,
)

V2_LINKS = "/iframe-links/chats"
V3_LINKS = "/iframe"


async def test_v2_gives_a_link_and_the_time(wazzup: Wazzup) -> None:
    answer = await wazzup.v2(V2_LINKS, V2_CARD)

    assert answer.status_code == 200
    assert answer.json()["data"]["link"].startswith(f"{ORIGIN}/1234-1234/chat/whatsapp/37111234567?token=")
    assert answer.json()["meta"] == {"timestamp": int(wazzup.clock().timestamp())}


async def test_v3_gives_a_url(wazzup: Wazzup) -> None:
    answer = await wazzup.v3(V3_LINKS, V3_CARD)

    assert answer.status_code == 200
    assert answer.json()["url"].startswith(f"{ORIGIN}/1234-1234/chat/whatsapp/37111234567?token=")


async def test_the_global_window_has_no_chat_in_its_path(wazzup: Wazzup) -> None:
    answer = await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert answer.json()["data"]["link"].startswith(f"{ORIGIN}/1234-1234/chat?token=")


async def test_the_active_chat_is_the_one_in_the_path(wazzup: Wazzup) -> None:
    active = {"channel_id": "c-1", "chat_type": "telegram", "username": "my_tg_user"}

    answer = await wazzup.v2(V2_LINKS, {**V2_CARD, "active_chat": active})

    assert "/chat/telegram/my_tg_user?token=" in answer.json()["data"]["link"]


async def test_an_opaque_chat_id_stays_one_part_of_the_path(wazzup: Wazzup) -> None:
    answer = await wazzup.v2(V2_LINKS, v2_card(chat_type="vk", chat_id="a/b?c#d"))

    assert "/chat/vk/a%2Fb%3Fc%23d?token=" in answer.json()["data"]["link"]


async def test_the_token_is_a_jwt_that_lives_as_long_as_was_said() -> None:
    wazzup = Wazzup(Options(link_lifetime_seconds=600))

    answer = await wazzup.v2(V2_LINKS, {**V2_CARD, "author_name": "John Smith"})

    token = answer.json()["data"]["link"].partition("?token=")[2]
    claims = jwt.decode(token, wazzup.world.link_key, algorithms=["HS256"]).claims
    assert claims["exp"] == int(wazzup.clock().timestamp()) + 600
    assert (claims["account"], claims["user"], claims["name"]) == ("12341234", "crm-user-1", "John Smith")
    assert claims["scope"] == "card"
    assert claims["filter"] == [{"name": "Anthony Stone", "chatType": "whatsapp", "chatId": "37111234567"}]


async def test_the_token_can_be_opaque() -> None:
    wazzup = Wazzup(Options(opaque_links=True))

    answer = await wazzup.v2(V2_LINKS, V2_CARD)

    link = answer.json()["data"]["link"]
    assert "." not in link.partition("?token=")[2]
    assert (await wazzup.get(link)).status_code == 200


async def test_every_link_is_a_new_one(wazzup: Wazzup) -> None:
    first = await wazzup.v3(V3_LINKS, V3_CARD)
    second = await wazzup.v3(V3_LINKS, V3_CARD)

    assert first.json()["url"] != second.json()["url"]


@pytest.mark.parametrize("body", GOOD_V2_LINKS.values(), ids=GOOD_V2_LINKS.keys())
async def test_v2_takes(wazzup: Wazzup, body: Body) -> None:
    answer = await wazzup.v2(V2_LINKS, body)

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("body", "complaint"), BAD_V2_LINKS.values(), ids=BAD_V2_LINKS.keys())
async def test_v2_refuses(wazzup: Wazzup, body: Body, complaint: str) -> None:
    answer = await wazzup.v2(V2_LINKS, body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_FAILED"
    assert answer.json()["instance"] == "/v2/iframe-links/chats"
    assert complaint in answer.json()["errors"]


@pytest.mark.parametrize("body", GOOD_V3_LINKS.values(), ids=GOOD_V3_LINKS.keys())
async def test_v3_takes(wazzup: Wazzup, body: Body) -> None:
    answer = await wazzup.v3(V3_LINKS, body)

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("body", "complaint"), BAD_V3_LINKS.values(), ids=BAD_V3_LINKS.keys())
async def test_v3_refuses_with_a_nested_error(wazzup: Wazzup, body: Body, complaint: str) -> None:
    answer = await wazzup.v3(V3_LINKS, body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_FAILED"
    assert complaint in answer.json()["error"]["data"]["fields"]


async def test_a_refusal_names_every_field_and_no_value(wazzup: Wazzup) -> None:
    body = {"user": {"id": "secret-1"}, "scope": "secret-2", "chats": [{"chat_id": "secret-3"}]}

    answer = await wazzup.v2(V2_LINKS, body)

    assert len(answer.json()["errors"]) == 4
    assert "secret" not in answer.text


async def test_what_is_not_json_is_refused(wazzup: Wazzup) -> None:
    headers = {"Authorization": "Bearer demo-access-token", "Content-Type": "application/json"}
    async with wazzup.client() as client:
        broken = await client.post("/v2/iframe-links/chats", content="{", headers=headers)
        form = await client.post("/v2/iframe-links/chats", data={"scope": "global"}, headers=headers)

    assert broken.json()["errors"] == ["body must be JSON"]
    assert form.json()["errors"] == ["body must be JSON"]


async def test_v2_can_refuse_a_link_for_a_user_it_was_never_told_of() -> None:
    wazzup = Wazzup(Options(unknown_users_refused=True))

    too_early = await wazzup.v2(V2_LINKS, V2_GLOBAL)
    await wazzup.v2("/users", {"users": [{"id": "crm-user-1", "name": "John Smith"}]})
    in_time = await wazzup.v2(V2_LINKS, V2_GLOBAL)

    assert (too_early.status_code, too_early.json()["code"]) == (400, "VALIDATION_FAILED")
    assert in_time.status_code == 200


async def test_v3_can_refuse_a_link_for_a_user_it_was_never_told_of() -> None:
    wazzup = Wazzup(Options(unknown_users_refused=True))

    too_early = await wazzup.v3(V3_LINKS, V3_GLOBAL)
    await wazzup.v3("/users", [{"id": "crm-user-1", "name": "John Smith"}])
    in_time = await wazzup.v3(V3_LINKS, V3_GLOBAL)

    assert too_early.json()["error"]["code"] == "INVALID_USER"
    assert in_time.status_code == 200
