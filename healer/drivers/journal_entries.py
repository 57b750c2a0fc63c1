"""Entries of the journal as journalctl writes them in JSON, and where in the journal they stand."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

FIELDS = ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "UNIT", "_PID")
"""Asked for; journalctl adds its own addresses."""
_CURSOR = re.compile(
    r"s=([0-9a-f]{32});i=([0-9a-f]{1,16});b=[0-9a-f]{32};m=[0-9a-f]{1,16};t=([0-9a-f]{1,16});x=[0-9a-f]{1,16}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the journal, by the parts of a cursor that say what comes before what."""

    source: str
    number: int
    at: float
    """Wall seconds."""

    def is_past(self, other: "Place") -> bool:
        """Whether this comes after the other; by the clock where they were numbered by different journals."""
        return self.number > other.number if self.source == other.source else self.at > other.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry."""

    cursor: str
    place: Place
    message: str | None
    """None where journalctl leaves it out: it is longer than 4 KiB."""
    priority: int
    """0 (emerg) to 7 (debug)."""
    identifier: str
    unit: str
    """The unit it is from, or which systemd itself speaks of; nobody else can claim to be one."""


def place(cursor: str) -> Place | None:
    """What a cursor says; None for what is none."""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        return None
    return Place(source=match[1], number=int(match[2], 16), at=int(match[3], 16) / 1e6)


def read(line: bytes) -> Entry | None:
    """One line of journalctl's; None for what is no entry."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    cursor = found.get("__CURSOR")
    where = place(cursor) if isinstance(cursor, str) else None
    if where is None or not isinstance(cursor, str):
        return None
    priority = _text(found.get("PRIORITY")) or ""
    return Entry(
        cursor=cursor,
        place=where,
        message=_text(found.get("MESSAGE", "")),
        priority=int(priority) if len(priority) == 1 and priority in "01234567" else 6,
        identifier=_text(found.get("SYSLOG_IDENTIFIER")) or "",
        unit=_unit(found),
    )


def _unit(found: Mapping[str, object]) -> str:
    # UNIT may be written by anybody; only systemd itself speaks of other units.
    named = _text(found.get("UNIT")) if _text(found.get("_PID")) == "1" else None
    return named or _text(found.get("_SYSTEMD_UNIT")) or ""


def _text(value: object) -> str | None:
    """A field: text, octets as a list of numbers, or a list of either, of which the first counts."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        return None
    if all(type(one) is int and 0 <= one <= 255 for one in value):
        return bytes(value).decode("utf-8", "replace")
    return _text(value[0]) if isinstance(value[0], str | list) and value[0] is not value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries somebody wants: of one of the units, and by one of the identifiers, where any are named."""

    units: frozenset[str] = frozenset()
    identifiers: frozenset[str] = frozenset()
    priority: int = 7
    """The least important that counts."""

    def passes(self, entry: Entry) -> bool:
        """Whether an entry is wanted."""
        return (
            entry.priority <= self.priority
            and (not self.units or entry.unit in self.units)
            and (not self.identifiers or entry.identifier in self.identifiers)
        )


def matches(filters: Iterable[Filter]) -> tuple[str, ...]:
    """The arguments of journalctl for what passes any of them, or more; none where everything may."""
    terms: set[tuple[str, ...]] = set()
    for one in filters:
        if one.units:
            terms |= {(f"_SYSTEMD_UNIT={unit}",) for unit in one.units}
            terms |= {("_PID=1", f"UNIT={unit}") for unit in one.units}
        elif one.identifiers:
            terms |= {(f"SYSLOG_IDENTIFIER={name}",) for name in one.identifiers}
        else:
            return ()
    return tuple(_joined(sorted(terms)))


def _joined(terms: Sequence[Sequence[str]]) -> Iterable[str]:
    for place_, term in enumerate(terms):
        if place_:
            yield "+"
        yield from term
