"""Real processes, to be killed, frozen and started again."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from app.embedded import server_binary


@dataclass
class Victim:
    """A process that is started again as often as it dies."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    deaths: int = 0
    process: subprocess.Popen[bytes] | None = None
    _output: IO[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self._output = self._output or self.log.open("ab")
        self.process = subprocess.Popen(
            self.command, env=os.environ | self.environment, stdout=self._output, stderr=subprocess.STDOUT
        )

    def kill(self) -> None:
        """As if the power went."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGKILL)
        self._wait()
        self.deaths += 1

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> int:
        """Asks it to end, and gives its status."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        return self._wait()

    def cpu_seconds(self) -> float:
        assert self.process
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def _wait(self) -> int:
        assert self.process
        return self.process.wait(20)


def store(home: Path, port: int) -> Victim:
    """A store with an append-only file."""
    command = [str(server_binary()), "--port", str(port), "--dir", str(home), "--appendonly", "yes", "--save", ""]
    return Victim("store", command, {}, home / "store.log")


def gateway(home: Path, number: int, port: int, settings: dict[str, str]) -> Victim:
    command = [sys.executable, "-m", "app", "serve", "--no-worker"]
    return Victim(f"gateway {number}", command, settings | {"PORT": str(port)}, home / f"gateway{number}.log")


def worker(home: Path, number: int, settings: dict[str, str]) -> Victim:
    return Victim(f"worker {number}", [sys.executable, "-m", "app", "worker"], settings, home / f"worker{number}.log")
