"""What a figure is: a value beside its target, its floor in this very run, and the peers."""

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

SLACK = 1.5
"""A slow machine is no excuse beyond this many times what its own parts need."""


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(milliseconds: Iterable[float]) -> dict[str, float]:
    values = list(milliseconds)
    return {
        "p50_ms": round(statistics.median(values), 3),
        "p99_ms": round(percentile(values, 0.99), 3),
        "times": len(values),
    }


def at_most(value: float, target: float, floor: float | None = None, **more: object) -> dict[str, object]:
    """A figure that should be small; reached at the target or at 1.5 floors, whichever is larger."""
    bound = max(target, SLACK * floor) if floor else target
    return {**_figure(value, target, floor), "reached": value <= bound, **more}


def at_least(value: float, target: float, floor: float | None = None, **more: object) -> dict[str, object]:
    """A rate; reached at the target or at the floor's rate divided by 1.5, whichever is smaller."""
    bound = min(target, floor / SLACK) if floor else target
    return {**_figure(value, target, floor), "reached": value >= bound, **more}


def _figure(value: float, target: float, floor: float | None) -> dict[str, object]:
    ratio = {} if not floor else {"floor": _short(floor), "ratio_to_floor": round(value / floor, 2)}
    return {"value": _short(value), "target": target, **ratio}


def _short(value: float) -> float:
    return round(value) if value >= 1000 else round(value, 3)


def quick() -> bool:
    return "--quick" in sys.argv


def told(measure: Callable[[], Mapping[str, Any]]) -> None:
    """Run a bench and print its one JSON object."""
    print(json.dumps(measure(), indent=2))
