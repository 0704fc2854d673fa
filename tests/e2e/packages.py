"""What comes from npm for the tests: libraries that pages use, and compilers for what their authors write."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HOME = Path(__file__).parent
PACKAGES = HOME / "node_modules"
# Seconds for a compiler, on a machine that is busy with other tests.
PATIENCE = 60.0


def package(name: str) -> Path:
    """Where an npm package lies. Skips the test where there is none."""
    if not shutil.which("node"):
        pytest.skip("There is no node. On Debian and Ubuntu: apt-get install nodejs npm")
    if not (PACKAGES / name).is_dir():
        pytest.skip(f"There is no {name}. With npm (on Debian and Ubuntu: apt-get install npm) make e2e installs it")
    return PACKAGES / name


async def node(*words: str | Path, cwd: Path = HOME) -> tuple[int, str]:
    """How a script ended, and what it said."""
    return await asyncio.to_thread(_ran, tuple(map(str, words)), cwd)


def _ran(words: tuple[str, ...], cwd: Path) -> tuple[int, str]:
    ended = subprocess.run(
        ["node", *words],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(PACKAGES)},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return ended.returncode, ended.stdout + ended.stderr
