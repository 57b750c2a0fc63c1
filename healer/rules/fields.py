"""Every key a rule can have, declared once: the loader, the JSON Schema and the reference are made of this."""

from collections.abc import Mapping
from typing import Any

from healer.model.limit import Backoff, Limit
from healer.model.mode import Mode
from healer.model.organism import ORGANS
from healer.model.trigger import Trigger
from healer.model.verb import Verb
from healer.rules.calendars import CALENDAR, NOT_IN
from healer.rules.conditions import Condition
from healer.rules.rule import CONTROL, Concurrency, Exhausted, Samples
from healer.rules.selectors import SELECTOR
from healer.rules.steps import TARGET, Plain, Steps, hook
from healer.rules.triggers import TriggerShape
from healer.rules.units import Vocabulary
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Scalar
from healer.yamldoc.parsers import Count, Duration, Flag, Number, Ratio, Text, Version, Word
from healer.yamldoc.shape import Bad, Field, ListOf, Record, Schema, Shape, Values

PRIORITIES = {"low": 2, "normal": 4, "high": 7, "critical": 10}
ID = Text(pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", called="an id", hint="letters, digits, dots and dashes: web-down")
_NAME = Text(longest=128, called="a name")


class _Priority(Shape):
    """A word, or 1 to 10."""

    says = f"{', '.join(PRIORITIES)}, or 1 to 10"

    def read(self, node: Node, problems: Problems) -> int:
        """The number; 10 is the most urgent."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            word: int = Word(PRIORITIES, means=PRIORITIES.__getitem__).read(node, problems)
            return word
        if not isinstance(node, Scalar):
            raise self.wrong(node, problems)
        return Count(1, 10).read(node, problems)

    def schema(self) -> Schema:
        """Either."""
        return {"anyOf": [{"enum": list(PRIORITIES)}, {"type": "integer", "minimum": 1, "maximum": 10}]}


def _samples(values: Values, problems: Problems) -> Samples:
    if values["bad"] > values["of"]:
        problems.add(values.where("bad"), f"{values['bad']} of {values['of']} can never be", "bad is at most of")
        raise Bad
    return Samples(bad=values["bad"], of=values["of"])


def _backoff(values: Values, problems: Problems) -> Backoff:
    if values["initial"] > values["max"]:
        problems.add(values.where("initial"), "the first pause is longer than the longest", "initial is at most max")
        raise Bad
    return Backoff(**values)


LIMIT = Record(
    Field(name="max", shape=Count(1, 10_000), required=True, doc="actions allowed"),
    Field(name="per", shape=Duration(1.0), required=True, doc="sliding window"),
    Field(
        name="scope",
        shape=Word(("action+target", "target", "rule", "action", "host")),
        default="action+target",
        shown="action+target",
        doc="what is counted together, across rules",
    ),
    build=lambda values, _: Limit(**values),
)
_BACKOFF = Record(
    Field(name="initial", shape=Duration(), default=5.0, shown="5s", doc="first pause"),
    Field(name="factor", shape=Number(1, 100), default=2.0, shown="2", doc="growth from pause to pause"),
    Field(name="max", shape=Duration(), default=300.0, shown="5m", doc="longest pause"),
    Field(name="jitter", shape=Ratio(), default=0.2, shown="20%", doc="share of the pause left to chance"),
    Field(name="reset_after", shape=Duration(), default=600.0, shown="10m", doc="health after which it starts anew"),
    build=_backoff,
)
_CONCURRENCY = Record(
    Field(
        name="max", shape=Count(1, 1000), default=1, shown="1", doc="actions under way at once, from seal to verdict"
    ),
    Field(
        name="key",
        shape=Text(longest=96, pattern=r"[A-Za-z0-9][A-Za-z0-9._:-]*", called="target, rule, group:NAME or a word"),
        default="target",
        shown="target",
        doc="what they are counted by: target, rule, group:NAME, or a word that several rules share",
    ),
    Field(
        name="on_conflict",
        shape=Word(("queue", "skip", "replace")),
        default="queue",
        shown="queue",
        doc="wait, the most urgent first; go untreated; or take the place of whoever waits",
    ),
    Field(
        name="ttl",
        shape=Duration(1.0, 86400.0),
        default=300.0,
        shown="5m",
        doc="waiting longer, the incident is dropped as stale and judged anew",
    ),
    build=lambda values, _: Concurrency(**values),
)
_SAMPLES = Record(
    Field(name="bad", shape=Count(1, 1000), required=True, doc="samples for which the condition is true"),
    Field(name="of", shape=Count(1, 1000), required=True, doc="out of this many"),
    build=_samples,
)


def rule_fields(vocabulary: Vocabulary, verbs: Mapping[str, Verb]) -> tuple[Field, ...]:
    """The keys of one rule."""
    condition = Condition(vocabulary)
    return (
        *_identity(),
        Field(name="each", shape=SELECTOR, doc="one instance of the rule per target selected, bound to {target}"),
        Field(name="target", shape=TARGET, default="", doc="the one target of the rule (kind:name); each or target"),
        Field(name="when", shape=condition, required=True, doc="the condition that makes it fire"),
        *_confirmation(condition),
        *_brakes(),
        Field(name="concurrency", shape=_CONCURRENCY, doc="how many of its actions may be under way at once"),
        Field(name="then", shape=ListOf(Steps(verbs, condition), least=1, most=16), required=True, doc=_THEN),
        *_hooks(hook(verbs, condition)),
    )


_THEN = "the ladder: the next step is taken when verification of this one fails"


def _hooks(step: Plain) -> tuple[Field, ...]:
    """Steps beside the ladder; nothing waits for them, and they use up none of the rule's limits."""
    steps = ListOf(step, least=1, most=8)
    exhausted = Record(
        Field(name="notify", shape=_NAME, default="", doc="channel of notify: in organism.yaml; else the journal"),
        Field(
            name="rearm_after",
            shape=Duration(1.0),
            default=21600.0,
            shown="6h",
            doc="health or waiting that re-arms it",
        ),
        Field(name="steps", shape=steps, default=(), doc="done beside telling"),
        build=lambda values, _: Exhausted(**values),
    )
    return (
        Field(name="on_fire", shape=steps, default=(), doc="done when an incident opens"),
        Field(name="on_attempt_failed", shape=steps, default=(), doc="done each time a step failed, or was not proved"),
        Field(name="on_exhausted", shape=exhausted, default=Exhausted(), doc="when the ladder ends without a cure"),
        Field(name="on_recovered", shape=steps, default=(), doc="done when the trouble is known to be over"),
        Field(name="on_withheld", shape=steps, default=(), doc="done when a gate says no: once per gate and incident"),
    )


def _identity() -> tuple[Field, ...]:
    return (
        Field(name="id", shape=ID, required=True, doc="unique over all files; never reuse one"),
        Field(name="name", shape=Text(longest=200), default="", doc="for people"),
        Field(name="description", shape=Text(), default="", doc="what it does"),
        Field(name="why", shape=Text(), default="", doc="why it is right; shown when it acts"),
        Field(name="tags", shape=ListOf(ID, alone=True), default=(), doc="balancing: evaluated when harmony is low"),
        Field(name="author", shape=Text(longest=200), default="", doc="who to ask"),
        Field(name="enabled", shape=Flag(), default=True, shown="true", doc="false: loaded, never evaluated"),
        Field(name="priority", shape=_Priority(), default=4, shown="normal", doc="10 is the most urgent"),
        Field(name="organ", shape=Word(ORGANS), default="", doc="whom it serves; else the organ of its target"),
        Field(
            name="trigger",
            shape=TriggerShape(),
            default=Trigger(),
            shown="auto",
            doc="what starts it (docs/events.md)",
        ),
    )


def _confirmation(condition: Condition) -> tuple[Field, ...]:
    return (
        Field(name="for", shape=Duration(), default=0.0, shown="0s", doc="how long the condition must hold first"),
        Field(name="samples", shape=_SAMPLES, doc="confirmation by count, beside or instead of for"),
        Field(name="clear", shape=condition, doc="the condition that ends the incident; else: not when"),
        Field(name="clear_for", shape=Duration(), default=0.0, shown="0s", doc="how long that must hold"),
        Field(
            name="on_unknown",
            shape=Word(("hold", "notify")),
            default="hold",
            shown="hold",
            doc="what to do while the condition is unknown; it never fires then",
        ),
    )


def _brakes() -> tuple[Field, ...]:
    modes = Word((mode.word for mode in Mode), means=Mode.parse)
    return (
        Field(name="mode", shape=modes, doc="how far it may go by itself; else rules.default_mode"),
        Field(name="active", shape=CALENDAR, doc="when it may act; all parts must hold"),
        Field(name="not_in", shape=NOT_IN, default=(), doc="windows in which it does not act, written as active is"),
        Field(name="settle", shape=Duration(), default=0.0, shown="0s", doc="pause before the first act"),
        Field(name="cooldown", shape=Duration(), default=60.0, shown="1m", doc="from the end of an action to the next"),
        Field(
            name="limits",
            shape=ListOf(LIMIT, least=1, most=8, alone=True),
            default=(Limit(max=5, per=3600.0),),
            shown="[{max: 5, per: 1h}]",
            doc="sliding windows, all of which must have room",
        ),
        Field(name="backoff", shape=_BACKOFF, default=Backoff(), doc="growing pauses between failed attempts"),
        Field(
            name="i_mean_it",
            shape=Flag(),
            default=False,
            shown="false",
            doc="true: it may touch init, sshd, dbus or the network; never the agent itself",
        ),
        Field(
            name="witness",
            shape=Word(("before", "at-once")),
            default="",
            doc="before: it acts only once the log's witnesses have cosigned the intent; at-once: they are shown it "
            "without delay, as they are anyway where the action is risky",
        ),
    )


def _strays(verbs: Mapping[str, Verb]) -> Mapping[str, str]:
    """Keys of a step, or of a target, that stand in a rule; and where they belong."""
    steps = dict.fromkeys(("verify", "timeout", "only_if", "approve", "rollback", "targets"), _UNDER)
    named = {verb: f"is a step: write it under then: as - {verb}: ..." for verb in (*verbs, *CONTROL)}
    return named | steps | {"requires": "belongs to a target in organism.yaml, such as requires: [program:db]"}


_UNDER = "belongs under a step of then:, beside its verb"


def document(vocabulary: Vocabulary, verbs: Mapping[str, Verb], build: Any = None) -> Record:  # noqa: ANN401 - a Build
    """A whole file of rules."""
    rule = Record(*rule_fields(vocabulary, verbs), name="rule", build=build, strays=_strays(verbs))
    return Record(
        Field(name="version", shape=Version(), required=True, doc="write version: 1"),
        Field(name="rules", shape=ListOf(rule, least=1), required=True, doc="the rules of this file"),
    )
