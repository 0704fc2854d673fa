"""What an examination found: each finding a plain sentence, with what mends it. Told to people, and to machines.

No sentence quotes a secret, a link or a user.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import groupby

from app.accounts import DEFAULT, Account

# `A, B: sentence` and `ACCOUNTS_FILE: accounts.north.a, b: sentence`, as what is misconfigured is told.
_ABOUT = re.compile(
    r"(?:ACCOUNTS_FILE: accounts\.(?P<account>[a-z0-9_-]+)\.)?(?P<variables>[\w-]+(?:, [\w-]+)*): ", re.ASCII
)
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", re.ASCII)
_WIDEST_CHECK = 13


class Status(StrEnum):
    """How it is. Only what failed makes an examination fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found by one check; `mends` names the variables (or options) that mend it."""

    check: str
    status: Status
    says: str
    mends: tuple[str, ...] = ()
    account: str | None = None


def ok(check: str, says: str) -> Finding:
    """It is as it should be."""
    return Finding(check, Status.OK, says)


def warning(check: str, says: str, *mends: str) -> Finding:
    """It works, but not as the operator would wish."""
    return Finding(check, Status.WARNING, says, mends)


def failed(check: str, says: str, *mends: str) -> Finding:
    """It does not work."""
    return Finding(check, Status.FAILED, says, mends)


def skipped(check: str, says: str, *mends: str) -> Finding:
    """Nobody looked; says why."""
    return Finding(check, Status.SKIPPED, says, mends)


def misconfigured(sentence: str) -> Finding:
    """A sentence of `Misconfigured`, which begins with its variables."""
    about = _ABOUT.match(sentence)
    if about is None:
        return failed("configuration", sentence)
    account, variables = about["account"], about["variables"].split(", ")
    mends = [f"accounts.{account}.{name}" if account else name for name in variables]
    return replace(failed("configuration", sentence, *mends), account=account)


def named_in(sentence: str) -> list[str]:
    """The variables that a sentence names."""
    return _VARIABLE.findall(sentence)


def of_account(name: str, finding: Finding) -> Finding:
    """`finding`, as one of the account `name`: its variables are named as the operator has written them."""
    if name == DEFAULT:
        return replace(finding, account=name)
    mends = (f"accounts.{name}.{one.lower()}" if _is_an_accounts(one) else one for one in finding.mends)
    says = _VARIABLE.sub(lambda found: found[0].lower() if _is_an_accounts(found[0]) else found[0], finding.says)
    return replace(finding, account=name, says=says, mends=tuple(mends))


def _is_an_accounts(variable: str) -> bool:
    return variable.lower() in Account.model_fields


def all_is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing failed."""
    return all(finding.status is not Status.FAILED for finding in findings)


def for_machines(findings: Sequence[Finding]) -> str:
    """One JSON document, in ASCII, which every terminal and pipe takes."""
    return json.dumps({"ok": all_is_well(findings), "findings": [asdict(finding) for finding in findings]}, indent=2)


def for_people(findings: Sequence[Finding], *, mark: Callable[[Status, str], str] = lambda _, text: text) -> str:
    """A line for each finding, account by account, and the whole of it in words. `mark` may colour a status."""
    return "\n".join([*_lines(findings, mark), _verdict(findings)])


def _lines(findings: Sequence[Finding], mark: Callable[[Status, str], str]) -> Iterator[str]:
    # The process first, as `sorted` keeps the order of what is alike.
    for account, group in groupby(sorted(findings, key=lambda one: one.account or ""), key=lambda one: one.account):
        yield f"Account {account}" if account else "The gateway"
        for one in group:
            mends = f" -> {', '.join(one.mends)}" if one.mends else ""
            yield f"  {mark(one.status, f'{one.status:<7}')}  {one.check:<{_WIDEST_CHECK}}  {one.says}{mends}"
        yield ""


def _verdict(findings: Sequence[Finding]) -> str:
    failures, warnings = (sum(one.status is status for one in findings) for status in (Status.FAILED, Status.WARNING))
    if failures:
        return f"{counted(failures, 'thing')} to mend."
    return f"All is well, with {counted(warnings, 'warning')}." if warnings else "All is well."


def counted(number: int, what: str) -> str:
    """`1 key`, `2 keys`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
