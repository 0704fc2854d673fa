"""The ways into Wazzup, with the variables of each, and a Wazzup that is faulty."""

from typing import Any

import pytest

from app.doctor import Wish
from app.simulator.faults import Fault
from tests.doctor.driver import ANNA, LABEL, V3, WHITE_LABEL, Findings, examined
from tests.driver import simulated

FOR_EVER: dict[str, Any] = {"on": "links", "times": None}
# The settings of each way, and the variables that its credentials stand in.
WAYS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "token": ({}, ("WAZZUP_ACCESS_TOKEN",)),
    "label": (LABEL, ("WAZZUP_CLIENT_ID", "WAZZUP_REFRESH_TOKEN")),
    "white-label": (WHITE_LABEL, ("WAZZUP_PARTNER_EMAIL", "WAZZUP_PARTNER_PASSWORD", "WAZZUP_ACCOUNT_ID")),
    "v3": (V3, ("WAZZUP_API_KEY",)),
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


async def faulty(redis_url: str, *faults: Fault, wish: Wish = ANNA, **settings: Any) -> Findings:
    """What the doctor finds at a Wazzup with these faults."""
    wazzup = simulated()
    for fault in faults:
        wazzup.state.world.faults.add(fault)
    return await examined(redis_url, wish, wazzup=wazzup, **settings)
