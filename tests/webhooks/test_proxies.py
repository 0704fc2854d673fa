"""A proxy of the environment is used only if the operator says so; its failures are not the CRM's."""

import pytest

from app.webhooks.attempt import Delivered, Failed, Hindered
from app.webhooks.channel import webhook_client
from app.webhooks.egress import Egress
from tests.webhooks.posting import HERE, answer, answering, posting, serving

pytestmark = pytest.mark.usefixtures("no_proxies")


# What httpx-aiohttp does about a proxy with a password.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated", "ignore:The 'proxy_auth' parameter is deprecated")
async def test_a_proxy_of_the_environment_is_used_only_if_the_operator_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering()) as crm, serving(answering()) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:password@127.0.0.1:{proxy.port}")

        async with posting(Egress([HERE])) as post:
            assert isinstance(await post.send(crm.url), Delivered)
        assert (crm.connections, proxy.connections) == (1, 0)

        async with posting(Egress([]), proxies=True) as post:
            assert isinstance(await post.send("http://crm.example/hook"), Delivered)
        assert (crm.connections, proxy.connections) == (1, 1)
        assert proxy.requests[0][0].startswith(b"POST http://crm.example/hook HTTP/1.1\r\n")


async def test_what_no_proxy_names_is_reached_directly_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering()) as crm, serving(answering()) as proxy:
        monkeypatch.setenv("all_proxy", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")

        async with posting(Egress([HERE]), proxies=True) as post:
            assert isinstance(await post.send(crm.url), Delivered)
        async with posting(Egress([]), proxies=True) as post:
            assert await post.send(crm.url) == Failed("address not allowed")

    assert (crm.connections, proxy.connections) == (1, 0)


async def test_no_proxy_is_asked_for_an_address_that_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering()) as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")

        async with posting(Egress([]), proxies=True) as post:
            for host in ("169.254.169.254", "[::ffff:10.0.0.1]"):
                for scheme in ("http", "https"):
                    assert await post.send(f"{scheme}://{host}/") == Failed("address not allowed")

    assert proxy.connections == 0


@pytest.mark.parametrize("url", ["http://crm.example/", "https://crm.example/"])
async def test_a_proxy_that_does_not_serve_us_is_our_own_failure(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(answer("407 Who are you"))) as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        async with posting(proxies=True) as post:
            assert await post.send(url) == Hindered("egress proxy does not serve us")

    async with posting(proxies=True) as post:
        assert await post.send(url) == Hindered("egress proxy does not serve us")


async def test_what_a_proxy_tells_of_the_crm_is_the_crms_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(answer("502 No such host"))) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        async with posting(proxies=True) as post:
            assert await post.send("https://crm.example/") == Failed("egress proxy status 502")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://[::bad", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused_at_once(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)

    with pytest.raises(ValueError, match="HTTPS_PROXY or ALL_PROXY: write a proxy such as"):
        webhook_client(Egress([]), connections=1, proxies_from_environment=True)
