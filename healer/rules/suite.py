"""Tests of rules as YAML: series over time, and what is to be decided or withheld at a moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from healer.model.mode import Mode
from healer.model.observation import Series
from healer.model.organism import ORGANS
from healer.model.target import Target
from healer.model.unit import Unit
from healer.model.verbs import VERBS, Verb
from healer.model.vocabulary import METRICS
from healer.rules import series
from healer.rules.fields import ID, KINDS
from healer.rules.rule import Position
from healer.rules.series import Value
from healer.rules.steps import TARGET, position
from healer.rules.units import Vocabulary
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Table
from healer.yamldoc.parsers import NAME, Count, Duration, Flag, Text, Version, Word
from healer.yamldoc.shape import Bad, Field, ListOf, MapOf, Mistake, Record, Schema, Shape, Values

PHASES = ("inactive", "pending", "firing", "acting", "verifying", "clearing", "given-up")
GATES = (
    "mode",
    "kill_switch",
    "maintenance",
    "active",
    "dependency",
    "mass_failure",
    "cooldown",
    "limit",
    "backoff",
    "breaker",
    "conflict",
    "blast_radius",
    "saturation",
    "self_harm",
    "approval",
)
"""Names a test may expect; a test of ours holds them against `healer.gates.order`, which is a neighbour's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series over time."""

    series: Series
    unit: Unit
    values: tuple[Value, ...]
    """One per interval, from second 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must be so at a moment. Exactly one of ``state``, ``action``, ``withheld`` and ``none`` is given."""

    at: float
    """Seconds from the beginning."""
    rule: str
    target: str = ""
    """Empty: a rule about the host."""
    state: str = ""
    """The phase its incident is in at that moment, one of `PHASES`."""
    action: str = ""
    """The verb that was decided for it, up to that moment."""
    withheld: str = ""
    """The gate that withheld an action of it, up to that moment (and none was decided)."""
    none: bool = False
    """Nothing was decided and nothing withheld for it, up to that moment."""
    times: int | None = None
    """With ``action``: how often it was decided, exactly."""
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test."""

    name: str
    interval: float
    """Seconds between values."""
    default_mode: Mode
    """Of rules that do not say; a test of what a rule *would* do needs auto."""
    maintenance: bool
    """The whole host is under maintenance."""
    outcome: str
    """What becomes of an action: ``done`` or ``failed``."""
    targets: tuple[Target, ...]
    lines: tuple[Line, ...]
    expect: tuple[Expectation, ...]
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One file of tests."""

    file: str
    rule_files: tuple[Path, ...]
    cases: tuple[Case, ...]


def load_suite(path: Path, *, vocabulary: Vocabulary = METRICS, verbs: Mapping[str, Verb] = VERBS) -> Suite:
    """Load one file of tests; raises ConfigError with every mistake in it. ``rule_files`` start at its folder."""
    problems = Problems()
    found = document.read(path, problems)
    suite = None
    if found is not None:
        try:
            values: Values = shape(vocabulary, verbs).read(found.root, problems)
            files = tuple((path.parent / name) for name in values["rule_files"])
            suite = Suite(file=found.name, rule_files=files, cases=_cases(values))
        except Bad:
            suite = None
    if suite is None or problems:
        raise problems.error("tests")
    return suite


def _cases(values: Values) -> tuple[Case, ...]:
    """The cases, with what the file says for all of them where they do not."""
    made = []
    for held in values["tests"]:
        shared = {
            key: values[key] if held[key] is None else held[key] for key in ("interval", "default_mode", "targets")
        }
        made.append(Case(**(dict(held) | shared), position=position(held.mark)))
    return tuple(made)


class _LineShape(Shape):
    """``{series: ..., values: ...}``."""

    says = "{series: metric{label}, values: '1x6 0x8'}"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._record = Record(
            Field(name="series", shape=Text(), required=True, doc='such as http.ok{target="http:front"}'),
            Field(name="values", shape=Text(longest=65536), required=True, doc="such as '1+0x6 0x8 _ stale'"),
        )

    def read(self, node: Node, problems: Problems) -> Line:
        """The line."""
        written: Values = self._record.read(node, problems)
        key = "series"
        try:
            named, unit = series.name(written["series"], self._vocabulary)
            key = "values"
            found = series.values(written["values"], words=unit is Unit.WORD)
            series.check_words(found, named, self._vocabulary)
        except Mistake as exc:
            entry = node.get(key) if isinstance(node, Table) else None
            at = getattr(entry.node, "at", None) if entry else None
            problems.add(at(exc.offset or 0) if at else written.where(key), exc.what, exc.hint)
            raise Bad from exc
        return Line(series=named, unit=unit, values=found)

    def schema(self) -> Schema:
        """The record."""
        return self._record.schema()


