"""Moments as people write them: a while ago, or a date in their own zone."""

import re
from datetime import datetime

import click

_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(s|m|h|d|w)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_EPOCH = re.compile(r"@?(\d{9,11}(?:\.\d{1,6})?)", re.ASCII)


def seconds(text: str) -> float:
    """A span such as 90s, 15m, 2h, 7d; raises click's usage error."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no time such as 90s, 15m, 2h or 7d")
    return float(found[1]) * _SECONDS[found[2]]


def wall(text: str, now: float) -> float:
    """The wall second meant: ``now``, ``2h`` (ago), ``2026-11-20``, ``2026-11-20 17:05``, with ``Z`` or ``+02:00`` too.

    Also ``@1700000000``. Without a zone it is the reader's own. Raises click's usage error.
    """
    text = text.strip()
    if text == "now":
        return now
    if _SPAN.fullmatch(text):
        return now - seconds(text)
    if found := _EPOCH.fullmatch(text):
        return float(found[1])
    try:
        return datetime.fromisoformat(text).timestamp()  # without a zone: this machine's, at that date
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{text!r} is no moment such as 2h (ago), now, 2026-11-20 or 2026-11-20T17:05"
        ) from None
