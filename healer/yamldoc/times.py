"""Shapes of calendar words: weekdays, hours of the day, time zones, cron lines."""

import re
import zoneinfo
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from healer.yamldoc.shape import Mistake, suggestion

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})\Z")
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def days(text: str) -> tuple[int, ...]:
    """Weekdays (0 = Monday) of ``mon-fri``, ``sat,sun`` or ``sat-mon``; raises Mistake."""
    chosen: set[int] = set()
    at = 0
    for part in text.split(","):
        first, dash, last = (word.strip().lower() for word in part.partition("-"))
        start, end = _day(first, at), _day(last, at + len(first) + 1) if dash else None
        at += len(part) + 1
        span = 0 if end is None else (end - start) % 7
        chosen.update((start + step) % 7 for step in range(span + 1))
    return tuple(sorted(chosen))


def _day(word: str, at: int) -> int:
    if word not in DAYS:
        raise Mistake(f"'{word[:20]}' is not a weekday", suggestion(word, DAYS), at)
    return DAYS.index(word)


def hours(text: str) -> tuple[int, int]:
    """(from, to) in minutes of the day of ``22:00-06:00``: start inclusive, end exclusive; raises Mistake."""
    found = _HOURS.match(text.replace(" ", ""))
    if not found:
        raise Mistake(f"'{text[:40]}' is not a span of hours", 'write "22:00-06:00"')
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if max(int(found[2]), int(found[4])) > 59 or start >= 1440 or end > 1440:
        raise Mistake(f"'{text[:40]}' leaves the day", "from 00:00 to 24:00")
    if start == end:
        raise Mistake(f"'{text[:40]}' is an empty span", 'all day is "00:00-24:00"')
    return start, end % 1440 if end == 1440 and start > 0 else end


def zone(text: str) -> str:
    """An IANA time zone this machine knows; raises Mistake."""
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
        known = zoneinfo.available_timezones()
        hint = suggestion(text, known) if known else "this machine has no time zone data: install tzdata"
        raise Mistake(f"unknown time zone '{text[:60]}'", hint[:200]) from exc
    return text


def cron(text: str) -> str:
    """A cron line of five fields (or ``@daily`` and the like, written out); raises Mistake."""
    line = _MACROS.get(text.strip().lower(), text.strip())
    if len(line.split()) != 5:
        raise Mistake(f"'{text[:60]}' is not a cron line", "minute hour day month weekday, such as 30 3 * * sun")
    try:
        # Also finds lines that never come true, such as the 30th of February.
        next(CronSim(line, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as exc:
        raise Mistake(f"'{text[:60]}' is not a cron line: {str(exc).lower()}", "such as 30 3 * * sun") from exc
    except StopIteration as exc:
        raise Mistake(f"'{text[:60]}' never comes", "look at day and month") from exc
    return line
