"""Conditions that are decided before anyone looks: always true, or never."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from healer.model.vocabulary import METRICS
from healer.rules.syntax import All, Any, Compare, Expr, Not, Select
from healer.rules.units import constant

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Numbers between two ends."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    """The low end itself is not in it."""
    high_open: bool = False

    def meet(self, other: "_Span") -> "_Span":
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return _Span(low=low, low_open=low_open, high=high, high_open=not closed)

    @property
    def empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def covers(self, other: "_Span") -> bool:
        return self.meet(other) == other


_SPANS = {
    "<": lambda value: _Span(high=value, high_open=True),
    "<=": lambda value: _Span(high=value),
    ">": lambda value: _Span(low=value, low_open=True),
    ">=": lambda value: _Span(low=value),
    "==": lambda value: _Span(low=value, high=value),
}


def verdict(expr: Expr) -> bool | None:
    """True or False where the condition can only ever be that (when it is known at all); None where it depends.

    Looks at comparisons of one metric with constants, alone and side by side; what it does not understand depends.
    """
    match expr:
        case Compare():
            return _compare(expr)
        case Not():
            inner = verdict(expr.of)
            return None if inner is None else not inner
        case All():
            return _every(expr.items)
        case Any():
            return _any(expr.items)
    return None


def _compare(node: Compare) -> bool | None:
    left, right = constant(node.left), constant(node.right)
    if left is not None and right is not None:
        return _holds(left, node.op, right)
    found = _single(node)
    if found is None:
        return None
    select, span = found
    possible = _possible(select)
    if span.meet(possible).empty:
        return False
    return True if span.covers(possible) else None


def _holds(left: float, op: str, right: float) -> bool | None:
    if op == "!=":
        return left != right
    return left in _Within(_SPANS[op](right)) if op in _SPANS else None


class _Within:
    """Membership of one number in a span."""

    def __init__(self, span: _Span) -> None:
        self._span = span

    def __contains__(self, value: float) -> bool:
        return not self._span.meet(_Span(low=value, high=value)).empty


def _single(node: Expr) -> tuple[Select, _Span] | None:
    """The metric and the numbers for which a comparison with a constant holds."""
    if not isinstance(node, Compare) or node.op not in _SPANS:
        return None
    left, right = constant(node.left), constant(node.right)
    if isinstance(node.left, Select) and right is not None:
        return node.left, _SPANS[node.op](right)
    if isinstance(node.right, Select) and left is not None:
        return node.right, _SPANS[_FLIPPED[node.op]](left)
    return None


def _possible(select: Select) -> _Span:
    """The numbers a metric can have."""
    metric = METRICS.get(select.metric)
    low = metric.minimum if metric else None
    high = metric.maximum if metric else None
    return _Span(low=-math.inf if low is None else low, high=math.inf if high is None else high)


def _every(items: Sequence[Expr]) -> bool | None:
    verdicts = [verdict(item) for item in items]
    if False in verdicts:
        return False
    spans: dict[Select, _Span] = defaultdict(_Span)
    for item in items:
        if (found := _single(item)) is not None:
            spans[found[0]] = spans[found[0]].meet(found[1])
    if any(span.meet(_possible(select)).empty for select, span in spans.items()):
        return False
    return True if all(verdicts) else None


def _any(items: Sequence[Expr]) -> bool | None:
    verdicts = [verdict(item) for item in items]
    if True in verdicts:
        return True
    if all(one is False for one in verdicts):
        return False
    spans: dict[Select, list[_Span]] = defaultdict(list)
    for item in items:
        if (found := _single(item)) is not None:
            spans[found[0]].append(found[1])
    return True if any(_covered(_possible(select), found) for select, found in spans.items()) else None


def _covered(whole: _Span, parts: Sequence[_Span]) -> bool:
    """Whether the parts leave no number of the whole out."""
    end, end_open = whole.low, True
    # ``end_open``: the number ``end`` itself is not covered yet.
    for part in sorted(parts, key=lambda span: (span.low, span.low_open)):
        if part.low > end or (part.low == end and part.low_open and end_open):
            return False
        if (part.high, not part.high_open) > (end, not end_open):
            end, end_open = part.high, part.high_open
    return end > whole.high or (end == whole.high and (not end_open or math.isinf(end)))
