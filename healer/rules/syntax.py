"""The tree that expressions are parsed into, and what can be asked of it without evaluating it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from healer.errors import HealerError
from healer.model.kinds.matching import MATCHED_IN
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
class Trend(Expr):
    """``forecast`` or ``eta`` of each selected series: an interval, so only what all of it satisfies is true."""

    function: str
    of: Select
    given: Number
    """How far ahead (``forecast``), or the limit that is crossed (``eta``)."""
    history: float
    """Seconds of samples the trend rests on."""

    def children(self) -> tuple[Expr, ...]:
        """The selector."""
        return (self.of,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly(Expr):
    """How many standard deviations each selected series is away from what its season makes one expect."""

    of: Select
    season: float
    """Seconds after which it repeats itself."""

    def children(self) -> tuple[Expr, ...]:
        """The selector."""
        return (self.of,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Expr):
    """Several series made one number."""

    function: str
    of: Select | Over | Age | Trend | Anomaly

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
class Applied(Expr):
    """What a plug-in's function makes of numbers: a number, too."""

    function: str
    items: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        """The arguments."""
        return self.items


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Expr):
    """An event of this topic (and of this content) was on the bus within that time."""

    topic: str
    """A glob."""
    seconds: float
    matchers: tuple[Matcher, ...] = ()
    """Over the fields of its data."""
    pattern: str = ""
    """What its ``message`` must hold; empty: anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched(Expr):
    """A word holds a pattern."""

    of: Select
    pattern: str

    def children(self) -> tuple[Expr, ...]:
        """The word."""
        return (self.of,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar(Expr):
    """The wall clock is inside these hours, days and dates."""

    parts: tuple[tuple[str, str], ...]
    """As written: ``hours``, ``days`` ... and their texts."""
    window: object
    """The same, read: hashable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen(Expr):
    """Targets of a selection are in a state; who that is, is settled where the targets are known (`chosen.resolve`)."""

    how: str
    """``any``, ``all`` or ``none`` of them."""
    word: str
    criteria: tuple[tuple[str, str], ...]
    """As written: ``kind``, ``group`` ... and their texts."""


def of_pattern(over: Over) -> tuple[str, tuple[Matcher, ...]] | None:
    """Kind and filters of the named pattern that ``grew`` asks about; None where it is about something else."""
    kind, _, metric = over.of.metric.partition(".")
    named = over.function == "grew" and kind in MATCHED_IN and metric == "count"
    return (kind, over.of.matchers) if named else None


CONDITIONS = (Compare, Not, All, Any, Xor, Count, Weighted, Heard, Matched, Calendar, Chosen)
NUMBERS = (Number, Age, Over, Trend, Anomaly, Aggregate, Arithmetic, Unary, Applied)


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
    return any(
        matcher.value is None for node in walk(expr) if isinstance(node, (Select, Heard)) for matcher in node.matchers
    )


def bind(expr: Expr, target: str) -> Expr:
    """The same expression about one target (an id, ``kind:name``)."""

    def bound(node: Leaf) -> Expr:
        return node if isinstance(node, Chosen) else replace(node, matchers=_bound(node.matchers, target))

    return rebuild(expr, bound)


def _bound(matchers: Sequence[Matcher], target: str) -> tuple[Matcher, ...]:
    return tuple(replace(matcher, value=target) if matcher.value is None else matcher for matcher in matchers)


Leaf = Select | Heard | Chosen
"""What stands for something outside the expression."""


def rebuild(expr: Expr, change: Callable[[Leaf], Expr]) -> Expr:
    """A copy with every leaf changed; a selector must stay a selector. Nodes without a leaf below them are kept."""
    match expr:
        case Select() | Heard() | Chosen():
            return change(expr)
        case Age() | Over() | Trend() | Anomaly() | Aggregate() | Unary() | Not() | Matched():
            return replace(expr, of=rebuild(expr.of, change))  # type: ignore[arg-type]  # a selector stays a selector
        case Arithmetic() | Compare() | Xor():
            return replace(expr, left=rebuild(expr.left, change), right=rebuild(expr.right, change))
        case All() | Any() | Count() | Weighted() | Applied():
            return replace(expr, items=tuple(rebuild(item, change) for item in expr.items))
    return expr
