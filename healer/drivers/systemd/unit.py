"""A unit as systemd describes it, and how to read what it says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNSET = 2**64 - 1
"""systemd's "no value" where a number is expected: not counted, or no limit."""
SUFFIXES = (
    "service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope",
)  # fmt: skip
LIVING = ("active", "reloading", "refreshing")
"""States in which a unit does its work; systemd counts them as active itself."""
MOVING = ("activating", "deactivating", "maintenance")
"""On its way from one state to another: neither well nor sick."""
KEPT = (
    "Id", "LoadState", "ActiveState", "SubState", "Result", "InvocationID", "NRestarts", "MainPID", "Type",
    "RemainAfterExit", "ExecMainCode", "ExecMainStatus", "ActiveEnterTimestamp", "CPUUsageNSec", "MemoryCurrent",
    "TasksCurrent", "LastTriggerUSec", "TriggeredBy", "ConditionResult", "ConditionTimestamp", "CanReload",
    "Job", "Restart",
)  # fmt: skip
"""Of some four hundred properties, the ones that are read here."""
_PLAIN = re.compile(r"[A-Za-z0-9]", re.ASCII)
_EXITED, _KILLED, _DUMPED = 1, 2, 3
_ROOT = "/org/freedesktop/systemd1/unit/"


class NoSense(ValueError):
    """An answer that systemd cannot have meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit, at one moment."""

    id: str
    """Its own name, whichever of its aliases it was asked by."""
    load: str
    """loaded, not-found, masked, bad-setting, error, merged or stub."""
    state: str
    """active, reloading, inactive, failed, activating, deactivating, maintenance or refreshing."""
    sub: str
    """The same in the words of its type: running, exited, listening, auto-restart ..."""
    result: str
    """How its last run ended: success, exit-code, signal, oom-kill, watchdog, timeout ...; empty where it has none."""
    invocation: str
    """The id of the current or last run, 32 hexadecimal digits; empty when it never ran."""
    restarts: int | None
    """Times systemd itself started it again since somebody else did."""
    pid: int
    """Of its main process; 0 is none."""
    oneshot: bool
    """It runs and is done: not to run is its normal state."""
    exit_code: int | None
    """Of its main process's last run, 128 + N for signal N."""
    since: float | None
    """Second since 1970 in which it last became active."""
    cpu: float | None
    """Seconds of CPU time since its start; None where systemd does not count it."""
    memory: int | None
    """Bytes, with its page cache."""
    tasks: int | None
    """Processes and threads."""
    triggered: float | None
    """Of a timer: second since 1970 in which it last fired."""
    triggers: tuple[str, ...]
    """Sockets, timers and paths that start it when it is needed."""
    conditions: bool
    """False: when it was last to start, the conditions in its file did not hold."""
    policy: str
    """When systemd starts it again by itself: no, always, on-failure ...; empty where it never does."""
    job: bool
    """systemd has been told to do something with it, and has not done it yet."""
    reloadable: bool
    """It has a way to read its configuration again."""

    @property
    def generation(self) -> str:
        """Its incarnation: the invocation id while there is a run, else empty."""
        return self.invocation if self.state in (*LIVING, *MOVING) else ""

    @property
    def failed(self) -> bool:
        """It ended badly, and nobody is about to change that."""
        return self.state == "failed" and not self.job

    @property
    def open(self) -> bool:
        """It is down, and whether systemd starts it again is not to be told from this alone."""
        down = self.state in ("failed", "inactive") and not self.job
        return down and self.policy not in ("", "no") and self.result != "start-limit-hit"

    @property
    def restarting(self) -> bool:
        """It ended, and systemd is about to start it again."""
        return "auto-restart" in self.sub

    def standing(self) -> bool | str:
        """Whether it is up; or, where nobody can say so now, why."""
        if self.load not in ("loaded", "merged"):
            return False  # not there, or masked: whatever it still says of its last run
        if self.state in LIVING:
            return True
        if self.oneshot and self.state in ("activating", "inactive"):
            return True  # at work, or done: only a failure is bad
        if self.state in MOVING:
            return "systemd is about to start it again" if self.restarting else f"it is {self.state}"
        if self.job:
            return "systemd has a job for it"
        if self.state == "inactive" and not self.conditions:
            return "at rest: the conditions for its start did not hold"
        if self.state == "inactive" and self.triggers:
            return f"at rest: {self.triggers[0]} starts it when it is needed"
        return False


def full(name: str) -> str:
    """The name with its suffix: ``nginx`` is ``nginx.service``."""
    return name if name.rpartition(".")[2] in SUFFIXES else f"{name}.service"


def template(name: str) -> str:
    """``web@.service`` of ``web@1.service``, or of itself; empty where it has none."""
    stem, _, suffix = name.rpartition(".")
    before, at, _ = stem.partition("@")
    return f"{before}@.{suffix}" if at and before else ""


def is_template(name: str) -> bool:
    """It names no unit, but a whole family."""
    return bool(name) and template(name) == name


def instance(of: str, which: int) -> str:
    """``web@3.service`` of ``web@.service``."""
    return of.replace("@.", f"@{which}.", 1)


def path(name: str) -> str:
    """The unit's object on the bus."""
    return _ROOT + "".join(
        char if _PLAIN.fullmatch(char) and not (place == 0 and char.isdigit()) else f"_{ord(char):02x}"
        for place, char in enumerate(name)
    )


def describe(said: Mapping[str, Any]) -> Unit:
    """Read properties; raises NoSense where what every unit has is missing or of another type."""
    oneshot = said.get("Type") == "oneshot" and not said.get("RemainAfterExit")
    since = _number(said, "ActiveEnterTimestamp")
    triggered = _number(said, "LastTriggerUSec")
    cpu = _number(said, "CPUUsageNSec")
    return Unit(
        id=_word(said, "Id"),
        load=_word(said, "LoadState"),
        state=_word(said, "ActiveState"),
        sub=_word(said, "SubState"),
        result=str(said.get("Result", "")),
        invocation=_invocation(said.get("InvocationID", b"")),
        restarts=_number(said, "NRestarts"),
        pid=_number(said, "MainPID") or 0,
        oneshot=oneshot,
        exit_code=_exit_code(_number(said, "ExecMainCode"), _number(said, "ExecMainStatus")),
        since=since / 1e6 if since else None,
        cpu=None if cpu is None else cpu / 1e9,
        memory=_number(said, "MemoryCurrent"),
        tasks=_number(said, "TasksCurrent"),
        triggered=triggered / 1e6 if triggered else None,
        triggers=_names(said.get("TriggeredBy")),
        conditions=bool(said.get("ConditionResult", True)) or not said.get("ConditionTimestamp"),
        policy=str(said.get("Restart", "")),
        job=_waiting(said.get("Job")),
        reloadable=bool(said.get("CanReload")),
    )


def _word(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise NoSense(f"{name} is {value!r:.40}")
    return value


def _number(said: Mapping[str, Any], name: str) -> int | None:
    value = said.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < UNSET else None


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list | tuple) else ()


def _waiting(job: object) -> bool:
    return isinstance(job, list | tuple) and bool(job) and job[0] != 0


def _invocation(value: object) -> str:
    try:
        octets = bytes(value) if isinstance(value, bytes | bytearray | list) else b""
    except (TypeError, ValueError):
        return ""
    return octets.hex() if len(octets) == 16 and any(octets) else ""


def _exit_code(code: int | None, status: int | None) -> int | None:
    if code == _EXITED:
        return status
    if code in (_KILLED, _DUMPED) and status is not None:
        return 128 + status
    return None
