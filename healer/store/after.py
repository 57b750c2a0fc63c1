"""What became of the values that an action rested on: read from history, which is not sealed."""

from collections.abc import Iterable, MutableMapping
from typing import Any, Final

from healer.store.reader import Reader

SETTLED: Final = 15.0
"""Seconds after a verdict in which the next look at everything is sure to be kept."""
MOST: Final = 100
"""Healings of one answer whose values are looked up."""


def add_after(reader: Reader, healings: Iterable[MutableMapping[str, Any]]) -> None:
    """Fill in ``after``: of each series in ``before``, the last value seen between the action and its verdict.

    Raises HealerError where history cannot be read.
    """
    for healing in list(healings)[:MOST]:
        if healing["ended_at"] is not None and healing["before"]:
            names = {str(one["series"]) for one in healing["before"]}
            healing["after"] = _after(reader, names, healing["at"], healing["ended_at"] + SETTLED)


def _after(reader: Reader, names: set[str], start: float, end: float) -> list[dict[str, Any]]:
    metrics = {name.partition("{")[0] for name in names}
    known = {number: one for number, one in reader.series(metrics).items() if str(one) in names}
    latest: dict[str, dict[str, Any]] = {}
    for series, at, value in reader.stream(known, start, end):
        if at > start:  # at its very beginning it is what the action rested on
            latest[str(series)] = {"series": str(series), "value": value, "at": at}
    return [latest[name] for name in sorted(latest)]
