"""A batch of contacts or deals: what Wazzup has against one of them is said of its place in the caller's body."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.deals.models import ContactCard, Deal
from app.errors import Fault, VendorSaid, WazzupRefused
from app.wazzup.client import WazzupClient

# `deals.3.contacts must be known contacts` (v2), `3.contacts …` (v3), with or without brackets around the number.
_ABOUT_ONE = re.compile(
    r"(?:(?:contacts|deals)\.?)?(?P<index>\[[0-9]{1,4}\]|[0-9]{1,4})\.(?P<said>(?P<field>\w+).*)", re.DOTALL
)


async def put_batch(
    client: WazzupClient,
    path: str,
    body: Any,
    *,
    operation: str,
    items: Sequence[ContactCard] | Sequence[Deal],
    words: Mapping[str, str],
) -> None:
    """Sends `body`, which is `items` in the vendor's form; `words` are the vendor's fields as the caller calls them.

    Raises:
        WazzupRefused: its faults name the items, where Wazzup does.
        WazzupError: as `WazzupClient.post`.
    """
    try:
        await client.post(path, body, operation=operation, party=items[0].user_id, read=lambda _: None)
    except WazzupRefused as error:
        faults = list(_faults(error.vendor or VendorSaid(), [item.place for item in items], words))
        if faults:
            error.faults = tuple(faults)
            error.detail = f"Wazzup refused some of the {operation}; see errors."
        raise


def _faults(said: VendorSaid, places: Sequence[str], words: Mapping[str, str]) -> Iterator[Fault]:
    for complaint in said.errors:
        about = _ABOUT_ONE.fullmatch(complaint)
        if about and (index := int(about["index"].strip("[]"))) < len(places):
            field = words.get(about["field"])
            # The vendor counts within its batch: its number would mislead.
            yield Fault(
                f"Wazzup says: {about['said'].rstrip('.')}.", f"{places[index]}/{field}" if field else places[index]
            )
