"""What starts a rule, as it is written: a word, or a mapping with ``schedule``, ``event`` or ``all_within``."""

from typing import Any

from healer.model.trigger import Accumulate, Heard, Missing, Together, Trigger
from healer.rules.topics import wanted_test
from healer.yamldoc import times
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Items, Node, Scalar, Table
from healer.yamldoc.parsers import Count, Duration, Flag, Text, Word
from healer.yamldoc.plain import Anything
from healer.yamldoc.shape import Bad, Field, ListOf, MapOf, Mistake, Record, Schema, Shape, Values

TOPIC = Text(longest=256, called="a name or a pattern with * and ?")
MOST = 1000
"""Events that an accumulation may count to, and remember for each of its groups."""
WEEK = 7 * 86400.0
"""Seconds: the longest an event is remembered. A restart forgets, and nobody may rely on a month without one."""
_FIELD = Text(longest=128, called="the name of a field of the event's data")


class _Wanted(Shape):
    """What a field of an event must be: a value, a glob, a comparison, or a list of which one must hold."""

    says = 'a value, a pattern with * and ?, or a comparison such as ">= 3"'
    _one = Anything()
    _several = ListOf(Anything(), least=1, most=100)

    def read(self, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - scalars of any kind
        """The value, or a tuple of values."""
        if isinstance(node, Items):
            wanted: Any = self._several.read(node, problems)
        elif isinstance(node, Scalar):
            wanted = self._one.read(node, problems)
        else:
            raise self.wrong(node, problems)
        try:
            wanted_test(wanted)
        except Mistake as mistake:
            problems.add(node.mark, mistake.what, mistake.hint)
            raise Bad from mistake
        return wanted

    def schema(self) -> Schema:
        """A scalar or several."""
        return {"anyOf": [self._one.schema(), self._several.schema()]}


_FILTER = Field(
    name="filter",
    shape=MapOf(_Wanted()),
    doc='fields the event must carry: a value, a pattern (* and ?), a comparison (">= 3"), a list of which one fits',
)
_WITHIN = Field(name="within", shape=Duration(0.001, WEEK), required=True, doc="how long it may take; at most 7d")


def _heard(values: Values, _: Problems) -> Heard:
    return Heard(topic=values["event"], filter=values["filter"] or {})


_HEARD = Record(Field(name="event", shape=TOPIC, required=True, doc="topic"), _FILTER, build=_heard)


class _Event(Shape):
    """A topic, or a topic with a filter."""

    says = "a topic, or {event: TOPIC, filter: {...}}"

    def read(self, node: Node, problems: Problems) -> Heard:
        """What is waited for."""
        if isinstance(node, Scalar):
            return Heard(topic=TOPIC.read(node, problems))
        made: Heard = _HEARD.read(node, problems)
        return made

    def schema(self) -> Schema:
        """Text or an object."""
        return {"anyOf": [TOPIC.schema(), _HEARD.schema()]}


_EVENTS = (
    Field(name="event", shape=TOPIC, default="", doc="topic on the bus; * and ? match"),
    _FILTER,
    Field(name="own", shape=Flag(), default=False, shown="false", doc="hear also what the agent itself says"),
    Field(
        name="once_within",
        shape=Duration(0.001),
        default=0.0,
        doc="at most one start per this time, the first event's; survives a restart",
    ),
    Field(name="once_after", shape=Duration(0.001, WEEK), default=0.0, doc="start after this long without another"),
    Field(
        name="group_by",
        shape=ListOf(_FIELD, least=1, most=8, alone=True),
        default=(),
        doc="fields of the data: each of their values is counted and timed apart",
    ),
    Field(
        name="accumulate",
        shape=Record(
            Field(name="count", shape=Count(2, MOST), required=True, doc="how many events"),
            _WITHIN,
            build=lambda values, _: Accumulate(**values),
        ),
        doc="start when so many came within a time: {count: 5, within: 1m}",
    ),
    Field(
        name="all_within",
        shape=Record(
            Field(name="events", shape=ListOf(_Event(), least=2, most=16), required=True, doc="topics, with filters"),
            _WITHIN,
            build=lambda values, _: Together(**values),
        ),
        doc="instead of event: start when all of these came, in any order: {events: [a.b, c.d], within: 5m}",
    ),
    Field(
        name="not_followed_by",
        shape=Record(
            Field(name="event", shape=TOPIC, required=True, doc="topic that must come"),
            _FILTER,
            _WITHIN,
            build=lambda values, problems: Missing(event=_heard(values, problems), within=values["within"]),
        ),
        doc="start when this did not come after the event: {event: backup.done, within: 2h}",
    ),
)
_SCHEDULE = (
    Field(
        name="schedule",
        shape=Text(called="a cron line", parse=times.cron),
        default="",
        doc="cron, five fields: Sunday is 0 and 7; day of month or weekday, where both are given",
    ),
    Field(
        name="tz",
        shape=Text(called="a time zone such as Europe/Warsaw", parse=times.zone),
        default="",
        doc="time zone of the schedule; else the host's",
    ),
)
_ONLY_EVENTS = tuple(field.name for field in _EVENTS)
_PATTERNS = ("accumulate", "all_within", "not_followed_by")


class TriggerShape(Shape):
    """``auto``, ``manual``, or a mapping with ``schedule``, ``event`` or ``all_within``."""

    says = "auto, manual, {schedule: CRON}, {event: TOPIC} or {all_within: {...}}"
    record = Record(*_SCHEDULE, *_EVENTS)

    def read(self, node: Node, problems: Problems) -> Trigger:
        """What starts the rule."""
        if isinstance(node, Scalar):
            if isinstance(node.value, str):
                return Trigger(kind=Word(("auto", "manual")).read(node, problems))
            raise self.wrong(node, problems)
        if not isinstance(node, Table):
            raise self.wrong(node, problems)
        values: Values = self.record.read(node, problems)
        if bool(values["schedule"]) + bool(values["event"]) + bool(values["all_within"]) != 1:
            problems.add(values.mark, "a trigger is one of: a schedule, an event, all_within", self.says)
            raise Bad
        return _scheduled(values, problems) if values["schedule"] else _waiting(values, problems)

    def schema(self) -> Schema:
        """A word or an object."""
        return {"anyOf": [{"enum": ["auto", "manual"]}, self.record.schema()]}


def _scheduled(values: Values, problems: Problems) -> Trigger:
    _refuse(
        [name for name in _ONLY_EVENTS if name in values.marks], "goes with event, not with schedule", values, problems
    )
    return Trigger(kind="schedule", cron=values["schedule"], tz=values["tz"])


def _waiting(values: Values, problems: Problems) -> Trigger:
    given = [name for name in _PATTERNS if name in values.marks]
    wrong = {"tz": "goes with schedule", **dict.fromkeys(given[1:], f"does not go with {' '.join(given[:1])}")}
    if values["all_within"]:
        wrong["filter"] = "goes with an event: write one into each of the events"
    for name, because in wrong.items():
        _refuse([name] if name in values.marks else [], because, values, problems)
    return Trigger(
        kind="event",
        topic=values["event"],
        filter=values["filter"] or {},
        own=values["own"],
        once_within=values["once_within"],
        once_after=values["once_after"],
        group_by=values["group_by"],
        accumulate=values["accumulate"],
        together=values["all_within"],
        missing=values["not_followed_by"],
    )


def _refuse(names: list[str], because: str, values: Values, problems: Problems) -> None:
    for name in names:
        problems.add(values.where(name), f"{name} {because}", "remove it")
    if names:
        raise Bad
