"""Plays the tests of rules in virtual time: the same core as in life, with a world made of series."""

import contextlib
import heapq
import itertools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from healer.core.core import BALANCING, BEAT, ORGANS_EVERY, Core, Setup
from healer.core.watch import HarmonyWatch
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.decision import Decision, Outcome, Result
from healer.model.event import Happened, Looked
from healer.model.observation import Observation, Reading, Series, Unknown
from healer.model.organism import ORGANS
from healer.model.unit import Unit
from healer.rehearsal.judge import Checked, Row, judge
from healer.rehearsal.talk import Talk, Watcher
from healer.rules import load as rules_loader
from healer.rules import suite as suites
from healer.rules.case import Case, Cure, Expectation, Happening, Suite
from healer.rules.rule import Rule, RuleSet
from healer.rules.schedules import upcoming
from healer.rules.series import Mark, Value
from healer.rules.syntax import selectors
from healer.testing import START, WALL

RESULTS = {
    "done": Result.DONE,
    "failed": Result.FAILED_TRANSIENT,
    "failed-permanent": Result.FAILED_PERMANENT,
    "ambiguous": Result.AMBIGUOUS,
    "refused": Result.REFUSED,
}
MANY = 3600
"""Beats of the core in one test, at most: a test that is longer than an hour has slower ones."""
SLOWEST = 600.0
"""Seconds between two beats, at most."""
LONGEST_WINDOW = 7 * 86400.0
"""Seconds: no maintenance may be longer."""
WHOLE = frozenset({*ORGANS, "organ", "harmony", "balance", "energy", "target", "rule"})
"""First words of the metrics that the core makes itself, of all that is seen."""
LOOK, END, HAPPEN, JUDGE = range(4)
"""What comes first of what falls on one second: an expectation sees all the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One test, played."""

    case: Case
    checked: tuple[Checked, ...]
    story: tuple[tuple[float, str], ...]

    @property
    def ok(self) -> bool:
        """Whether all that was expected was so."""
        return all(one.ok for one in self.checked)


def run_suite(
    suite: Suite, *, wanted: Callable[[str], bool] = lambda _: True, watcher: Watcher | None = None
) -> Iterator[Played]:
    """Play the cases of one file whose names are wanted.

    Raises ConfigError where its rules do not load, or a test names a rule that is not among them.
    """
    rules = rules_loader.load(suite.rule_files)
    suites.check(suite, rules)
    for case in suite.cases:
        if wanted(case.name):
            with _zone(case.tz):
                yield _Play(case, rules, watcher).play()


