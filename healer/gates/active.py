"""The hours gate: a rule acts only in the days and hours that it says, in no window that it leaves out."""

import datetime as dt
import zoneinfo

from healer.gates.interface import Question, Refusal
from healer.model.active import Active, is_active, opens

AGAIN = 3600.0
"""Seconds after which a window that does not open within reach is asked about again."""


def ask(question: Question) -> Refusal | None:
    """Refuse outside the rule's own hours; a request has none."""
    active, wall = question.active, question.wall_us / 1e6
    if active is None or is_active(active, wall):
        return None
    because = f"outside the hours in which {question.rule} may act"
    opening = opens(active, wall)
    if opening is None:
        return Refusal(because=f"{because}: they do not come within a year", until=question.now + AGAIN)
    return Refusal(because=f"{because}: they begin {_shown(opening, active)}", until=question.now + opening - wall)


def _shown(wall: float, active: Active) -> str:
    """A moment in the window's own zone, to the minute."""
    zone = zoneinfo.ZoneInfo(active.tz) if active.tz else None
    moment = dt.datetime.fromtimestamp(wall, tz=dt.UTC).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M} {active.tz or moment.tzname()}"
