"""The README's page posts what the window tells, and opens the deal that the CRM made. No browser: its words only."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.serving import Server, listen
from tests.crm import Crm, answering
from tests.driver import Gateway
from tests.receivers.driver import need_node, node, sample
from tests.waiting import wait_until

CREATE = {"type": "WZ_CREATE_ENTITY", "data": {"chatType": "whatsapp", "chatId": "37111234567", "userId": "crm-user-1"}}
OPEN = CREATE | {"type": "WZ_OPEN_ENTITY"}

BROWSER = """
globalThis.crypto ??= require("node:crypto").webcrypto;
const { iframe, relay } = %(link)s;
const frame = { contentWindow: {} };
const location = { assign: (url) => console.log("opens", url) };
let hear;
globalThis.addEventListener = (_, listener) => { hear = listener; };
%(page)s
(async () => {
  const told = { origin: iframe.origin, source: frame.contentWindow, data: %(create)s };
  for (const foreign of [{ origin: "https://evil.example" }, { source: {} }]) await hear({ ...told, ...foreign });
  for (const data of [null, "WZ_X", { type: 1 }, { type: "click" }]) await hear({ ...told, data });
  await hear({ ...told, data: %(open)s });
  await hear(told);
})();
"""


@asynccontextmanager
async def on_a_socket(gateway: Gateway) -> AsyncIterator[str]:
    with listen("127.0.0.1", 0) as sock:
        server = Server(gateway.app)
        serving = asyncio.create_task(server.serve([sock]))
        await wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.should_exit = True
        await serving


async def test_the_page_relays_what_its_window_says_and_opens_the_new_deal(
    gateway: Gateway, crm: Crm, tmp_path: Path
) -> None:
    need_node()
    await gateway.webhook(crm.url)
    crm.mood = answering(200, '{"url": "https://crm.example/d/78", "id": "D-78"}')
    link = (await gateway.link()).json()
    script = tmp_path / "page.js"

    async with on_a_socket(gateway) as url:
        page = sample('addEventListener("message"').replace("https://gateway.example", url)
        words = {"link": link, "create": CREATE, "open": OPEN}
        script.write_text(BROWSER % ({name: json.dumps(value) for name, value in words.items()} | {"page": page}))
        said = await node(script)

    assert said == "opens https://crm.example/d/78\n"
    assert [(one.message["type"], one.message["data"]) for one in crm.received] == [
        ("WZ_OPEN_ENTITY", OPEN["data"]),
        ("WZ_CREATE_ENTITY", CREATE["data"]),
    ]
    assert {one.message["context"]["trust"] for one in crm.received} == {"browser"}
    assert all(one.message["context"]["occurred_at"] for one in crm.received)