@contextlib.contextmanager
def _zone(name: str) -> Iterator[None]:
    """Let the host's own time zone be ``name``: a test means the same on every machine."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


@dataclass(slots=True)
class _Seen:
    """The values of one series, from one look on."""

    values: tuple[Value, ...]
    unit: Unit
    first: int = 0

    def at(self, number: int) -> Value:
        index = number - self.first
        return self.values[index] if 0 <= index < len(self.values) else Mark.MISSING


@dataclass(order=True, slots=True)
class _Due:
    """Something on the agenda."""

    at: float
    order: int
    number: int
    what: Any = field(compare=False)


def _asks_for_the_whole(core: Core) -> bool:
    """Whether any rule asks for what the core makes itself of all that is seen."""
    asked = (one.metric for _, expr, _ in core.evaluator.watched() for one in selectors(expr))
    tags = {tag for rule in core.setup.rules.rules for tag in rule.tags}
    return BALANCING in tags or any(metric.partition(".")[0] in WHOLE for metric in asked)


class _Play:
    """One test: an agenda of looks, ends of actions, happenings and expectations."""

    def __init__(self, case: Case, rules: RuleSet, watcher: Watcher | None) -> None:
        self._case = case
        self._watch = HarmonyWatch()
        self._seen: dict[Series, _Seen] = {line.series: _Seen(line.values, line.unit) for line in case.lines}
        self._used: dict[tuple[str, str], int] = {}
        self._agenda: list[_Due] = []
        self._numbers = itertools.count()
        self._looks = self._era = 0
        self._looking = True
        self._checked: list[Checked] = []
        self._last = max(one.at for one in case.expect)
        beat = max(BEAT, min(SLOWEST, self._last / MANY))
        self._setup = Setup(
            node="test",
            boot="boot",
            targets=case.targets,
            rules=rules,
            vitals=DEFAULT_VITALS,
            mode=case.mode,
            default_mode=case.default_mode,
            beat=beat,
            organs_every=max(ORGANS_EVERY, beat),
        )
        self._wall = (WALL if case.start is None else case.start) - START
        whole = self._setup
        # How the whole is takes four fifths of the time of a test, and few rules ask for it.
        self._setup = replace(whole, vitals=(), organs_every=math.inf)
        self.talk = self._begin()
        if _asks_for_the_whole(self.talk.core):
            self._setup = whole
            self.talk = self._begin()
        if watcher:
            self.talk.watcher = watcher

    def _begin(self) -> Talk:
        return Talk(self._setup, memory=None, at=START, wall=START + self._wall, world=self._world)

    def play(self) -> Played:
        """Everything up to the last expectation, each judged at its moment."""
        if self._case.maintenance:
            window: dict[str, Any] = {"selector": {"all": True}, "for": LONGEST_WINDOW}
            self.talk.ask("maintenance-add", **window)
            again = Happening(at=0.0, ask="maintenance-add", args=window, position=self._case.position)
            for number in range(1, int(self._last / LONGEST_WINDOW * 2) + 1):
                self._due(number * LONGEST_WINDOW / 2, HAPPEN, again)
        self._due(0.0, LOOK, None)
        for one in self._case.expect:
            self._due(one.at, JUDGE, one)
        for happening in self._case.happens:
            self._due(happening.at, HAPPEN, happening)
        self._schedule()
        left = len(self._case.expect)
        while left:
            due = heapq.heappop(self._agenda)
            self.talk.wait(max(0.0, START + due.at - self.talk.now))
            self._do(due)
            left -= due.order == JUDGE
        return Played(case=self._case, checked=tuple(self._checked), story=tuple(self.talk.story))

    def _due(self, at: float, order: int, what: object) -> None:
        heapq.heappush(self._agenda, _Due(at, order, next(self._numbers), what))

    def _do(self, due: _Due) -> None:
        match due.what:
            case Expectation() as wanted:
                self._checked.append(judge(self.talk, self._case.name, wanted))
            case Happening() as happening:
                self._happen(happening)
            case (Decision() as decision, Cure() as cure):
                self._end(decision, cure)
            case _Call() as call:
                if call.era == self._era:
                    self.talk.ask("trigger", call.rule.id)
                    self._call(call)
            case _:
                self._look()

    # What is seen -------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        number, self._looks = self._looks, self._looks + 1
        for sensor, readings in self._readings(number).items():
            self.talk.handle(Looked(sensor=sensor, at=self.talk.now, readings=tuple(readings)))
        self._watch.step(self.talk.core.organs.view.harmony)
        if self._watch.balancing:
            self.talk.ask("rebalance")
        self._look_on()

    def _look_on(self) -> None:
        """Look again while there is anything to see: what is over is no look, and days of them would take minutes."""
        self._looking = any(line.first + len(line.values) > self._looks for line in self._seen.values())
        if self._looking:
            self._due(self._looks * self._case.interval, LOOK, None)

    def _readings(self, number: int) -> Mapping[str, Iterable[Reading]]:
        """What each sensor sees at one interval; what stands for no look is not heard."""
        found: dict[str, list[Reading]] = {}
        for (metric, marks), line in self._seen.items():
            value, at = line.at(number), self.talk.now
            reading: Reading
            if value is Mark.STALE:
                reading = Unknown(metric=metric, labels=marks, because="stale", at=at)
            elif isinstance(value, Mark):
                continue
            else:
                reading = Observation(metric=metric, labels=marks, value=value, unit=line.unit, at=at)
            found.setdefault(dict(marks).get("target", "host"), []).append(reading)
        return found

    # What comes of actions ----------------------------------------------------------------------------------------

    def _world(self, decision: Decision) -> Outcome | None:
        """The end of an effect: at once, or later by the agenda."""
        cure = self._cure(decision)
        if min(cure.takes, decision.timeout) > 0:
            self._due(self.talk.now - START + min(cure.takes, decision.timeout), END, (decision, cure))
            return None
        self._show(cure)
        return self._outcome(decision, cure)

    def _cure(self, decision: Decision) -> Cure:
        """The next one written down for this verb and target; the last of them again and again."""
        fitting = [
            one for one in self._case.cures if one.action == decision.action and one.target in {"", decision.target}
        ]
        if not fitting:
            return Cure(action=decision.action, outcome=self._case.outcome)
        key = (decision.action, decision.target)
        number = self._used[key] = self._used.get(key, -1) + 1
        return fitting[min(number, len(fitting) - 1)]

    def _end(self, decision: Decision, cure: Cure) -> None:
        if decision.id in self.talk.core.desk.memory.intents:  # a start in between has closed it already
            self._show(cure)
            self.talk.finish(self._outcome(decision, cure))

    def _show(self, cure: Cure) -> None:
        if cure.lines and not self._looking:
            self._looks = math.ceil((self.talk.now - START) / self._case.interval)
        for line in cure.lines:
            self._seen[line.series] = _Seen(line.values, line.unit, self._looks)
        if cure.lines and not self._looking:
            self._look_on()

    def _outcome(self, decision: Decision, cure: Cure) -> Outcome:
        late = cure.takes > decision.timeout
        result = Result.FAILED_TRANSIENT if late else RESULTS[cure.outcome]
        anew = result is Result.DONE and decision.action in {"restart", "start"}
        return Outcome(
            id=decision.id,
            result=result,
            because=f"not done within {decision.timeout:g} s" if late else f"{cure.outcome}, the test says",
            at=self.talk.now,
            took=min(cure.takes, decision.timeout),
            generation=f"{decision.generation}+" if anew else "",
        )

    # What else happens --------------------------------------------------------------------------------------------

    def _happen(self, one: Happening) -> None:
        if one.event:
            data = {"topic": one.event, "data": dict(one.data)}
            self.talk.handle(Happened(topic="event", data=data, at=self.talk.now, own=one.own))
        elif one.ask:
            self._ask(one)
        elif one.jump is not None:
            self._wall += one.jump
            self.talk.jump(one.jump)
            self.talk.tell(f"the wall clock jumps by {one.jump:+g} s")
            self._schedule()
        elif one.restart is not None:
            at = self.talk.now + one.restart
            self.talk = self.talk.again(self._setup, one.restart, at + self._wall)

    def _ask(self, one: Happening) -> None:
        answer = self.talk.ask(one.ask, one.subject, **(self._answering(one) | dict(one.args)))
        if (answer["answer"] == "refused") is one.refused:
            return
        expected = "refused" if one.refused else "accepted"
        row = Row(
            what=f"answer to {one.ask}", expected=expected, found=f"{answer['answer']}: {answer['because']}", ok=False
        )
        self._checked.append(
            Checked(
                case=self._case.name,
                rule=one.ask,
                target=one.subject,
                at=one.at,
                position=one.position,
                rows=(row,),
                because=f"the request was {row.found}",
            )
        )

    def _answering(self, one: Happening) -> dict[str, str]:
        """The id of the question meant: a test knows its rule, not the number it will have."""
        if one.ask not in {"approve", "deny"}:
            return {}
        open_ones = [each for each in self.talk.core.desk.memory.approvals.values() if each.state == "asked"]
        meant = [each.id for each in open_ones if one.subject in {"agent", each.rule, each.target, each.incident}]
        return {"id": meant[0] if len(meant) == 1 else f"(one of {len(meant)} about {one.subject})"}

    def _schedule(self) -> None:
        """Put the next moment of every rule that follows the calendar on the agenda, as the wall clock is now."""
        self._era += 1
        for rule in self._setup.rules.rules:
            if rule.trigger.kind == "schedule" and rule.enabled:
                self._call(_Call(rule, self._era))

    def _call(self, call: "_Call") -> None:
        trigger = replace(call.rule.trigger, tz=call.rule.trigger.tz or self._case.tz)
        if (wall := upcoming(trigger, self.talk.now + self._wall)) is not None:
            self._due(wall - self._wall - START, HAPPEN, call)


@dataclass(slots=True)
class _Call:
    """The calendar asks for a rule; a jump of the clock begins another era, in which older calls are void."""

    rule: Rule
    era: int
