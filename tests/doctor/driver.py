"""The doctor on a real store and a simulated Wazzup, and what of it must never be told."""

from typing import Any

import httpx

from app.diagnosis.examination import User
from app.diagnosis.findings import Finding, Status, for_machines, for_people
from app.doctor import Wish, examine
from app.settings import Settings
from tests.driver import (
    ACCESS_TOKEN,
    ADMIN_KEY,
    CRM,
    JWT_SECRET,
    SECRET_KEY,
    SERVER_KEY,
    WAZZUP,
    Clock,
    simulated,
)

ANNA = Wish(user=User("crm-user-1", "Anna Berg"))
LABEL: dict[str, Any] = {
    "wazzup_access_token": None,
    "wazzup_client_id": "demo-client",
    "wazzup_refresh_token": "demo-refresh-token",
}
WHITE_LABEL: dict[str, Any] = {
    "wazzup_access_token": None,
    "wazzup_partner_email": "partner@example.com",
    "wazzup_partner_password": "demo-partner-password",
    "wazzup_account_id": "1234-1234",
}
V3: dict[str, Any] = {"wazzup_access_token": None, "wazzup_api": "v3", "wazzup_api_key": "demo-api-key"}

SECRETS = {
    *(ACCESS_TOKEN, SERVER_KEY, ADMIN_KEY, JWT_SECRET, SECRET_KEY),
    *("demo-refresh-token", "demo-partner-password", "partner@example.com", "demo-api-key"),
    *("crm-user-1", "Anna Berg", "?token=", "hunter2"),
}


class Findings:
    """What the doctor found, to be asked about."""

    def __init__(self, found: list[Finding]) -> None:
        self.all = found

    def of(self, check: str, account: str | None = "default") -> Finding:
        """The one finding of this check."""
        [finding] = [one for one in self.all if (one.check, one.account) == (check, account)]
        return finding

    def statuses(self, account: str | None = "default") -> dict[str, Status]:
        return {one.check: one.status for one in self.all if one.account == account}

    @property
    def not_well(self) -> list[Finding]:
        return [one for one in self.all if one.status is Status.FAILED]

    @property
    def warnings(self) -> list[Finding]:
        return [one for one in self.all if one.status is Status.WARNING]


def given(redis_url: str | None, **settings: Any) -> Settings:
    """Settings as the tests' gateway has them; a value of None is not set."""
    usual = {
        "redis_url": redis_url,
        "secret_key": SECRET_KEY,
        "api_keys": SERVER_KEY,
        "admin_api_keys": ADMIN_KEY,
        "jwt_secret": JWT_SECRET,
        "allowed_origins": CRM,
        "wazzup_base_url": WAZZUP,
        "wazzup_access_token": ACCESS_TOKEN,
        "wazzup_link_hosts": "127.0.0.1",
    }
    return Settings.given(**{name: value for name, value in (usual | settings).items() if value is not None})


async def examined(
    redis_url: str | None, wish: Wish = ANNA, *, wazzup: Any = None, clock: Clock | None = None, **settings: Any
) -> Findings:
    """What the doctor finds. None of it tells a secret, in either form."""
    transport = httpx.ASGITransport(wazzup or simulated(clock))
    found = await examine(given(redis_url, **settings), wish, clock=clock, transport=transport)
    told = for_machines(found) + for_people(found)
    assert [secret for secret in SECRETS if secret in told] == []
    return Findings(found)
