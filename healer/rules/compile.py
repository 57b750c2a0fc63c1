"""Trees to Python functions: one for truth and one for falsehood, so that UNKNOWN is where neither holds.

Numbers that are unknown are NaN, with which every comparison is false: `T(a > b)` is `a > b`, `F(a > b)` is `a <= b`,
`T(not x)` is `F(x)`. The source is made of names of our own only (constants are arguments), so expressions of one shape
share one function, and nothing a user wrote is ever executed.
"""

import fnmatch
import math
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from healer import plugged
from healer.patterns import found
from healer.rules import syntax
from healer.rules.combine import exact
from healer.rules.syntax import (
    Aggregate,
    Anomaly,
    Arithmetic,
    Calendar,
    Expr,
    ExpressionError,
    Heard,
    Number,
    Over,
    Select,
    Trend,
    Unary,
    Word,
)
from healer.rules.units import constant, is_interval

FALSE, TRUE, UNKNOWN = 0, 1, 2
NAN = math.nan
Source = Select | Over | syntax.Age | Trend | Anomaly | Aggregate | Heard | Calendar
"""What the function is called with the values of; events and calendars are 1 or 0."""
_OWN_WORDS_ONLY = re.compile(r"[a-z0-9_ ()\[\]<>=!,:*+\-.\n]*")
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_HELPER = {"+": "add", "-": "sub", "*": "mul", "/": "div"}


