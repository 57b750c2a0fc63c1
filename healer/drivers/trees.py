"""Everything that stems from one process, and how to end it: a double-forked daemon too.

A tree is found four ways, because each alone has a hole: by cgroup, by the variables it was started with, by session
and group, by parents. The agent is no subreaper: it would have to reap whatever any library of it starts, and could
mistake one for another; an orphan goes to init, and a zombie counts as dead here, however long init takes to reap it.
What slips through: a process that left its session, cleared its environment *and* lost its parent on a host without
cgroups.
"""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from healer import blocking
from healer.drivers import processes
from healer.drivers.cgroups import Cgroup
from healer.drivers.processes import Stat
from healer.errors import ActionError
from healer.model.target import EMPTY

_KILL_WITHIN = 5.0
_ROUNDS, _ROUND = 50, 0.02
"""Looks at a tree that is being stopped, and the seconds in between: what forks meanwhile is to be caught."""
_STOPPED = "Tt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What is known of a tree: any of it may be out of date."""

    root: int
    """Pid of its first process, the leader of its session; it may be dead."""
    ticks: int
    """Start time of that process."""
    markers: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Variables only this tree was started with."""
    cgroup: Cgroup | None = None


def members(tree: Tree) -> dict[int, Stat]:
    """All living processes of the tree now; reads all of /proc, so call it through `blocking`."""
    table = processes.everyone()
    found = {pid for pid in table if _belongs(table[pid], tree, table)}
    if tree.cgroup is not None:
        found |= tree.cgroup.members()
    spared = processes.lineage()
    everyone = processes.descendants(found - spared, table) - spared
    return {pid: table[pid] for pid in everyone if pid in table and not table[pid].dead}


def _belongs(seen: Stat, tree: Tree, table: Mapping[int, Stat]) -> bool:
    root = table.get(tree.root)
    # A dead root's number may lead another session by now: then only the variables (and the cgroup) tell.
    if root is not None and root.ticks == tree.ticks and tree.root in (seen.pid, seen.session, seen.group):
        return True
    return seen.ticks >= tree.ticks and processes.marked(seen.pid, tree.markers)


async def end(tree: Tree, *, number: int = signal.SIGTERM, grace: float) -> int:
    """Signal the whole tree, wait ``grace`` seconds, KILL what is left; returns how many had to be killed.

    Raises ActionError when something outlives KILL (it hangs in the kernel).
    """
    if number != signal.SIGKILL and await _sweep(tree, number, grace):
        return 0
    if tree.cgroup is not None:
        tree.cgroup.kill()
    left = await blocking.call(lambda: members(tree))
    if not await _sweep(tree, signal.SIGKILL, _KILL_WITHIN):
        stuck = sorted(await blocking.call(lambda: members(tree)))
        if stuck:
            raise ActionError(f"did not die of KILL: {stuck[:8]}", hint="a device or a network file system hangs")
    return len(left)


async def freeze(tree: Tree) -> int:
    """Stop the whole tree where it stands; returns how many processes that are. Raises ActionError, nothing is stopped.

    One that sleeps in the kernel stops when it comes back: it is waited for, a second at most.
    """
    going: list[Stat] = []
    for _ in range(_ROUNDS):
        found = await blocking.call(lambda: members(tree))
        going = [seen for seen in found.values() if seen.state not in _STOPPED]
        if not going:
            if found:
                return len(found)
            raise ActionError(f"nothing is left of pid {tree.root}", transient=False)
        for seen in going:
            _signal(seen, signal.SIGSTOP)
        await asyncio.sleep(_ROUND)
    await thaw(tree)
    raise ActionError(f"could not be stopped: pid {going[0].pid} is in state {going[0].state}")


async def still(tree: Tree) -> bool:
    """Whether all of it stands still already, whoever stopped it."""
    found = await blocking.call(lambda: members(tree))
    return bool(found) and all(seen.state in _STOPPED for seen in found.values())


async def thaw(tree: Tree) -> int:
    """Let the whole tree go on; returns how many processes that are."""
    found = await blocking.call(lambda: members(tree))
    for seen in found.values():
        _signal(seen, signal.SIGCONT)
    return len(found)


def _signal(seen: Stat, number: int) -> None:
    with contextlib.suppress(ActionError):  # it went by itself
        processes.send(seen.pid, seen.generation, number)


async def _sweep(tree: Tree, number: int, seconds: float) -> bool:
    """Signal each member once, new ones too, until none is left (True) or the time is over (False)."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    told: set[str] = set()
    while found := await blocking.call(lambda: members(tree)):
        left = deadline - loop.time()
        if left <= 0:
            return False
        with contextlib.ExitStack() as held:
            fds = []
            for seen in found.values():
                # Gone between the look and the grip: nothing to do.
                with contextlib.suppress(ActionError):
                    fds.append(held.enter_context(processes.opened(seen.pid, seen.generation)))
                    if seen.generation not in told:
                        told.add(seen.generation)
                        _tell(fds[-1], number)
            # A short wait at a time under KILL: what forks while it dies is to be caught too.
            await processes.gone(fds, min(left, 0.25) if number == signal.SIGKILL else left)
    return True


def _tell(fd: int, number: int) -> None:
    """Send the signal, and wake what was stopped so that it can hear it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(fd, number)
        signal.pidfd_send_signal(fd, signal.SIGCONT)
