"""Running one command to its end: output capped, all of it hashed, nothing of it left behind when its time is over."""

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from healer import blocking
from healer.drivers import argv, cgroups, processes, trees
from healer.drivers.argv import Account
from healer.errors import ActionError

_CHUNK = 65536
_CHUNKS_A_TURN = 16
"""What a command that floods us gets per turn of the loop: the rest of the agent has its turns too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int | None
    """0-255, or minus the signal."""
    timed_out: bool
    output: bytes
    """Standard output and error as they came; beyond the cap, its beginning and its end."""
    size: int
    """Bytes there were in all."""
    sha256: str
    """Of all of them."""
    killed: int
    """Processes that had to be killed."""


class Capture:
    """The beginning and the end of a stream of any length, and the hash of all of it."""

    def __init__(self, most: int) -> None:
        self._head_most = most // 2
        self._tail_most = most - self._head_most
        self._head = bytearray()
        self._tail = bytearray()
        self._hash = hashlib.sha256()
        self.size = 0

    def take(self, chunk: bytes) -> None:
        """The next octets of the stream."""
        self.size += len(chunk)
        self._hash.update(chunk)
        room = self._head_most - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room < len(chunk) else b""
        if len(self._tail) > self._tail_most + _CHUNK * 4:
            del self._tail[: -self._tail_most]

    @property
    def sha256(self) -> str:
        """Hash of all that came."""
        return self._hash.hexdigest()

    @property
    def kept(self) -> bytes:
        """What is kept, with a line in the middle that says how much is missing there."""
        tail = bytes(self._tail[-self._tail_most :]) if self._tail_most else b""
        missing = self.size - len(self._head) - len(tail)
        gap = f"\n[... {missing} bytes left out ...]\n".encode() if missing else b""
        return bytes(self._head) + gap + tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and in which surroundings."""

    argv: Sequence[str]
    env: Mapping[str, str]
    """All of it: nothing is inherited."""
    markers: Mapping[str, str]
    """Those of its variables by which what stems from it is found."""
    cwd: str = "/"
    who: Account | None = None
    most: int = 65536
    """Bytes of output that are kept."""
    group: cgroups.Cgroup | None = None
    keep_daemons: bool = True
    """What left its session is left alone when it ends by itself."""


async def run(command: Command, *, timeout: float, grace: float) -> Ended:
    """Run it; raises ActionError when it cannot be started, or outlives KILL.

    When ``timeout`` seconds are over: TERM, ``grace`` seconds, KILL, of all that stems from it, daemons too. When it
    ends by itself, what it left in its own session is killed.
    """
    words = argv.checked(command.argv)
    executable = argv.resolve(words[0], command.env["PATH"], command.cwd)
    argv.check_owners(executable)
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.set_blocking(writing, True)
        pid = await blocking.call(lambda: _spawn(command, words, executable, writing))
        return await _Running(pid, reading, command).wait(timeout, grace)
    finally:
        os.close(reading)


def _spawn(command: Command, words: list[str], executable: str, writing: int) -> int:
    try:
        return processes.spawn(
            words,
            executable=executable,
            env=command.env,
            cwd=command.cwd,
            output=writing,
            who=command.who,
            umask=0o077,
        )
    finally:
        os.close(writing)


class _Running:
    """A command on its way."""

    def __init__(self, pid: int, reading: int, command: Command) -> None:
        self._fd = processes.grip(pid)
        seen = processes.stat(pid)  # not reaped yet, so it is there, dead or alive
        self._tree = trees.Tree(
            root=pid, ticks=seen.ticks if seen else 0, markers=command.markers, cgroup=command.group
        )
        self._reading = reading
        self._capture = Capture(command.most)
        self._keep_daemons = command.keep_daemons

    async def wait(self, timeout: float, grace: float) -> Ended:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._reading, self._read)
        try:
            if self._tree.cgroup is not None:
                await blocking.call(self._join)
            ended = await processes.gone([self._fd], timeout)
            # The dead leader is reaped after this: until then its session's number cannot be anybody else's.
            killed = await self._clean(grace, ended=ended)
        except asyncio.CancelledError:
            await blocking.call(self._kill_now)
            raise
        finally:
            loop.remove_reader(self._reading)
            self._read()
            code = processes.reap(self._fd)
            os.close(self._fd)
            if self._tree.cgroup is not None and not self._tree.cgroup.remove():
                # The kernel lets go of the dead a moment after their pidfds fired.
                loop.call_later(0.1, self._tree.cgroup.remove)
        capture = self._capture
        return Ended(
            code=code,
            timed_out=not ended,
            output=capture.kept,
            size=capture.size,
            sha256=capture.sha256,
            killed=killed,
        )

    async def _clean(self, grace: float, *, ended: bool) -> int:
        if not ended:
            return await trees.end(self._tree, grace=grace)
        left = await blocking.call(lambda: trees.members(self._tree))
        if self._keep_daemons:
            left = {pid: seen for pid, seen in left.items() if seen.session == self._tree.root}
        with contextlib.ExitStack() as held:
            fds = []
            for seen in left.values():
                with contextlib.suppress(ActionError):  # it went by itself
                    fds.append(held.enter_context(processes.opened(seen.pid, seen.generation)))
                    processes.send(seen.pid, seen.generation, signal.SIGKILL)
            await processes.gone(fds, 1.0)
        return len(left)

    def _join(self) -> None:
        group = self._tree.cgroup
        if group is not None and group.attach(self._tree.root):
            for pid in trees.members(self._tree).keys() - group.members():
                group.attach(pid)

    def _kill_now(self) -> None:
        """The agent stops, or gave up waiting: nothing may go on unwatched."""
        for seen in trees.members(self._tree).values():
            with contextlib.suppress(ActionError):  # it went by itself
                processes.send(seen.pid, seen.generation, signal.SIGKILL)

    def _read(self) -> None:
        for _ in range(_CHUNKS_A_TURN):
            try:
                chunk = os.read(self._reading, _CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._reading)
                return
            self._capture.take(chunk)