@dataclass(frozen=True, slots=True)
class Input:
    """One value the function is called with: NaN where unknown, else a number (or a word)."""

    source: Source
    partial: bool = False
    """Over the known series only: the lower bound of a max, the upper bound of a min."""
    side: str = ""
    """Of a value that is an interval: ``low`` or ``high``; else what is likely."""

    @property
    def word(self) -> bool:
        """Whether it is a text."""
        return syntax.is_word(self.source)


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression; its functions take the inputs, then the constants."""

    inputs: tuple[Input, ...]
    constants: tuple[float | str, ...]
    source: str
    decide: Callable[..., int]
    """0 FALSE, 1 TRUE, 2 UNKNOWN."""
    decide_all: Callable[[Iterable[tuple[Any, ...]]], list[int]]
    """The same over rows of arguments."""
    value: Callable[..., float]
    """The number, NaN when unknown (of a numeric expression)."""
    edges: tuple[tuple[float, ...] | None, ...]
    """Per input: the ages at which a comparison may turn; None where it is no age or where no constant says when."""


def compile_condition(expr: Expr) -> Program:
    """Compile a condition; raises ExpressionError for a number or a word."""
    if not syntax.is_condition(expr):
        raise ExpressionError("this is no condition", hint="compare it, for example == 1 or > 80%", offset=expr.at)
    writer = _Writer()
    true, false = writer.true(expr), writer.false(expr)
    return writer.program(expr, f"1 if {true} else 0 if {false} else 2", "nan")


def compile_number(expr: Expr) -> Program:
    """Compile a numeric expression (a vital); raises ExpressionError for a condition or a word."""
    if not syntax.is_number(expr):
        raise ExpressionError("this is no number", hint="a vital is a number, such as disk.used", offset=expr.at)
    writer = _Writer()
    return writer.program(expr, "2", writer.number(expr))


def compile_bound(expr: Expr, *, low: bool) -> Program:
    """Compile the least (or the most) that a number with forecasts in it can be."""
    writer = _Writer()
    return writer.program(expr, "2", writer.bound(expr, low=low))


class _Writer:
    """Writes Python; equal parts of the tree are computed once."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._inputs: dict[Input, str] = {}
        self._constants: dict[float | str, str] = {}
        self._numbers: dict[Expr, str] = {}
        self._both: dict[Expr, tuple[str, str]] = {}

    def program(self, expr: Expr, decision: str, value: str) -> Program:
        arguments = ", ".join([*self._inputs.values(), *self._constants.values()])
        # One text for all that have the same shape: a program each of a thousand would be half a megabyte.
        source = sys.intern(_source(arguments, self._lines, decision, value))
        made = _functions(source)
        inputs = tuple(self._inputs)
        return Program(
            inputs=inputs,
            constants=tuple(self._constants),
            source=source,
            decide=made["decide"],
            decide_all=made["decide_all"],
            value=made["value"],
            edges=_edges(expr, inputs),
        )

    # -- numbers

    def number(self, expr: Expr) -> str:
        match expr:
            case Number():
                return self._constant(expr.value)
            case Select() | Over() | syntax.Age() | Trend() | Anomaly() | Aggregate():
                return self._input(Input(expr))
            case Unary(op="abs"):
                return f"abs({self.number(expr.of)})"
            case Unary():
                return f"(-{self.number(expr.of)})"
        if expr not in self._numbers:
            self._numbers[expr] = self._let("n", self._arithmetic(expr))
        return self._numbers[expr]

    def _arithmetic(self, expr: Expr) -> str:
        if isinstance(expr, syntax.Applied):
            given = ", ".join(self.number(item) for item in expr.items)
            return f"applied({self._constant(expr.function)}, {given})"
        if not isinstance(expr, syntax.Arithmetic):
            raise ExpressionError("this is no number", offset=expr.at)
        return f"{_HELPER[expr.op]}({self.number(expr.left)}, {self.number(expr.right)})"

    def bound(self, expr: Expr, *, low: bool) -> str:
        """What the number is at least (or at most): a max over known series is known to be at least that."""
        side = ("low" if low else "high") if is_interval(expr) else ""
        match expr:
            case Aggregate(function="max" | "min"):
                return self._input(Input(expr, partial=(expr.function == "max") is low, side=side))
            case Trend() | Aggregate():
                return self._input(Input(expr, side=side))
            case Unary(op="-"):
                return f"(-{self.bound(expr.of, low=not low)})"
            case Arithmetic() if side:
                return self._sum(expr, low=low)
        return self.number(expr)

    def _sum(self, expr: Arithmetic, *, low: bool) -> str:
        """The bound of a sum of intervals, or of one times a constant."""
        factor = constant(expr.right) if expr.op in "*/" else None
        left = self.bound(expr.left, low=low if factor is None else low is (factor > 0))
        if expr.op == "*" and factor is None:
            # The units have seen to it that one side is a constant.
            factor = constant(expr.left) or 0.0
            return f"mul({self.number(expr.left)}, {self.bound(expr.right, low=low is (factor > 0))})"
        right = self.bound(expr.right, low=low if expr.op == "+" else not low)
        return f"{_HELPER[expr.op]}({left}, {right})"

    def _input(self, wanted: Input) -> str:
        return self._inputs.setdefault(wanted, f"s{len(self._inputs)}")

    def _constant(self, value: float | str) -> str:
        return self._constants.setdefault(value, f"k{len(self._constants)}")

    def _let(self, letter: str, code: str) -> str:
        name = f"{letter}{len(self._lines)}"
        self._lines.append(f"{name} = {code}")
        return name

    # -- truth

    def true(self, expr: Expr) -> str:
        return self._sided(expr, wanted=True)

    def false(self, expr: Expr) -> str:
        return self._sided(expr, wanted=False)

    def _sided(self, expr: Expr, *, wanted: bool) -> str:
        match expr:
            case syntax.Compare():
                return f"({self._compare(expr, wanted=wanted)})"
            case syntax.Not():
                return self._sided(expr.of, wanted=not wanted)
            case syntax.All():
                return self._joined("and" if wanted else "or", expr, wanted=wanted)
            case syntax.Any():
                return self._joined("or" if wanted else "and", expr, wanted=wanted)
            case syntax.Xor() | syntax.Count() | syntax.Weighted():
                return self._intervals(expr)[not wanted]
            case Heard() | Calendar():
                return f"({self._input(Input(expr))} == {int(wanted)})"
            case syntax.Matched():
                text = self._input(Input(expr.of))
                said = f"found({text}, {self._constant(expr.pattern)})"
                return f"({text} == {text} and {said if wanted else f'not {said}'})"
            case syntax.Chosen():
                return "(0 == 1)"  # nobody is selected: neither true nor false
        raise ExpressionError("this is no condition", offset=expr.at)

    def _joined(self, word: str, expr: Expr, *, wanted: bool) -> str:
        return "(" + f" {word} ".join(self._sided(item, wanted=wanted) for item in expr.children()) + ")"

    def _compare(self, expr: syntax.Compare, *, wanted: bool) -> str:
        if syntax.is_word(expr.left):
            return self._words(expr, wanted=wanted)
        if expr.op in ("==", "!="):
            if (expr.op == "==") is wanted:
                return f"{self.number(expr.left)} == {self.number(expr.right)}"
            return f"{self._ordered('<', expr)} or {self._ordered('>', expr)}"
        return self._ordered(expr.op if wanted else _OPPOSITE[expr.op], expr)

    def _ordered(self, op: str, expr: syntax.Compare) -> str:
        # `a > b` is certain when the least a can be is above the most b can be.
        above = op in (">", ">=")
        return f"{self.bound(expr.left, low=above)} {op} {self.bound(expr.right, low=not above)}"

    def _words(self, expr: syntax.Compare, *, wanted: bool) -> str:
        left, right = self._text(expr.left), self._text(expr.right)
        known = " and ".join(
            f"{name} == {name}" for name, side in ((left, expr.left), (right, expr.right)) if not isinstance(side, Word)
        )
        said = {
            "==": f"{left} == {right}",
            "!=": f"{left} != {right}",
            "matches": f"globbed({left}, {right})",
            "contains": f"{right} in {left}",
        }[expr.op]
        said = said if wanted else f"not ({said})"
        return f"{known} and {said}" if known else said

    def _text(self, expr: Expr) -> str:
        if isinstance(expr, Word):
            return self._constant(expr.text)
        if isinstance(expr, Select):
            return self._input(Input(expr))
        raise ExpressionError("this is no word", offset=expr.at)

    # -- counting: what is unknown could be either, so the count is an interval

    def _intervals(self, expr: syntax.Xor | syntax.Count | syntax.Weighted) -> tuple[str, str]:
        if expr not in self._both:
            sides = [(self._let("t", self.true(item)), self._let("f", self.false(item))) for item in expr.children()]
            trues, falses = [true for true, _ in sides], [false for _, false in sides]
            true, false = _decided(expr, trues, falses)
            self._both[expr] = (self._let("t", true), self._let("f", false))
        return self._both[expr]


