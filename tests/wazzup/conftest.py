"""Fixtures for tests of Wazzup's client."""

from collections.abc import AsyncIterator

import httpx
import pytest
import respx

from tests.wazzup.vendor import WAZZUP, Vendor


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    router = respx.MockRouter(assert_all_called=False)
    route = router.post(f"{WAZZUP}/v2/iframe-links/chats")
    async with httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler), timeout=None) as http:
        yield Vendor(http, route)
