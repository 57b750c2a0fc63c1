"""When a cron line comes next: real cron (Sunday is 0 and 7, day of month OR weekday), in a zone whose clock is set."""

import datetime as dt

from cronsim import CronSim

from healer.model.local import changed, local, moment, offset, zone
from healer.model.trigger import Trigger

EVERY_HOUR = set(range(24))


def upcoming(trigger: Trigger, after: float) -> float | None:
    """The first second (since 1970) after ``after`` at which a schedule comes; None for none, or not in 50 years.

    A line for certain hours follows the clock on the wall: what a skipped hour holds comes once, right after it, and a
    doubled hour counts once. A line for every hour follows time as it passes, and is not aware of either.
    """
    if trigger.kind != "schedule":
        return None
    try:
        if set(CronSim(trigger.cron, local(after, None)).hours) == EVERY_HOUR:
            return _every_hour(trigger, after)
        return _certain_hours(trigger, after)
    except StopIteration:
        return None


def _certain_hours(trigger: Trigger, after: float) -> float:
    of = zone(trigger.tz)
    line = CronSim(trigger.cron, local(after, of).replace(fold=0))
    # In the second round of an hour, what the first one held is over.
    return next(wall for shown in line if (wall := moment(shown, of)) > after)


def _every_hour(trigger: Trigger, after: float) -> float:
    of, at, ahead = zone(trigger.tz), after, offset(after, zone(trigger.tz))
    while True:
        # By a clock that goes on as it is now ...
        shown = next(CronSim(trigger.cron, local(at, dt.UTC) + ahead))
        wall = (shown - ahead).replace(tzinfo=dt.UTC).timestamp()
        if (later := offset(wall, of)) == ahead:
            return wall
        # ... unless it is set before that: then once more, from just before that moment.
        at, ahead = changed(at, wall, of) - 1, later