def _decided(expr: syntax.Xor | syntax.Count | syntax.Weighted, trues: list[str], falses: list[str]) -> tuple[str, str]:
    if isinstance(expr, syntax.Xor):
        (a, b), (x, y) = trues, falses
        return f"({a} and {y}) or ({x} and {b})", f"({a} and {b}) or ({x} and {y})"
    if isinstance(expr, syntax.Weighted):
        return _weighed(expr, trues, falses)
    yes, no, rest = " + ".join(trues), " + ".join(falses), len(trues) - expr.n
    return {
        "at_least": (f"{yes} >= {expr.n}", f"{no} > {rest}"),
        "at_most": (f"{no} >= {rest}", f"{yes} > {expr.n}"),
        "exactly": (f"({yes} == {expr.n}) and ({no} == {rest})", f"({yes} > {expr.n}) or ({no} > {rest})"),
    }[expr.how]


def _weighed(expr: syntax.Weighted, trues: list[str], falses: list[str]) -> tuple[str, str]:
    # In whole numbers of the smallest decimal written: in floats 0.1 + 0.7 does not reach 0.8.
    parts = [exact(weight) for weight in (*expr.weights, expr.threshold)]
    unit = math.lcm(*(part.denominator for part in parts))
    *weights, threshold = (int(part * unit) for part in parts)
    low = " + ".join(f"{weight} * {true}" for weight, true in zip(weights, trues, strict=True))
    lost = " + ".join(f"{weight} * {false}" for weight, false in zip(weights, falses, strict=True))
    return f"{low} >= {threshold}", f"{lost} > {sum(weights) - threshold}"


def _source(arguments: str, lines: list[str], decision: str, value: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    inner = "".join(f"        {line}\n" for line in lines)
    # The comma makes a row of one argument a tuple too.
    row = f"({arguments},)" if arguments else "_"
    return (
        f"def decide({arguments}):\n{body}    return {decision}\n"
        f"def value({arguments}):\n{body}    return {value}\n"
        f"def decide_all(rows):\n    out = []\n    put = out.append\n"
        f"    for {row} in rows:\n{inner}        put({decision})\n    return out\n"
    )


@lru_cache(maxsize=8192)
def _functions(source: str) -> dict[str, Any]:
    if not _OWN_WORDS_ONLY.fullmatch(source):
        raise ExpressionError("the expression compiled to something foreign", hint="this is a bug: please report it")
    names: dict[str, Any] = {"__builtins__": {"abs": abs}, "nan": NAN, **_HELPERS}
    exec(source, names)  # noqa: S102 - our own words only, checked above: constants and names of users are arguments
    return names


def _edges(expr: Expr, inputs: tuple[Input, ...]) -> tuple[tuple[float, ...] | None, ...]:
    return tuple(_turns(expr, item.source) if is_age(item.source) else None for item in inputs)


def is_age(source: Expr) -> bool:
    """Whether its value grows while nothing happens."""
    return isinstance(source, syntax.Age) or (isinstance(source, Aggregate) and isinstance(source.of, syntax.Age))


def _turns(expr: Expr, source: Expr) -> tuple[float, ...] | None:
    """The constants an age is compared with; None when it is also used in another way."""
    found: list[float] = []
    uses = sum(node == source for node in syntax.walk(expr))
    for node in syntax.walk(expr):
        if isinstance(node, syntax.Compare):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                limit = constant(other)
                if one == source and limit is not None:
                    found.append(limit)
    return tuple(sorted(set(found))) if len(found) == uses else None


# ------------------------------------------------------------------------ what the generated code may call


def _finite(value: float) -> float:
    return value if value - value == 0 else NAN


def _divide(left: float, right: float) -> float:
    return _finite(left / right) if right else NAN


def globbed(text: str, pattern: str) -> bool:
    """Whether the whole text matches a glob of ``*`` and ``?``; steps are at most len(text) * len(pattern)."""
    return _glob(pattern).match(text) is not None


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    # What stands between two stars is looked for once, and never again further on: that is what bounds the steps.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


_HELPERS: dict[str, Callable[..., Any]] = {
    "add": lambda left, right: _finite(left + right),
    "sub": lambda left, right: _finite(left - right),
    "mul": lambda left, right: _finite(left * right),
    "div": _divide,
    "globbed": globbed,
    "found": found,
    "applied": plugged.apply,
}
