"""A question about one metric's past, and its answer as one JSON document; the same with and without an agent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from healer.errors import HealerError
from healer.model.observation import Series
from healer.store.kept import Bucket, Line
from healer.store.reader import Reader

AUTO: Final = -1.0
"""The step that shows a span without drowning the reader."""
RAW: Final = 0.0
"""No step: every sample as it was kept."""
RAW_SPAN: Final = 3 * 3600.0
"""Seconds of which every sample is shown unless told otherwise."""
POINTS: Final = 300
"""Buckets of one series that are a picture."""
MOST: Final = 10_000
"""Samples, or buckets, of one answer: of more, the rest is asked for."""
_STEPS: Final = (10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0, 86_400.0, 604_800.0)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which metric, of which series, between which wall seconds (both included), how fine."""

    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)
    start: float
    end: float
    step: float = AUTO
    limit: int = MOST


def answer(reader: Reader, asked: Asked) -> Json:
    """``samples`` where every one is shown, else ``lines`` of buckets; raises HealerError."""
    known = reader.series({asked.metric}, asked.labels)
    step = _step(asked, len(known))
    found: Json = {"metric": asked.metric, "start": asked.start, "end": asked.end, "step": step}
    if step == RAW:
        return found | _samples(reader, asked, known)
    buckets = (asked.end - asked.start) / step * len(known)
    if buckets > asked.limit + len(known):
        raise HealerError(
            f"that would be {buckets:.0f} values, and at most {asked.limit} are told", hint="a longer step"
        )
    return found | {"lines": [_line(one) for one in reader.lines(known, asked.start, asked.end, step)]}


def _step(asked: Asked, series: int) -> float:
    span = asked.end - asked.start
    if asked.step != AUTO:
        return asked.step
    if span <= RAW_SPAN:
        return RAW
    points = max(1, min(POINTS, asked.limit // (series or 1)))
    return next((one for one in _STEPS if span / one <= points), max(_STEPS[-1], span / points))


def _samples(reader: Reader, asked: Asked, known: Mapping[int, Series]) -> Json:
    """The oldest first; a moment is told whole or not at all, so that ``next`` can say where to go on."""
    found: list[Json] = []
    for series, at, value in reader.stream(known, asked.start, asked.end):
        if len(found) >= asked.limit and at != found[-1]["at"]:
            return {"samples": found, "next": math.nextafter(found[-1]["at"], math.inf)}
        found.append({"at": at, "labels": dict(series.labels), "value": value})
    return {"samples": found, "next": None}


def _line(line: Line) -> Json:
    return {"labels": dict(line.series.labels), "buckets": [_bucket(one) for one in line.buckets]}


def _bucket(one: Any) -> Json:  # noqa: ANN401 - a bucket of numbers or of words
    if not isinstance(one, Bucket):
        return {"at": one.at, "last": one.last, "count": one.samples}
    return {
        "at": one.at,
        "min": one.least,
        "max": one.most,
        "mean": float(f"{one.mean:.7g}"),
        "last": one.last,
        "count": one.samples,
    }
