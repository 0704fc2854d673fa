"""`ACCOUNTS_FILE`: accounts as tables of a TOML file. It is read whole or refused, with sentences that say where.

No sentence quotes a value, or a name that cannot be one: whoever mixes the two up has written a secret there.
"""

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.accounts import DEFAULT, Account
from app.variables import Misconfigured, sentences

# It becomes part of every name in Redis, and a label of metrics.
_ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_SHOWABLE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_PLACE = re.compile(r"line \d+, column \d+")


def read_accounts(file: Path, *, process_wide: Collection[str]) -> dict[str, Account]:
    """The accounts of `file`, by name. `process_wide` names the variables that no account has for itself.

    Raises:
        Misconfigured: says everything that is wrong.
    """
    document = _parsed(_text(file))
    tables = document.pop("accounts", None)
    problems = [f"ACCOUNTS_FILE: {_shown(name)}: only tables [accounts.<name>] stand here" for name in document]
    if not isinstance(tables, dict) or not tables:
        raise Misconfigured([*problems, "ACCOUNTS_FILE: there is no account. Write a table [accounts.<name>]"])
    accounts: dict[str, Account] = {}
    for name, table in tables.items():
        try:
            accounts[name] = _account(name, table, process_wide)
        except Misconfigured as refused:
            problems += refused.problems
    if problems:
        raise Misconfigured(problems)
    return accounts


def named(account: str, sentence: str) -> str:
    """A sentence about variables of `account`, which are named as the operator has written them."""
    return sentence if account == DEFAULT else _in_file(account, sentence)


def _in_file(account: str, sentence: str) -> str:
    return f"ACCOUNTS_FILE: accounts.{account}.{_VARIABLE.sub(lambda found: found[0].lower(), sentence)}"


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")  # with or without the mark that some editors put in front
    except OSError as error:
        raise Misconfigured([f"ACCOUNTS_FILE: {file} cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise Misconfigured([f"ACCOUNTS_FILE: {file} is not text in UTF-8"]) from None


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Its message quotes the file; where it is, it says at the end.
        place = _PLACE.search(str(error).rpartition("(")[2])
        raise Misconfigured([f"ACCOUNTS_FILE: {place[0] if place else 'the end'} is not TOML"]) from None
    except (ValueError, RecursionError):  # numbers that no machine holds, and lists in lists without end
        raise Misconfigured(["ACCOUNTS_FILE: not TOML that can be read"]) from None


def _account(name: str, table: Any, process_wide: Collection[str]) -> Account:
    if not _ACCOUNT_NAME.fullmatch(name):
        raise Misconfigured(
            [
                f"ACCOUNTS_FILE: accounts.{_shown(name)}: a name is up to 32 of a-z, 0-9, _ and -, "
                "and starts with a letter or a digit"
            ]
        )
    if not isinstance(table, dict):
        raise Misconfigured([f"ACCOUNTS_FILE: accounts.{name}: write a table [accounts.{name}]"])
    strangers = [variable for variable in table if variable not in Account.model_fields]
    problems = [f"ACCOUNTS_FILE: accounts.{name}.{_stranger(variable, process_wide)}" for variable in strangers]
    # As in the environment, an empty value is no value.
    values = {variable: value for variable, value in table.items() if variable not in strangers and value != ""}
    try:
        account = Account.model_validate(values)
        account.wazzup_way()
    except ValidationError as error:
        problems += [_in_file(name, sentence) for sentence in sentences(error)]
    except Misconfigured as refused:
        problems += [_in_file(name, sentence) for sentence in refused.problems]
    if problems:
        raise Misconfigured(problems)
    return account


def _stranger(variable: str, process_wide: Collection[str]) -> str:
    if variable.lower() in process_wide:
        return f"{variable}: holds for the whole process; set {variable.upper()} in the environment"
    if variable.lower() in Account.model_fields:
        return f"{variable}: write {variable.lower()}"
    return f"{_shown(variable)}: no variable of an account has this name"


def _shown(name: str) -> str:
    return name if _SHOWABLE.fullmatch(name) else "(a name that cannot be one)"
