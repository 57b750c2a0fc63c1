"""The ladder of a rule as YAML: each step is one verb with its parameters, and how its success is proved."""

from collections.abc import Mapping
from typing import Any

from healer.model.verbs import Param, Verb
from healer.rules.conditions import Condition
from healer.rules.rule import Approve, Position, Step, Verify
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import BROKEN, Entry, Items, Node, Scalar, Table, kind
from healer.yamldoc.parsers import NAME, Count, Duration, Flag, Size, Text, Word
from healer.yamldoc.plain import Anything, Data
from healer.yamldoc.secret import TextOrSecret
from healer.yamldoc.shape import Bad, Field, ListOf, MapOf, Record, Schema, Shape, Values, suggestion

TARGET = Text(pattern=rf"[a-z_]+:{NAME}", called="a target (kind:name)")


def position(mark: Mark) -> Position:
    """The same place, as rules keep it."""
    return Position(file=mark.file, line=mark.line, column=mark.column)


class Steps(Shape):
    """One step: exactly one verb, beside keys that any step may have."""

    says = "a step"

    def __init__(self, verbs: Mapping[str, Verb], condition: Condition) -> None:
        self._verbs = verbs
        self.params = {name: _record(name, verb) for name, verb in verbs.items()}
        self.common = Record(*_common(condition))

    def read(self, node: Node, problems: Problems) -> Step:
        """The step."""
        if not isinstance(node, Table):
            raise self.wrong(node, problems)
        own = tuple(entry for entry in node.entries if entry.key not in self.common.fields)
        rest = Table(mark=node.mark, entries=tuple(entry for entry in node.entries if entry not in own))
        common = self._attempt(rest, problems)
        step = self._verb(node, own, problems)
        if common is None:
            raise Bad
        return Step(
            action=step.key,
            params=self._read_params(step, problems),
            target=common["target"],
            timeout=common["timeout"],
            verify=common["verify"],
            approve=common["approve"],
            position=position(step.mark),
        )

    def _attempt(self, node: Table, problems: Problems) -> Values | None:
        """The common keys; None where they are wrong, so that the verb is looked at all the same."""
        try:
            values: Values = self.common.read(node, problems)
        except Bad:
            return None
        return values

    def _verb(self, node: Table, own: tuple[Entry, ...], problems: Problems) -> Entry:
        unknown = [entry for entry in own if entry.key not in self._verbs]
        for entry in unknown:
            known = (*self._verbs, *self.common.fields)
            near = suggestion(entry.key, known)
            hint = near if near.startswith("did") else f"verbs are: {', '.join(self._verbs)}"
            problems.add(entry.mark, f"unknown verb or key '{entry.key}'", hint)
        if not own:
            problems.add(node.mark, "a step without a verb", f"verbs are: {', '.join(self._verbs)}")
        if len(own) > 1 and not unknown:
            problems.add(own[1].mark, f"two verbs in one step: {own[0].key}, {own[1].key}", "write two steps")
        if unknown or len(own) != 1:
            raise Bad
        return own[0]

    def _read_params(self, entry: Entry, problems: Problems) -> Mapping[str, Any]:
        """Parameters as a mapping, or the one that the verb takes for short."""
        verb, node = self._verbs[entry.key], entry.node
        if isinstance(node, Scalar) and node.value is None:
            problems.add(node.mark, f"nothing after '{entry.key}:'", f"write {entry.key}: {{}}")
            raise Bad
        if isinstance(node, Scalar | Items):
            if not verb.short:
                if not (isinstance(node, Scalar) and node.value is BROKEN):
                    problems.add(node.mark, f"expected a mapping, found {kind(node)}", f"write {entry.key}: {{}}")
                raise Bad
            node = Table(mark=node.mark, entries=(Entry(key=verb.short, mark=node.mark, node=node),))
        values: Values = self.params[entry.key].read(node, problems)
        return {key: value for key, value in values.items() if value is not None}

    def schema(self) -> Schema:
        """An object: one verb's key, and the common ones."""
        common = self.common.schema()["properties"]
        branches = []
        for name, verb in self._verbs.items():
            record = self.params[name]
            forms = [record.schema()]
            if verb.short:
                forms.append(record.fields[verb.short].shape.schema())
            held = {"anyOf": forms, "description": verb.doc}
            branches.append(
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": [name],
                    "properties": {name: held} | common,
                }
            )
        return {"oneOf": branches}


def _common(condition: Condition) -> tuple[Field, ...]:
    verify = Record(
        Field(name="when", shape=condition, required=True, doc="the condition that proves it"),
        Field(name="within", shape=Duration(0.001), default=30.0, shown="30s", doc="from the end of the action"),
        Field(name="stable_for", shape=Duration(), default=0.0, shown="0s", doc="how long it must stay true"),
        build=_verify,
    )
    approve = Record(
        Field(name="ttl", shape=Duration(1.0), default=600.0, shown="10m", doc="how long the question stands"),
        Field(name="on_timeout", shape=Word(("deny",)), default="deny", shown="deny", doc="what silence means"),
        build=lambda values, _: Approve(**values),
    )
    return (
        Field(name="target", shape=TARGET, default="", doc="acts on this target instead of the rule's"),
        Field(
            name="timeout", shape=Duration(0.1, 86400.0), default=30.0, shown="30s", doc="bound of the effect itself"
        ),
        Field(name="verify", shape=verify, doc="how success is proved; without it nothing is called a success"),
        Field(name="approve", shape=approve, doc="a person must say yes first"),
    )


def _verify(values: Values, problems: Problems) -> Verify:
    when = values["when"]
    if values["stable_for"] > 86400.0:
        problems.add(values.where("stable_for"), "longer than a day", "a cure is judged within a day")
        raise Bad
    return Verify(when=when.expr, source=when.source, within=values["within"], stable_for=values["stable_for"])


_SHAPES: Mapping[str, Shape] = {
    "string": Text(empty=True),
    "duration": Duration(0.0, 86400.0),
    "size": Size(1, 2**40),
    "count": Count(),
    "flag": Flag(),
    "argv": ListOf(Text(), least=1, most=256),
    "strings": ListOf(Text(), alone=True),
    "counts": ListOf(Count(), alone=True),
    "mapping": MapOf(Anything()),
}
_OWN_SHAPES: Mapping[tuple[str, str], Shape] = {
    ("call", "headers"): MapOf(TextOrSecret()),
    ("call", "json"): Data(),
    ("publish", "data"): Data(),
}


def _record(verb_name: str, verb: Verb) -> Record:
    fields = (
        Field(
            name=name,
            shape=_shape(verb_name, name, param),
            doc=param.doc,
            required=param.required,
            default=param.default,
        )
        for name, param in verb.params.items()
    )
    return Record(*fields, name=verb_name)


def _shape(verb: str, name: str, param: Param) -> Shape:
    if param.shape == "word":
        return Word(param.words)
    return _OWN_SHAPES.get((verb, name)) or _SHAPES[param.shape]
