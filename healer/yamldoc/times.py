"""Readers of calendar words: weekdays, hours, days of the month, months, dates, years, time zones, cron lines."""

import re
import zoneinfo
from datetime import UTC, date, datetime

from cronsim import CronSim, CronSimError

from healer.yamldoc.shape import Mistake, suggestion

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FIRST_YEAR, LAST_YEAR = 1970, 2999
_SPAN = re.compile(r"(-?\d{1,4})(?:-(-?\d{1,4}))?\Z", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
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
        chosen.update(_around(start, end, 7))
    return tuple(sorted(chosen))


def _around(start: int, end: int | None, size: int) -> set[int]:
    """From start to end, both included, and round the corner where the end comes first."""
    return {(start + step) % size for step in range((0 if end is None else (end - start) % size) + 1)}


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


def month_days(text: str) -> tuple[int, int]:
    """(first, last) day of the month of ``15``, ``1-7``, ``-1`` (the last) or ``-3--1``; raises Mistake."""
    found = _SPAN.match(text.replace(" ", ""))
    if not found:
        raise Mistake(f"'{text[:40]}' is no day of a month", "such as 15, 1-7, -1 (the last) or -3--1")
    first, last = int(found[1]), int(found[2] or found[1])
    if not all(1 <= abs(day) <= 31 for day in (first, last)):
        raise Mistake(f"'{text[:40]}' is no day of a month", "1 to 31, or -1 (the last) to -31")
    # From the 25th to the last is clear; from the last to the 5th would be two months.
    if (first > last and first * last > 0) or first < 0 < last:
        raise Mistake(f"'{text[:40]}' ends before it begins", "write two: [25--1, 1-5]")
    return first, last


def months(text: str) -> tuple[int, ...]:
    """Months (1 = January) of ``jan-mar``, ``12``, ``jun,aug`` or ``nov-feb``; raises Mistake."""
    chosen: set[int] = set()
    for part in text.split(","):
        first, dash, last = (word.strip().lower() for word in part.partition("-"))
        chosen |= _around(_month(first), _month(last) if dash else None, 12)
    return tuple(sorted(month + 1 for month in chosen))


def _month(word: str) -> int:
    if word.isascii() and word.isdigit() and len(word) <= 2 and 1 <= int(word) <= 12:
        return int(word) - 1
    if word not in MONTHS:
        raise Mistake(f"'{word[:20]}' is not a month", suggestion(word, MONTHS))
    return MONTHS.index(word)


def dates(text: str) -> tuple[date, date]:
    """(first, last) of ``2026-12-24`` or ``2026-12-24..2027-01-02``, both included; raises Mistake."""
    first, dots, last = (part.strip() for part in text.partition(".."))
    start = _date(first)
    end = _date(last) if dots else start
    if end < start:
        raise Mistake(f"'{text[:40]}' ends before it begins", "the earlier date first")
    return start, end


def _date(word: str) -> date:
    try:
        found = date.fromisoformat(word) if _DATE.fullmatch(word) else None  # weeks and ordinals are ISO dates as well
    except ValueError as exc:
        raise Mistake(f"'{word}' is not a date: {exc}", "such as 2026-12-24") from exc
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Mistake(f"'{word[:20]}' is not a date", "such as 2026-12-24, or 2026-12-24..2027-01-02")
    return found


def years(text: str) -> tuple[int, int]:
    """(first, last) of ``2026`` or ``2026-2030``, both included; raises Mistake."""
    found = _SPAN.match(text.replace(" ", ""))
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not FIRST_YEAR <= first <= last <= LAST_YEAR:
        raise Mistake(f"'{text[:40]}' is no year", f"such as 2026 or 2026-2030, from {FIRST_YEAR} to {LAST_YEAR}")
    return first, last


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
