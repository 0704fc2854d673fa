"""The CRM's server can really go away, and come back: nothing is lost, nothing is made twice, the page lives on."""

import errno
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.demo.driver import Demo, demonstrating
from tests.driver import Gateway


def knocked_at(url: str) -> int:
    """What the system says to somebody who connects: 0, or why not."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", urlsplit(url).port or 0))


async def test_the_switch_closes_the_port_and_opens_it_again(demo: Demo) -> None:
    found = []

    for on in (False, True, True, False, False, True):
        answer = await demo.turn(on)
        assert (answer.status_code, answer.json()["on"]) == (200, on)
        found.append(knocked_at(demo.receiver_url))

    refused = errno.ECONNREFUSED
    assert found == [refused, 0, 0, refused, refused, 0]


async def test_while_it_is_away_nobody_else_can_sit_on_its_port(demo: Demo) -> None:
    await demo.turn(False)

    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", urlsplit(demo.receiver_url).port or 0)).close()

    assert (await demo.turn(True)).status_code == 200


async def test_what_happens_meanwhile_is_delivered_once_it_is_back(demo: Demo) -> None:
    await demo.turn(False)
    event = await demo.event()
    assert [one["status"] for one in event.json()["results"]] == ["pending"]
    entries = await demo.told("delivery.attempted")
    assert [one["hint"] for one in entries if one["what"] == "delivery.attempted"][:1] == ["connection refused"]

    await demo.turn(True)

    deals = await demo.made_of(event.json()["id"])
    assert len(deals) == 1
    assert (await demo.http.get("/demo")).status_code == 200


async def test_what_waited_when_the_demo_ended_is_believed_and_delivered_by_the_next(
    redis_url: str, tmp_path: Path
) -> None:
    async with demonstrating(redis_url, tmp_path) as first:
        kept = await first.made()
        await first.turn(False)
        event_id = (await first.event()).json()["id"]

    async with demonstrating(redis_url, tmp_path) as second:
        deals = await second.made_of(event_id)

        assert len(deals) == 1
        assert (await second.deal(kept["id"]))["id"] == kept["id"]
        assert await webhooks(second.gateway) == [second.receiver_url]


async def test_a_restart_leaves_one_webhook_also_where_its_secret_was_lost(redis_url: str, tmp_path: Path) -> None:
    async with demonstrating(redis_url, tmp_path) as first:
        await first.gateway.webhook("http://127.0.0.1:9/elsewhere", "WZ_OTHER")
        await first.crm.gateway.register(first.receiver_url, "whsec_" + "bG9zdGxvc3Rsb3N0" * 3)

        await first.crm.begin()

        assert await webhooks(first.gateway) == sorted([first.receiver_url, "http://127.0.0.1:9/elsewhere"])
        assert "url" in await first.made()


async def webhooks(gateway: Gateway) -> list[str]:
    return sorted(one["url"] for one in (await gateway.ask("GET", "/webhooks")).json()["data"])


@pytest.mark.parametrize("saved", [b'{"deals": [{"id":', b'{"deals": []}'])
async def test_a_file_that_cannot_be_read_is_begun_anew(redis_url: str, tmp_path: Path, saved: bytes) -> None:
    (tmp_path / "deals.json").write_bytes(saved)

    async with demonstrating(redis_url, tmp_path) as demo:
        assert len((await demo.state())["deals"]) == 7
        assert (await demo.made())["id"] == "D-1008"
