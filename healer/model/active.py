"""When something may be: hours, weekdays, days of the month, months, dates and years, combined, in a time zone.

One value for all who ask the calendar: rules (``active``, ``not_in``), conditions and maintenance.
"""

import calendar
import datetime as dt
from dataclasses import dataclass

from healer.model.local import changed, local, zone

DAY_MINUTES = 24 * 60
WHOLE_DAY = (0, DAY_MINUTES)
QUARTER = 900
"""Seconds: wherever clocks change, they change on a quarter of an hour of UTC."""
LONGEST_CHANGE = 4 * 3600.0
"""Seconds by which no clock is set back."""
HORIZON = 400 * 86400.0
"""Seconds into the future that are searched for the next opening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """A calendar window. All parts given must hold; every span's start is inclusive.

    The end of hours is exclusive. Days, months, dates and years name the day on which a span of hours *began*.
    """

    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    """0 = Monday."""
    hours: tuple[tuple[int, int], ...] = ()
    """(from, to) in minutes of the day; from >= to runs over midnight. Empty: all day."""
    month_days: tuple[tuple[int, int], ...] = ()
    """(first, last), both included; negative from the end of the month: -1 is its last day. Empty: every day."""
    months: tuple[int, ...] = ()
    """1 = January. Empty: every month."""
    dates: tuple[tuple[dt.date, dt.date], ...] = ()
    """(first, last), both included. Empty: every date."""
    years: tuple[tuple[int, int], ...] = ()
    """(first, last), both included. Empty: every year."""
    tz: str = ""
    """IANA name; empty is the host's zone."""
    outside: tuple["Active", ...] = ()
    """Windows in which it is closed all the same."""


def is_active(active: Active, wall: float) -> bool:
    """Whether the window is open at ``wall`` (seconds since 1970).

    Hours that run over midnight belong to the day on which they began. Where daylight saving skips an hour, what would
    begin in it begins after it, and what lies within it never opens. Where an hour is doubled it counts once: what ends
    in it (or with it) ends the first time, and what began before its end and goes on afterwards is not interrupted.
    """
    shown = local(wall, zone(active.tz))
    return _inside(active, shown, wall) and not any(is_active(one, wall) for one in active.outside)


def fits(active: Active, day: dt.date) -> bool:
    """Whether a day is one of the window's, whatever the hour."""
    return (
        day.weekday() in active.days
        and (not active.months or day.month in active.months)
        and (not active.years or any(first <= day.year <= last for first, last in active.years))
        and (not active.dates or any(first <= day <= last for first, last in active.dates))
        and (not active.month_days or _in_month(active.month_days, day))
    )


def next_look(active: Active, wall: float) -> float:
    """A second after ``wall`` (since 1970) until which the window stays as it is; it may well stay longer."""
    shown = local(wall, zone(active.tz))
    now = shown.hour * 3600 + shown.minute * 60 + shown.second + shown.microsecond / 1e6
    edges = {0, *(minute % DAY_MINUTES for span in active.hours for minute in span)}
    # A clock change comes on a quarter of an hour, so that no edge is overslept for one.
    ends = [wall + (edge * 60 - now) % 86400.0 for edge in edges if edge * 60 != now]
    ends += [next_look(one, wall) for one in active.outside]
    return min(*ends, (wall // QUARTER + 1) * QUARTER) if ends else (wall // QUARTER + 1) * QUARTER


def opens(active: Active, wall: float) -> float | None:
    """The second (since 1970) at which the window is next open: ``wall`` itself where it is; None within 400 days."""
    at = wall
    while at - wall < HORIZON:
        if is_active(active, at):
            return at
        shown = local(at, zone(active.tz))
        until_midnight = 86400 - (shown.hour * 3600 + shown.minute * 60 + shown.second)
        empty = not fits(active, shown.date()) and not fits(active, shown.date() - dt.timedelta(days=1))
        # Most of a day that is none of its days is skipped; its last hours are not: the clock may change in them.
        at = at + until_midnight - 3 * 3600 if empty and until_midnight > 4 * 3600 else next_look(active, at)
    return None


def _in_month(spans: tuple[tuple[int, int], ...], day: dt.date) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]

    def number(given: int) -> int:
        return given if given > 0 else length + 1 + given

    return any(number(first) <= day.day <= number(last) for first, last in spans)


def _inside(active: Active, shown: dt.datetime, wall: float) -> bool:
    if not active.hours or WHOLE_DAY in active.hours:
        return fits(active, shown.date())
    if shown.fold:
        # The second time round: only what began before the doubled hour's end, and lasts beyond it, is open.
        end = _first_round_ended(wall, active.tz)
        return any(begins < end < ends for begins, ends in _spans(active, shown))
    return any(begins <= shown < ends for begins, ends in _spans(active, shown))


def _spans(active: Active, shown: dt.datetime) -> list[tuple[dt.datetime, dt.datetime]]:
    """The spans of yesterday and today, on the clock on the wall."""
    midnight, day = dt.datetime.combine(shown.date(), dt.time()), dt.timedelta(days=1)
    found = []
    for base in (midnight - day, midnight):
        if not fits(active, base.date()):
            continue
        for start, end in active.hours:
            later = end if end > start else end + DAY_MINUTES
            found.append((base + dt.timedelta(minutes=start), base + dt.timedelta(minutes=later)))
    return found


def _first_round_ended(wall: float, tz: str) -> dt.datetime:
    """What the clock was about to show when it was set back, for a moment in the second round."""
    last = changed(wall - LONGEST_CHANGE, wall, zone(tz)) - 1
    return local(last, zone(tz)).replace(fold=0) + dt.timedelta(seconds=1)
