"""When a cron line comes next: real cron (Sunday is 0 and 7, day of month OR weekday), in a zone whose clock is set."""

import datetime as dt
from functools import lru_cache

from cronsim import CronSim

from healer.model.local import changed, local, moment, offset, zone
from healer.model.trigger import Trigger

EVERY_HOUR = set(range(24))


def upcoming(trigger: Trigger, after: float) -> float | None:
    """The first second (since 1970) after ``after`` at which a schedule comes; None for none, or not in 50 years.

    A line for certain hours follows the clock on the wall: what a skipped hour holds comes once, right after it, and a
    doubled hour counts once. A line for every hour follows time as it passes, and is not aware of either.
    """
    return _coming(trigger.cron, trigger.tz, after // 60) if trigger.kind == "schedule" else None


@lru_cache(maxsize=1024)
def _coming(cron: str, tz: str, minute: float) -> float | None:
    """The same for every second of a minute: status is asked for far more often than that."""
    after, of = minute * 60, zone(tz)
    try:
        if set(CronSim(cron, local(after, of)).hours) == EVERY_HOUR:
            return _every_hour(cron, after, of)
        return _certain_hours(cron, after, of)
    except StopIteration:
        return None


def _certain_hours(cron: str, after: float, of: dt.tzinfo | None) -> float:
    line = CronSim(cron, local(after, of).replace(fold=0))
    # In the second round of an hour, what the first one held is over.
    return next(wall for shown in line if (wall := moment(shown, of)) > after)


def _every_hour(cron: str, after: float, of: dt.tzinfo | None) -> float:
    at, ahead = after, offset(after, of)
    while True:
        # By a clock that goes on as it is now ...
        shown = next(CronSim(cron, local(at, dt.UTC) + ahead))
        wall = (shown - ahead).replace(tzinfo=dt.UTC).timestamp()
        if (later := offset(wall, of)) == ahead:
            return wall
        # ... unless it is set before that: then once more, from just before that moment.
        at, ahead = changed(at, wall, of) - 1, later
