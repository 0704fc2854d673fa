"""The commands, as an operator meets them: real processes, real signals, real sockets."""

import asyncio
import json
import shlex
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.auth import Authenticator, Keys, Role
from app.clock import SystemClock
from app.sealing import KeyRing
from app.user_tokens import FixedKey, JwtUserTokens
from tests.doors.driver import LINK, PATIENCE, SlowWazzup, ended, serving, settings, stores_in
from tests.driver import JWT_SECRET, SECRET_KEY, SERVER_KEY
from tests.ports import free_port
from tests.waiting import wait_until


async def test_serve_without_credentials_names_the_variable_that_is_missing(tmp_path: Path) -> None:
    status, told, complaint = await ended(tmp_path, "serve", PORT=str(free_port()))

    assert (status, told) == (2, "")
    assert "WAZZUP_ACCESS_TOKEN" in complaint
    assert "Traceback" not in complaint
    assert list(tmp_path.iterdir()) == []


async def test_serve_with_a_wrong_variable_names_it_and_does_not_repeat_it(tmp_path: Path) -> None:
    status, _, complaint = await ended(tmp_path, "serve", SECRET_KEY="too-short", PORT="many")

    assert status == 2
    assert "PORT" in complaint
    assert "Traceback" not in complaint
    assert "too-short" not in complaint


async def test_serve_on_a_port_that_is_taken_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        status, _, complaint = await ended(tmp_path, "serve", **settings("http://127.0.0.1:9", PORT=port))

    assert status == 2
    assert f"127.0.0.1:{port}" in complaint
    assert "PORT=" in complaint
    assert "Traceback" not in complaint


async def test_a_second_gateway_on_the_same_directory_says_so_and_the_first_goes_on(
    tmp_path: Path, wazzup: SlowWazzup
) -> None:
    wazzup.answers.set()
    async with serving(tmp_path, settings(wazzup.url)) as first:
        status, _, complaint = await ended(tmp_path, "serve", **settings(wazzup.url))
        answer = await first.link()

    assert status == 2
    assert "DATA_DIR" in complaint
    assert "Traceback" not in complaint
    assert answer.status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_gateway_that_is_asked_to_end_answers_first_and_leaves_nothing_behind(
    tmp_path: Path, wazzup: SlowWazzup, number: signal.Signals
) -> None:
    async with serving(tmp_path, settings(wazzup.url)) as gateway:
        asking = asyncio.create_task(gateway.link())
        await wait_until(lambda: wazzup.asked == 1)
        assert len(stores_in(tmp_path)) == 1

        gateway.process.signal(number)
        wazzup.answers.set()

        answer = await asking
        status = await gateway.process.status()

    assert (answer.status_code, answer.json()["link"]) == (200, LINK)
    assert status == 0
    assert "Traceback" not in gateway.process.complained
    assert stores_in(tmp_path) == []


async def test_a_gateway_that_is_ending_takes_no_new_connection(tmp_path: Path, wazzup: SlowWazzup) -> None:
    given = settings(wazzup.url)
    async with serving(tmp_path, given) as gateway:
        asking = asyncio.create_task(gateway.link())
        await wait_until(lambda: wazzup.asked == 1)

        gateway.process.signal(signal.SIGTERM)
        await wait_until(lambda: not _listens(int(given["PORT"])))

        wazzup.answers.set()
        assert (await asking).status_code == 200


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_a_gateway_that_is_killed_finds_its_links_again(tmp_path: Path, wazzup: SlowWazzup) -> None:
    wazzup.answers.set()
    given = settings(wazzup.url, LINK_CACHE_TTL_SECONDS="3600")
    async with serving(tmp_path, given) as gateway:
        first = await gateway.link()
        remembered = await gateway.link()
        gateway.process.signal(signal.SIGKILL)
        await gateway.process.status()

    async with serving(tmp_path, given) as again:
        answer = await again.link()

    assert [first.json()["cached"], remembered.json()["cached"], answer.json()["cached"]] == [False, True, True]
    assert answer.json()["link"] == first.json()["link"]
    assert wazzup.asked == 1
    assert stores_in(tmp_path) == []


async def test_every_line_of_a_log_that_goes_to_a_pipe_is_json(tmp_path: Path, wazzup: SlowWazzup) -> None:
    wazzup.answers.set()
    async with serving(tmp_path, settings(wazzup.url)) as gateway:
        await gateway.link()
        await gateway.http.get("/nothing")
        await gateway.http.post("/links", content=b"{", headers={"Authorization": f"Bearer {SERVER_KEY}"})
        gateway.process.signal(signal.SIGTERM)
        await gateway.process.status()

    events = [json.loads(line)["event"] for line in gateway.process.told.splitlines()]
    assert events[0] == "gateway.started"
    assert events[-1] == "gateway.stopped"
    assert {"wazzup.called", "link.issued", "http.request"} <= set(events)
    assert gateway.process.complained == ""


