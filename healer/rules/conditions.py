"""Conditions as YAML: text is an expression, lists and mappings combine conditions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healer.model.kinds.catalog import KINDS
from healer.model.organism import ORGANS
from healer.model.target import STATES
from healer.rules import chosen, expression
from healer.rules.expression import Expr, ExpressionError
from healer.rules.units import Vocabulary
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import BROKEN, Entry, Items, Node, Scalar, Table, kind
from healer.yamldoc.parsers import Count, Ratio, Word
from healer.yamldoc.shape import Bad, Schema, Shape, every, suggestion

_LISTS: Mapping[str, Callable[[Sequence[Expr]], Expr]] = {
    "all": expression.all_of,
    "any": expression.any_of,
    "none": expression.none_of,
    "not_all": expression.not_all,
}
_COUNTS: Mapping[str, Callable[[int, Sequence[Expr]], Expr]] = {
    "exactly": expression.exactly,
    "at_least": expression.at_least,
    "at_most": expression.at_most,
}
STATED = ("any", "all", "none")
COMBINATORS = (*_LISTS, "not", "xor", *_COUNTS, "weighted", "state")
STRUCTURED = ("organ", "vital", "op", "value")
_EXAMPLE = "such as http.ok{target} == 0, or all: [...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A condition, and how it reads on one line."""

    expr: Expr
    source: str


class Condition(Shape):
    """Text, a list (all of it), one combinator, or the structured form."""

    says = "a condition"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._parsed: dict[str, Expr] = {}

    def read(self, node: Node, problems: Problems) -> Read:
        """The condition with its text."""
        expr = self.expr(node, problems)
        source = node.text.strip() if isinstance(node, Scalar) else expression.unparse(expr)
        return Read(expr=expr, source=source)

    def expr(self, node: Node, problems: Problems) -> Expr:
        """The tree of a node."""
        if isinstance(node, Table):
            return self._table(node, problems)
        if isinstance(node, Items):
            return self._made(node, problems, lambda: expression.all_of(self._children(node, problems)))
        if not isinstance(node.value, str) or not node.value.strip():
            raise self.wrong(node, problems)
        try:
            return self._parse(node.value)
        except ExpressionError as exc:
            problems.add(node.at(exc.offset), exc.message, exc.hint)
            raise Bad from exc

    def _parse(self, text: str) -> Expr:
        """Parse a text once: in a large set the same few conditions are written again and again."""
        if text not in self._parsed:
            expr = expression.parse(text, vocabulary=self._vocabulary)
            expression.all_of([expr])  # refuses what is a number or a word, saying how to compare it
            self._parsed[text] = expr
        return self._parsed[text]

    def advice(self, node: Node) -> str:
        """By example."""
        return super().advice(node) or _EXAMPLE

    def _table(self, node: Table, problems: Problems) -> Expr:
        if node.entries and all(entry.key in STRUCTURED for entry in node.entries):
            return self._structured(node, problems)
        for entry in node.entries:
            if entry.key not in COMBINATORS:
                problems.add(entry.mark, f"unknown combination '{entry.key}'", suggestion(entry.key, COMBINATORS))
                raise Bad
        if len(node.entries) != 1:
            # Two keys side by side: nobody can tell whether both or either was meant.
            keys = ", ".join(entry.key for entry in node.entries) or "nothing"
            problems.add(node.mark, f"expected one combination, found {keys}", f"one of: {', '.join(COMBINATORS)}")
            raise Bad
        return self._combined(node.entries[0], problems)

    def _combined(self, entry: Entry, problems: Problems) -> Expr:
        word, node = entry.key, entry.node
        if word == "not":
            if isinstance(node, Items):
                problems.add(node.mark, "not takes one condition", "write none: [...] or not_all: [...]")
                raise Bad
            return self._made(node, problems, lambda: expression.not_of(self.expr(node, problems)))
        if word in _COUNTS:
            return self._counted(_COUNTS[word], node, problems)
        if word == "weighted":
            return self._weighted(node, problems)
        if word == "state":
            return self._state(node, problems)
        children = self._children(node, problems)
        if word != "xor":
            return self._made(node, problems, lambda: _LISTS[word](children))
        if len(children) != 2:
            problems.add(
                node.mark, f"xor takes two conditions, found {len(children)}", "write exactly: {n: 1, of: [...]}"
            )
            raise Bad
        return self._made(node, problems, lambda: expression.xor_of(children[0], children[1]))

    def _children(self, node: Node, problems: Problems) -> tuple[Expr, ...]:
        if not isinstance(node, Items):
            if not (isinstance(node, Scalar) and node.value is BROKEN):
                problems.add(node.mark, f"expected a list of conditions, found {kind(node)}", _EXAMPLE)
            raise Bad
        if not node.items:
            problems.add(node.mark, "an empty list of conditions", "it would never be true; write at least one")
            raise Bad
        return every(lambda item: self.expr(item, problems), node.items)

    def _counted(self, make: Callable[[int, Sequence[Expr]], Expr], node: Node, problems: Problems) -> Expr:
        held = self._exactly(node, ("n", "of"), problems)
        children = self._children(held["of"], problems)
        n = Count(0, len(children)).read(held["n"], problems)
        return self._made(node, problems, lambda: make(n, children))

    def _weighted(self, node: Node, problems: Problems) -> Expr:
        held = self._exactly(node, ("threshold", "of"), problems)
        threshold = Ratio(0.0, 1e6).read(held["threshold"], problems)
        if not isinstance(held["of"], Items) or not held["of"].items:
            problems.add(held["of"].mark, "expected a list of {when, weight}", "of: [{when: ..., weight: 0.8}]")
            raise Bad
        parts = every(lambda item: self._weight(item, problems), held["of"].items)
        return self._made(node, problems, lambda: expression.weighted(threshold, [(w, expr) for w, expr in parts]))

    def _weight(self, node: Node, problems: Problems) -> tuple[float, Expr]:
        held = self._exactly(node, ("when", "weight"), problems)
        return Ratio(0.0, 1e6).read(held["weight"], problems), self.expr(held["when"], problems)

    def _exactly(self, node: Node, keys: tuple[str, ...], problems: Problems) -> dict[str, Node]:
        """The nodes of a mapping that must have these keys and no other."""
        if not isinstance(node, Table):
            problems.add(node.mark, f"expected {{{', '.join(keys)}}}, found {kind(node)}")
            raise Bad
        held = {entry.key: entry.node for entry in node.entries}
        for entry in node.entries:
            if entry.key not in keys:
                problems.add(entry.mark, f"unknown key '{entry.key}'", suggestion(entry.key, keys))
        for key in keys:
            if key not in held:
                problems.add(node.mark, f"'{key}' is missing", f"write {{{', '.join(keys)}}}")
        if set(held) != set(keys):
            raise Bad
        return held

    def _state(self, node: Node, problems: Problems) -> Expr:
        """``{any: {kind: program, group: [web], except: [db]}, is: stopped}``, or all, or none."""
        how = (
            next((entry.key for entry in node.entries if entry.key in STATED), "any")
            if isinstance(node, Table)
            else "any"
        )
        held = self._exactly(node, (how, "is"), problems)
        state = Word(STATES).read(held["is"], problems)
        selection = held[how]
        if not isinstance(selection, Table) or not selection.entries:
            what = "an empty mapping" if isinstance(selection, Table) else kind(selection)
            problems.add(selection.mark, f"expected a selection, found {what}", "{kind: program, group: web}")
            raise Bad
        criteria: dict[str, str] = {}
        for entry in selection.entries:
            if entry.key not in chosen.CRITERIA:
                problems.add(entry.mark, f"unknown key '{entry.key}'", suggestion(entry.key, chosen.CRITERIA))
                raise Bad
            criteria[entry.key] = _criterion(entry, problems)
        return self._made(selection, problems, lambda: chosen.chosen(how, state, criteria))

    def _structured(self, node: Table, problems: Problems) -> Expr:
        held = self._exactly(node, STRUCTURED, problems)
        organ = Word(ORGANS).read(held["organ"], problems)
        vital, op, value = (_word(held[key], key, problems) for key in ("vital", "op", "value"))
        return self._made(
            held["op"],
            problems,
            lambda: expression.structured(organ=organ, vital=vital, op=op, value=value, vocabulary=self._vocabulary),
        )

    @staticmethod
    def _made(node: Node, problems: Problems, make: Callable[[], Expr]) -> Expr:
        """Combine, turning what the expression language refuses (depth, kinds) into a problem here."""
        try:
            return make()
        except ExpressionError as exc:
            problems.add(node.mark, exc.message, exc.hint)
            raise Bad from exc

    def schema(self) -> Schema:
        """Conditions nest: they refer to a definition that the document holds."""
        return {"$ref": "#/$defs/condition"}


