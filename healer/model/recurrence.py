"""A calendar window as plain JSON values, for entries of the log: numbers and dates, not the words they came from."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from healer.model.active import Active

_SPANS = ("hours", "month_days", "years")
_LISTS = ("days", "months")


def to_json(active: Active) -> dict[str, Any]:
    """The parts that are given."""
    found: dict[str, Any] = {name: list(getattr(active, name)) for name in _LISTS}
    found |= {name: [list(span) for span in getattr(active, name)] for name in _SPANS}
    found["dates"] = [[day.isoformat() for day in span] for span in active.dates]
    found["outside"] = [to_json(one) for one in active.outside]
    found["tz"] = active.tz
    return {name: value for name, value in found.items() if value}


def from_json(raw: Mapping[str, Any]) -> Active:
    """Read back `to_json`; raises TypeError or ValueError on anything else."""
    parts: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _LISTS:
            parts[name] = tuple(int(one) for one in value)
        elif name in _SPANS:
            parts[name] = tuple((int(first), int(last)) for first, last in value)
        elif name == "dates":
            parts[name] = tuple((dt.date.fromisoformat(first), dt.date.fromisoformat(last)) for first, last in value)
        elif name == "outside":
            parts[name] = tuple(from_json(one) for one in value)
        elif name == "tz":
            parts[name] = str(value)
        else:
            raise ValueError(f"a recurrence has no {name!r}")
    return Active(**parts)
