"""Calendar windows as they are written: in YAML (``active``, ``not_in``), and as the parts of a condition."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from healer.model.active import Active, fits
from healer.yamldoc import times
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Scalar
from healer.yamldoc.parsers import Text, parsed
from healer.yamldoc.shape import Bad, Field, ListOf, Mistake, Record, Schema, Shape, Values, suggestion

_LEAP = dt.date(2024, 1, 1)
"""First day of the year in which every day of every month comes."""
_LONGEST = 3660
"""Days of a range of dates that are looked at when asking whether it can ever come."""


class _Word(Shape):
    """A calendar word, which may be a bare number (a day, a month, a year)."""

    def __init__(self, says: str, parse: Callable[[str], Any]) -> None:
        self._says = says
        self._parse = parse

    def read(self, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - what ``parse`` makes of it
        """What the parser makes of the text."""
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or not isinstance(node.value, str | int):
            raise self.wrong(node, problems)
        return parsed(node, self._parse, problems)

    def expected(self) -> str:
        """By example."""
        return self._says

    def schema(self) -> Schema:
        """Text or a number."""
        return {"type": ["string", "integer"]}


def _list(says: str, parse: Callable[[str], Any]) -> ListOf:
    return ListOf(_Word(says, parse), least=1, most=100, alone=True)


_ZONE = Text(called="a time zone such as Europe/Warsaw", parse=times.zone)
_FIELDS = (
    Field(
        name="days", shape=_list("weekdays such as mon-fri", times.days), default=(), shown="mon-sun", doc="weekdays"
    ),
    Field(
        name="hours",
        shape=_list('hours such as "22:00-06:00"', times.hours),
        default=(),
        doc="spans of the day; start inclusive, end exclusive; they may run over midnight, and then belong to the day "
        "they began",
    ),
    Field(
        name="month_days",
        shape=_list("a day of the month such as 15, 1-7 or -1", times.month_days),
        default=(),
        doc="days of the month; negative from its end: -1 is the last",
    ),
    Field(name="months", shape=_list("a month such as jan or 1", times.months), default=(), doc="months: jan-mar, 12"),
    Field(
        name="dates",
        shape=_list("a date such as 2026-12-24", times.dates),
        default=(),
        doc="dates, or ranges of dates (2026-12-24..2027-01-02), both ends included",
    ),
    Field(name="years", shape=_list("a year such as 2026", times.years), default=(), doc="years: 2026, 2026-2030"),
    Field(name="tz", shape=_ZONE, default="", doc="IANA time zone; else the host's"),
)


def _build(values: Values, problems: Problems) -> Active:
    made = _made(values)
    if not values.marks.keys() - {"tz"}:
        problems.add(values.mark, "a calendar window without any part is always", "give hours, days, dates, ...")
        raise Bad
    if because := _never(made):
        problems.add(values.mark, because, "look at days, month_days, months, dates and years together")
        raise Bad
    return made


def _made(values: Mapping[str, Any]) -> Active:
    return Active(
        days=_flat(values["days"]) or tuple(range(7)),
        hours=tuple(values["hours"]),
        month_days=tuple(values["month_days"]),
        months=_flat(values["months"]),
        dates=tuple(values["dates"]),
        years=tuple(values["years"]),
        tz=values["tz"],
    )


def _flat(lists: Iterable[Iterable[int]]) -> tuple[int, ...]:
    return tuple(sorted({number for numbers in lists for number in numbers}))


def _never(active: Active) -> str:
    """Why a window can never be open, whatever the year; empty where it can."""
    if active.dates:
        if not any(fits(active, day) for day in _days_of(active.dates)):
            return "none of its dates is one of its days"
        return ""
    any_year = Active(months=active.months, month_days=active.month_days)
    if not any(fits(any_year, _LEAP + dt.timedelta(days=number)) for number in range(366)):
        return "no month has such a day"
    return ""


def _days_of(ranges: Iterable[tuple[dt.date, dt.date]]) -> Iterable[dt.date]:
    for first, last in ranges:
        for number in range(min((last - first).days + 1, _LONGEST)):
            yield first + dt.timedelta(days=number)


CALENDAR = Record(*_FIELDS, build=_build)
"""A window in YAML."""
NOT_IN = ListOf(CALENDAR, least=1, most=32, alone=True)

_PARTS: Mapping[str, Callable[[str], Any]] = {
    "days": times.days,
    "hours": times.hours,
    "month_days": times.month_days,
    "months": times.months,
    "dates": times.dates,
    "years": times.years,
}
PARTS = (*_PARTS, "tz")
"""Names of the parts a condition may give."""


def window(parts: Mapping[str, str]) -> Active:
    """A window from named texts, such as ``{"hours": "22:00-06:00", "days": "mon-fri"}``; raises Mistake.

    A comma stands between several spans, of which one has to hold.
    """
    if unknown := next((name for name in parts if name not in _PARTS and name != "tz"), None):
        raise Mistake(f"a calendar has no '{unknown[:40]}'", suggestion(unknown, (*_PARTS, "tz")))
    if not any(name in parts for name in _PARTS):
        raise Mistake("a calendar window without any part is always", "give hours, days, dates, ...")
    values: dict[str, Any] = {
        name: [parse(one.strip()) for one in parts[name].split(",")] if name in parts else []
        for name, parse in _PARTS.items()
    }
    made = _made(values | {"tz": times.zone(parts["tz"]) if "tz" in parts else ""})
    if because := _never(made):
        raise Mistake(because, "look at days, month_days, months, dates and years together")
    return made


def except_for(active: Active | None, outside: tuple[Active, ...]) -> Active | None:
    """A window (None: always) without those in which nothing is done."""
    return replace(active or Active(), outside=outside) if outside else active
