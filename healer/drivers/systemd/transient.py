"""A command in a unit of its own, made for it and gone after it: all that stems from it ends with it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from healer import blocking
from healer.drivers import argv
from healer.drivers.commands import Capture, Command, Ended
from healer.drivers.interface import DriverError
from healer.drivers.systemd.bus import Typed
from healer.drivers.systemd.systemd import Systemd
from healer.drivers.systemd.unit import LIVING, Unit
from healer.errors import AmbiguousError

MOST_WRITTEN = 64 * 2**20
"""Bytes it may write to one file, its output too; beyond that the kernel ends it."""
_ODDS = 5.0
"""Seconds beyond timeout and grace until systemd is not waited for any more."""
_CHUNK = 2**16


async def run(manager: Systemd, name: str, command: Command, *, output: Path, timeout: float, grace: float) -> Ended:
    """Run it as the unit ``name``, its output in the new file ``output``, which is read and removed.

    When ``timeout`` seconds are over systemd sends TERM, and KILL after ``grace`` more, to its whole control group,
    whether we live or not. Raises ActionError, and AmbiguousError when nobody can tell how it ended.
    """
    words = argv.checked(command.argv)
    executable = argv.resolve(words[0], command.env["PATH"], command.cwd)
    argv.check_owners(executable)
    ended: asyncio.Future[Unit | str] = asyncio.get_running_loop().create_future()

    def hear(news: Unit | str) -> None:
        if not ended.done() and (isinstance(news, str) or _over(news)):
            ended.set_result(news)

    await blocking.call(lambda: output.touch(mode=0o600, exist_ok=False))
    unsubscribe = manager.subscribe(name, hear)
    try:
        await manager.begin(name, properties(command, words, executable, output, timeout, grace))
        last = await _end(manager, name, ended, timeout + grace + _ODDS)
        await manager.discard(name)
        captured = await blocking.call(lambda: _read(output, command.most))
    finally:
        unsubscribe()
        await blocking.call(lambda: output.unlink(missing_ok=True))
    code = last.exit_code
    by_signal = code is not None and last.result not in ("success", "exit-code")
    return Ended(
        code=128 - code if by_signal and code is not None else code,
        timed_out=last.result == "timeout",
        output=captured.kept,
        size=captured.size,
        sha256=captured.sha256,
        killed=0,
    )


async def _end(manager: Systemd, name: str, ended: "asyncio.Future[Unit | str]", within: float) -> Unit:
    """Wait until it is over; raises AmbiguousError when nobody tells."""
    try:
        now = await manager.unit(name)  # from here on its changes are told; it may be over already
        async with asyncio.timeout(within):
            news = now if _over(now) else await ended
    except (DriverError, TimeoutError) as exc:
        raise AmbiguousError(f"nobody told how {name} ended: {exc}") from exc
    if isinstance(news, str):
        raise AmbiguousError(f"{news} while {name} ran")
    return news


def _over(unit: Unit) -> bool:
    return unit.state == "failed" or (unit.state in LIVING and unit.sub == "exited")


def properties(
    command: Command, words: Sequence[str], executable: str, output: Path, timeout: float, grace: float
) -> list[list[object]]:
    """What the unit is, in systemd's words."""
    said: dict[str, tuple[str, object]] = {
        "Description": ("s", f"run by healer: {words[0]}"[:200]),
        "Type": ("s", "simple"),  # that it began is all there is to wait for: it may end at once, and badly
        "RemainAfterExit": ("b", True),  # or it would be forgotten, and how it ended with it
        # Words stay words: systemd would fill in $VARIABLES.
        "ExecStartEx": ("a(sasas)", [[executable, list(words), ["no-env-expand"]]]),
        "Environment": ("as", [f"{key}={value}" for key, value in command.env.items()]),
        "WorkingDirectory": ("s", command.cwd),
        "StandardInput": ("s", "null"),
        "StandardOutputFileToAppend": ("s", str(output)),
        "StandardErrorFileToAppend": ("s", str(output)),
        "KillMode": ("s", "control-group"),
        "RuntimeMaxUSec": ("t", round(timeout * 1e6)),
        "TimeoutStopUSec": ("t", round(grace * 1e6)),
        "LimitFSIZE": ("t", MOST_WRITTEN),
    }
    if command.who is not None:
        said["User"] = ("s", command.who.name)
    return [[key, Typed(signature=signature, value=value)] for key, (signature, value) in said.items()]


def _read(path: Path, most: int) -> Capture:
    captured = Capture(most)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            captured.take(chunk)
    return captured
