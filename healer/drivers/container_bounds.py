"""What a change makes of a container's bounds: pure, never beyond what was declared, nor below what it uses now."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from healer.drivers.containers import Limits
from healer.errors import ActionError, HealerError
from healer.model.change import Change

SETTINGS = ("cpu", "memory", "weight", "tasks")
"""The parameters of `adjust` that a container has."""
_MIB = 2**20
_LEAST = {"cpu": 0.01, "memory": 16.0 * _MIB, "weight": 2.0, "tasks": 8.0}
_ROOM = 1.1
"""Times what it uses now: less would have it killed, or unable to start a thread, at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What there is, and what it uses of it."""

    cpus: float
    """Cores of the host."""
    memory: float
    """Bytes of the host."""
    declared: Mapping[str, float]
    """``bounds`` of the target: cpu in cores, memory in bytes, tasks."""
    memory_used: float = 0.0
    tasks_used: float = 0.0

    def least(self, setting: str) -> float:
        """The least a change may leave it."""
        used = {"memory": self.memory_used, "tasks": self.tasks_used}.get(setting, 0.0)
        return max(_LEAST[setting], math.ceil(_ROOM * used))

    def most(self, setting: str) -> float:
        """The most a change may give it."""
        usual = {"cpu": self.cpus or 1.0, "memory": self.memory / 2, "weight": 262144.0, "tasks": 4096.0}[setting]
        most = self.declared.get(setting, usual)
        return min(most, self.cpus) if setting == "cpu" and self.cpus else most


def planned(changes: Mapping[str, Change], now: Limits, room: Room) -> Limits:
    """The new bounds; raises ActionError for what cannot be, or could not be taken back."""
    new = now
    for setting, change in changes.items():
        new = _set(new, setting, _value(setting, change, now, room))
    return new


def _value(setting: str, change: Change, now: Limits, room: Room) -> float:
    present = {"cpu": now.cpus, "memory": now.memory, "weight": now.cpu_shares, "tasks": now.pids}[setting]
    if not present:
        present = _unbounded(setting, change, room)
    least, most = room.least(setting), room.most(setting)
    if least > most:
        raise ActionError(
            f"its {setting} may be {most:g} at most, and it uses nearly that or more now",
            hint=f"give it more: bounds: {{{setting}: ...}} of the target",
            transient=True,
        )
    try:
        return change.apply(present, least=least, most=max(most, present), whole=_whole(setting, room))
    except HealerError as exc:
        raise ActionError(exc.message, hint=exc.hint, transient=False) from exc


def _unbounded(setting: str, change: Change, room: Room) -> float:
    """What a change starts from where nothing is set."""
    if setting == "memory":
        raise ActionError(
            "its memory is not bounded, and an engine cannot take a bound away again",
            hint="bound it yourself first: docker update --memory AMOUNT NAME",
            transient=False,
        )
    if change.sign == "+":
        raise ActionError(f"its {setting} is not bounded: there is nothing to add to", transient=False)
    return room.most(setting)


def _whole(setting: str, room: Room) -> float:
    return {"cpu": 1.0, "memory": room.memory}.get(setting, room.most(setting))


def _set(limits: Limits, setting: str, value: float) -> Limits:
    if setting == "cpu":
        if limits.nano_cpus:
            return replace(limits, nano_cpus=round(value * 1e9))
        return replace(limits, cpu_quota=round(value * limits.cpu_period))
    if setting == "memory":
        memory = round(value)
        swap = limits.memory_swap + memory - limits.memory if limits.memory_swap > 0 else limits.memory_swap
        return replace(limits, memory=memory, memory_swap=swap)
    return replace(limits, **{{"weight": "cpu_shares", "tasks": "pids"}[setting]: round(value)})


def noted(limits: Limits) -> dict[str, int]:
    """The bounds as integers by name, for the sealed note of what to put back."""
    return {
        "nano_cpus": limits.nano_cpus, "cpu_quota": limits.cpu_quota, "cpu_period": limits.cpu_period,
        "cpu_shares": limits.cpu_shares, "memory": limits.memory, "memory_swap": limits.memory_swap,
        "pids": limits.pids,
    }  # fmt: skip


def put_back(note: Mapping[str, Any], now: Limits) -> tuple[Limits, list[str]]:
    """The bounds with what we changed put back, and the names of those that somebody else has changed since.

    ``note``: ``was`` and ``is``, each as `noted` says it. Raises ActionError where it is no such note.
    """
    try:
        was, made = Limits(**dict(note["was"])), Limits(**dict(note["is"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise ActionError("the note of the former bounds makes no sense", transient=False) from exc
    before, ours, present = noted(was), noted(made), noted(now)
    changed = [name for name in before if before[name] != ours[name]]
    others = [name for name in changed if present[name] != ours[name]]
    return replace(now, **{name: before[name] for name in changed if name not in others}), others


def told(old: Limits, new: Limits) -> str:
    """What changes, for a sentence: ``memory 64 MiB -> 80 MiB``."""
    rows = (
        ("cpu", _cores(old.cpus), _cores(new.cpus)),
        ("memory", _mib(old.memory), _mib(new.memory)),
        ("weight", str(old.cpu_shares), str(new.cpu_shares)),
        ("tasks", str(old.pids or "unbounded"), str(new.pids or "unbounded")),
    )
    return ", ".join(f"{name} {before} -> {after}" for name, before, after in rows if before != after)


def _cores(value: float) -> str:
    return f"{value:g}" if value else "unbounded"


def _mib(value: int) -> str:
    return f"{value / _MIB:.4g} MiB" if value else "unbounded"
