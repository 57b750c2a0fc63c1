"""Moments as people write them: a while ago, an hour of the clock, or a date in their own zone."""

import re
from datetime import UTC, datetime, timedelta

import click

_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(s|m|h|d|w)", re.ASCII)
_SPAN = re.compile(rf"(?:{_PART.pattern}){{1,5}}", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_EPOCH = re.compile(r"@?(\d{9,11}(?:\.\d{1,6})?)", re.ASCII)


def seconds(text: str) -> float:
    """A span such as 90s, 15m, 1h30m, 7d; raises click's usage error."""
    if _SPAN.fullmatch(text.strip()) is None:
        raise click.BadParameter(f"{text!r} is no time such as 90s, 15m, 1h30m or 7d")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def wall(text: str, now: float) -> float:
    """The second meant: ``now``, ``2h`` (ago), ``18:20`` (the last), ``2026-11-20``, ``2026-11-20 17:05``.

    Also with ``Z`` or ``+02:00``, and ``@1700000000``. Without a zone it is the reader's own. Raises a usage error.
    """
    text = text.strip()
    if text == "now":
        return now
    if _SPAN.fullmatch(text):
        return now - seconds(text)
    if found := _EPOCH.fullmatch(text):
        return float(found[1])
    try:
        if found := _CLOCK.fullmatch(text):
            return _last(now, *(int(part or 0) for part in found.groups()))
        return datetime.fromisoformat(text).timestamp()  # without a zone: this machine's, at that date
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{text!r} is no moment such as 2h (ago), now, 18:20, 2026-11-20 or 2026-11-20T17:05"
        ) from None


def _last(now: float, hour: int, minute: int, second: int) -> float:
    """When a clock here last showed that: today, or yesterday where it is yet to come; raises ValueError."""
    today = datetime.fromtimestamp(now, UTC).astimezone().replace(tzinfo=None)
    moment = today.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return (moment if moment <= today else moment - timedelta(days=1)).timestamp()
