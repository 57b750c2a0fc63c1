"""Whether an event is one that is waited for: a glob over its topic, tests over its data."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from healer.model.trigger import Heard
from healer.yamldoc.shape import Mistake

LONGEST = 4096
"""Characters of a text that a test looks at: what others publish may be of any length."""
_COMPARED = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\S.*)\Z", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?\Z", re.ASCII)
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
ABSENT = object()
"""What `reach` finds where there is nothing: equal to nothing."""
Test = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A `Heard`, ready to be asked."""

    topic: str
    tests: tuple[tuple[str, Test], ...]

    def fits(self, topic: str, data: Mapping[str, Any]) -> bool:
        """Whether an event is one of these: a field that is not there fits nothing."""
        if not fnmatchcase(topic, self.topic):
            return False
        return all((found := reach(data, name)) is not ABSENT and test(found) for name, test in self.tests)


def pattern(heard: Heard) -> Pattern:
    """Make the tests of a filter; raises Mistake for one that is none."""
    return Pattern(heard.topic, tuple((name, wanted_test(wanted)) for name, wanted in heard.filter.items()))


def wanted_test(wanted: object) -> Test:
    """What one value of a filter asks for; raises Mistake where nobody could say.

    A list: any of them. A text with ``*`` or ``?``: a glob. A text that begins with a comparison: ``>= 3``,
    ``!= test``, ``== *`` (that very text). Anything else: equal, and of one kind.
    """
    if isinstance(wanted, list | tuple):
        tests = [wanted_test(one) for one in wanted]
        return lambda found: any(test(found) for test in tests)
    if not isinstance(wanted, str):
        return lambda found: same(found, wanted)
    if compared := _COMPARED.match(wanted):
        return _comparison(compared[1], compared[2].strip())
    return _text(wanted)


def _text(wanted: str) -> Test:
    if "*" in wanted or "?" in wanted:
        return lambda found: isinstance(found, str) and fnmatchcase(found[:LONGEST], wanted)
    return lambda found: same(found, wanted)


def _comparison(sign: str, right: str) -> Test:
    limit = number(right)
    if sign == "==":
        return lambda found: found == right or (limit is not None and number(found) == limit)
    if sign == "!=":
        equal = _text(right)
        return lambda found: not (equal(found) or (limit is not None and number(found) == limit))
    if limit is None:
        raise Mistake(f"'{sign} {right[:40]}' compares with no number", f"such as '{sign} 3'")
    order = _ORDER[sign]
    return lambda found: (given := number(found)) is not None and order(given, limit)


def number(found: object) -> float | None:
    """The number of a value; None for what is none. Floats arrive as text: the log, which may keep them, has none."""
    if isinstance(found, bool):
        return None
    if isinstance(found, int | float) or (isinstance(found, str) and _NUMBER.match(found)):
        try:
            made = float(found)
        except OverflowError:
            return None
        return made if made == made and abs(made) != float("inf") else None  # noqa: PLR0124 - NaN differs from itself
    return None


def same(found: object, wanted: object) -> bool:
    """Equal, and of one kind: 1 is not true, and what the log spells as text (0.5) is still that number."""
    if isinstance(wanted, float) and isinstance(found, str):
        return found == repr(wanted)
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted


def reach(data: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - data of any form
    """The field of that name, or of that dotted path; a marker that equals nothing where there is none."""
    if name in data:
        return data[name]
    here: Any = data
    for part in name.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return ABSENT
        here = here[part]
    return here


def group(data: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values that tell an event's group, as texts; None for an event that lacks one: it belongs to no group."""
    found = [reach(data, name) for name in names]
    if any(isinstance(one, Mapping | list | tuple) or one is ABSENT or one is None for one in found):
        return None
    return tuple(one[:LONGEST] if isinstance(one, str) else repr(one) for one in found)
