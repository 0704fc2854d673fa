"""What the gateway is for, told from the side of a CRM page. Read this first."""

from tests.driver import CARD, Clock, Gateway, user_token


async def test_a_page_asks_for_a_contacts_chat_and_gets_a_link(gateway: Gateway) -> None:
    """The CRM knows a contact; the answer is all that an iframe needs."""
    question = {"user_id": "crm-user-1", "contact": {"name": "Anthony Stone", "phone": "+371 11 234 567"}}

    answer = await gateway.link(question)

    assert answer.status_code == 200
    link = answer.json()
    assert link["link"].startswith("http://127.0.0.1:9001/1234-1234/chat/whatsapp/37111234567?token=")
    assert link["chats"] == [{"chat_type": "whatsapp", "chat_id": "37111234567", "contact_name": "Anthony Stone"}]
    assert link["iframe"] == {"allow": "microphone *; clipboard-write *", "origin": "http://127.0.0.1:9001"}
    assert answer.headers["cache-control"] == "no-store"


async def test_the_same_question_again_is_answered_from_memory(gateway: Gateway, clock: Clock) -> None:
    """Wazzup is asked once; the second page gets the same link, and is told how old it is."""
    first = await gateway.link()
    clock.advance(seconds=9)

    second = await gateway.link()

    assert second.json()["link"] == first.json()["link"]
    assert (first.json()["cached"], second.json()["cached"]) == (False, True)
    assert second.headers["age"] == "9"
    assert gateway.questions == 1


async def test_a_user_token_speaks_for_its_user_only(gateway: Gateway) -> None:
    """A browser holds a token of its own user: it needs no user_id, and cannot ask for another's chats."""
    token = user_token("anna")

    own = await gateway.link({"scope": "global"}, key=token)
    other = await gateway.link({"scope": "global", "user_id": "boris"}, key=token)

    assert own.json()["user_id"] == "anna"
    assert (other.status_code, other.json()["code"]) == (403, "OTHER_USER")


async def test_a_new_link_can_be_asked_for(gateway: Gateway) -> None:
    """`no-cache` means what it says."""
    await gateway.link()

    again = await gateway.link(**{"Cache-Control": "no-cache"})

    assert again.json()["cached"] is False
    assert again.headers["cache-status"] == "wazzup-gateway; fwd=request"
    assert gateway.questions == 2


async def test_a_users_links_are_forgotten_when_an_admin_says_so(gateway: Gateway) -> None:
    """After a change of rights, say."""
    await gateway.link(CARD)

    forgotten = await gateway.forget("crm-user-1")

    assert forgotten.status_code == 204
    assert (await gateway.link(CARD)).json()["cached"] is False
