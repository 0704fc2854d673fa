"""Fixtures of the browser tests: one browser and three origins for the session, a new profile for each test."""

import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from tests.driver import Clock
from tests.e2e.places import opened
from tests.e2e.stage import Places, Stage, staged

# The first is Chromium without a screen, and twice as fast.
CHROMIUM = ("chromium-headless-shell", "chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A test that asks anybody beyond this machine fails.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
]


def chromium() -> str | None:
    """The browser on this machine; `CHROMIUM` names another."""
    return shutil.which(os.environ.get("CHROMIUM", "")) or next(filter(None, map(shutil.which, CHROMIUM)), None)


@pytest.fixture(scope="session")
async def browser(anyio_backend: Any, places: Places) -> AsyncIterator[Browser]:
    if not (found := chromium()):
        pytest.skip("There is no Chromium. On Debian and Ubuntu: apt-get install chromium")
    # As root, in a container for instance, Chromium has no sandbox to offer.
    flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=found, args=flags)
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
async def places(anyio_backend: Any) -> AsyncIterator[Places]:
    """The pages' origin is another site than the other two, as at a real CRM."""
    async with opened("crm.localhost") as pages, opened() as gateway, opened() as wazzup:
        yield Places(pages, gateway, wazzup)


@pytest.fixture
async def stage(places: Places, browser: Browser, redis_url: str, clock: Clock) -> AsyncIterator[Stage]:
    async with staged(places, browser, redis_url, clock) as opened_stage:
        yield opened_stage
    assert opened_stage.unexpected == []
