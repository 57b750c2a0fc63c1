"""Which series of an exporter is meant, as people write it: ``name{label="value"}``, or ``sum(...)`` of several."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from healer.errors import HealerError

COMBINE = ("sum", "min", "max", "avg", "count")
_WHOLE = re.compile(r"(?:(\w+)\s*\(\s*)?([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s*(\))?", re.ASCII | re.DOTALL)
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|$)', re.ASCII | re.DOTALL)
_ESCAPES: Mapping[str, str] = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_HINT = 'write name{label="value"}, or sum(name{...})'


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One series, or several made one."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()
    """All of these, and any other."""
    combine: str = ""
    """One of `COMBINE`; empty: it must be one series."""

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is meant."""
        return all(labels.get(name) == value for name, value in self.labels)

    def of(self, values: Sequence[float]) -> float | str:
        """The one value of the series that are meant, or why there is none."""
        if not values:
            return "there is no such series"
        if self.combine:
            return float(_MADE[self.combine](values))
        return values[0] if len(values) == 1 else f"{len(values)} series match: say which, or sum(...)"


_MADE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "min": min,
    "max": max,
    "avg": lambda values: sum(values) / len(values),
    "count": len,
}


def parse(text: str) -> Pick:
    """Read one; raises HealerError."""
    found = _WHOLE.fullmatch(text.strip())
    if found is None or (found[1] is None) != (found[4] is None):
        raise HealerError(f"'{text[:60]}' names no series", hint=_HINT)
    if found[1] is not None and found[1] not in COMBINE:
        raise HealerError(f"'{found[1][:20]}' makes no one of several", hint=f"one of: {', '.join(COMBINE)}")
    labels, rest = [], (found[3] or "").strip()
    while rest:
        one = _LABEL.match(rest)
        if one is None:
            raise HealerError(f"'{rest[:60]}' is no label", hint=_HINT)
        labels.append((one[1], re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), one[2])))
        rest = rest[one.end() :]
    return Pick(metric=found[2], labels=tuple(labels), combine=found[1] or "")
