"""Every key a rule can have, declared once: the loader, the JSON Schema and the reference are made of this."""

from collections.abc import Mapping
from typing import Any

from healer.model.active import Active
from healer.model.limit import Backoff, Limit
from healer.model.mode import Mode
from healer.model.organism import ORGANS
from healer.model.target import State
from healer.model.verbs import Verb
from healer.rules.conditions import Condition
from healer.rules.rule import Exhausted, Samples, Selector, Trigger
from healer.rules.steps import TARGET, Steps
from healer.rules.units import Vocabulary
from healer.yamldoc import times
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Scalar
from healer.yamldoc.parsers import Count, Duration, Flag, Number, Ratio, Text, Version, Word
from healer.yamldoc.plain import Anything
from healer.yamldoc.shape import Bad, Field, ListOf, MapOf, Record, Schema, Shape, Values

KINDS = ("program", "process", "container", "unit", "http", "tcp", "file", "command")
PRIORITIES = {"low": 2, "normal": 4, "high": 7, "critical": 10}
ID = Text(pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", called="an id")
GLOB = Text(longest=256, called="a name or a pattern with * and ?")
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


class _Days(Shape):
    """``mon-fri``, ``sat,sun``, or a list of such."""

    says = "weekdays such as mon-fri"

    def read(self, node: Node, problems: Problems) -> tuple[int, ...]:
        """Weekdays, 0 = Monday."""
        lists = ListOf(Text(called=self.says, parse=times.days), least=1, alone=True).read(node, problems)
        return tuple(sorted({day for days in lists for day in days}))

    def schema(self) -> Schema:
        """A string, or several."""
        return ListOf(Text(), least=1, alone=True).schema()


class _Trigger(Shape):
    """``auto``, ``manual``, or a mapping with ``schedule`` or ``event``."""

    says = "auto, manual, {schedule: CRON} or {event: TOPIC}"
    _record = Record(
        Field(name="schedule", shape=Text(called="a cron line", parse=times.cron), default="", doc="cron, five fields"),
        Field(
            name="tz",
            shape=Text(called="a time zone such as Europe/Warsaw", parse=times.zone),
            default="",
            doc="time zone of the schedule; else the host's",
        ),
        Field(name="event", shape=GLOB, default="", doc="topic on the bus; * and ? match"),
        Field(name="filter", shape=MapOf(Anything()), doc="fields the event must carry, with these values"),
        Field(name="own", shape=Flag(), default=False, shown="false", doc="hear also what the agent itself says"),
    )

    def read(self, node: Node, problems: Problems) -> Trigger:
        """What starts the rule."""
        if isinstance(node, Scalar):
            if isinstance(node.value, str):
                return Trigger(kind=Word(("auto", "manual")).read(node, problems))
            raise self.wrong(node, problems)
        values: Values = self._record.read(node, problems)
        if bool(values["schedule"]) == bool(values["event"]):
            problems.add(values.mark, "a trigger is a schedule or an event", self.says)
            raise Bad
        if values["schedule"]:
            return Trigger(kind="schedule", cron=values["schedule"], tz=values["tz"])
        return Trigger(kind="event", topic=values["event"], filter=values["filter"] or {}, own=values["own"])

    def schema(self) -> Schema:
        """A word or an object."""
        return {"anyOf": [{"enum": ["auto", "manual"]}, self._record.schema()]}


def _selector(values: Values, problems: Problems) -> Selector:
    if values["state"]:
        # Rules are bound to their targets when they load; a state changes while they run.
        hint = f'write state{{target}} == "{values["state"]}" in when'
        problems.add(values.where("state"), "a selection cannot follow a state", hint)
        raise Bad
    labels = tuple(sorted((values["label"] or {}).items()))
    criteria = (values["kind"], values["organ"], values["group"], labels, values["state"], values["name"].strip("*"))
    if not any(criteria):
        # Law 9 is about selections that match nothing; one that says nothing would match everything.
        problems.add(values.mark, "this selects every target there is", "give a kind, organ, group, label or name")
        raise Bad
    return Selector(
        kind=values["kind"],
        name=values["name"],
        organ=values["organ"],
        group=values["group"],
        label=labels,
        state=values["state"],
        except_=values["except"],
    )


SELECTOR = Record(
    Field(name="kind", shape=Word(KINDS), default="", doc="kind of target"),
    Field(name="name", shape=GLOB, default="", doc="its name; * and ? match"),
    Field(name="organ", shape=Word(ORGANS), default="", doc="the organ it belongs to"),
    Field(name="group", shape=ListOf(_NAME, least=1, alone=True), default=(), doc="a member of any of these groups"),
    Field(name="label", shape=MapOf(Text()), doc="labels it carries, with these values"),
    Field(
        name="state",
        shape=Word(state.value for state in State),
        default="",
        doc="not here: write state{target} in when",
    ),
    Field(name="except", shape=ListOf(GLOB, least=1, alone=True), default=(), doc="names or ids left out"),
    build=_selector,
)


def _samples(values: Values, problems: Problems) -> Samples:
    if values["bad"] > values["of"]:
        problems.add(values.where("bad"), f"{values['bad']} of {values['of']} can never be", "bad is at most of")
        raise Bad
    return Samples(bad=values["bad"], of=values["of"])


def _active(values: Values, _: Problems) -> Active:
    return Active(days=values["days"], hours=values["hours"], tz=values["tz"])


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
_ACTIVE = Record(
    Field(name="days", shape=_Days(), default=tuple(range(7)), shown="mon-sun", doc="weekdays"),
    Field(
        name="hours",
        shape=ListOf(Text(called='hours such as "22:00-06:00"', parse=times.hours), least=1, alone=True),
        default=(),
        doc="spans of the day; start inclusive, end exclusive; they may run over midnight",
    ),
    Field(
        name="tz",
        shape=Text(called="a time zone such as Europe/Warsaw", parse=times.zone),
        default="",
        doc="IANA time zone; else the host's",
    ),
    build=_active,
)
_BACKOFF = Record(
    Field(name="initial", shape=Duration(), default=5.0, shown="5s", doc="first pause"),
    Field(name="factor", shape=Number(1, 100), default=2.0, shown="2", doc="growth from pause to pause"),
    Field(name="max", shape=Duration(), default=300.0, shown="5m", doc="longest pause"),
    Field(name="jitter", shape=Ratio(), default=0.2, shown="20%", doc="share of the pause left to chance"),
    Field(name="reset_after", shape=Duration(), default=600.0, shown="10m", doc="health after which it starts anew"),
    build=_backoff,
)
_EXHAUSTED = Record(
    Field(name="notify", shape=_NAME, default="", doc="channel of notify: in organism.yaml; else the journal"),
    Field(
        name="rearm_after", shape=Duration(1.0), default=21600.0, shown="6h", doc="health or waiting that re-arms it"
    ),
    build=lambda values, _: Exhausted(**values),
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
        Field(name="then", shape=ListOf(Steps(verbs, condition), least=1, most=16), required=True, doc=_THEN),
        Field(name="on_exhausted", shape=_EXHAUSTED, default=Exhausted(), doc="when the ladder ends without a cure"),
    )


_THEN = "the ladder: the next step is taken when verification of this one fails"


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
            shape=_Trigger(),
            default=Trigger(),
            shown="auto",
            doc="what starts it; event takes filter and own too",
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
        Field(name="active", shape=_ACTIVE, doc="when it may act; all parts must hold"),
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


def document(vocabulary: Vocabulary, verbs: Mapping[str, Verb], build: Any = None) -> Record:  # noqa: ANN401 - a Build
    """A whole file of rules."""
    rule = Record(*rule_fields(vocabulary, verbs), name="rule", build=build)
    return Record(
        Field(name="version", shape=Version(), required=True, doc="write version: 1"),
        Field(name="rules", shape=ListOf(rule, least=1), required=True, doc="the rules of this file"),
    )
