"""Sets of values: numbers between two ends, and words; what a metric can be, and what a comparison leaves of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from healer.model.target import STATES
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.syntax import Age, Aggregate, Expr, Over, Select, Unary

_KEEPS = frozenset({"avg_over", "max_over", "min_over", "p95_over", "max", "min", "avg", "p95"})
"""Functions whose result lies between the least and the greatest of what they are given."""
_COUNTS = frozenset({"count_over", "changes", "rate", "count", "grew"})
"""Functions that are never below 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Numbers between two ends."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    """The low end itself is not in it."""
    high_open: bool = False

    def meet(self, other: "Span") -> "Span":
        """The numbers in both."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Span(low=low, low_open=low_open, high=high, high_open=not closed)

    @property
    def empty(self) -> bool:
        """Whether there is no number in it."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def covers(self, other: "Span") -> bool:
        """Whether the other lies within it."""
        return self.meet(other) == other

    def flag(self) -> "Span":
        """Of a flag: what is not 0 is 1."""
        zero, one = (not self.meet(Span(low=at, high=at)).empty for at in (0.0, 1.0))
        if not zero and not one:
            return Span(low=1.0, high=0.0)
        return Span(low=0.0 if zero else 1.0, high=1.0 if one else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Words: these only, or all but those."""

    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()

    def meet(self, other: "Words") -> "Words":
        """The words in both."""
        never = self.never | other.never
        if self.only is None and other.only is None:
            return Words(never=never)
        sets = [one.only for one in (self, other) if one.only is not None]
        return Words(only=frozenset.intersection(*sets) - never)

    @property
    def empty(self) -> bool:
        """Whether there is no word in it."""
        return self.only is not None and not self.only

    def covers(self, other: "Words") -> bool:
        """Whether the other lies within it."""
        if other.only is not None:
            return (self.only is None or other.only <= self.only) and not other.only & self.never
        return self.only is None and self.never <= other.never


Values = Span | Words
FULL = Span()
SPANS: Mapping[str, Callable[[float], Span]] = {
    "<": lambda value: Span(high=value, high_open=True),
    "<=": lambda value: Span(high=value),
    ">": lambda value: Span(low=value, low_open=True),
    ">=": lambda value: Span(low=value),
    "==": lambda value: Span(low=value, high=value),
}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def meet(one: Values, other: Values) -> Values:
    """The values in both; of a number and a word, nothing."""
    if isinstance(one, Span) and isinstance(other, Span):
        return one.meet(other)
    if isinstance(one, Words) and isinstance(other, Words):
        return one.meet(other)
    return Words(only=frozenset())


def covers(one: Values, other: Values) -> bool:
    """Whether every value of the other is in the first."""
    if isinstance(one, Span) and isinstance(other, Span):
        return one.covers(other)
    return isinstance(one, Words) and isinstance(other, Words) and one.covers(other)


def possible(key: Expr) -> Values:
    """The values that what is compared can have."""
    match key:
        case Select():
            return _of_metric(key.metric, word=key.unit is Unit.WORD)
        case Over() | Aggregate():
            inner = possible(key.of)
            if key.function in _KEEPS and isinstance(inner, Span):
                return inner
            return Span(low=0.0) if key.function in _COUNTS else FULL
        case Age():
            return Span(low=0.0)
        case Unary() if key.op == "abs":
            return Span(low=0.0)
    return FULL


@lru_cache(maxsize=1024)
def _of_metric(name: str, *, word: bool) -> Values:
    metric = METRICS.get(name)
    if word:
        listed = STATES if name == "target.state" else metric.words if metric else ()
        return Words(only=frozenset(listed) or None)
    low, high = (metric.minimum, metric.maximum) if metric else (None, None)
    return Span(low=-math.inf if low is None else low, high=math.inf if high is None else high)


def narrowed(key: Expr, values: Values) -> Values:
    """Of these values, those that what is compared can have."""
    left = meet(values, possible(key))
    flag = isinstance(key, Select) and key.unit is Unit.FLAG
    return left.flag() if flag and isinstance(left, Span) and not left.empty else left
