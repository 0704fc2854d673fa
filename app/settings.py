"""The whole environment, read once at a door, frozen, and refused with sentences that name the variable.

Nothing else reads the environment. Secrets are `SecretStr` up to the line that hands them over.
"""

import errno
import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.accounts import DEFAULT, Account, apart
from app.accounts_file import read_accounts
from app.sealing import SECRET_LENGTH
from app.variables import Misconfigured, Secrets, StoreUrl, sentences

_AS_WRITTEN = SettingsConfigDict(
    frozen=True, extra="ignore", env_ignore_empty=True, enable_decoding=False, hide_input_in_errors=True
)


class StorePlace(BaseSettings):
    """Where the store is. It can be read, and the store looked at, whatever else is wrong in the environment."""

    model_config = _AS_WRITTEN

    redis_url: StoreUrl | None = None
    data_dir: Path = Path("./data")

    @classmethod
    def from_environment(cls, env_file: Path | None = None) -> Self:
        """What the environment (and `env_file`, which it overrides) says.

        Raises:
            Misconfigured: names every variable that is wrong, or the file that cannot be read.
        """
        try:
            if env_file and env_file.is_dir():  # Which would be passed over in silence.
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            return cls(_env_file=env_file)
        except ValidationError as error:
            raise Misconfigured(sentences(error)) from None
        except UnicodeDecodeError:
            raise Misconfigured([f"{env_file}: not text in UTF-8"]) from None
        except OSError as error:
            raise Misconfigured([f"{env_file}: cannot be read ({error.strerror})"]) from None


class Settings(Account, StorePlace):
    """Every variable that the gateway knows: the process's own, and those of the account `default`."""

    model_config = _AS_WRITTEN

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    secret_key: Secrets = ()
    accounts_file: Path | None = None
    allow_volatile_store: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] | None = None

    @classmethod
    def given(cls, **values: Any) -> "Settings":
        """Settings of these values only, written as in the environment; the environment itself is not read."""
        return _Given(**values)

    @model_validator(mode="after")
    def _seals_well(self) -> Self:
        if any(len(secret.get_secret_value()) < SECRET_LENGTH for secret in self.secret_key):
            raise ValueError(f"SECRET_KEY: each secret needs at least {SECRET_LENGTH} characters")
        if self.redis_url and not self.secret_key:
            raise ValueError("SECRET_KEY: required with REDIS_URL, so that every replica can open what one sealed")
        return self

    def accounts(self) -> dict[str, Account]:
        """Every account that is served, by name: those of `ACCOUNTS_FILE` as it is now, and `default`.

        With a file, the environment need not be an account too: it is one if it says who may call, or how Wazzup is
        entered.

        Raises:
            Misconfigured: the file cannot be served from, or the accounts cannot be told apart.
        """
        if self.accounts_file is None:
            return {DEFAULT: self._default}
        accounts = read_accounts(self.accounts_file, process_wide=_PROCESS_WIDE)
        if self.is_an_account:
            if DEFAULT in accounts:
                raise Misconfigured(
                    [
                        "ACCOUNTS_FILE: accounts.default: the environment is the account default already. "
                        "Give this one another name, or take the credentials and keys out of the environment"
                    ]
                )
            accounts = {DEFAULT: self._default} | accounts
        apart(accounts)
        return accounts

    @property
    def is_an_account(self) -> bool:
        """Whether the environment itself says who may call, or how Wazzup is entered."""
        return self.knows_a_caller or self.names_a_way_in

    @property
    def unheard(self) -> list[str]:
        """Variables of the environment that say nothing: they speak for the account `default`, which is not served."""
        if self.accounts_file is None or self.is_an_account:
            return []
        return [name.upper() for name in Account.model_fields if name in self.model_fields_set]

    @property
    def _default(self) -> Account:
        return Account.model_construct(**{name: getattr(self, name) for name in Account.model_fields})


_PROCESS_WIDE = Settings.model_fields.keys() - Account.model_fields.keys()


class _Given(Settings):
    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)
