"""Finding the programs an earlier agent left running."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from healer.drivers import processes
from healer.drivers.processes import Stat
from healer.drivers.program import Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A living process of ours, held by a pidfd that the receiver must close."""

    seen: Stat
    fd: int
    intent: str
    start: int
    """Which start of the program it stems from, counted from 1."""


def by_note(note: Remembered, boot: str) -> Found | None:
    """The process a state file names, if it still is that one: same boot, same start time, leading its own session."""
    if note.boot != boot or note.pid <= 1 or note.pid in processes.lineage():
        return None
    return _grip(note.pid, note.ticks, note.intent, note.starts)


def by_markers(home: str) -> Mapping[str, tuple[Found, ...]]:
    """Session leaders started with our HEALER_HOME, by HEALER_PROGRAM, oldest first: no note about them is needed."""
    found: dict[str, list[Found]] = {}
    spared = processes.lineage()
    for seen in sorted(processes.everyone().values(), key=lambda one: one.ticks):
        if seen.pid in spared or seen.dead or seen.session != seen.pid:
            continue
        if not processes.marked(seen.pid, {"HEALER_HOME": home}):
            continue
        variables = processes.environ(seen.pid)
        start = variables.get("HEALER_START", "")
        number = int(start) if start.isdecimal() and len(start) < 16 else 0
        held = _grip(seen.pid, seen.ticks, variables.get("HEALER_INTENT", ""), number)
        if held is not None:
            found.setdefault(variables.get("HEALER_PROGRAM", ""), []).append(held)
    return {name: tuple(held) for name, held in found.items()}


def _grip(pid: int, ticks: int, intent: str, start: int) -> Found | None:
    """Open first, compare afterwards: the number cannot change hands in between."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    seen = processes.stat(pid)
    # A leader can never leave its session, so whatever does not lead one was not started by us.
    if seen is None or seen.dead or seen.ticks != ticks or seen.session != pid:
        os.close(fd)
        return None
    return Found(seen=seen, fd=fd, intent=intent, start=start)
