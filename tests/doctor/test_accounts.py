"""Each account is examined for itself, and one may be examined alone."""

import re
from typing import Any

from app.diagnosis.findings import Status
from app.doctor import Wish
from tests.doctor.driver import LABEL, examined
from tests.driver import WAZZUP


async def test_accounts_are_examined_each_for_itself(redis_url: str, tmp_path: Any) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(
        "".join(
            f"[accounts.{name}]\napi_keys = ['key-of-{name}-long-enough']\n"
            f"wazzup_access_token = '{token}'\nwazzup_base_url = '{WAZZUP}'\nwazzup_link_hosts = ['127.0.0.1']\n"
            for name, token in [("north", "wazzup-access-token-of-the-tests"), ("south", "hunter2")]
        )
    )
    found = await examined(redis_url, accounts_file=file, **LABEL)

    assert set(found.statuses("north").values()) == {Status.OK}
    assert set(found.statuses().values()) == {Status.OK}
    [finding] = found.not_well
    assert (finding.check, finding.account) == ("credentials", "south")
    assert finding.mends == ("accounts.south.wazzup_access_token",)
    assert re.search(r"check wazzup_access_token\. It says 401 OAUTH_", finding.says, re.IGNORECASE)


async def test_one_account_may_be_examined_alone(redis_url: str, tmp_path: Any) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text("[accounts.north]\nwazzup_access_token = 'hunter2'\n")

    found = await examined(redis_url, Wish(account="default"), accounts_file=file)
    nobody = await examined(redis_url, Wish(account="east"), accounts_file=file)

    assert {one.account for one in found.all} == {None, "default"}
    assert [one.mends for one in nobody.not_well] == [("--account",)]
    assert "default, north" in nobody.not_well[0].says
