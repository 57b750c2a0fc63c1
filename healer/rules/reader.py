"""The grammar: tokens to a checked tree."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace

from healer import plugged
from healer.model.organism import ORGANS
from healer.model.unit import Unit
from healer.rules.calls import BARE, CALLS, applied
from healer.rules.combine import all_of, any_of, not_of, xor_of
from healer.rules.syntax import (
    Arithmetic,
    Compare,
    Expr,
    ExpressionError,
    Heard,
    Matcher,
    Number,
    Select,
    Unary,
    Word,
    is_number,
)
from healer.rules.tokens import Cursor, Token, unquote
from healer.rules.units import OWN, Vocabulary, as_word, check_sum, checked, names_in, near, own, unit_in

MAX_NESTING = 32
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "matches", "contains")


class Reader(Cursor):
    """Recursive descent over the tokens; its depth is counted, so hostile text ends in an error."""

    def __init__(self, text: str, vocabulary: Vocabulary, *, lenient: bool) -> None:
        super().__init__(text)
        self._nesting = 0
        self.vocabulary = vocabulary
        self._lenient = lenient

    def _deeper(self, read: Callable[[], Expr]) -> Expr:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self.error(f"nested deeper than {MAX_NESTING} levels", "split it into several rules")
        expr = read()
        self._nesting -= 1
        return expr

    def all(self) -> Expr:
        """The whole text; raises ExpressionError."""
        expr, token = self.condition(), self.token
        if token.kind == "end":
            return expr
        raise self.error(f"unexpected {self.found()}", _left_over(token, expr))

    # -- conditions

    def condition(self) -> Expr:
        """A condition, as far as it goes."""
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
        left = self.sum()
        if not (op := self.accept(*COMPARISONS)):
            return left
        right = self.sum()
        if self.sees(*COMPARISONS):
            raise self.error("chained comparison", "write a < b and b < c")
        left, right = _as_words(left, right, op.text)
        return checked(Compare(op=op.text, left=left, right=right, at=op.at), self.vocabulary)

    # -- numbers

    def sum(self) -> Expr:
        """A number, as far as it goes."""
        return self._operations(("+", "-"), lambda: self._operations(("*", "/"), self._unary))

    def _operations(self, ops: tuple[str, ...], read: Callable[[], Expr]) -> Expr:
        expr = read()
        while op := self.accept(*ops):
            node = Arithmetic(op=op.text, left=self.number(expr), right=self.number(read()), at=op.at)
            check_sum(node)
            expr = node
        return expr

    def number(self, expr: Expr) -> Expr:
        """The same, if it is a number; else ExpressionError."""
        if not is_number(expr):
            raise self.error("arithmetic needs numbers", at=expr.at)
        return expr

    def _unary(self) -> Expr:
        if token := self.accept("-"):
            return Unary(op="-", of=self.number(self._deeper(self._unary)), at=token.at)
        return self.primary()

    def primary(self) -> Expr:
        """One thing: a number, a word, a selector, a call or what stands in brackets."""
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
        if name.text in plugged.FUNCTIONS:
            expr = applied(self, name)
            self.expect(")", f"{name.text} takes {plugged.FUNCTIONS[name.text].arguments}")
            return replace(expr, at=name.at)
        if name.text not in CALLS:
            known = ", ".join((*CALLS, *plugged.FUNCTIONS))
            close = difflib.get_close_matches(name.text, CALLS, n=1)
            guess = f"did you mean {close[0]}? " if close else ""
            raise self.error(
                f"unknown function {name.text!r}",
                f"{guess}There are: {known}",
                name.at,
            )
        expr = CALLS[name.text](self, name)
        self.expect(")", f"{name.text} takes no more than this" if self.sees(",") else "")
        if isinstance(expr, Heard) and self.sees("{"):
            at = self.token.at
            expr = replace(expr, matchers=self.matchers())
            if any(one.label == "own" and one.op == "=" and one.value not in ("yes", "no") for one in expr.matchers):
                raise self.error("own is yes or no", 'own="yes": what the agent itself says', at)
        return replace(expr, at=name.at)

    # -- selectors

    def _select(self) -> Expr:
        name = self.take()
        matchers = self.matchers() if self.sees("{") else ()
        if name.text in BARE:
            return replace(own(BARE[name.text], matchers), at=name.at)
        organ, _, vital = name.text.partition(".")
        if organ in ORGANS and vital in ("health", "score"):
            mine = Matcher(label="organ", op="=", value=organ)
            return replace(own(f"organ.{vital}", (mine, *matchers)), at=name.at)
        unit = unit_in(self.vocabulary, name.text)
        if unit is None and not self._lenient and not (organ in ORGANS and vital):
            raise self._unknown(name)
        self._check_labels(name, matchers)
        return Select(metric=name.text, matchers=matchers, unit=unit or Unit.NUMBER, at=name.at)

    def _unknown(self, name: Token) -> ExpressionError:
        if name.text.lower() in ("and", "or", "not", "xor"):
            return self.error(f"unexpected {name.text!r}", f"write {name.text.lower()}", name.at)
        if name.text in CALLS:
            return self.error(f"{name.text} is a function", f"{name.text}(…)", name.at)
        close = difflib.get_close_matches(name.text, [*self.vocabulary, *OWN], n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else "see `healer metrics`; words stand in quotes"
        return self.error(f"unknown metric {name.text!r}", hint, name.at)

    def _check_labels(self, name: Token, matchers: tuple[Matcher, ...]) -> None:
        known = names_in(self.vocabulary, name.text, "labels")
        for matcher in matchers:
            if known and matcher.label not in known:
                raise self.error(f"{name.text} has no label {matcher.label!r}", near(matcher.label, known), name.at)

    def matchers(self) -> tuple[Matcher, ...]:
        """Label filters in braces."""
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


def _left_over(token: Token, read: Expr) -> str:
    """A hint for what stands behind an expression that was complete without it."""
    word = token.text.lower()
    if word == "=":
        return "did you mean ==?"
    if word in ("and", "or", "not", "xor", "matches", "contains"):
        return f"write {word}"
    if word in ("is", "equals", "eq"):
        return "write == (or !=)"
    if word in ("for", "during"):
        return "how long it must hold is a key of the rule: for: 5m"
    if token.kind in ("number", "string", "name"):
        return "join conditions with and, or, xor" if not is_number(read) else "a comparison such as == is missing"
    return ""


def _as_words(left: Expr, right: Expr, op: str) -> tuple[Expr, Expr]:
    """An undeclared metric compared with a word holds words: nothing else could ever be true."""
    if op in ("matches", "contains") or isinstance(right, Word):
        left = as_word(left)
    if isinstance(left, Word):
        right = as_word(right)
    return left, right
