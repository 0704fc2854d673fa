"""A small text that is made once and then kept: whole or not at all, whenever the machine stops."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def kept(path: Path, make: Callable[[], str]) -> str:
    """What stands in `path`, readable by its owner only; made and written first if it is not there.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or not path.read_text():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        with draft.open("w") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        # Whoever comes first wins, also when two processes start at once: both go on with the same text.
        if path.exists() and not path.read_text():
            path.unlink(missing_ok=True)
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()
