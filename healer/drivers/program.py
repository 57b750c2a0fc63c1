"""One program the agent runs: what was declared, what is remembered on disk, what a look at it tells."""

import hashlib
import json
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from healer.errors import ActionError
from healer.model.observation import Observation, Reading, labels
from healer.model.target import EMPTY, Target
from healer.model.unit import Unit

_STATE_CAP = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSpec:
    """A program as declared. Durations in seconds."""

    name: str
    command: tuple[str, ...]
    cwd: str = "/"
    env: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    user: str = ""
    """Empty: the agent's own account."""
    autostart: bool = True
    ready: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """One of http, tcp, file, command; and ``within``. Empty: ready as soon as it runs."""
    stop_signal: int = signal.SIGTERM
    grace: float = 5.0
    on_stop: str = ""
    """``stop`` or ``keep`` when the agent stops; empty: as the agent thinks fit."""


def spec_of(target: Target) -> ProgramSpec:
    """The program behind a target of kind ``program``; raises ActionError where its command is missing."""
    spec = target.spec
    if not spec.get("command"):
        raise ActionError(f"{target.id} has no command", transient=False)
    stop = spec.get("stop") or {}
    return ProgramSpec(
        name=target.name,
        command=tuple(str(word) for word in spec["command"]),
        cwd=str(spec.get("cwd") or "/"),
        env=dict(spec.get("env") or {}),
        user=str(spec.get("user") or ""),
        autostart=bool(spec.get("autostart", True)),
        ready=dict(spec.get("ready") or {}),
        stop_signal=signal_number(str(stop.get("signal") or "TERM")),
        grace=float(stop.get("grace", 5.0)),
        on_stop=str(spec.get("on_stop") or ""),
    )


def signal_number(name: str) -> int:
    """``HUP``, ``SIGHUP`` or ``hup`` as a number; raises ActionError for a signal there is not."""
    try:
        return signal.Signals["SIG" + name.upper().removeprefix("SIG")].value
    except KeyError as exc:
        raise ActionError(f"there is no signal {name[:40]!r}", transient=False) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSnapshot:
    """A program as it is now."""

    name: str
    pid: int | None
    started_at: float | None
    """Boot-clock second; None when it does not run."""
    state: str
    """The word of a `State`."""
    generation: str
    """``pid.starttime``; empty when it does not run."""
    restarts: int
    """Starts after the first one, over the life of the state folder."""
    exit_code: int | None
    """Of the last exit; minus the signal where one ended it; None while it never exited, or nobody knows."""
    exits_unknown: bool
    """It was taken over from an earlier agent: its exit status will be (or was) unknown."""
    wanted: bool
    """False: stopped on purpose."""
    intent: str = ""
    """Leaf hash of the intent it was started under."""
    because: str = ""
    """Why it is not ready yet, or ended; empty when there is nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the state file of a program says. Never trusted against /proc."""

    pid: int = 0
    ticks: int = 0
    boot: str = ""
    intent: str = ""
    restarts: int = 0
    starts: int = 0
    wanted: bool = True
    exit_code: int | None = None
    held: bool = False
    """It is in quarantine: nothing starts it until it is let go."""


def file_name(name: str) -> str:
    """A file name for a program: readable, and never two programs' the same."""
    plain = re.sub(r"[^A-Za-z0-9_@-]", "_", name)[:100]
    return plain if plain == name else f"{plain}.{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"


def save(path: Path, remembered: Remembered) -> None:
    """Write the state file at once or not at all. Not synced: after a crash /proc tells what the file does not."""
    fields = {name: getattr(remembered, name) for name in Remembered.__slots__}
    fresh = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(fresh, flags, 0o600)
    try:
        os.write(fd, json.dumps(fields).encode("ascii"))
    finally:
        os.close(fd)
    fresh.replace(path)


def recall(path: Path) -> Remembered:
    """Read the state file; whatever is missing, half-written or of the wrong type is as if never written."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Remembered()
    try:
        found = json.loads(os.read(fd, _STATE_CAP))
    except (OSError, ValueError, RecursionError):
        return Remembered()
    finally:
        os.close(fd)
    return _sane(found) if isinstance(found, dict) else Remembered()


def _sane(found: Mapping[str, Any]) -> Remembered:
    def number(key: str) -> int:
        value = found.get(key)
        return value if type(value) is int and 0 <= value < 1 << 53 else 0

    def word(key: str) -> str:
        value = found.get(key)
        return value if isinstance(value, str) and len(value) <= 200 else ""

    return Remembered(
        pid=number("pid"),
        ticks=number("ticks"),
        boot=word("boot"),
        intent=word("intent"),
        restarts=number("restarts"),
        starts=number("starts"),
        wanted=found.get("wanted") is not False,
        held=found.get("held") is True,
        exit_code=code if type(code := found.get("exit_code")) is int and -64 <= code <= 255 else None,
    )


def describe_exit(code: int | None) -> str:
    """An exit in words."""
    if code is None:
        return "it ended; its exit status is unknown"
    if code < 0:
        return f"killed by signal {-code} ({signal.strsignal(-code) or 'unknown'})"
    return f"exited with {code}"


def readings(seen: ProgramSnapshot, at: float, *, conclusive: bool) -> tuple[Reading, ...]:
    """What an event of a program tells: up, state, incarnation and, after an exit whose status is known, the code."""
    mine = labels(target=f"program:{seen.name}")

    def one(metric: str, value: float | str, unit: Unit) -> Observation:
        return Observation(metric=metric, labels=mine, value=value, unit=unit, at=at, conclusive=conclusive)

    found: list[Reading] = [
        one("program.up", 0.0 if seen.pid is None else 1.0, Unit.FLAG),
        one("program.wanted", float(seen.wanted), Unit.FLAG),
        one("program.state", seen.state, Unit.WORD),
        one("program.generation", seen.generation, Unit.WORD),
        one("program.restarts", float(seen.restarts), Unit.COUNT),
    ]
    if seen.pid is None and seen.exit_code is not None:
        found.append(one("program.exit_code", float(seen.exit_code), Unit.NUMBER))
    return tuple(found)
