"""Real systems that a demonstration starts for itself, breaks, and has healed: what each of them must be able to do."""

import os
import shutil
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from healer.clock import SystemClock
from healer.errors import HealerError

RULES = Path(__file__).with_name("systems.yaml")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is broken, and whom the log names."""

    name: str
    fault: str
    rule: str
    """The rule that is to heal it."""
    target: str
    watched: tuple[str, ...]
    """Targets on which its illness shows."""
    words: str
    """What is done to it, for people."""


class System(ABC):
    """One system: everything that is started is this demonstration's own, under a name of its own, and is ended."""

    name: ClassVar[str]

    def __init__(self, folder: Path, token: str) -> None:
        self.folder = folder
        """For its files; there, and empty."""
        self.token = token
        """What sets its names apart from those of others, and of other demonstrations."""

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """What is not here, in one sentence; empty when the system can be shown."""

    @property
    @abstractmethod
    def patient(self) -> Patient:
        """Whom the demonstration is about."""

    @abstractmethod
    def start(self) -> Sequence[Mapping[str, Any]]:
        """Start it; returns the targets to look at, as in organism.yaml. Raises HealerError."""

    @abstractmethod
    def strike(self) -> None:
        """Break it; raises HealerError."""

    @abstractmethod
    def close(self) -> None:
        """End all that was started. Never raises."""


def program(name: str, *more: Path) -> str:
    """Where a program is; empty where it is not."""
    path = os.pathsep.join([*map(str, more), os.environ.get("PATH", os.defpath), SBIN])
    return shutil.which(name, path=path) or ""


def run(*argv: str | Path, user: str | None = None, given: bytes = b"") -> str:
    """Run a command and return what it printed; raises HealerError with what it complained of."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, input=given, capture_output=True, timeout=_PATIENCE, check=False, user=user, cwd="/"
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise HealerError(f"{words[0]} cannot be run: {exc}") from exc
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise HealerError(f"{' '.join(words[:3])} failed: {said[-300:]}")
    return done.stdout.decode("utf-8", "replace").strip()


def patiently(there: Callable[[], bool], alive: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until something is there; raises HealerError when it dies first, or takes too long."""
    clock, quiet = SystemClock(), threading.Event()
    ends = clock.now() + _PATIENCE
    while not there():
        if not alive() or clock.now() > ends:
            raise HealerError(otherwise())
        quiet.wait(0.05)


def tail(log: Path) -> str:
    """The end of what a program complained of."""
    return log.read_text(encoding="utf-8", errors="replace")[-300:]


def end(process: "subprocess.Popen[bytes] | None") -> None:
    """TERM, and KILL where that does not help."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