async def test_bytes_that_are_no_http_are_survived(tmp_path: Path, wazzup: SlowWazzup) -> None:
    wazzup.answers.set()
    given = settings(wazzup.url)
    async with serving(tmp_path, given) as gateway:
        for noise in (b"\x00" * 99 + b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /links HTTP/1.1\r\nHost: x\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(given["PORT"]))
            writer.write(noise)
            writer.write_eof()
            said = await asyncio.wait_for(reader.read(), PATIENCE)
            writer.close()
            assert b"<html" not in said.lower()
            assert b" 500 " not in said
        answer = await gateway.link()

    assert answer.status_code == 200
    assert "Traceback" not in gateway.process.complained + gateway.process.told


async def test_a_token_for_trying_things_out_is_one_that_the_gateway_accepts(tmp_path: Path) -> None:
    status, told, _ = await ended(tmp_path, "token", "--user", "anna", "--name", "Anna Berg", JWT_SECRET=JWT_SECRET)

    clock = SystemClock()
    users = JwtUserTokens(FixedKey.secret(JWT_SECRET), "wazzup-gateway", None, clock)
    keys = Keys.of("default", server=[], admin=[], users=users)
    caller = await Authenticator([keys], KeyRing.of([SECRET_KEY]), clock).identify(f"Bearer {told.strip()}")
    assert status == 0
    assert (caller.role, caller.user_id, caller.user_name) == (Role.USER, "anna", "Anna Berg")


async def test_a_token_needs_the_secret_that_signs_it(tmp_path: Path) -> None:
    status, told, complaint = await ended(tmp_path, "token", "--user", "anna")

    assert (status, told) == (2, "")
    assert "JWT_SECRET" in complaint
    assert "Traceback" not in complaint


async def test_the_contract_is_printed_without_any_configuration(tmp_path: Path) -> None:
    status, told, complaint = await ended(tmp_path, "openapi")

    document: dict[str, Any] = json.loads(told)
    assert (status, complaint) == (0, "")
    assert document["openapi"].startswith("3.1")
    assert "/links" in document["paths"]
    assert list(tmp_path.iterdir()) == []


async def test_help_lists_the_commands(tmp_path: Path) -> None:
    status, told, _ = await ended(tmp_path, "--help")

    assert status == 0
    assert all(name in told for name in ("serve", "demo", "doctor", "token", "openapi"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_the_demos_curl_line_works_when_it_is_pasted(tmp_path: Path, number: signal.Signals) -> None:
    given = {"PORT": str(free_port())}
    async with serving(tmp_path, given, "demo") as demo:
        await wait_until(lambda: "curl " in demo.process.told)
        first = await pasted(demo.process.told)
        second = await pasted(demo.process.told)
        async with httpx.AsyncClient() as browser:
            window = await browser.get(first.json()["link"])
        demo.process.signal(number)
        status = await demo.process.status()

    assert (first.status_code, first.json()["cached"]) == (200, False)
    assert (second.status_code, second.json()["cached"]) == (200, True)
    assert window.status_code == 200
    assert status == 0
    assert "Traceback" not in demo.process.told + demo.process.complained
    assert stores_in(tmp_path) == []


async def test_the_demo_names_its_page_first_and_ends_at_once_although_somebody_looks_at_it(tmp_path: Path) -> None:
    given = {"PORT": str(free_port())}
    async with serving(tmp_path, given, "demo") as demo:
        await wait_until(lambda: "curl " in demo.process.told)
        url = next(word for word in demo.process.told.split() if word.startswith("http"))
        page = await demo.http.get(url)
        async with demo.http.stream("GET", f"{url}/live") as live:
            told = live.aiter_lines()
            assert await anext(told) == "retry: 1000"

            demo.process.signal(signal.SIGINT)

            assert [line async for line in told][-1] == ""
        status = await demo.process.status()

    assert (url, page.status_code) == (f"http://127.0.0.1:{given['PORT']}/demo", 200)
    assert status == 0
    assert demo.process.complained == ""
    assert "[info" not in demo.process.told
    assert stores_in(tmp_path) == []


async def test_the_demo_on_a_port_that_is_taken_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        status, _, complaint = await ended(tmp_path, "demo", PORT=port)

    assert status == 2
    assert f"127.0.0.1:{port}" in complaint
    assert "Traceback" not in complaint


async def pasted(banner: str) -> httpx.Response:
    """What the shell and curl make of the line that the demo prints."""
    [line] = [line for line in banner.splitlines() if line.startswith("curl ")]
    _, silent, url, *options = shlex.split(line)
    assert silent == "-s"
    headers = [value.split(": ", 1) for flag, value in zip(options[::2], options[1::2], strict=True) if flag == "-H"]
    [body] = [value for flag, value in zip(options[::2], options[1::2], strict=True) if flag == "-d"]
    async with httpx.AsyncClient() as http:
        return await http.post(url, content=body, headers=dict(headers))
