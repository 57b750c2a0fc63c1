"""The expression language: text (or combinations made by the loader) to a checked tree; knows no YAML."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from healer.model.organism import ORGANS
from healer.model.unit import Unit
from healer.rules.combine import (
    all_of,
    any_of,
    at_least,
    at_most,
    count,
    exactly,
    none_of,
    not_all,
    not_of,
    weighted,
    xor_of,
)
from healer.rules.syntax import (
    Age,
    Aggregate,
    Arithmetic,
    Compare,
    Expr,
    ExpressionError,
    Matcher,
    Number,
    Over,
    Select,
    Unary,
    Word,
    bind,
    is_condition,
    is_number,
    is_word,
    mentions_target,
    selectors,
)
from healer.rules.tokens import Cursor, Token, unquote
from healer.rules.units import OWN, Vocabulary, check_sum, checked, names_in, near, unit_in
from healer.rules.unparse import unparse

__all__ = [
    "Expr",
    "ExpressionError",
    "all_of",
    "any_of",
    "at_least",
    "at_most",
    "bind",
    "exactly",
    "is_condition",
    "is_number",
    "mentions_target",
    "none_of",
    "not_all",
    "not_of",
    "parse",
    "selectors",
    "structured",
    "unparse",
    "weighted",
    "xor_of",
]

MAX_NESTING = 32
MAX_WINDOW = 86400.0
"""Seconds; samples are kept in memory."""
ACROSS = ("max", "min", "avg", "sum", "count", "p95")
OVER = (
    "avg_over",
    "max_over",
    "min_over",
    "sum_over",
    "count_over",
    "p95_over",
    "rate",
    "delta",
    "changes",
)
COUNTS = ("exactly", "at_least", "at_most")
FUNCTIONS = (*ACROSS, *OVER, *COUNTS, "weighted", "age", "abs", "rule", "state")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "matches", "contains")
STRUCTURED: Mapping[str, str] = {
    **{op: op for op in COMPARISONS},
    "equals": "==",
    "notEquals": "!=",
    "lessThan": "<",
    "lessOrEqual": "<=",
    "greaterThan": ">",
    "greaterOrEqual": ">=",
}


def parse(text: str, *, vocabulary: Vocabulary, lenient: bool = False) -> Expr:
    """Parse a condition, a number or a word (ask `is_condition`, `is_number`).

    ``vocabulary`` maps metric names to units. ``lenient`` lets undeclared metrics pass as plain numbers (or as words
    where they are compared with one). Raises ExpressionError with the offset, and a hint where there is one.
    """
    return _Reader(text, vocabulary, lenient=lenient).all()


def structured(*, organ: str, vital: str, op: str, value: str | float, vocabulary: Vocabulary) -> Expr:
    """The form ``{organ: heart, vital: load, op: ">", value: 85%}`` that tools generate."""
    if organ not in ORGANS:
        raise ExpressionError(f"unknown organ {organ!r}", hint=near(organ, ORGANS))
    if op not in STRUCTURED:
        raise ExpressionError(f"unknown operator {op!r}", hint=near(op, STRUCTURED))
    left = parse(f"{organ}.{vital}", vocabulary=vocabulary)
    if not isinstance(left, Select):
        raise ExpressionError(f"{vital!r} is not the name of a vital")
    right: Expr = Number(value=float(value)) if isinstance(value, (int, float)) else _value(value, left, vocabulary)
    return checked(Compare(op=STRUCTURED[op], left=left, right=right), vocabulary)


def _value(text: str, left: Select, vocabulary: Vocabulary) -> Expr:
    if is_word(left):
        return Word(text=text)
    value = parse(text, vocabulary=vocabulary)
    if selectors(value) or not is_number(value):
        raise ExpressionError(f"{text!r} is not a number", hint="for example 85% or 10MiB")
    return value


# ------------------------------------------------------------------------------------------------ parser


class _Reader(Cursor):
    """Recursive descent over the tokens; its depth is counted, so hostile text ends in an error."""

    def __init__(self, text: str, vocabulary: Vocabulary, *, lenient: bool) -> None:
        super().__init__(text)
        self._nesting = 0
        self._vocabulary = vocabulary
        self._lenient = lenient

    def _deeper(self, read: Callable[[], Expr]) -> Expr:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self.error(f"nested deeper than {MAX_NESTING} levels", "split it into several rules")
        expr = read()
        self._nesting -= 1
        return expr

    def all(self) -> Expr:
        expr, token = self.condition(), self.token
        if token.kind == "end":
            return expr
        hint = ""
        if token.text == "=":
            hint = "did you mean ==?"
        elif token.text.lower() in ("and", "or", "not", "xor", "matches", "contains"):
            hint = f"write {token.text.lower()}"
        raise self.error(f"unexpected {self.found()}", hint)

    # -- conditions

    def condition(self) -> Expr:
        return self._chain("or", self._exclusive, any_of)

    def _exclusive(self) -> Expr:
        left = self._both()
        if not (word := self.accept("xor")):
            return left
        expr = replace(xor_of(left, self._both()), at=word.at)
        if self.sees("xor"):
            raise self.error("xor of three is ambiguous", "use exactly(1, …)")
        return expr

    def _both(self) -> Expr:
        return self._chain("and", self._negation, all_of)

    def _chain(self, word: str, read: Callable[[], Expr], make: Callable[[Sequence[Expr]], Expr]) -> Expr:
        items = [read()]
        at = self.token.at
        while self.accept(word):
            items.append(read())
        return replace(make(items), at=at) if len(items) > 1 else items[0]

    def _negation(self) -> Expr:
        if token := self.accept("not"):
            return replace(not_of(self._deeper(self._negation)), at=token.at)
        return self._comparison()

    def _comparison(self) -> Expr:
        left = self._sum()
        if not (op := self.accept(*COMPARISONS)):
            return left
        right = self._sum()
        if self.sees(*COMPARISONS):
            raise self.error("chained comparison", "write a < b and b < c")
        left, right = _as_words(left, right, op.text)
        return checked(Compare(op=op.text, left=left, right=right, at=op.at), self._vocabulary)

    # -- numbers

    def _sum(self) -> Expr:
        return self._operations(("+", "-"), lambda: self._operations(("*", "/"), self._unary))

    def _operations(self, ops: tuple[str, ...], read: Callable[[], Expr]) -> Expr:
        expr = read()
        while op := self.accept(*ops):
            node = Arithmetic(op=op.text, left=self._number(expr), right=self._number(read()), at=op.at)
            check_sum(node)
            expr = node
        return expr

    def _number(self, expr: Expr) -> Expr:
        if not is_number(expr):
            raise self.error("arithmetic needs numbers", at=expr.at)
        return expr

    def _unary(self) -> Expr:
        if token := self.accept("-"):
            return Unary(op="-", of=self._number(self._deeper(self._unary)), at=token.at)
        return self._primary()

    def _primary(self) -> Expr:
        token = self.token
        if token.kind == "number":
            self.take()
            return Number(value=token.value, unit=token.unit, text=token.text, at=token.at)
        if token.kind == "string":
            self.take()
            return Word(text=unquote(token.text), at=token.at)
        if self.accept("("):
            inner = self._deeper(self.condition)
            self.expect(")")
            return inner
        if token.kind == "name":
            return self._named()
        hint = f"did you mean =={token.text}?" if token.text == "=" else ""
        raise self.error(f"expected a metric or a number, found {self.found()}", hint)

    def _named(self) -> Expr:
        ahead = self.ahead
        if ahead.kind == "op" and ahead.text == "(":
            return self._deeper(self._call)
        return self._select()

    # -- functions

    def _call(self) -> Expr:
        name = self.take()
        self.expect("(")
        if name.text not in FUNCTIONS:
            close = difflib.get_close_matches(name.text, FUNCTIONS, n=1)
            guess = f"did you mean {close[0]}? " if close else ""
            raise self.error(f"unknown function {name.text!r}", f"{guess}There are: {', '.join(FUNCTIONS)}", name.at)
        expr = self._arguments(name)
        self.expect(")", f"{name.text} takes no more than this" if self.sees(",") else "")
        return replace(expr, at=name.at)

    def _arguments(self, name: Token) -> Expr:
        match name.text:
            case "abs":
                return Unary(op="abs", of=self._number(self._sum()))
            case "age":
                return Age(of=self._series(name))
            case "rule" | "state":
                return self._state(name.text)
            case "weighted":
                return self._weighted()
        if name.text in COUNTS:
            return self._counted(name.text)
        return self._over(name) if name.text in OVER else self._across(name)

    def _across(self, name: Token) -> Expr:
        inner = self._sum()
        if not isinstance(inner, (Select, Over, Age)) or not is_number(inner):
            raise self.error(f"{name.text} takes the series of one numeric metric", f"{name.text}(disk.used)", inner.at)
        return Aggregate(function=name.text, of=inner)

    def _over(self, name: Token) -> Expr:
        select = self._series(name)
        if is_word(select) and name.text not in ("changes", "count_over"):
            raise self.error(f"{name.text} takes numbers, and {select.metric} is a word", at=select.at)
        self.expect(",", f"{name.text} takes a window: {name.text}({select.metric}, 5m)")
        window = self.take()
        if window.kind != "number" or window.unit is not Unit.SECONDS:
            raise self.error("expected a window", "for example 5m", window.at)
        if not 0 < window.value <= MAX_WINDOW:
            raise self.error("a window is longer than 0 and at most 1d", at=window.at)
        return Over(function=name.text, of=select, seconds=window.value)

    def _series(self, name: Token) -> Select:
        at = self.token.at
        inner = self._primary()
        if not isinstance(inner, Select):
            raise self.error(f"{name.text} takes a metric", f"for example {name.text}(http.latency)", at)
        return inner

    def _state(self, function: str) -> Expr:
        token = self.take()
        if token.kind != "string":
            raise self.error(f"{function} takes a text in quotes", f'{function}("…")', token.at)
        if function == "state":
            return _own("target.state", (Matcher(label="target", op="=", value=unquote(token.text)),))
        bound = Matcher(label="target", op="=", value=None)
        return _own("rule.state", (Matcher(label="rule", op="=", value=unquote(token.text)), bound))

    def _counted(self, how: str) -> Expr:
        n = self._plain(how)
        items = []
        while self.accept(","):
            items.append(self.condition())
        return count(how, n, items)

    def _weighted(self) -> Expr:
        threshold = self._plain("weighted")
        items = []
        while self.accept(","):
            item = self.condition()
            self.expect(",", "each condition is followed by its weight")
            items.append((self._plain("weighted"), item))
        return weighted(threshold, items)

    def _plain(self, function: str) -> float:
        token = self.take()
        if token.kind != "number" or token.unit is not None:
            raise self.error(f"{function} takes a plain number here", at=token.at)
        return token.value

    # -- selectors

    def _select(self) -> Expr:
        name = self.take()
        matchers = self._matchers() if self.sees("{") else ()
        if name.text == "state":
            return replace(_own("target.state", matchers), at=name.at)
        organ, _, vital = name.text.partition(".")
        if organ in ORGANS and vital in ("health", "score"):
            mine = Matcher(label="organ", op="=", value=organ)
            return replace(_own(f"organ.{vital}", (mine, *matchers)), at=name.at)
        unit = unit_in(self._vocabulary, name.text)
        if unit is None and not self._lenient and not (organ in ORGANS and vital):
            raise self._unknown(name)
        self._check_labels(name, matchers)
        return Select(metric=name.text, matchers=matchers, unit=unit or Unit.NUMBER, at=name.at)

    def _unknown(self, name: Token) -> ExpressionError:
        if name.text.lower() in ("and", "or", "not", "xor"):
            return self.error(f"unexpected {name.text!r}", f"write {name.text.lower()}", name.at)
        if name.text in FUNCTIONS:
            return self.error(f"{name.text} is a function", f"{name.text}(…)", name.at)
        close = difflib.get_close_matches(name.text, [*self._vocabulary, *OWN], n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else "see `healer metrics`; words stand in quotes"
        return self.error(f"unknown metric {name.text!r}", hint, name.at)

    def _check_labels(self, name: Token, matchers: tuple[Matcher, ...]) -> None:
        known = names_in(self._vocabulary, name.text, "labels")
        for matcher in matchers:
            if known and matcher.label not in known:
                raise self.error(f"{name.text} has no label {matcher.label!r}", near(matcher.label, known), name.at)

    def _matchers(self) -> tuple[Matcher, ...]:
        self.expect("{")
        found: list[Matcher] = []
        while not self.accept("}"):
            if found:
                self.expect(",")
            found.append(self._matcher())
        return tuple(found)

    def _matcher(self) -> Matcher:
        label = self.take()
        if label.kind not in ("name", "keyword"):
            raise self.error("expected a label", 'for example {mount="/"}, or {target}', label.at)
        op = self.accept("=", "!=", "=~", "==")
        if op is None and label.text == "target":
            return Matcher(label="target", op="=", value=None)
        if op is None or op.text == "==":
            raise self.error(f"label {label.text!r} needs =, != or =~", f'{label.text}="…"', label.at)
        value = self.take()
        if value.kind != "string":
            raise self.error("a label's value stands in quotes", f'{label.text}{op.text}"…"', value.at)
        return Matcher(label=label.text, op=op.text, value=unquote(value.text))


def _own(metric: str, matchers: tuple[Matcher, ...]) -> Select:
    return Select(metric=metric, matchers=matchers, unit=OWN[metric])


def _as_words(left: Expr, right: Expr, op: str) -> tuple[Expr, Expr]:
    """An undeclared metric compared with a word holds words: nothing else could ever be true."""
    if op in ("matches", "contains") or isinstance(right, Word):
        left = _as_word(left)
    if isinstance(left, Word):
        right = _as_word(right)
    return left, right


def _as_word(expr: Expr) -> Expr:
    return replace(expr, unit=Unit.WORD) if isinstance(expr, Select) and expr.unit is Unit.NUMBER else expr
