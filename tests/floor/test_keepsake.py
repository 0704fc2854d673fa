"""What is made once is kept whole, or made again: half a secret would be everybody's."""

import stat
from pathlib import Path

from app.keepsake import kept


def test_it_is_made_once_and_found_again(tmp_path: Path) -> None:
    made = kept(tmp_path / "home" / "secret", lambda: "first")

    assert (made, kept(tmp_path / "home" / "secret", lambda: "second")) == ("first", "first")


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    kept(tmp_path / "secret", lambda: "first")

    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_an_empty_one_is_made_anew(tmp_path: Path) -> None:
    """A machine that lost its power at the wrong moment leaves one."""
    (tmp_path / "secret").touch()

    assert kept(tmp_path / "secret", lambda: "first") == "first"


def test_who_makes_it_at_the_same_time_goes_on_with_the_one_that_is_kept(tmp_path: Path) -> None:
    """Two gateways that start together must not seal with different secrets."""

    def overtaken() -> str:
        return kept(tmp_path / "secret", lambda: "theirs") and "ours"

    assert kept(tmp_path / "secret", overtaken) == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
