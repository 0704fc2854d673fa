"""What the CRM's server asks of the gateway, by its contract: a webhook of its own, and that Wazzup learns of deals."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx

from app.crm.people import USER


class GatewayRefused(Exception):
    """The gateway did not do it, or could not be reached. `code` says why, as its problem document does."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Gateway:
    """The gateway, as the CRM's server knows it."""

    http: httpx.AsyncClient
    server_key: str = field(repr=False)
    admin_key: str = field(repr=False)

    async def register(self, url: str, secret: str) -> None:
        """Makes events come to `url`, signed with `secret`. A webhook from before a restart goes on, with what waits.

        Raises:
            GatewayRefused: they may not come.
        """
        # Nobody can read a webhook's secret again, so its name tells which one it has.
        name = f"The demo CRM, secret {sha256(secret.encode()).hexdigest()[:8]}"
        known = (await self._ask("GET", "/webhooks?limit=100", self.admin_key))["data"]
        ours = [one for one in known if one["description"] == name]
        for one in known:
            if one not in ours[:1] and one["description"].startswith("The demo CRM"):
                await self._ask("DELETE", f"/webhooks/{one['id']}", self.admin_key)
        if ours:
            changed = {"url": url, "enabled": True}
            await self._ask("PATCH", f"/webhooks/{ours[0]['id']}", self.admin_key, changed)
        else:
            made = {"url": url, "events": ["*"], "description": name, "secret": secret}
            await self._ask("POST", "/webhooks", self.admin_key, made)

    async def introduce_user(self, about: str) -> None:
        """Lets Wazzup learn of the CRM's user, as the first link does: it takes no deal for a user it does not know.

        Raises:
            GatewayRefused: it may not have.
        """
        user = {"id": USER.id, "name": USER.name}
        await self._ask("POST", "/links", self.server_key, {"user": user, "scope": "global", "max_age": 0}, about)

    async def tell(self, told: dict[str, Any], about: str) -> None:
        """`POST /deals`. `about` is the request's id, by which the gateway's journal and ours speak of the same.

        Raises:
            GatewayRefused: Wazzup may not know of it. Telling it again changes nothing.
        """
        await self._ask("POST", "/deals", self.server_key, told, about)

    async def _ask(self, method: str, path: str, key: str, body: Any = None, about: str = "") -> Any:
        headers = {"Authorization": f"Bearer {key}"} | ({"X-Request-Id": about} if about else {})
        try:
            answer = await self.http.request(method, path, headers=headers, json=body)
        except httpx.TransportError as error:
            raise GatewayRefused(type(error).__name__) from error
        if not answer.is_success:
            raise GatewayRefused(_code(answer))
        return answer.json() if answer.content else None


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP_{answer.status_code}"