def _criterion(entry: Entry, problems: Problems) -> str:
    """Its text; a list where several may stand, and labels as a mapping."""
    node = entry.node
    if entry.key == "label" and isinstance(node, Table):
        return ",".join(f"{pair.key}={_word(pair.node, pair.key, problems)}" for pair in node.entries)
    if entry.key in {"group", "except"} and isinstance(node, Items):
        return ",".join(_word(item, entry.key, problems) for item in node.items)
    return _word(node, entry.key, problems)


def _word(node: Node, key: str, problems: Problems) -> str:
    if isinstance(node, Scalar) and isinstance(node.value, str | int | float) and not isinstance(node.value, bool):
        return node.text
    if not (isinstance(node, Scalar) and node.value is BROKEN):
        problems.add(
            node.mark, f"expected {key} as a word or number, found {kind(node)}", 'such as op: ">", value: 85%'
        )
    raise Bad


def definition() -> Schema:
    """JSON Schema of a condition, for the ``$defs`` of a document."""
    one: Schema = {"$ref": "#/$defs/condition"}
    several: Schema = {"type": "array", "minItems": 1, "items": one}

    def record(**properties: Any) -> Schema:  # noqa: ANN401 - pieces of JSON Schema
        return {
            "type": "object",
            "additionalProperties": False,
            "required": list(properties),
            "properties": properties,
        }

    number = {"type": ["number", "string"]}
    weight = record(when=one, weight=number)
    forms: list[Schema] = [{"type": "string", "minLength": 1}, several, record(**{"not": one})]
    forms += [record(**{word: several}) for word in (*_LISTS, "xor")]
    forms += [record(**{word: record(n={"type": "integer"}, of=several)}) for word in _COUNTS]
    forms.append(record(weighted=record(threshold=number, of={"type": "array", "minItems": 1, "items": weight})))
    several_words = {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}
    labels = {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": ["string", "number"]}}]}
    criteria: Schema = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {
            "kind": {"enum": list(KINDS)},
            "name": {"type": "string"},
            "organ": {"enum": list(ORGANS)},
            "group": several_words,
            "label": labels,
            "except": several_words,
        },
    }
    state = {"enum": list(STATES)}
    forms.append(record(state={"anyOf": [record(**{how: criteria, "is": state}) for how in STATED]}))
    forms.append(record(organ={"enum": list(ORGANS)}, vital={"type": "string"}, op={"type": "string"}, value=number))
    return {"anyOf": forms}
