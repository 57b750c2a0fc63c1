"""The tree that expressions are parsed into, and what can be asked of it without evaluating it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from healer.errors import HealerError
from healer.model.unit import Unit

MAX_DEPTH = 32
"""Levels of a tree: deeper is a mistake or an attack, and every walk of it recurses."""


class ExpressionError(HealerError):
    """Text (or a combination) that is no expression; ``offset`` is the 0-based character where that was noticed."""

    def __init__(self, message: str, *, hint: str = "", offset: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Expr:
    """Any node; two nodes are equal when they mean the same, wherever they were written."""

    at: int = field(default=0, compare=False, repr=False)
    """0-based character of the text it came from."""
    depth: int = field(default=1, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        deep = 1 + max((child.depth for child in self.children()), default=0)
        if deep > MAX_DEPTH:
            raise ExpressionError(
                f"nested deeper than {MAX_DEPTH} levels", hint="split it into several rules", offset=self.at
            )
        object.__setattr__(self, "depth", deep)

    def children(self) -> tuple["Expr", ...]:
        """The nodes right below this one."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Expr):
    """A constant, in base units (ratio, bytes, seconds)."""

    value: float
    unit: Unit | None = None
    """None: written bare."""
    text: str = field(default="", compare=False)
    """As it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(Expr):
    """A constant text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One label filter: ``=``, ``!=`` or ``=~`` (a glob)."""

    label: str
    op: str
    value: str | None
    """None stands for the target the rule is bound to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Expr):
    """The series of one metric whose labels match."""

    metric: str
    matchers: tuple[Matcher, ...] = ()
    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Age(Expr):
    """Seconds since each selected series was last known."""

    of: Select

    def children(self) -> tuple[Expr, ...]:
        """The selector."""
        return (self.of,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Over(Expr):
    """A function over a window of time, of each selected series."""

    function: str
    of: Select
    seconds: float

    def children(self) -> tuple[Expr, ...]:
        """The selector."""
        return (self.of,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Expr):
    """Several series made one number."""

    function: str
    of: Select | Over | Age

    def children(self) -> tuple[Expr, ...]:
        """What is aggregated."""
        return (self.of,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(Expr):
    """``+ - * /`` of two numbers."""

    op: str
    left: Expr
    right: Expr

    def children(self) -> tuple[Expr, ...]:
        """Both operands."""
        return (self.left, self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Expr):
    """``-`` or ``abs`` of a number."""

    op: str
    of: Expr

    def children(self) -> tuple[Expr, ...]:
        """The operand."""
        return (self.of,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Expr):
    """``== != < <= > >=`` of two numbers; ``== != matches contains`` of two words."""

    op: str
    left: Expr
    right: Expr

    def children(self) -> tuple[Expr, ...]:
        """Both sides."""
        return (self.left, self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Expr):
    """Kleene negation: the negation of UNKNOWN is UNKNOWN."""

    of: Expr

    def children(self) -> tuple[Expr, ...]:
        """What is negated."""
        return (self.of,)


@dataclass(frozen=True, slots=True, kw_only=True)
class All(Expr):
    """``and``: FALSE dominates."""

    items: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        """The conditions."""
        return self.items


@dataclass(frozen=True, slots=True, kw_only=True)
class Any(Expr):
    """``or``: TRUE dominates."""

    items: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        """The conditions."""
        return self.items


@dataclass(frozen=True, slots=True, kw_only=True)
class Xor(Expr):
    """Exactly one of two; UNKNOWN as soon as one of them is."""

    left: Expr
    right: Expr

    def children(self) -> tuple[Expr, ...]:
        """Both conditions."""
        return (self.left, self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Expr):
    """``exactly``, ``at_least`` or ``at_most`` n of the conditions; what is unknown could be either."""

    how: str
    n: int
    items: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        """The conditions."""
        return self.items


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted(Expr):
    """The weights of the conditions that hold reach a threshold; what is unknown could be either."""

    threshold: float
    weights: tuple[float, ...]
    items: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        """The conditions."""
        return self.items


CONDITIONS = (Compare, Not, All, Any, Xor, Count, Weighted)
NUMBERS = (Number, Age, Over, Aggregate, Arithmetic, Unary)


def is_condition(expr: Expr) -> bool:
    """Whether it is true, false or unknown (rather than a number or a word)."""
    return isinstance(expr, CONDITIONS)


def is_word(expr: Expr) -> bool:
    """Whether it is a text."""
    return isinstance(expr, Word) or (isinstance(expr, Select) and expr.unit is Unit.WORD)


def is_number(expr: Expr) -> bool:
    """Whether it is a number."""
    return isinstance(expr, NUMBERS) or (isinstance(expr, Select) and expr.unit is not Unit.WORD)


def walk(expr: Expr) -> Iterator[Expr]:
    """Every node, each before its children."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children()))


def selectors(expr: Expr) -> tuple[Select, ...]:
    """Every selector, in the order of the text, each once."""
    return tuple(dict.fromkeys(node for node in walk(expr) if isinstance(node, Select)))


def mentions_target(expr: Expr) -> bool:
    """Whether it says something about the target a rule is bound to."""
    return any(matcher.value is None for select in selectors(expr) for matcher in select.matchers)


def bind(expr: Expr, target: str) -> Expr:
    """The same expression about one target (an id, ``kind:name``)."""
    return rebuild(expr, lambda select: replace(select, matchers=_bound(select.matchers, target)))


def _bound(matchers: Sequence[Matcher], target: str) -> tuple[Matcher, ...]:
    return tuple(replace(matcher, value=target) if matcher.value is None else matcher for matcher in matchers)


def rebuild(expr: Expr, change: Callable[[Select], Select]) -> Expr:
    """A copy with every selector changed; nodes without a selector below them are kept."""
    match expr:
        case Select():
            return change(expr)
        case Age() | Over() | Aggregate() | Unary() | Not():
            return replace(expr, of=rebuild(expr.of, change))  # type: ignore[arg-type]  # a selector stays a selector
        case Arithmetic() | Compare() | Xor():
            return replace(expr, left=rebuild(expr.left, change), right=rebuild(expr.right, change))
        case All() | Any() | Count() | Weighted():
            return replace(expr, items=tuple(rebuild(item, change) for item in expr.items))
    return expr
