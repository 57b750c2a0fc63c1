"""The programs the agent runs: one look for all of them, by descriptors kept open, so that fifty cost what one did."""

from collections.abc import Callable, Sequence
from typing import Protocol

from healer.model.observation import Labels, Reading, labels
from healer.sensors.interface import QuickSensor
from healer.sensors.procfs import KeptFile, Usage, count_fds, parse_usage
from healer.sensors.rates import FIRST
from healer.sensors.sane import Sieve

_SLOW_SECONDS = 20.0
"""What changes seldom (words, counts, descriptors) is told this often, and at once when the incarnation changes."""
_RUNNING = ("program.cpu", "program.memory")
_RUNNING_SLOW = ("program.uptime", "program.threads", "program.fds")
_DEAD = "ZX"


class ProgramSnapshot(Protocol):
    """What the driver knows of one program."""

    @property
    def pid(self) -> int | None:
        """None when it does not run."""

    @property
    def started_at(self) -> float | None:
        """Boot-clock second."""

    @property
    def state(self) -> str:
        """The word of a `State`."""

    @property
    def generation(self) -> str:
        """``pid.starttime``; empty when it does not run."""

    @property
    def restarts(self) -> int:
        """Starts after the first one."""

    @property
    def wanted(self) -> bool:
        """False while it was stopped on purpose."""

    @property
    def exit_code(self) -> int | None:
        """Of the last exit; None while there was none, or nobody saw it."""


class ProgramView(Protocol):
    """The driver, as far as a look needs it."""

    def names(self) -> Sequence[str]:
        """All declared programs."""

    def generation(self, name: str) -> str:
        """Its incarnation as it is now, as in the snapshot, and cheaper."""

    def snapshot(self, name: str) -> ProgramSnapshot:
        """One program as it is now."""


class _Watched:
    """What is remembered of one program between looks."""

    __slots__ = ("cpu", "file", "generation", "marks")

    def __init__(self, name: str) -> None:
        self.marks: Labels = labels(target=f"program:{name}")
        self.generation: str | None = None
        self.file: KeptFile | None = None
        self.cpu: tuple[float, float] | None = None
        """(seconds of CPU time, when)."""

    def follow(self, snapshot: ProgramSnapshot) -> None:
        """Turn to the incarnation of the snapshot, which is another one than before."""
        self.release()
        self.generation = snapshot.generation
        if snapshot.pid is not None:
            self.file = KeptFile(f"/proc/{snapshot.pid}/stat", 512)

    def release(self) -> None:
        """Forget the incarnation."""
        if self.file is not None:
            self.file.close()
        self.file, self.cpu, self.generation = None, None, None


class ProgramSensor(QuickSensor):
    """Every program: up, CPU and memory at each look; state, generation, restarts and the rest in turns.

    Exits are not found here: the driver pushes them the moment they happen.
    """

    def __init__(self, view: ProgramView, *, every: float = 1.0, fds: Callable[[int], int] = count_fds) -> None:
        super().__init__(name="programs", every=every, timeout=1.0, max_age=max(10.0, 3 * every))
        self._view = view
        self._fds = fds
        self._watched: dict[str, _Watched] = {}
        self._beat = 0
        self._turns = max(1, min(10, int(_SLOW_SECONDS / every)))

    def covers(self, target: str) -> bool:
        """One sensor for every program."""
        return target == self.name or target.startswith("program:")

    def glance(self, now: float) -> Sequence[Reading]:
        """Look at all of them."""
        sieve = Sieve(now)
        names = self._view.names()
        for index, name in enumerate(names):
            self._look_at(sieve, name, slow=(index + self._beat) % self._turns == 0)
        for gone in self._watched.keys() - set(names):
            self._watched.pop(gone).release()
        self._beat += 1
        self.garbage += sieve.garbage
        return sieve.readings

    def _look_at(self, sieve: Sieve, name: str, *, slow: bool) -> None:
        watched = self._watched.get(name)
        if watched is None:
            watched = self._watched[name] = _Watched(name)
        another = watched.generation is None or self._view.generation(name) != watched.generation
        snapshot = self._view.snapshot(name) if slow or another else None
        if snapshot is not None and another:
            watched.follow(snapshot)
        try:
            usage = _usage(watched)
        except (OSError, ValueError) as exc:
            # The driver holds a pidfd and would have told of an end: /proc hides it (hidepid), or it ends right now.
            self._blind(sieve, watched.marks, f"cannot read {watched.file and watched.file.path}: {exc}")
            return
        sieve.number("program.up", usage is not None, watched.marks)
        if usage is not None:
            self._tell_usage(sieve, watched, usage)
        else:
            # What is down is told whole at each look: whoever is to start it must not wait for its turn to know more.
            snapshot = snapshot or self._view.snapshot(name)
        if snapshot is not None:
            self._tell_slow(sieve, watched.marks, snapshot, usage)

    @staticmethod
    def _blind(sieve: Sieve, marks: Labels, because: str) -> None:
        for metric in ("program.up", *_RUNNING):
            sieve.unknown(metric, because, marks)

    @staticmethod
    def _tell_usage(sieve: Sieve, watched: _Watched, usage: Usage) -> None:
        last, watched.cpu = watched.cpu, (usage.cpu, sieve.at)
        if last is None or sieve.at <= last[1]:
            sieve.unknown("program.cpu", FIRST, watched.marks)
        else:
            sieve.number("program.cpu", (usage.cpu - last[0]) / (sieve.at - last[1]), watched.marks)
        sieve.number("program.memory", usage.rss, watched.marks)

    def _tell_slow(self, sieve: Sieve, marks: Labels, snapshot: ProgramSnapshot, usage: Usage | None) -> None:
        if usage is None:
            for metric in _RUNNING + _RUNNING_SLOW:
                sieve.unknown(metric, "it does not run", marks)
        else:
            self._tell_running(sieve, marks, snapshot, usage)
        _tell_remembered(sieve, marks, snapshot)

    def _tell_running(self, sieve: Sieve, marks: Labels, snapshot: ProgramSnapshot, usage: Usage) -> None:
        sieve.number("program.threads", usage.threads, marks)
        started = snapshot.started_at
        sieve.number("program.uptime", None if started is None else max(0.0, sieve.at - started), marks)
        try:
            sieve.number("program.fds", self._fds(snapshot.pid or 0), marks)
        except OSError as exc:
            sieve.unknown("program.fds", f"cannot list its descriptors: {exc.strerror}", marks)

    async def close(self) -> None:
        """Close the kept files."""
        for watched in self._watched.values():
            watched.release()
        self._watched.clear()


def _usage(watched: _Watched) -> Usage | None:
    """What the incarnation uses now; None when it is dead, even where nobody has reaped it yet. Raises OSError.

    A descriptor kept open belongs to the incarnation: after its death reading fails, also when the pid is used again.
    """
    if watched.file is None:
        return None
    try:
        usage = parse_usage(watched.file.read())
    except ProcessLookupError:
        return None
    return None if usage.state in _DEAD else usage


def _tell_remembered(sieve: Sieve, marks: Labels, snapshot: ProgramSnapshot) -> None:
    sieve.number("program.wanted", snapshot.wanted, marks)
    sieve.word("program.state", snapshot.state, marks)
    sieve.word("program.generation", snapshot.generation, marks)
    sieve.number("program.restarts", snapshot.restarts, marks)
    sieve.maybe("program.exit_code", snapshot.exit_code, "it has not exited, or nobody saw how", marks)
