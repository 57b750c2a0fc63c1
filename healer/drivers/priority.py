"""How much of the processor a tree of processes gets, and how soon the kernel gives it up when memory is short."""

import contextlib
import math
import os
from collections.abc import Iterable
from pathlib import Path

from healer.errors import ActionError

LEAST, MOST = 1.0, 1000.0
"""Weights that may be set; 100 is what everybody has."""
_NICEST, _GREEDIEST = 19, -10
_STEP = 1.25
"""What one step of niceness is worth to the kernel's scheduler."""
_OOM_LEAST, _OOM_MOST = -500.0, 1000.0
OOM = (_OOM_LEAST, _OOM_MOST)
"""Bounds of ``oom_score_adj``: nothing is made to outlive everything else."""


def weight_of(nice: int) -> float:
    """The share among equals that a niceness stands for: 100 for 0, a quarter more for each step down."""
    return 100.0 * _STEP**-nice


def nice_of(weight: float) -> int:
    """The niceness nearest to a weight, within what may be set."""
    return max(_GREEDIEST, min(_NICEST, -round(math.log(max(weight, LEAST) / 100.0, _STEP))))


def nice(pid: int) -> int:
    """Niceness of the main thread; raises ActionError when the process is gone."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except OSError as exc:
        raise ActionError(f"pid {pid} is gone", transient=False) from exc


def renice(pids: Iterable[int], value: int) -> int:
    """Set the niceness of every thread; returns how many there are. Raises ActionError where that is refused.

    Whoever may not raise a priority again may not lower it either: it could not be put back.
    """
    if os.geteuid() != 0:
        raise ActionError("only root can put a niceness back", hint="run the agent as root", transient=False)
    count = 0
    for pid in pids:
        for thread in _threads(pid):
            try:
                os.setpriority(os.PRIO_PROCESS, thread, value)
            except ProcessLookupError:
                continue
            except PermissionError as exc:
                raise ActionError(f"may not change the niceness of pid {pid}", transient=False) from exc
            count += 1
    return count


def _threads(pid: int) -> list[int]:
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/task") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]
    return []


def oom(pid: int) -> int:
    """Its ``oom_score_adj``; raises ActionError when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii"))
    except (OSError, ValueError) as exc:
        raise ActionError(f"pid {pid} is gone", transient=False) from exc


def set_oom(pids: Iterable[int], value: int) -> int:
    """Set it for each process; returns how many took it. Raises ActionError where that is refused."""
    count = 0
    for pid in pids:
        try:
            Path(f"/proc/{pid}/oom_score_adj").write_text(str(value), encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError as exc:
            raise ActionError(f"may not change the OOM order of pid {pid}: {exc.strerror}", transient=False) from exc
        count += 1
    return count


class Limits:
    """Settings of a control group of version 2, where it has them: the controller must be delegated to us."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def has(self, name: str) -> bool:
        """Whether there is such a setting."""
        return self._folder is not None and (self._folder / name).exists()

    def read(self, name: str) -> str:
        """Its value; raises ActionError where there is none."""
        if self._folder is None or not self.has(name):
            raise ActionError(
                f"there is no {name} to set here", hint="Delegate=yes, control groups of version 2", transient=False
            )
        return (self._folder / name).read_text(encoding="ascii").strip()

    def write(self, name: str, value: str) -> None:
        """Set it, and read it back; raises ActionError."""
        self.read(name)
        path = Path(self._folder or "/") / name
        try:
            path.write_text(value, encoding="ascii")
        except OSError as exc:
            raise ActionError(f"{name} did not take {value}: {exc.strerror}", transient=False) from exc
