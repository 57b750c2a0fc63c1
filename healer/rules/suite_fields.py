"""Every key of a file of tests of rules, declared once: loader, JSON Schema and reference are made of it."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any

from healer.model import request
from healer.model.kinds.catalog import KINDS
from healer.model.mode import Mode
from healer.model.organism import ORGANS
from healer.model.target import Target
from healer.model.unit import Unit
from healer.model.verb import Verb
from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules import series
from healer.rules.case import Cure, Expectation, Happening, Line
from healer.rules.fields import ID
from healer.rules.rule import Position
from healer.rules.selectors import GLOB
from healer.rules.steps import TARGET, position
from healer.rules.units import Vocabulary
from healer.yamldoc import times
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import Node, Scalar, Table
from healer.yamldoc.parsers import NAME, Count, Duration, Flag, Text, Version, Word
from healer.yamldoc.plain import Data
from healer.yamldoc.shape import Bad, Field, ListOf, MapOf, Mistake, Record, Schema, Shape, Values

PHASES = (
    "inactive", "pending", "firing", "acting", "verifying", "clearing", "given-up", "unknown", "disabled",
)  # fmt: skip
OUTCOMES = ("done", "failed", "failed-permanent", "ambiguous", "refused")
VERDICTS = (
    "verified", "unverified", "failed-transient", "failed-permanent", "ambiguous", "stale", "cancelled",
    "interrupted", "refused",
)  # fmt: skip
GATES = (
    "mode",
    "kill_switch",
    "maintenance",
    "active",
    "dependency",
    "mass_failure",
    "causality",
    "cooldown",
    "limit",
    "backoff",
    "breaker",
    "errors",
    "oscillation",
    "flapping",
    "conflict",
    "concurrency",
    "blast_radius",
    "saturation",
    "self_harm",
    "approval",
)
"""Names a test may expect; a test of ours holds them against `healer.gates.order`, which is a neighbour's."""
CLAIMS = ("state", "truth", "step", "action", "withheld", "none", "verdict", "published")
"""What an expectation can say; one of them at least."""


def mark(place: Position) -> Mark:
    """The same place, as mistakes are told at it."""
    return Mark(file=place.file, line=place.line, column=place.column)


# What is seen ----------------------------------------------------------------------------------------------------


_VALUES = Text(longest=65536, called="all values in one text, such as '1x2 0x8'")


