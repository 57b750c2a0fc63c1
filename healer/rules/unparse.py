"""Trees written back as text, in the one form that parses to the same tree."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import cast

from healer.model.unit import Unit
from healer.rules.season import DAY
from healer.rules.syntax import (
    Age,
    Aggregate,
    All,
    Anomaly,
    Any,
    Applied,
    Arithmetic,
    Calendar,
    Chosen,
    Compare,
    Count,
    Expr,
    Heard,
    Matched,
    Matcher,
    Not,
    Number,
    Over,
    Select,
    Trend,
    Unary,
    Weighted,
    Word,
    Xor,
)
from healer.rules.trend import HISTORY

# From loose to tight. The same numbers stand in the grammar (docs/expressions.md).
_OR, _XOR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _UNARY, _ATOM = range(9)
_LEVEL: dict[type[Expr], int] = {Any: _OR, Xor: _XOR, All: _AND, Not: _NOT, Compare: _COMPARE}
_BASE = {Unit.SECONDS: "s", Unit.BYTES: "B"}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def unparse(expr: Expr) -> str:
    """Text that parses to the same tree."""
    return _WRITERS[type(expr)](expr)


def _level(expr: Expr) -> int:
    match expr:
        case Arithmetic():
            return _SUM if expr.op in "+-" else _PRODUCT
        case Unary(op="-"):
            return _UNARY
        case Number(value=value) if value < 0:
            return _UNARY
    return _LEVEL.get(type(expr), _ATOM)


def _inside(expr: Expr, level: int) -> str:
    text = unparse(expr)
    return text if _level(expr) >= level else f"({text})"


def _number(expr: Expr) -> str:
    node = cast("Number", expr)
    if node.text:
        return node.text
    if node.unit is Unit.RATIO:
        percent = f"{Decimal(repr(float(node.value))) * 100:f}"
        return f"{percent.rstrip('0').rstrip('.') if '.' in percent else percent}%"
    return decimal(node.value) + (_BASE.get(node.unit, "") if node.unit else "")


def decimal(value: float) -> str:
    """A finite number in decimal, shortest that reads back the same, never with an exponent."""
    shown = repr(float(value))
    return shown.removesuffix(".0") if "e" not in shown else f"{value:.340f}".rstrip("0").rstrip(".")


def quoted(text: str) -> str:
    """A string token."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _select(expr: Expr) -> str:
    node = cast("Select", expr)
    inner = ",".join(_matcher(matcher) for matcher in node.matchers)
    return f"{node.metric}{{{inner}}}" if inner else node.metric


def _matcher(matcher: Matcher) -> str:
    return "target" if matcher.value is None else f"{matcher.label}{matcher.op}{quoted(matcher.value)}"


def _over(expr: Expr) -> str:
    node = cast("Over", expr)
    return f"{node.function}({unparse(node.of)}, {decimal(node.seconds)}s)"


def _trend(expr: Expr) -> str:
    node = cast("Trend", expr)
    history = "" if node.history == HISTORY else f", {decimal(node.history)}s"
    return f"{node.function}({unparse(node.of)}, {_number(node.given)}{history})"


def _anomaly(expr: Expr) -> str:
    node = cast("Anomaly", expr)
    season = "" if node.season == DAY else f", {decimal(node.season)}s"
    return f"anomaly({unparse(node.of)}{season})"


def _heard(expr: Expr) -> str:
    node = cast("Heard", expr)
    inner = ",".join(_matcher(matcher) for matcher in node.matchers)
    said = [quoted(node.topic), *([quoted(node.pattern)] if node.pattern else ()), f"{decimal(node.seconds)}s"]
    return f"{'matched' if node.pattern else 'occurred'}({', '.join(said)})" + (f"{{{inner}}}" if inner else "")


def _matched(expr: Expr) -> str:
    node = cast("Matched", expr)
    return f"matched({unparse(node.of)}, {quoted(node.pattern)})"


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{key}={quoted(text)}" for key, text in pairs]


def _calendar(expr: Expr) -> str:
    return f"calendar({', '.join(_pairs(cast('Calendar', expr).parts))})"


def _chosen(expr: Expr) -> str:
    node = cast("Chosen", expr)
    return f"{node.how}_state({_listed([quoted(node.word)], _pairs(node.criteria))})"


def _aggregate(expr: Expr) -> str:
    node = cast("Aggregate", expr)
    return f"{node.function}({unparse(node.of)})"


def _unary(expr: Expr) -> str:
    node = cast("Unary", expr)
    return f"abs({unparse(node.of)})" if node.op == "abs" else f"-{_inside(node.of, _UNARY)}"


def _arithmetic(expr: Expr) -> str:
    node = cast("Arithmetic", expr)
    level = _level(node)
    return f"{_inside(node.left, level)} {node.op} {_inside(node.right, level + 1)}"


def _compare(expr: Expr) -> str:
    node = cast("Compare", expr)
    return f"{_inside(node.left, _SUM)} {node.op} {_inside(node.right, _SUM)}"


def _joined(word: str, level: int) -> Callable[[Expr], str]:
    # One level tighter: an `and` inside an `and` keeps its brackets, so that the tree comes back as it was.
    return lambda expr: f" {word} ".join(_inside(item, level + 1) for item in expr.children())


def _listed(first: Sequence[str], items: Sequence[str]) -> str:
    return ", ".join([*first, *items])


def _count(expr: Expr) -> str:
    node = cast("Count", expr)
    return f"{node.how}({_listed([str(node.n)], [unparse(item) for item in node.items])})"


def _weighted(expr: Expr) -> str:
    node = cast("Weighted", expr)
    pairs = [f"{unparse(item)}, {decimal(weight)}" for item, weight in zip(node.items, node.weights, strict=True)]
    return f"weighted({_listed([decimal(node.threshold)], pairs)})"


_WRITERS: dict[type[Expr], Callable[[Expr], str]] = {
    Number: _number,
    Word: lambda expr: quoted(cast("Word", expr).text),
    Select: _select,
    Age: lambda expr: f"age({unparse(cast('Age', expr).of)})",
    Over: _over,
    Trend: _trend,
    Anomaly: _anomaly,
    Heard: _heard,
    Matched: _matched,
    Calendar: _calendar,
    Chosen: _chosen,
    Aggregate: _aggregate,
    Unary: _unary,
    Applied: lambda expr: f"{cast('Applied', expr).function}({_listed([], [unparse(one) for one in expr.children()])})",
    Arithmetic: _arithmetic,
    Compare: _compare,
    Not: lambda expr: f"not {_inside(cast('Not', expr).of, _NOT)}",
    All: _joined("and", _AND),
    Any: _joined("or", _OR),
    Xor: _joined("xor", _XOR),
    Count: _count,
    Weighted: _weighted,
}
