"""The ladder of a rule as YAML: each step is one verb with its parameters, and how its success is proved.

Three kinds of steps are read by one class: those of the ladder, which may also branch, wait and start other rules;
those of a rollback; and those of hooks, which only tell, keep evidence, or run something beside the healing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from healer.model import placeholders
from healer.model.decision import QUIET_VERBS, SIGNED_VERBS
from healer.model.verb import Param, Verb
from healer.rules import expression
from healer.rules.amounts import Amount
from healer.rules.conditions import Condition
from healer.rules.rule import (
    CONTROL,
    Approve,
    Branch,
    Check,
    Position,
    Step,
    Verify,
    WaitFor,
)
from healer.rules.selectors import SELECTION
from healer.rules.units import Vocabulary
from healer.yamldoc.argv import Argv
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import BROKEN, Entry, Items, Node, Scalar, Table, kind
from healer.yamldoc.parsers import NAME, Count, Duration, Flag, Size, Text, Word
from healer.yamldoc.plain import Anything, Data
from healer.yamldoc.secret import TextOrSecret
from healer.yamldoc.shape import Bad, Field, ListOf, MapOf, Record, Schema, Shape, Values, suggestion

RULE = Text(pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", called="an id")
TARGET = Text(pattern=rf"[a-z_]+:{NAME}", called="a target (kind:name)", hint="write kind:name, such as program:api")


def position(mark: Mark) -> Position:
    """The same place, as rules keep it."""
    return Position(file=mark.file, line=mark.line, column=mark.column)


class Plain(Shape):
    """One step: exactly one verb, beside keys that any such step may have."""

    says = "a step"

    def __init__(self, verbs: Mapping[str, Verb], common: Record, *, called: str) -> None:
        self._verbs = verbs
        self.params = {name: _record(name, verb) for name, verb in verbs.items()}
        self.common = common
        self.called = called
        """Its name among the definitions of the JSON Schema."""

    def read(self, node: Node, problems: Problems) -> Step:
        """The step."""
        if not isinstance(node, Table):
            raise self.wrong(node, problems)
        step = self._read_verb(node, problems)
        for what, hint in _misfits(step):
            problems.add(node.mark, what, hint)
            raise Bad
        return step

    def _read_verb(self, node: Table, problems: Problems) -> Step:
        own = tuple(entry for entry in node.entries if entry.key not in self.common.fields)
        rest = Table(mark=node.mark, entries=tuple(entry for entry in node.entries if entry not in own))
        common = self._attempt(rest, problems)
        step = self._verb(node, own, problems)
        if common is None:
            raise Bad
        held = {name: value for name, value in common.items() if value is not None}
        held["only_if"] = _check(common.get("only_if"))
        return Step(action=step.key, params=self._read_params(step, problems), position=position(step.mark), **held)

    def known(self) -> tuple[str, ...]:
        """What a step may be."""
        return tuple(self._verbs)

    def advice(self, node: Node) -> str:
        """A verb that stands alone needs its parameters, if only none."""
        if isinstance(node, Scalar) and node.text in self._verbs:
            return f"write {node.text}: {{}}"
        return super().advice(node)

    def listed(self, node: Scalar) -> str:
        """A list with one step."""
        return f"- {node.text[:40]}: {{}}"

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
            near = suggestion(entry.key, (*self.known(), *self.common.fields))
            hint = near if near.startswith("did") else f"verbs are: {', '.join(self.known())}"
            problems.add(entry.mark, f"unknown verb or key '{entry.key}'", hint)
        if not own:
            problems.add(node.mark, "a step without a verb", f"verbs are: {', '.join(self.known())}")
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
        """Steps nest: they refer to a definition that the document holds."""
        return {"$ref": f"#/$defs/{self.called}"}

    def definition(self) -> Schema:
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


class Steps(Plain):
    """A step of the ladder: also a branch, a wait, or the start of another rule."""

    def __init__(self, verbs: Mapping[str, Verb], condition: Condition) -> None:
        self.rollback = Plain(verbs, Record(*_common(condition)), called="rollback_step")
        super().__init__(verbs, Record(*_common(condition), *_of_the_ladder(self.rollback)), called="step")
        self.controls: Mapping[str, Record] = dict(zip(CONTROL, _controls(condition, self), strict=True))

    def read(self, node: Node, problems: Problems) -> Step:
        """The step."""
        if isinstance(node, Table):
            for word, record in self.controls.items():
                if node.get(word) is not None:
                    step: Step = record.read(node, problems)
                    return step
        return super().read(node, problems)

    def known(self) -> tuple[str, ...]:
        """What a step may be."""
        return (*super().known(), *self.controls)

    def definition(self) -> Schema:
        """One of the verbs, or one of the other forms."""
        made = super().definition()
        made["oneOf"] += [record.schema() for record in self.controls.values()]
        return made


def definitions(verbs: Mapping[str, Verb], vocabulary: Vocabulary) -> Schema:
    """JSON Schemas of every kind of step, for the ``$defs`` of a document."""
    condition = Condition(vocabulary)
    ladder = Steps(verbs, condition)
    return {one.called: one.definition() for one in (ladder, ladder.rollback, hook(verbs, condition))}


def hook(verbs: Mapping[str, Verb], condition: Condition) -> Plain:
    """A step of a hook: it changes no target, or runs something beside the healing. Nothing waits for it."""
    able = (QUIET_VERBS - {"wait"}) | {"run", "call"}
    keys = [field for field in _common(condition) if field.name in {"target", "timeout"}]
    return Plain({name: verb for name, verb in verbs.items() if name in able}, Record(*keys), called="hook_step")


def _common(condition: Condition) -> tuple[Field, ...]:
    verify = Record(
        Field(name="when", shape=condition, required=True, doc="the condition that proves it"),
        Field(name="within", shape=Duration(0.001), default=30.0, shown="30s", doc="from the end of the action"),
        Field(
            name="stable_for",
            shape=Duration(),
            default=0.0,
            shown="0s",
            doc="how long it must stay true; a relapse in it fails the step",
        ),
        build=_verify,
    )
    return (
        Field(name="target", shape=TARGET, default="", doc="acts on this target instead of the rule's"),
        Field(
            name="timeout", shape=Duration(0.1, 86400.0), default=30.0, shown="30s", doc="bound of the effect itself"
        ),
        Field(
            name="settle",
            shape=Duration(0.0, 86400.0),
            default=0.0,
            shown="0s",
            doc="pause after the action, before what is seen counts",
        ),
        Field(name="only_if", shape=condition, doc="the step is skipped, and that is recorded, unless this is true"),
        Field(name="verify", shape=verify, doc="how success is proved; without it nothing is called a success"),
    )


def _of_the_ladder(rollback: Shape) -> tuple[Field, ...]:
    approve = Record(
        Field(name="ttl", shape=Duration(1.0), default=600.0, shown="10m", doc="how long the question stands"),
        Field(name="on_timeout", shape=Word(("deny",)), default="deny", shown="deny", doc="what silence means"),
        build=lambda values, _: Approve(**values),
    )
    return (
        Field(name="targets", shape=SELECTION, doc="acts on each of a selection, one at a time, instead"),
        Field(name="approve", shape=approve, doc="a person must say yes first"),
        Field(
            name="rollback",
            shape=ListOf(rollback, least=1, most=8),
            default=(),
            doc="done once, in this order, where the step was not verified; each is proved by its own verify",
        ),
    )


def _controls(condition: Condition, ladder: Shape) -> tuple[Record, Record, Record]:
    """The forms of `CONTROL`, in its order."""
    steps = ListOf(ladder, least=1, most=16)
    skip = Field(name="only_if", shape=condition, doc="the step is skipped, and that is recorded, unless this is true")
    branch = Record(
        Field(name="if", shape=condition, required=True, doc="which way to go"),
        Field(name="then", shape=steps, required=True, doc="the steps where it is true"),
        Field(name="else", shape=steps, default=(), doc="the steps where it is false"),
        Field(
            name="on_unknown",
            shape=Word(("hold", "else")),
            default="hold",
            shown="hold",
            doc="while it is unknown: neither way, or as if it were false",
        ),
        build=_branch,
    )
    wait = Record(
        Field(name="when", shape=condition, required=True, doc="what must be so"),
        Field(name="timeout", shape=Duration(0.1, 86400.0), default=300.0, shown="5m", doc="how long to wait for it"),
        Field(
            name="on_timeout",
            shape=Word(("next", "fail", "give_up")),
            default="next",
            shown="next",
            doc="go on all the same; count it as a failed attempt and go on; or end the ladder",
        ),
        build=lambda values, _: WaitFor(
            test=_sure(values["when"]), timeout=values["timeout"], on_timeout=values["on_timeout"]
        ),
    )
    return (
        branch,
        Record(
            Field(name="wait_for", shape=wait, required=True, doc="go on when something is so"),
            skip,
            build=lambda values, _: _control("wait_for", values, wait_for=values["wait_for"]),
        ),
        Record(
            Field(name="trigger", shape=RULE, required=True, doc="the rule to start for the same target"),
            skip,
            build=lambda values, _: _control("trigger", values, starts=values["trigger"]),
        ),
    )


def _branch(values: Values, _: Problems) -> Step:
    held = Branch(test=_sure(values["if"]), then=values["then"], else_=values["else"], on_unknown=values["on_unknown"])
    return Step(action="if", branch=held, position=position(values.mark))


def _control(action: str, values: Values, **held: Any) -> Step:  # noqa: ANN401 - whatever the form carries
    return Step(action=action, only_if=_check(values["only_if"]), position=position(values.mark), **held)


def _check(read: Any) -> Check | None:  # noqa: ANN401 - a Read, or nothing
    return None if read is None else _sure(read)


def _sure(read: Any) -> Check:  # noqa: ANN401 - a Read
    return Check(when=read.expr, source=read.source)


def _misfits(step: Step) -> Iterator[tuple[str, str]]:
    """What does not fit together in a step, each with a hint."""
    if step.targets is not None and step.target:
        yield "a step has target or targets, not both", "remove one of them"
    if step.targets is not None and step.verify is None and step.action not in SIGNED_VERBS | QUIET_VERBS:
        yield (
            f"'{step.action}' of several targets, and nobody would know whether it helped",
            "add verify: with {target}",
        )
    if step.targets is not None and step.verify is not None and not expression.mentions_target(step.verify.when):
        yield "each target is proved by itself, and verify never mentions {target}", "write {target} behind a metric"
    if step.targets is not None and step.rollback:
        yield "a rollback of a step on several targets", "give each its own rule, or roll back in a step of its own"
    for back in step.rollback:
        if back.action not in QUIET_VERBS and back.verify is None:
            yield f"'{back.action}' in a rollback without verify", "say how its own success is proved"
    for word in _misplaced(step):
        yield f"{word} stands where code is expected", "write the command out"
    for word in map(str, step.params.get("argv", ())):
        if placeholders.BINDING.search(word) and not placeholders.BINDING.fullmatch(word):
            yield f"'{word[:60]}' is filled in part: nothing would be", "a placeholder is a whole argument, or none"


def _misplaced(step: Step) -> Iterator[str]:
    words = step.params.get("argv", ())
    for place, word in enumerate(words):
        if placeholders.BINDING.fullmatch(str(word)) and placeholders.stands_for_code(words, place):
            yield str(word)


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
    "argv": Argv(),
    "strings": ListOf(Text(), alone=True),
    "counts": ListOf(Count(), alone=True),
    "mapping": MapOf(Anything()),
    "change": Amount(),
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
