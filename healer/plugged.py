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
FAILED: dict[str, str] = {}
"""Plug-ins that could not be taken up, by where they are, and why."""


def apply(name: str, *numbers: float) -> float:
    """What a function makes of numbers; NaN (unknown) for what is unknown, for an error, and for anything else."""
    function = FUNCTIONS.get(name)
    if function is None or any(number != number for number in numbers):  # noqa: PLR0124 - NaN
        return math.nan
    try:
        found = function.call(*numbers)
    except Exception:  # noqa: BLE001 - whatever a stranger's code raises is an unknown, and nobody's end
        return math.nan
    if isinstance(found, bool | int | float):
        try:
            return float(found)
        except OverflowError:
            return math.nan
    return math.nan


def failures() -> str:
    """Which plug-ins failed, in words; empty when none did."""
    return "; ".join(f"{where}: {because}" for where, because in FAILED.items())
