"""In which cases a condition is true: interval reasoning over what it compares, without looking at anything.

A case says of each thing compared which values it has; a condition is true in some of its cases and nowhere else.
What is not understood is a thing of its own that is true or false. So what follows from all cases is certain, and what
does not follow is left open.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import combinations

from healer.rules import spans
from healer.rules.spans import FLIPPED, NEGATED, SPANS, Span, Values, Words, narrowed
from healer.rules.syntax import All, Any, Compare, Count, Expr, Not, Select, Word, Xor, is_condition
from healer.rules.units import constant

Case = Mapping[Expr, Values]
MOST = 64
"""Cases of one condition; of more than that nothing is concluded."""
ANYTHING: tuple[Case, ...] = ({},)
_TRUE, _FALSE = Span(low=1.0, high=1.0), Span(low=0.0, high=0.0)


class _TooManyError(Exception):
    """There are more cases than anybody should compare."""


@lru_cache(maxsize=4096)
def cases(expr: Expr, *, truth: bool = True) -> tuple[Case, ...]:
    """The cases in which a condition is true (or false); none where it can never be."""
    try:
        return tuple(_cases(expr, truth))
    except _TooManyError:
        return ANYTHING


def holds(expr: Expr, case: Case) -> bool | None:
    """Whether the condition is true in a case; None where that depends on more."""
    match expr:
        case Not():
            return _flip(holds(expr.of, case))
        case All():
            return _all([holds(item, case) for item in expr.items])
        case Any():
            return _flip(_all([_flip(holds(item, case)) for item in expr.items]))
        case Xor():
            left, right = holds(expr.left, case), holds(expr.right, case)
            return None if left is None or right is None else left is not right
        case Count():
            return _counted(expr, [holds(item, case) for item in expr.items])
    return _atom_holds(expr, case)


def implies(one: Expr, other: Expr) -> bool:
    """Whether the other is certainly true whenever the first is; False where the first never is, or nobody knows."""
    ways = cases(one)
    return bool(ways) and all(holds(other, way) is True for way in ways)


def together(one: Expr, other: Expr) -> bool:
    """Whether both may be true at once."""
    return any(True for mine in cases(one) for theirs in cases(other) if _meet(mine, theirs) is not None)


def overlap(one: Expr, other: Expr) -> bool:
    """Whether both may be true at once, going by the same things: what only one of them asks for says nothing."""
    ways = ((mine, theirs) for mine in cases(one) for theirs in cases(other))
    return any(mine.keys() & theirs.keys() and _meet(mine, theirs) is not None for mine, theirs in ways)


def _flip(truth: bool | None) -> bool | None:  # noqa: FBT001 - Kleene's own three values
    return None if truth is None else not truth


def _all(truths: Iterable[bool | None]) -> bool | None:
    seen = set(truths)
    return False if False in seen else None if None in seen else True


def _counted(expr: Count, truths: list[bool | None]) -> bool | None:
    least, most = truths.count(True), len(truths) - truths.count(False)
    match expr.how:
        case "at_least":
            return True if least >= expr.n else False if most < expr.n else None
        case "at_most":
            return True if most <= expr.n else False if least > expr.n else None
    if least == most:
        return least == expr.n
    return None if least <= expr.n <= most else False


# Cases ---------------------------------------------------------------------------------------------------------


def _cases(expr: Expr, truth: bool) -> list[Case]:  # noqa: FBT001 - which of the two is wanted
    match expr:
        case Not():
            return _cases(expr.of, not truth)
        case All():
            return _every(expr.items, truth=True) if truth else _some(expr.items, truth=False)
        case Any():
            return _some(expr.items, truth=True) if truth else _every(expr.items, truth=False)
        case Xor():
            pairs = ((truth, False), (not truth, True))
            return _checked(
                way for left, right in pairs for way in _product([_cases(expr.left, left), _cases(expr.right, right)])
            )
        case Count():
            return _of_count(expr, truth=truth)
    return _of_atom(expr, truth=truth)


def _every(items: Iterable[Expr], *, truth: bool) -> list[Case]:
    return _product([_cases(item, truth) for item in items])


def _some(items: Iterable[Expr], *, truth: bool) -> list[Case]:
    return _checked(way for item in items for way in _cases(item, truth))


def _of_count(expr: Count, *, truth: bool) -> list[Case]:
    """At least n of them, or at most: whichever the count comes to."""
    size = len(expr.items)
    counts = {"at_least": range(expr.n, size + 1), "at_most": range(min(expr.n, size) + 1)}.get(
        expr.how, range(expr.n, expr.n + 1)
    )
    wanted = [number for number in range(size + 1) if (number in counts) is truth]
    if 2**size > MOST:
        raise _TooManyError
    return _checked(
        way
        for number in wanted
        for chosen in combinations(range(size), number)
        for way in _product([_cases(item, place in chosen) for place, item in enumerate(expr.items)])
    )


def _product(parts: Iterable[list[Case]]) -> list[Case]:
    ways: list[Case] = [{}]
    for part in parts:
        ways = _checked(met for way in ways for more in part if (met := _meet(way, more)) is not None)
    return ways


def _checked(ways: Iterable[Case]) -> list[Case]:
    found: list[Case] = []
    for way in ways:
        found.append(way)
        if len(found) > MOST:
            raise _TooManyError
    return found


def _meet(one: Case, other: Case) -> Case | None:
    """Both at once; None where they exclude each other."""
    met = dict(one)
    for key, values in other.items():
        left = spans.meet(met[key], values) if key in met else values
        if left.empty:
            return None
        met[key] = left
    return met


# Atoms ---------------------------------------------------------------------------------------------------------


def _of_atom(expr: Expr, *, truth: bool) -> list[Case]:
    """The cases of one comparison, or of what is not understood any further."""
    if isinstance(expr, Compare) and (decided := _constant(expr)) is not None:
        return [{}] if decided is truth else []
    read = compared(expr)
    if read is None:
        return [{expr: _TRUE if truth else _FALSE}]
    key, op, value = read
    op = op if truth else NEGATED[op]
    return [{key: left} for values in _values(op, value) if not (left := narrowed(key, values)).empty]


def _values(op: str, value: float | str) -> list[Values]:
    if isinstance(value, str):
        return [Words(only=frozenset({value})) if op == "==" else Words(never=frozenset({value}))]
    if op == "!=":
        return [SPANS["<"](value), SPANS[">"](value)]
    return [SPANS[op](value)]


def compared(expr: Expr) -> tuple[Expr, str, float | str] | None:
    """What a comparison compares with which constant, the constant on the right; None where it is no such thing."""
    if not isinstance(expr, Compare) or expr.op not in NEGATED:
        return None
    for key, other, op in ((expr.left, expr.right, expr.op), (expr.right, expr.left, FLIPPED[expr.op])):
        if isinstance(other, Word) and isinstance(key, Select):
            return key, op, other.text
        if (value := constant(other)) is not None and not is_condition(key):
            return key, op, value
    return None


def _constant(expr: Compare) -> bool | None:
    left, right = constant(expr.left), constant(expr.right)
    if left is None or right is None or expr.op not in NEGATED:
        return None
    if expr.op == "!=":
        return left != right
    return SPANS[expr.op](right).covers(Span(low=left, high=left))


def _atom_holds(expr: Expr, case: Case) -> bool | None:
    if isinstance(expr, Compare) and (decided := _constant(expr)) is not None:
        return decided
    read = compared(expr)
    if read is None:
        known = case.get(expr)
        return None if known is None else known == _TRUE
    key, op, value = read
    known = narrowed(key, case[key] if key in case else spans.possible(key))
    if any(spans.covers(values, known) for values in _values(op, value)):
        return True
    return False if all(spans.meet(values, known).empty for values in _values(op, value)) else None


def keys(expr: Expr) -> frozenset[Expr]:
    """Everything its cases speak of."""
    return frozenset(key for way in cases(expr) for key in way)
