"""Run a check of the operator's own: its exit code, and the number or the JSON it prints."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from healer.clock import Clock
from healer.drivers import argv, processes
from healer.errors import ActionError, SensorError
from healer.model.observation import Reading
from healer.model.target import EMPTY, Target
from healer.sensors import reply as replies
from healer.sensors.interface import TargetSensor
from healer.sensors.sane import Sieve

MOST_OUTPUT = 65536
"""Bytes: a check that prints more is not one."""
_MARGIN = 0.5
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


class CommandSensor(TargetSensor):
    """One command.

    Keys of the target: ``argv`` (no shell), ``json`` (paths into what it prints, else ``state``, ``error``,
    ``message``, ``value`` and ``metrics`` are taken by these names), ``user``, ``env`` (added to a clean
    environment). Exit 0 is ok. One that cannot be started, does not end in time or prints without end is unknown.
    """

    def __init__(self, target: Target, clock: Clock) -> None:
        super().__init__(target, every=60.0, margin=_MARGIN)
        spec = target.spec
        self._clock = clock
        self._argv = [str(word) for word in spec["argv"]]
        self._env: Mapping[str, str] = spec.get("env") or EMPTY
        self._user = str(spec.get("user") or "")
        self._json: Mapping[str, Any] = spec.get("json") or EMPTY

    async def look(self, now: float) -> Sequence[Reading]:
        """Run it once."""
        start = self._clock.now()
        try:
            code, output = await self._run()
        except (ActionError, OSError) as exc:
            raise SensorError(f"cannot run {self._argv[0]}: {exc}") from exc
        sieve = Sieve(now, self.marks)
        sieve.number("command.rc", code)
        sieve.number("command.latency", self._clock.now() - start)
        wrong = self._tell_output(sieve, output.strip())
        sieve.number("command.ok", code == 0 and not wrong)
        self.garbage += sieve.garbage
        return sieve.readings

    async def _run(self) -> tuple[int, bytes]:
        """Exit code and output; raises SensorError, ActionError, OSError. Nothing of its group outlives the look."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            try:
                pid = self._spawn(writing)
            finally:
                os.close(writing)
            os.set_blocking(reading, False)
            fd = os.pidfd_open(pid)
            code: int | None = None
            try:
                async with asyncio.timeout(self.patience):
                    output = await _output(pipe.fileno(), fd)
            except TimeoutError as exc:
                raise SensorError(f"{self._argv[0]} did not end within {self.patience:g} s") from exc
            finally:
                code = _end(pid, fd)
        return 128 - code if code is not None and code < 0 else code or 0, output

    def _spawn(self, writing: int) -> int:
        who = argv.account(self._user) if self._user else None
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            return processes.spawn(
                argv.checked(self._argv),
                executable=argv.resolve(self._argv[0]),
                env=argv.environment(self._env, {"HEALER_TARGET": self.target}, who or argv.own_account()),
                cwd="/",
                output=writing,
                errors=null,
                who=who,
                umask=0o077,
            )
        finally:
            os.close(null)

    def _tell_output(self, sieve: Sieve, text: bytes) -> bool | None:
        """Tell what it printed; True where that says there is an error."""
        if _NUMBER.fullmatch(text):
            sieve.number("command.value", float(text))
            return None
        try:
            document = replies.parse(text) if text else None
        except SensorError:
            document = None
        if not isinstance(document, dict):
            sieve.unknown("command.value", "it printed no number and no JSON object" if text else "it printed nothing")
            return None
        return self._tell_document(sieve, document)

    def _tell_document(self, sieve: Sieve, document: dict[str, object]) -> bool | None:
        paths = self._json or {name: name for name in ("state", "error", "message", "value") if name in document}
        if paths.get("value"):
            sieve.number("command.value", replies.find(document, paths["value"]))
        further = replies.numbers(document, {"metrics": self._json.get("metrics")})
        if not self._json and isinstance(document.get("metrics"), dict):
            further = dict(document["metrics"])  # type: ignore[call-overload]  # isinstance does not narrow an item
        replies.tell_numbers(sieve, "command", self.target, further)
        return replies.tell(sieve, "command", document, paths)


async def _output(reading: int, pidfd: int) -> bytes:
    """What the process prints until it ends; a child of it that keeps the pipe open does not hold us."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    got = bytearray()

    def read() -> None:
        if _more(reading, got) is False:
            loop.remove_reader(reading)
        if len(got) > MOST_OUTPUT and not ended.done():
            ended.set_result(None)

    def end() -> None:
        loop.remove_reader(pidfd)
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(reading, read)
    loop.add_reader(pidfd, end)
    try:
        await ended
    finally:
        loop.remove_reader(reading)
        loop.remove_reader(pidfd)
    while len(got) <= MOST_OUTPUT and _more(reading, got):
        pass  # what it wrote last is still in the pipe
    if len(got) > MOST_OUTPUT:
        raise SensorError(f"it printed more than {MOST_OUTPUT} bytes")
    return bytes(got)


def _more(reading: int, got: bytearray) -> bool | None:
    """Read what is there; False at the end, None when there is nothing more for now."""
    try:
        chunk = os.read(reading, MOST_OUTPUT)
    except BlockingIOError:
        return None
    got += chunk
    return bool(chunk)


def _end(pid: int, pidfd: int) -> int | None:
    """End what is left of its group, and take its exit code; None when it had to be killed.

    Until it is reaped its pid is not used again, so the group is its own.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    code = processes.reap(pidfd)
    if code is not None:
        os.close(pidfd)
        return code
    loop = asyncio.get_running_loop()

    def bury() -> None:
        loop.remove_reader(pidfd)
        processes.reap(pidfd)
        os.close(pidfd)

    loop.add_reader(pidfd, bury)
    return None
