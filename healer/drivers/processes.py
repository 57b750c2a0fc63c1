"""Processes as the kernel tells of them: incarnations, trees, signals that cannot hit a stranger, and starting one."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from healer.drivers.argv import Account
from healer.errors import ActionError

_PROC = Path("/proc")
_ENVIRON_CAP = 2_097_152
TICKS = os.sysconf("SC_CLK_TCK")
"""Clock ticks per second, the unit of start times in /proc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """The line of /proc/PID/stat, as far as it tells processes apart."""

    pid: int
    state: str
    """One letter; Z and X are dead, whatever ``kill -0`` says."""
    parent: int
    group: int
    session: int
    ticks: int
    """Start time since boot: with the pid it names one incarnation."""

    @property
    def generation(self) -> str:
        """``pid.starttime``; empty for a zombie."""
        return "" if self.dead else f"{self.pid}.{self.ticks}"

    @property
    def dead(self) -> bool:
        """It only waits to be reaped (pid 1 may take seconds for that)."""
        return self.state in "ZX"


def stat(pid: int) -> Stat | None:
    """Read what the kernel knows of a process; None when there is none."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        line = os.read(fd, 4096)
    except OSError:  # ESRCH: it went between open and read
        return None
    finally:
        os.close(fd)
    return parse_stat(line)


def parse_stat(line: bytes) -> Stat | None:
    """Parse /proc/PID/stat; the name in brackets may hold anything, brackets and newlines too."""
    head, bracket, tail = line.rpartition(b")")
    fields = tail.split()
    if not bracket or len(fields) < 20:
        return None
    return Stat(
        pid=int(head.split(b" ", 1)[0]),
        state=fields[0].decode("ascii"),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        ticks=int(fields[19]),
    )


def generation(pid: int) -> str:
    """The incarnation behind a pid now; empty when there is none or it is a zombie."""
    seen = stat(pid)
    return seen.generation if seen else ""


def everyone() -> dict[int, Stat]:
    """Every process there is."""
    with os.scandir(_PROC) as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdigit()]
    return {seen.pid: seen for pid in pids if (seen := stat(pid)) is not None}


def lineage() -> frozenset[int]:
    """Pid 1, this process and everything above it: none of them may be harmed."""
    found = {1, os.getpid()}
    pid = os.getppid()
    while pid > 1 and pid not in found:
        found.add(pid)
        seen = stat(pid)
        pid = seen.parent if seen else 1
    return frozenset(found)


def check_harmless(pid: int) -> None:
    """Raise ActionError where a signal would hit init, the agent or one of its parents."""
    if pid <= 1 or pid in lineage():
        raise ActionError(f"pid {pid} is init, the agent or a parent of it", hint="never done", transient=False)


def environ(pid: int) -> dict[str, str]:
    """The environment a process was started with; empty where it may not be read (or was overwritten)."""
    try:
        with (_PROC / str(pid) / "environ").open("rb") as file:
            raw = file.read(_ENVIRON_CAP)
    except OSError:
        return {}
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if b"=" in item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def marked(pid: int, markers: Mapping[str, str]) -> bool:
    """Whether the process was started (by whomever) with all these variables."""
    if not markers:
        return False
    try:
        with (_PROC / str(pid) / "environ").open("rb") as file:
            raw = b"\0" + file.read(_ENVIRON_CAP)
    except OSError:
        return False
    # An item ends with NUL; a value that merely starts with ours is another one.
    return all(os.fsencode(f"\0{name}={value}\0") in raw for name, value in markers.items())


def owner(pid: int) -> int | None:
    """The real user id of a process; None where it is gone.

    Not the owner of /proc/PID: a process can have that be root.
    """
    try:
        with (_PROC / str(pid) / "status").open("rb") as file:
            line = next((one for one in file if one.startswith(b"Uid:")), b"")
    except OSError:
        return None
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


@contextlib.contextmanager
def opened(pid: int, incarnation: str) -> Iterator[int]:
    """A pidfd that holds exactly this incarnation; raises ActionError when it is gone or another one has its number.

    The order matters: open first, compare afterwards. The other way round the number could change hands in between.
    """
    try:
        fd = os.pidfd_open(pid)
    except OSError as exc:
        raise ActionError(f"pid {pid} is gone", transient=False) from exc
    try:
        if generation(pid) != incarnation:
            raise ActionError(f"pid {pid} is another incarnation now", transient=False)
        yield fd
    finally:
        os.close(fd)


def send(pid: int, incarnation: str, number: int) -> None:
    """Send one signal to one incarnation; raises ActionError when it is gone, or must not be touched."""
    check_harmless(pid)
    with opened(pid, incarnation) as fd:
        try:
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError as exc:
            raise ActionError(f"pid {pid} is gone", transient=False) from exc
        except PermissionError as exc:
            raise ActionError(f"may not signal pid {pid}", hint="the agent lacks the right", transient=False) from exc


def descendants(roots: Iterable[int], table: Mapping[int, Stat]) -> set[int]:
    """The roots and everything that stems from them, as far as parents still tell."""
    children: dict[int, list[int]] = {}
    for seen in table.values():
        children.setdefault(seen.parent, []).append(seen.pid)
    found: set[int] = set()
    todo = list(roots)
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo.extend(children.get(pid, ()))
    return found


async def gone(fds: Sequence[int], timeout: float) -> bool:
    """Wait until every pidfd has fired, or ``timeout`` seconds are over; True when all did."""
    loop = asyncio.get_running_loop()
    waiting = {fd for fd in fds if not _fired(fd)}
    if not waiting:
        return True
    done: asyncio.Future[None] = loop.create_future()

    def fired(fd: int) -> None:
        loop.remove_reader(fd)
        waiting.discard(fd)
        if not waiting and not done.done():
            done.set_result(None)

    for fd in tuple(waiting):
        loop.add_reader(fd, fired, fd)
    try:
        await asyncio.wait_for(done, timeout)
    except TimeoutError:
        return False
    finally:
        for fd in waiting:
            loop.remove_reader(fd)
    return True


def _fired(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(0))


def spawn(
    argv: Sequence[str],
    *,
    executable: str,
    env: Mapping[str, str],
    cwd: str,
    output: int,
    errors: int | None = None,
    who: Account | None = None,
    umask: int = 0o022,
) -> int:
    """Start a process in its own session and return its pid; raises ActionError.

    CPython starts it by vfork (0.15 ms here, fork of a grown agent 1.75 ms), except where the account changes. Standard
    input is /dev/null, every descriptor but the outputs is closed, ignored signals are put back.
    """
    try:
        child = subprocess.Popen(
            argv,
            executable=executable,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output if errors is None else errors,
            close_fds=True,
            start_new_session=True,
            umask=umask,
            user=who.uid if who else None,
            group=who.gid if who else None,
            extra_groups=who.groups if who else None,
        )
    except BlockingIOError as exc:
        raise ActionError("the host has no room for another process", hint="pids or memory are used up") from exc
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        transient = isinstance(exc, OSError) and exc.errno is not None and exc.errno not in _NEVER
        raise ActionError(f"cannot start {argv[0]}: {exc}", transient=transient) from exc
    child.returncode = 0  # our pidfd owns it from here: Popen must neither warn nor reap it when it is forgotten
    return child.pid


def grip(pid: int) -> int:
    """A pidfd of a child just made; without one it could not be watched, so it is taken back. Raises ActionError."""
    try:
        return os.pidfd_open(pid)
    except OSError as exc:
        os.kill(pid, signal.SIGKILL)  # not reaped yet: the number is still its own
        os.waitpid(pid, 0)
        raise ActionError(f"cannot watch what was started: {exc}", hint="raise the limit of open files") from exc


def unprotect(pid: int, own: Path = Path("/proc/self/oom_score_adj")) -> None:
    """Give a child the usual place in the kernel's out-of-memory order, where ours is better (OOMScoreAdjust=).

    Without it a program that eats the memory would be the last to be killed, and everything else before it.
    """
    try:
        if int(own.read_text(encoding="ascii")) < 0:
            Path(f"/proc/{pid}/oom_score_adj").write_text("0", encoding="ascii")
    except (OSError, ValueError):
        return  # gone already, or another account's: it keeps what it inherited


_NEVER = {2, 8, 13, 20}  # ENOENT, ENOEXEC, EACCES, ENOTDIR: no later try is any better


def reap(fd: int) -> int | None:
    """Take the exit code of a child whose pidfd fired: 0-255, or minus the signal; None when it is not ours to know."""
    try:
        info = os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if info is None:
        return None
    return info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
