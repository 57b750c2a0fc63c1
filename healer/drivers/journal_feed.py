"""One journalctl: whole lines of what it writes, in batches that leave the loop its time, however much comes."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from healer import blocking
from healer.drivers import argv, processes

CHUNK = 65_536
LONGEST = 262_144
"""Octets of a line; a longer one is passed over."""
PAUSE = 0.05
"""Seconds in which one chunk is read: so much of the loop a flood may have, and no more."""
_MOST_SAID = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """Who hears of it, on the loop's thread."""

    lines: Callable[[Sequence[bytes], bool], None]
    """Whole lines, and whether more are waiting."""
    cut: Callable[[], None]
    """A line was too long."""
    ended: Callable[["Feed", str], None]
    """It ended by itself, and what it said."""


class Feed:
    """A child that writes lines. Made by `started`; `end` is the owner's."""

    def __init__(self, pid: int, out: int, err: int, ears: Ears) -> None:
        self.pid = pid
        self.said = ""
        """What it wrote to standard error, its first 4 KiB."""
        self._out, self._err, self._ears = out, err, ears
        self._fd = processes.grip(pid)
        self._rest = b""
        self._skipping = self._ended = False
        self._pause: asyncio.TimerHandle | None = None
        self._began, self._spent = 0.0, 0
        self._pressed = False
        """More comes than is read."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(out, self._read)
        self._loop.add_reader(err, self._hear)
        self._loop.add_reader(self._fd, self._gone)

    @classmethod
    async def started(cls, words: Sequence[str], ears: Ears) -> "Feed":
        """Start it; raises ActionError."""
        executable = argv.resolve(words[0])
        out, out_end = os.pipe2(os.O_CLOEXEC)
        err, err_end = os.pipe2(os.O_CLOEXEC)
        env = argv.environment({"LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}, {}, argv.own_account())

        def spawn() -> int:
            return processes.spawn(words, executable=executable, env=env, cwd="/", output=out_end, errors=err_end)

        try:
            pid = await blocking.call(spawn)
        except BaseException:
            os.close(out)
            os.close(err)
            raise
        finally:
            os.close(out_end)
            os.close(err_end)
        os.set_blocking(out, False)
        os.set_blocking(err, False)
        return cls(pid, out, err, ears)

    @property
    def waits(self) -> bool:
        """Whether it waits for something to happen; not while it runs, wants to run, or waits for a disk."""
        seen = processes.stat(self.pid)
        return seen is not None and seen.state == "S"

    @property
    def held(self) -> bool:
        """Whether somebody has stopped it: then silence says nothing."""
        seen = processes.stat(self.pid)
        return seen is not None and seen.state in "Tt"

    def end(self) -> None:
        """Kill it, for it keeps nothing, and let go of it."""
        if self._ended:
            return
        self._ended = True
        if self._pause is not None:
            self._pause.cancel()
        for fd in (self._out, self._err, self._fd):
            self._loop.remove_reader(fd)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, signal.SIGKILL)
        if processes.reap(self._fd) is not None:
            os.close(self._fd)
        else:
            self._loop.add_reader(self._fd, _bury, self._loop, self._fd)
        os.close(self._out)
        os.close(self._err)

    def _gone(self) -> None:
        """It ended by itself: what it wrote last is still in its pipes."""
        self._hear()
        while not self._ended and self._take(more=False):
            pass
        if not self._ended:
            self.end()
            self._ears.ended(self, self.said)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            said = os.read(self._err, _MOST_SAID)
            if not said:
                self._loop.remove_reader(self._err)
            self.said = (self.said + said.decode("utf-8", "replace"))[:_MOST_SAID]

    def _read(self) -> None:
        # How much one read brings says nothing: a pipe is handed over in the pieces it was written in.
        now = self._loop.time()
        if now - self._began > PAUSE:
            self._pressed = False
            self._began, self._spent = now, 0
        self._take(more=self._pressed)
        self._rest_a_while()

    def _rest_a_while(self) -> None:
        """Where much came in a short time, let the others have theirs."""
        if self._spent < CHUNK or self._ended:
            return
        self._pressed = True
        self._loop.remove_reader(self._out)
        self._pause = self._loop.call_later(PAUSE, self._go_on)

    def _go_on(self) -> None:
        """After a pause: where nothing came in it, all has been read."""
        self._began, self._spent = self._loop.time(), 0
        self._loop.add_reader(self._out, self._read)
        if self._take(more=True):
            self._rest_a_while()
        elif not self._ended:
            self._pressed = False
            self._ears.lines((), False)  # noqa: FBT003 - a callback takes no keywords

    def _take(self, *, more: bool) -> bool:
        """Hand over what is there; False where nothing is."""
        try:
            data = os.read(self._out, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._out)  # its end is told by its pidfd
            return False
        self._spent += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines and self._skipping:
            del lines[0]
            self._skipping = False
        if len(self._rest) > LONGEST:
            self._ears.cut()
            self._rest, self._skipping = b"", True
        elif self._skipping:
            self._rest = b""
        self._ears.lines(lines, more)
        return True


def _bury(loop: asyncio.AbstractEventLoop, fd: int) -> None:
    loop.remove_reader(fd)
    processes.reap(fd)
    os.close(fd)
