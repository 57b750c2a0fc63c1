"""Conditions about no series: what was heard on the bus lately, and what the calendar says."""

import math
from collections.abc import Mapping
from typing import Any, cast

from healer.model.active import Active, is_active, next_look
from healer.patterns import LONGEST_TEXT, captures
from healer.rules.compile import globbed
from healer.rules.lines import Family, fits
from healer.rules.slots import NAN, Slot, SlotKey
from healer.rules.syntax import Calendar, Heard

_BREATH = 0.001
"""Seconds after which what is exactly at its limit is looked at again."""
LONGEST_INTEGER = 256
"""Bits of a number in an event that can be compared."""
OWN = "own"
"""The label that asks for what the agent itself says: ``own="yes"``."""


class Ear(Slot):
    """Whether an event was heard within a time; it remembers the last one only."""

    __slots__ = ("began", "captured", "heard", "last", "topic")

    def __init__(self, key: SlotKey, index: int, family: Family) -> None:
        super().__init__(key, index, family)
        self.heard = cast("Heard", self.source)
        self.last = -math.inf
        self.topic = ""
        """Of the last event meant."""
        self.captured: Mapping[str, str] = {}
        """What the pattern took of the last message."""
        self.began = math.inf
        """Since when it listens."""

    def hear(self, topic: str, data: Mapping[str, Any], at: float, *, own: bool) -> bool:
        """Take an event; returns whether it is one of those meant."""
        meant = self.heard
        if at <= self.since or at < self.last or not globbed(topic, meant.topic):
            return False
        if (own and not self.hears_own) or not all(
            fits(matcher, _said(data, matcher.label, own=own)) for matcher in meant.matchers
        ):
            return False
        if meant.pattern:
            taken = captures(_said(data, "message", own=own), meant.pattern)
            if taken is None:
                return False
            self.captured = taken
        self.last, self.topic = at, topic
        return True

    @property
    def hears_own(self) -> bool:
        """Whether it asks for what the agent itself says."""
        return any(matcher.label == OWN for matcher in self.heard.matchers)

    def take_up(self, other: "Ear") -> None:
        """Go on where another ear for the same stopped."""
        self.last, self.topic, self.captured, self.began = other.last, other.topic, other.captured, other.began

    def compute(self, now: float) -> float:
        """1, 0, or NaN: silence is an answer only after listening for the whole time."""
        self.began = min(self.began, now)
        if now - self.last <= self.heard.seconds:
            return 1.0
        return 0.0 if now - self._from() >= self.heard.seconds else NAN

    def next_turn(self, now: float) -> float:
        """When it falls silent, or when silence begins to count."""
        if now - self.last <= self.heard.seconds:
            return max(self.last + self.heard.seconds, now) + _BREATH
        silent = self._from() + self.heard.seconds
        return max(silent, now + _BREATH) if now - self._from() < self.heard.seconds else math.inf

    def _from(self) -> float:
        return max(self.began, self.since)


def _said(data: Mapping[str, Any], name: str, *, own: bool) -> str:
    """A field of an event as text; what is not there, or is no scalar, is the empty text."""
    if name == OWN:
        return "yes" if own else "no"
    value = data.get(name, "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > LONGEST_INTEGER:
        return ""  # its digits would take long to write, and Python refuses the longest
    return str(value)[:LONGEST_TEXT] if isinstance(value, str | int | float) else ""


class Wall:
    """The wall clock, as far as it is known."""

    __slots__ = ("offset",)

    def __init__(self) -> None:
        self.offset = math.nan
        """Seconds to add to the boot clock; NaN while nobody has said."""


class Page(Slot):
    """Whether the wall clock is inside a window of the calendar."""

    __slots__ = ("_wall", "_window")

    def __init__(self, key: SlotKey, index: int, family: Family, wall: Wall) -> None:
        super().__init__(key, index, family)
        self._wall = wall
        self._window = cast("Active", cast("Calendar", self.source).window)

    def compute(self, now: float) -> float:
        """1 or 0; NaN while the time of day is not known."""
        wall = now + self._wall.offset
        return NAN if math.isnan(wall) else float(is_active(self._window, wall))

    def next_turn(self, now: float) -> float:
        """When it may begin or end."""
        wall = now + self._wall.offset
        return math.inf if math.isnan(wall) else now + max(next_look(self._window, wall) - wall, _BREATH)
