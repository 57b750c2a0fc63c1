"""Finding the programs an earlier agent left running."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from healer.drivers import processes
from healer.drivers.processes import Stat
from healer.drivers.program import Remembered

Accounts = Callable[[str], Collection[int | None]]
"""Gives the user ids under which a program of this name may be ours."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What carries our HEALER_HOME, by HEALER_PROGRAM."""

    leaders: Mapping[str, tuple[Found, ...]]
    """Leaders of a session, oldest first: one of them may be the program itself."""
    names: frozenset[str]
    """Programs of which anything at all runs."""


def by_markers(home: str, accounts: Accounts) -> Marked:
    """Look through every process for our variables: no note about them is needed.

    Anybody can start something with these variables, so only what runs as an account that the program may run as
    (``accounts``, by its name) is taken for the program itself.
    """
    leaders: dict[str, list[Found]] = {}
    names = set()
    spared = processes.lineage()
    for seen in sorted(processes.everyone().values(), key=lambda one: one.ticks):
        if seen.pid in spared or seen.dead or not processes.marked(seen.pid, {"HEALER_HOME": home}):
            continue
        variables = processes.environ(seen.pid)
        name = variables.get("HEALER_PROGRAM", "")
        names.add(name)
        start = variables.get("HEALER_START", "")
        number = int(start) if start.isdecimal() and len(start) < 16 else 0
        if processes.owner(seen.pid) not in accounts(name):
            continue
        held = _grip(seen.pid, seen.ticks, variables.get("HEALER_INTENT", ""), number)
        if held is not None:
            leaders.setdefault(name, []).append(held)
    return Marked(leaders={name: tuple(held) for name, held in leaders.items()}, names=frozenset(names))


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
