"""What a unit may use: the settings of its control group that can be changed while it runs."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from healer.drivers.systemd.unit import UNSET
from healer.errors import ActionError, HealerError
from healer.model.change import Change
from healer.model.target import EMPTY

NONE = "none"
"""In a note of former values: there was no limit."""
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One of them, by the name systemd gives it."""

    property: str
    per: float = 1.0
    """systemd's number for 1 of ours."""
    unset: float = math.inf
    """What holds where nothing is set."""
    least: float
    most: float = math.inf
    doc: str


SETTINGS: Mapping[str, Setting] = {
    "cpu": Setting(property="CPUQuotaPerSecUSec", per=1e6, least=0.05, doc="CPUQuota="),
    "memory": Setting(property="MemoryMax", least=16.0 * _MIB, doc="MemoryMax="),
    "memory_high": Setting(property="MemoryHigh", least=16.0 * _MIB, doc="MemoryHigh="),
    "weight": Setting(property="CPUWeight", unset=100.0, least=1.0, most=10000.0, doc="CPUWeight="),
    "io_weight": Setting(property="IOWeight", unset=100.0, least=1.0, most=10000.0, doc="IOWeight="),
    "tasks": Setting(property="TasksMax", least=16.0, most=2.0**22, doc="TasksMax="),
}
"""By the name of the parameter of `adjust`."""
PROPERTIES = tuple(setting.property for setting in SETTINGS.values())


def planned(
    changes: Mapping[str, Change],
    now: Mapping[str, int],
    *,
    memory_used: int | None,
    bounds: Mapping[str, float] = EMPTY,
) -> dict[str, int]:
    """New values by property, within bounds; raises ActionError for what cannot be, or would kill at once.

    ``now``: systemd's numbers, `UNSET` where there is no limit. ``memory_used``: bytes; None where nobody counts.
    ``bounds``: the most there may be of ``cpu`` (cores), ``memory`` (bytes) and ``tasks``, where declared.
    """
    new: dict[str, int] = {}
    for name, change in changes.items():
        setting = SETTINGS[name]
        most = min(setting.most, _whole(name), bounds.get("memory" if name == "memory_high" else name, math.inf))
        before = now.get(setting.property, UNSET)
        present = setting.unset if before == UNSET else before / setting.per
        try:
            value = change.apply(present, least=min(setting.least, most), most=most, whole=_share_of(name))
        except HealerError as exc:
            raise ActionError(f"{setting.doc} of it is not set: {exc.message}", hint=exc.hint, transient=False) from exc
        if name == "memory" and memory_used is not None and value < memory_used:
            raise ActionError(f"{setting.doc}{value:.0f} would kill it: it uses {memory_used} bytes", transient=False)
        new[setting.property] = round(value * setting.per)
    return new


def noted(former: Mapping[str, int], new: Mapping[str, int]) -> dict[str, object]:
    """What puts the former values back, and tells whether somebody else has changed them since."""
    note: dict[str, object] = {}
    for name, value in new.items():
        was = former.get(name, UNSET)
        note[name] = NONE if was == UNSET else was
        note[f"{name}.ours"] = value
    return note


def put_back(note: Mapping[str, object], now: Mapping[str, int]) -> tuple[dict[str, int], list[str]]:
    """The former values to set, and the names of those that somebody else has changed since: they are left alone."""
    back: dict[str, int] = {}
    others: list[str] = []
    for name in PROPERTIES:
        if name not in note:
            continue
        was, ours = note[name], note.get(f"{name}.ours")
        if ours is not None and now.get(name, UNSET) != ours:
            others.append(name)
        elif was == NONE:
            back[name] = UNSET
        elif isinstance(was, int) and not isinstance(was, bool) and 0 <= was < UNSET:
            back[name] = was
        else:
            raise ActionError(f"{name}: {was!r:.40} is no former value", transient=False)
    return back, others


def _whole(name: str) -> float:
    if name == "cpu":
        return float(os.cpu_count() or 1)
    return float(psutil.virtual_memory().total) if name in ("memory", "memory_high") else math.inf


def _share_of(name: str) -> float:
    """What a percentage without a sign is of: one core, the host's memory, the default weight."""
    whole, unset = _whole(name), SETTINGS[name].unset
    if name == "cpu" or (math.isinf(whole) and math.isinf(unset)):
        return 1.0
    return unset if math.isinf(whole) else whole
