"""What named patterns found in lines: how often, when, and what their groups took."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healer import patterns
from healer.model.observation import Labels, labels
from healer.sensors.sane import LONGEST_WORD, Sieve

_NEVER = "no line has matched"
_FIRST = "a rate needs two looks"
LARGEST_COUNT = 2**53


@dataclass(slots=True, kw_only=True)
class Found:
    """One pattern."""

    name: str
    pattern: str
    names: tuple[str, ...]
    """Its named groups."""
    count: int = 0
    told: tuple[int, float] | None = None
    """The count at the last look, and when that was."""
    at: float | None = None
    """Boot-clock second of the last match; None before the first."""
    line: str | None = None
    """The last match; None where it was before the agent's start."""
    taken: Mapping[str, str] = field(default_factory=dict)

    def take(self, line: str, count: int, at: float, most: int) -> None:
        """Count matches, of which this line is the last."""
        self.count += count
        self.at, self.line = at, line[:LONGEST_WORD]
        self.taken = patterns.captures(line, self.pattern, most=most) or {} if self.names else {}


class Tally:
    """The patterns of one target. ``most``: characters of a line that are looked at."""

    def __init__(self, target: str, named: Mapping[str, str], *, most: int = patterns.LONGEST_TEXT) -> None:
        self._target, self._most = target, most
        self._found = [
            Found(name=name, pattern=pattern, names=patterns.names(pattern)) for name, pattern in named.items()
        ]

    def block(self, text: str, at: float) -> bool:
        """Take whole lines, with line feeds between them; True when a pattern matched."""
        any_ = False
        for one in self._found:
            if not patterns.possible(text, one.pattern):
                continue
            lines = [line for line in text.split("\n") if patterns.found(line, one.pattern, most=self._most)]
            if lines:
                one.take(lines[-1], len(lines), at, self._most)
                any_ = True
        return any_

    def tell(self, sieve: Sieve, kind: str, *, unsure: str = "", rates: bool = True) -> None:
        """Add what is known now. ``unsure``: why lines may have been missed, so that no match is no answer.

        Between two looks there are no ``rates``.
        """
        for one in self._found:
            marks = labels(target=self._target, pattern=one.name)
            if not rates:
                sieve.number(f"{kind}.count", one.count, marks)
                self._tell_last(sieve, kind, one, marks)
                continue
            before, one.told = one.told, (one.count, sieve.at)
            if unsure and (before is None or one.count == before[0]):
                sieve.unknown(f"{kind}.count", unsure, marks)
                sieve.unknown(f"{kind}.rate", unsure, marks)
            else:
                sieve.number(f"{kind}.count", one.count, marks)
                _tell_rate(sieve, kind, one, before, marks)
            self._tell_last(sieve, kind, one, marks)

    def _tell_last(self, sieve: Sieve, kind: str, one: Found, marks: Labels) -> None:
        if one.at is None:
            sieve.unknown(f"{kind}.match_age", _NEVER, marks)
        else:
            sieve.number(f"{kind}.match_age", max(0.0, sieve.at - one.at), marks)
        if one.line is None:
            sieve.unknown(f"{kind}.line", f"{_NEVER} since the start", marks)
        else:
            sieve.word(f"{kind}.line", one.line, marks)
        for name in one.names:
            named = labels(target=self._target, pattern=one.name, name=name)
            value = one.taken.get(name)
            if value is None or len(value) > LONGEST_WORD:
                # A part of a name would be another name: it is left out.
                because = f"longer than {LONGEST_WORD} characters" if value else "the last match took no fit text"
                sieve.unknown(f"{kind}.capture", because if one.line else _NEVER, named)
            else:
                sieve.word(f"{kind}.capture", value, named)

    def state(self, now: float, wall: float) -> dict[str, Any]:
        """What is kept for the next run: counts, and wall seconds of last matches."""
        return {
            one.name: {"count": one.count, "at": None if one.at is None else wall - max(0.0, now - one.at)}
            for one in self._found
        }

    def take_up(self, state: object, now: float, wall: float) -> None:
        """Go on from what an earlier run kept; what is no such thing is left out."""
        for one in self._found:
            kept = state.get(one.name) if isinstance(state, Mapping) else None
            if not isinstance(kept, Mapping):
                continue
            count, at = kept.get("count"), kept.get("at")
            if type(count) is int and 0 <= count < LARGEST_COUNT:
                one.count = count
            if isinstance(at, int | float) and 0 <= at <= wall:
                one.at = now - (wall - at)


def _tell_rate(sieve: Sieve, kind: str, one: Found, before: tuple[int, float] | None, marks: Labels) -> None:
    if before is None or sieve.at <= before[1]:
        sieve.unknown(f"{kind}.rate", _FIRST, marks)
    else:
        sieve.number(f"{kind}.rate", (one.count - before[0]) / (sieve.at - before[1]), marks)
