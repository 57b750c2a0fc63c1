"""What plug-ins have added to this process, by name: empty on most hosts.

One place for the process, because a rule's text, a target's kind and a verb are names that mean the same wherever they
are read. `healer.config.plugins` fills it, and takes out again what a reload no longer names.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MakeSensor = Callable[[Any, Any], Any]
"""(target, clock) -> `healer.sensors.interface.Sensor`."""
MakeAction = Callable[[], Any]
"""() -> `healer.actions.interface.Action`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A pure function of numbers that expressions may use."""

    name: str
    arguments: int
    decides: bool
    """It says yes or no, and stands as a condition by itself."""
    call: Callable[..., object]
    doc: str


SENSORS: dict[str, MakeSensor] = {}
"""By kind of target."""
ACTIONS: dict[str, MakeAction] = {}
"""By verb."""
FUNCTIONS: dict[str, Function] = {}
"""By name."""
RAISED: dict[str, str] = {}
"""Functions that raised, or gave what is no number, and the last of it: their conditions are unknown."""
FAILED: dict[str, str] = {}
"""Plug-ins that could not be taken up, by where they are, and why."""


def apply(name: str, *numbers: float) -> float:
    """What a function makes of numbers; NaN (unknown) for what is unknown, for an error, and for anything else."""
    function = FUNCTIONS.get(name)
    if function is None or any(number != number for number in numbers):  # noqa: PLR0124 - NaN
        return math.nan
    try:
        found = function.call(*numbers)
        if isinstance(found, bool | int | float):
            RAISED.pop(name, None)
            return float(found)
        RAISED[name] = f"it gave {type(found).__name__}, which is no number"
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever a stranger's code raises is an unknown, no more
        RAISED[name] = f"{type(exc).__name__}: {exc}"[:200]
    return math.nan


def failures() -> str:
    """Which plug-ins failed, in words; empty when none did."""
    return "; ".join(f"{where}: {because}" for where, because in FAILED.items())
