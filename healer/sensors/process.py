"""Processes somebody else runs, found by name, command line, user or pid file."""

import fnmatch
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from healer.clock import Clock
from healer.drivers.slot import Slot
from healer.errors import SensorError
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.interface import TargetSensor
from healer.sensors.procfs import TICKS, Usage, count_fds, generation, parse_usage
from healer.sensors.rates import FIRST
from healer.sensors.sane import Sieve

_STATES = {
    "R": "running", "S": "sleeping", "D": "disk-sleep", "T": "stopped", "t": "tracing-stop", "Z": "zombie",
    "X": "dead", "I": "idle", "P": "parked",
}  # fmt: skip
_ABOUT = ("process.cpu", "process.memory", "process.threads", "process.uptime", "process.fds")
_LARGEST_PID = 1 << 22
_SLACK = 2.0
"""Seconds a process may be younger than its pid file: some daemons write the file just before they fork."""


class Match(NamedTuple):
    """One process that matched, as it was at the look."""

    pid: int
    usage: Usage
    fds: int | None
    """None where the kernel does not let us count."""


class ProcessSensor(TargetSensor):
    """Every process that fits the description.

    Keys of the target: ``process`` (glob over the program's name), ``cmdline`` (glob over the whole line), ``user``,
    ``pidfile``; all given must hold. A pid file is never trusted alone: its process must be older than the file, and
    the file's owner root or the process's own account, or anybody could point it at anything.
    """

    def __init__(self, target: Target, clock: Clock) -> None:
        super().__init__(target, every=5.0)
        spec = target.spec
        self._clock = clock
        self._name = str(spec.get("process") or "")
        self._cmdline = str(spec.get("cmdline") or "")
        self._user = str(spec.get("user") or "")
        self._pidfile = str(spec.get("pidfile") or "")
        if not (self._name or self._cmdline or self._user or self._pidfile):
            # An empty selection means nothing, never everything.
            raise SensorError(f"{target.id} does not say which process", hint="process, cmdline, user or pidfile")
        self._slot = Slot(target.id)
        self._denied = 0
        """Processes of the last look that would not say who they are."""
        self._cpu: dict[str, float] = {}
        self._looked: float | None = None

    async def look(self, now: float) -> Sequence[Reading]:
        """Look in a thread: reading the command line of a process stuck in the kernel can hang."""
        matches = await self._slot.call(self._find)
        sieve = Sieve(now, self.marks)
        self._tell(sieve, matches)
        self.garbage += sieve.garbage
        return sieve.readings

    def _find(self) -> list[Match]:
        if self._pidfile:
            pid = read_pidfile(self._pidfile)
            pids: Iterable[int] = () if pid is None else (pid,)
        else:
            pids = psutil.pids()
        self._denied = 0
        matches = [match for pid in pids if (match := self._match(pid)) is not None]
        if not matches and (self._denied or not os.access("/proc/1/stat", os.R_OK)):
            raise SensorError(
                "nothing matches among the processes shown to this account, and some are hidden",
                hint="/proc may be mounted with hidepid, or the agent needs more rights",
            )
        return matches

    def _match(self, pid: int) -> Match | None:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                if not self._is_it(process):
                    return None
            return self._measure(pid)
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return None  # it went between the list and the look: neither bad nor a crash
        except (psutil.AccessDenied, PermissionError):
            self._denied += 1
            return None

    def _is_it(self, process: psutil.Process) -> bool:
        if self._name and not fnmatch.fnmatchcase(process.name(), self._name):
            return False
        if self._user and process.username() != self._user:
            return False
        if self._cmdline and not fnmatch.fnmatchcase(" ".join(process.cmdline()), self._cmdline):
            return False
        return not self._pidfile or self._is_of_pidfile(process)

    def _is_of_pidfile(self, process: psutil.Process) -> bool:
        """A process younger than its pid file has another's number; a file of a stranger tells whatever he likes."""
        file = Path(self._pidfile).stat(follow_symlinks=False)
        return process.create_time() <= file.st_mtime + _SLACK and file.st_uid in (0, process.uids().real)

    @staticmethod
    def _measure(pid: int) -> Match | None:
        usage = parse_usage(Path(f"/proc/{pid}/stat").read_bytes())
        if usage.state in "ZX":
            return None
        try:
            return Match(pid, usage, count_fds(pid))
        except PermissionError:
            return Match(pid, usage, None)

    def _tell(self, sieve: Sieve, matches: list[Match]) -> None:
        sieve.number("process.up", bool(matches))
        sieve.number("process.count", len(matches))
        oldest = min(matches, key=lambda match: (match.usage.started, match.pid), default=None)
        cpu, self._cpu = self._cpu, {generation(m.pid, m.usage.started): m.usage.cpu for m in matches}
        looked, self._looked = self._looked, sieve.at
        if oldest is None:
            sieve.word("process.state", "absent")
            sieve.word("process.generation", "")
            sieve.all_unknown(_ABOUT, "no process matches")
            return
        sieve.word("process.state", _STATES.get(oldest.usage.state, oldest.usage.state))
        sieve.word("process.generation", generation(oldest.pid, oldest.usage.started))
        self._tell_cpu(sieve, cpu, looked)
        sieve.number("process.memory", sum(match.usage.rss for match in matches))
        sieve.number("process.threads", sum(match.usage.threads for match in matches))
        sieve.number("process.uptime", max(0.0, self._clock.now() - oldest.usage.started / TICKS))
        counts = [match.fds for match in matches if match.fds is not None]
        if len(counts) == len(matches):
            sieve.number("process.fds", sum(counts))
        else:
            sieve.unknown("process.fds", "not allowed to count the descriptors of all of them")

    def _tell_cpu(self, sieve: Sieve, before: dict[str, float], looked: float | None) -> None:
        """CPU time of the incarnations seen at both looks; what came or went between is left out."""
        both = before.keys() & self._cpu.keys()
        if looked is None or not both or sieve.at <= looked:
            sieve.unknown("process.cpu", FIRST)
            return
        used = sum(max(0.0, self._cpu[key] - before[key]) for key in both)
        sieve.number("process.cpu", used / (sieve.at - looked))


def read_pidfile(path: str) -> int | None:
    """The pid in the file; None when there is no file. Raises SensorError on anything that is no pid.

    Opened without waiting and without following a link: whoever may write beside it must not hang or mislead us.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise SensorError(f"cannot read the pid file {path}: {exc.strerror}") from exc
    try:
        text = os.read(fd, 64)
    except OSError as exc:
        raise SensorError(f"cannot read the pid file {path}: {exc.strerror}") from exc
    finally:
        os.close(fd)
    words = text.split()
    if len(words) != 1 or not words[0].isdigit() or not 1 < int(words[0]) <= _LARGEST_PID:
        raise SensorError(f"the pid file {path} holds no pid", hint="it may be half-written")
    return int(words[0])
