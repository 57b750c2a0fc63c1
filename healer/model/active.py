"""When a rule may act: days and hours, combined, in a time zone."""

import datetime as dt
import zoneinfo
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """When a rule may act; all parts given must hold. Start inclusive, end exclusive."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    """0 = Monday."""
    hours: tuple[tuple[int, int], ...] = ()
    """(from, to) in minutes of the day; from > to runs over midnight. Empty: all day."""
    tz: str = ""
    """IANA name; empty is the host's zone."""


DAY_MINUTES = 24 * 60


def is_active(active: Active, wall: float) -> bool:
    """Whether the window is open at ``wall`` (seconds since 1970). Start inclusive, end exclusive.

    Hours that run over midnight belong to the day on which they began. A local hour that daylight saving skips never
    opens; one that it doubles is open both times, since the clock on the wall shows it twice.
    """
    zone = zoneinfo.ZoneInfo(active.tz) if active.tz else None
    moment = dt.datetime.fromtimestamp(wall, tz=dt.UTC).astimezone(zone)
    minute, day = moment.hour * 60 + moment.minute, moment.weekday()
    if not active.hours:
        return day in active.days
    return any(_open(span, active.days, day, minute) for span in active.hours)


def _open(span: tuple[int, int], days: tuple[int, ...], day: int, minute: int) -> bool:
    start, end = span
    if start < end:
        return day in days and start <= minute < end
    return (day in days and minute >= start) or ((day - 1) % 7 in days and minute < end)
