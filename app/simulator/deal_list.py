"""The Deals list of a window: a contact's deals for which the window's user is responsible, newest first."""

from collections.abc import Iterable
from typing import Any

from app.simulator.chats import Chat, chats_of, key_of
from app.simulator.world import World

Deal = dict[str, Any]


def deals_of(world: World, user_id: str, chats: Iterable[Chat]) -> list[Deal]:
    """List the user's deals with any contact who has one of the chats, in the words of `WZ_OPEN_ENTITY`."""
    contacts = _contacts_with(world, {key_of(chat) for chat in chats})
    return [
        _entity(world, deal)
        for deal in reversed(world.deals.values())
        if _responsible(deal) == user_id and contacts.intersection(deal["contacts"])
    ]


def _contacts_with(world: World, keys: set[str]) -> set[str]:
    return {
        contact_id
        for contact_id, contact in world.contacts.items()
        if keys.intersection(key_of(chat) for chat in chats_of(contact))
    }


def _responsible(deal: Deal) -> str:
    user_id: str = deal["responsible_user_id"] if "responsible_user_id" in deal else deal["responsibleUserId"]
    return user_id


def _entity(world: World, deal: Deal) -> Deal:
    # A deal that came without a link is told without one: the vendor's page lets it be omitted.
    link = {"link": deal["uri"]} if "uri" in deal else {}
    return {
        "closed": deal.get("closed", False),
        "id": deal["id"],
        **link,
        "name": deal["name"],
        "responsibleUserName": world.name_of_user(_responsible(deal)),
    }