class _LineShape(Shape):
    """``{series: ..., values: ...}``."""

    says = "{series: metric{label}, values: '1x6 0x8'}"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._record = Record(
            Field(name="series", shape=Text(), required=True, doc='such as http.ok{target="http:front"}'),
            Field(name="values", shape=_VALUES, required=True, doc="such as '1+0x6 0x8 _ stale'"),
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
        return Line(series=named, unit=unit, values=found, position=position(written.where("series")))

    def schema(self) -> Schema:
        """The record."""
        return self._record.schema()


def _target(values: Values, _: Problems) -> Target:
    labels = tuple(sorted((values["labels"] or {}).items()))
    return Target(**(dict(values) | {"labels": labels}))


_NAMED = Text(pattern=NAME, called="a name")
_MODES = Word((mode.word for mode in Mode), means=Mode.parse)
_TARGET = Record(
    Field(name="kind", shape=Word(KINDS), required=True, doc="kind of target"),
    Field(name="name", shape=_NAMED, required=True, doc="its name"),
    Field(name="organ", shape=Word(ORGANS), default="heart", shown="heart", doc="its organ"),
    Field(name="groups", shape=ListOf(_NAMED, alone=True), default=(), doc="groups it is a member of"),
    Field(name="labels", shape=MapOf(Text()), doc="labels"),
    Field(name="requires", shape=ListOf(Text(), alone=True), default=(), doc="kind:name or group:NAME"),
    Field(name="mode", shape=_MODES, default=Mode.AUTO, shown="auto", doc="its ceiling"),
    Field(name="startup_grace", shape=Duration(), default=2.0, shown="2s", doc="as in organism.yaml"),
    build=_target,
)


# What happens ----------------------------------------------------------------------------------------------------


def _start(text: str) -> dt.datetime:
    """A local moment; raises Mistake."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Mistake(f"'{text[:40]}' is no moment", 'write "2026-03-29 01:30", in the time zone of tz') from None
    if found.tzinfo is not None:
        raise Mistake("a moment with a zone of its own", "write it without, and tz: beside it")
    if not 1971 <= found.year <= 2999:
        raise Mistake(f"the year {found.year} is out of bounds", "from 1971 to 2999")
    return found


_SIGNED = re.compile(r"([+-]?)\s*(.+)", re.DOTALL)


def _signed(text: str) -> float:
    """Seconds of ``+1h`` or ``-30s``; raises Mistake."""
    found = _SIGNED.fullmatch(text)
    seconds = Duration.parse(found[2] if found else text)
    return -seconds if found and found[1] == "-" else seconds


class _Happenings(Record):
    """One happening; what people would write first is told how it is written."""

    def read(self, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - see Shape
        """The happening."""
        entries = node.entries if isinstance(node, Table) else ()
        found = [entry for entry in entries if entry.key in request.VERBS and entry.key not in self.fields]
        for entry in found:
            what = f"'{entry.key}' is what people ask for"
            problems.add(entry.mark, what, f"write ask: {entry.key}, and subject: or args: beside it")
        if found:
            raise Bad
        return super().read(node, problems)


_TOPIC = Text(
    pattern=r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*",
    longest=200,
    called="a topic",
    hint="dotted words, such as user.login",
)
_WORDS = ("event", "ask", "jump", "restart")
_BESIDE = {"data": "event", "own": "event", "subject": "ask", "args": "ask", "refused": "ask"}


def _happening(values: Values, problems: Problems) -> Happening:
    given = [word for word in _WORDS if word in values.marks]
    if len(given) != 1:
        said = " and ".join(given) or "none"
        problems.add(values.mark, f"expected one of {', '.join(_WORDS)}; found {said}", "one item per happening")
        raise Bad
    for key, word in _BESIDE.items():
        if key in values.marks and word != given[0]:
            problems.add(values.where(key), f"{key} goes with {word}", f"remove it, or write {word}: beside it")
            raise Bad
    held = {key: value for key, value in values.items() if value is not None}
    return Happening(**held, position=position(values.mark))


_HAPPENING = _Happenings(
    Field(name="at", shape=Duration(), required=True, doc="when, from the beginning"),
    Field(name="event", shape=_TOPIC, doc="a topic that somebody puts on the bus"),
    Field(name="data", shape=Data(), doc="what the event carries"),
    Field(name="own", shape=Flag(), doc="true: the agent itself says it (with event)"),
    Field(name="ask", shape=Word(request.VERBS), doc="what a person asks of the agent"),
    Field(name="subject", shape=Text(), doc="of what, or whom: agent, a target, a rule ... (with ask)"),
    Field(name="args", shape=Data(), doc="as for the command (with ask)"),
    Field(name="refused", shape=Flag(), doc="true: the agent must refuse it (with ask)"),
    Field(name="jump", shape=Text(called="a duration with a sign, such as +1h", parse=_signed), doc="wall clock only"),
    Field(name="restart", shape=Duration(), doc="the agent is down for so long, then starts from its log"),
    build=_happening,
)


def _cure(vocabulary: Vocabulary, verbs: Iterable[str]) -> Record:
    def build(values: Values, _: Problems) -> Cure:
        values["lines"] = values.pop("series")
        return Cure(**values)

    return Record(
        Field(name="action", shape=Word(verbs), required=True, doc="verb"),
        Field(name="target", shape=TARGET, default="", doc="only of this target"),
        Field(name="outcome", shape=Word(OUTCOMES), default="done", shown="done", doc="how its effect ends"),
        Field(name="takes", shape=Duration(), default=0.0, shown="0s", doc="until it ends"),
        Field(
            name="series",
            shape=ListOf(_LineShape(vocabulary)),
            default=(),
            doc="what is seen from its end on; the first value is that of the next look",
        ),
        build=build,
    )


# What is expected ------------------------------------------------------------------------------------------------


class _Truth(Shape):
    """One of the three truths, as people write them."""

    says = "true, false or unknown"

    def read(self, node: Node, problems: Problems) -> str:
        """The word: true and false are no words to YAML, and mean the same here."""
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return "true" if node.value else "false"
        word: str = Word(("true", "false", "unknown")).read(node, problems)
        return word

    def schema(self) -> Schema:
        """Either spelling."""
        return {"enum": [True, False, "unknown", "true", "false"]}


_MOMENT = Duration(0.0, 31 * 86400.0)


def _expectation_fields(verbs: Iterable[str]) -> tuple[Field, ...]:
    return (
        Field(name="at", shape=_MOMENT, doc="moment; else that of the test"),
        Field(name="rule", shape=ID, required=True, doc="id of the rule"),
        Field(name="target", shape=TARGET, default="", doc="the target; without it, a rule about the host"),
        Field(name="state", shape=Word(PHASES), default="", doc="phase of its incident at that moment"),
        Field(name="truth", shape=_Truth(), default="", doc="of its condition at that moment"),
        Field(name="step", shape=Count(1, 16), doc="rung of the ladder at that moment, the first is 1"),
        Field(name="action", shape=Word(verbs), default="", doc="verb that was decided by then"),
        Field(name="times", shape=Count(0, 1000), doc="how often, exactly (with action or published)"),
        Field(
            name="withheld",
            shape=Word(GATES),
            default="",
            doc="gate that withheld it by then; nothing was decided, unless action stands beside it",
        ),
        Field(name="because", shape=Text(), default="", doc="part of the reason (with withheld or verdict)"),
        Field(name="verdict", shape=Word(VERDICTS), default="", doc="how an action of it was judged by then"),
        Field(name="published", shape=GLOB, default="", doc="topic heard on the bus by then; * and ? match"),
        Field(name="none", shape=Flag(), default=False, doc="true: nothing was decided and nothing withheld"),
    )


def _expect(values: Values, problems: Problems) -> Values:
    given = [key for key in CLAIMS if values[key]]
    if not given:
        problems.add(values.mark, "nothing is expected", f"write one of {', '.join(CLAIMS)}")
        raise Bad
    if values["none"] and (held := [key for key in ("action", "withheld", "verdict", "step") if values[key]]):
        problems.add(values.where("none"), f"none: true beside {held[0]}", "one of them cannot be: remove it")
        raise Bad
    if values["times"] is not None and not (values["action"] or values["published"]):
        problems.add(values.where("times"), "times without action", "write action: VERB beside it")
        raise Bad
    if values["because"] and not (values["withheld"] or values["verdict"]):
        problems.add(values.where("because"), "because without withheld", "write withheld: GATE or verdict: beside it")
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
    last = max(one.at for one in made)
    for happening in values["happens"]:
        if happening.at > last:
            problems.add(
                mark(happening.position),
                f"at {happening.at:g} s the test is over",
                f"the last expectation is at {last:g} s",
            )
            raise Bad
    values["expect"] = tuple(made)
    values["lines"] = values.pop("series")
    values["cures"] = values.pop("actions")
    del values["at"]
    return values


DEFAULTS: Mapping[str, Any] = {
    "interval": 10.0,
    "start": None,
    "tz": "UTC",
    "mode": Mode.AUTO,
    "default_mode": Mode.OBSERVE,
    "targets": (),
}
_SHOWN = {"interval": "10s", "tz": "UTC", "mode": "auto", "default_mode": "observe", "targets": "[]"}


def _shared() -> tuple[Field, ...]:
    """What a file may say once for all of its tests."""
    zone = Text(called="a time zone such as Europe/Warsaw", parse=times.zone)
    return (
        Field(name="interval", shape=Duration(0.1), doc="between two values"),
        Field(name="start", shape=Text(called='a moment such as "2026-03-29 01:30"', parse=_start), doc="wall clock"),
        Field(name="tz", shape=zone, doc="the host's time zone"),
        Field(name="mode", shape=_MODES, doc="the host's ceiling"),
        Field(name="default_mode", shape=_MODES, doc="mode of rules that do not say"),
        Field(name="targets", shape=ListOf(_TARGET), doc="what there is to look after"),
    )


def shape(vocabulary: Vocabulary = METRICS, verbs: Mapping[str, Verb] = VERBS) -> Record:
    """A whole file of tests."""
    expect = Record(*_expectation_fields(verbs), build=_expect)
    case = Record(
        Field(name="name", shape=Text(longest=200), required=True, doc="what it shows, in a sentence"),
        *_shared(),
        Field(name="maintenance", shape=Flag(), default=False, shown="false", doc="true: under maintenance throughout"),
        Field(name="outcome", shape=Word(OUTCOMES), default="done", shown="done", doc="what actions come to"),
        Field(name="series", shape=ListOf(_LineShape(vocabulary), least=1), required=True, doc="what is seen"),
        Field(
            name="actions",
            shape=ListOf(_cure(vocabulary, verbs), alone=True),
            default=(),
            doc="what comes of actions, in turn; the last of a verb again and again",
        ),
        Field(name="happens", shape=ListOf(_HAPPENING, alone=True), default=(), doc="what else happens"),
        Field(name="at", shape=_MOMENT, doc="the moment of the expectations"),
        Field(name="expect", shape=ListOf(expect, least=1, alone=True), required=True, doc="what must be so"),
        build=_case,
    )
    top = (
        Field(
            name=one.name,
            shape=one.shape,
            default=DEFAULTS[one.name],
            shown=_SHOWN.get(one.name, ""),
            doc=f"{one.doc}, for all",
        )
        for one in _shared()
    )
    return Record(
        Field(name="version", shape=Version(), required=True, doc="write version: 1"),
        Field(name="rule_files", shape=ListOf(Text(), least=1, alone=True), required=True, doc="rules under test"),
        *top,
        Field(name="tests", shape=ListOf(case, least=1), required=True, doc="the tests"),
    )