def _target(values: Values, _: Problems) -> Target:
    labels = tuple(sorted((values["labels"] or {}).items()))
    return Target(**(dict(values) | {"labels": labels}))


_NAMED = Text(pattern=NAME, called="a name")
_TARGET = Record(
    Field(name="kind", shape=Word(KINDS), required=True, doc="kind of target"),
    Field(name="name", shape=_NAMED, required=True, doc="its name"),
    Field(name="organ", shape=Word(ORGANS), default="heart", shown="heart", doc="its organ"),
    Field(name="groups", shape=ListOf(_NAMED, alone=True), default=(), doc="groups it is a member of"),
    Field(name="labels", shape=MapOf(Text()), doc="labels"),
    Field(name="requires", shape=ListOf(Text(), alone=True), default=(), doc="kind:name or group:NAME"),
    Field(name="startup_grace", shape=Duration(), default=2.0, shown="2s", doc="as in organism.yaml"),
    build=_target,
)
_EXPECT = (
    Field(name="at", shape=Duration(), doc="moment; else that of the test"),
    Field(name="rule", shape=ID, required=True, doc="id of the rule"),
    Field(name="target", shape=TARGET, default="", doc="the target; without it, a rule about the host"),
    Field(name="state", shape=Word(PHASES), default="", doc="phase of its incident at that moment"),
    Field(name="action", shape=Word(VERBS), default="", doc="verb that was decided by then"),
    Field(name="times", shape=Count(1, 1000), doc="how often, exactly (with action)"),
    Field(name="withheld", shape=Word(GATES), default="", doc="gate that withheld it, nothing having been decided"),
    Field(name="none", shape=Flag(), default=False, doc="true: nothing was decided and nothing withheld"),
)


def _expect(values: Values, problems: Problems) -> Values:
    given = [key for key in ("state", "action", "withheld", "none") if values[key]]
    if len(given) != 1:
        problems.add(
            values.mark, f"expected one of state, action, withheld, none; found {len(given)}", "state one thing"
        )
        raise Bad
    if values["times"] is not None and not values["action"]:
        problems.add(values.where("times"), "times without action", "write action: VERB beside it")
        raise Bad
    return values


def _case(values: Values, problems: Problems) -> Values:
    """Give each expectation its moment."""
    made: list[Expectation] = []
    for held in values["expect"]:
        at = values["at"] if held["at"] is None else held["at"]
        if at is None:
            problems.add(held.mark, "no moment", "write at: 30s, here or beside expect")
            raise Bad
        made.append(Expectation(**(dict(held) | {"at": at}), position=position(held.mark)))
    values["expect"] = tuple(made)
    values["lines"] = values.pop("series")
    del values["at"]
    return values


def shape(vocabulary: Vocabulary = METRICS, verbs: Mapping[str, Verb] = VERBS) -> Record:
    """A whole file of tests."""
    modes = Word((mode.word for mode in Mode), means=Mode.parse)
    expect = tuple(
        field if field.name != "action" else Field(name="action", shape=Word(verbs), default="", doc=field.doc)
        for field in _EXPECT
    )
    shared: Sequence[Field] = (
        Field(name="interval", shape=Duration(0.1), doc="between two values"),
        Field(name="default_mode", shape=modes, doc="mode of rules that do not say"),
        Field(name="targets", shape=ListOf(_TARGET), doc="what there is to look after"),
    )
    case = Record(
        Field(name="name", shape=Text(longest=200), required=True, doc="the claim"),
        *shared,
        Field(name="maintenance", shape=Flag(), default=False, shown="false", doc="true: under maintenance throughout"),
        Field(name="outcome", shape=Word(("done", "failed")), default="done", shown="done", doc="what actions come to"),
        Field(name="series", shape=ListOf(_LineShape(vocabulary), least=1), required=True, doc="what is seen"),
        Field(name="at", shape=Duration(), doc="the moment of the expectations"),
        Field(
            name="expect",
            shape=ListOf(Record(*expect, build=_expect), least=1, alone=True),
            required=True,
            doc="what must be so",
        ),
        build=_case,
    )
    defaults = {"interval": 10.0, "default_mode": Mode.OBSERVE, "targets": ()}
    told = {"interval": "10s", "default_mode": "observe", "targets": "[]"}
    top = (
        Field(
            name=one.name, shape=one.shape, default=defaults[one.name], shown=told[one.name], doc=f"{one.doc}, for all"
        )
        for one in shared
    )
    return Record(
        Field(name="version", shape=Version(), required=True, doc="write version: 1"),
        Field(name="rule_files", shape=ListOf(Text(), least=1, alone=True), required=True, doc="rules under test"),
        *top,
        Field(name="tests", shape=ListOf(case, least=1), required=True, doc="the tests"),
    )
