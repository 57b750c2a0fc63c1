"""What the core knows of itself, as series for conditions: where rules are in their life, which targets are bad."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from healer.core.instance import Instance
from healer.model.observation import Labels, Observation, Reading, Series, Unknown, labels
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.rules.lines import matches
from healer.rules.syntax import Select, selectors

if TYPE_CHECKING:
    from healer.core.core import Core

Make = Callable[[Labels, str, float], Reading]
_FED = ("rule.state", "target.bad")


class Facts:
    """Tells the evaluator what some condition asks for: at every beat, and at once where it changed."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._told: dict[Labels, str] = {}
        self._rules: dict[str, Labels] = {}
        self._targets: dict[str, Labels] = {}
        self._askers: set[str] = set()
        """Rules that ask which targets are bad: their own incidents make none bad, or they would never end."""
        asked: set[Select] = set()
        for key, expr, _ in core.evaluator.watched():
            found = {select for select in selectors(expr) if select.metric in _FED}
            asked |= found
            instance = core.instances.get(key.rpartition("|")[0])
            if instance and any(select.metric == "target.bad" for select in found):
                self._askers.add(instance.rule.id)
        if asked:
            self._find(asked)

    def _find(self, asked: set[Select]) -> None:
        core = self._core
        for key, one in core.instances.items():
            marks = labels(rule=one.rule.id, target=one.target.id)
            if _asked(asked, Series("rule.state", marks)):
                self._rules[key] = marks
        for name in core.world.targets:
            if _asked(asked, Series("target.bad", labels(target=name))):
                self._targets[name] = labels(target=name)

    def tell(self, *, again: bool) -> bool:
        """Feed what changed since the last time (``again``: everything); returns whether anything did change."""
        if not self._rules and not self._targets:
            return False
        changed = False
        for marks, said, make in self._said():
            news = self._told.get(marks) != said
            changed = changed or news
            if news or again:
                self._told[marks] = said
                self._core.evaluator.observe(make(marks, said, self._core.desk.now))
        return changed

    def _said(self) -> Iterator[tuple[Labels, str, Make]]:
        """What is to be said of each, and how that becomes a reading: it runs at every event, and little is news."""
        core = self._core
        for key, marks in self._rules.items():
            yield marks, phase(core, core.instances[key]), _word
        incidents = core.desk.memory.incidents.values() if self._targets else ()
        bad = {incident.target for incident in incidents if incident.rule not in self._askers}
        for name, marks in self._targets.items():
            yield marks, "1" if name in bad else "0", _flag


def phase(core: "Core", instance: Instance) -> str:
    """Where a rule is in its life on one target."""
    if incident := core.desk.memory.incidents.get(instance.key):
        return incident.phase
    if not core.enabled(instance.rule):
        return "disabled"
    return "pending" if instance.truth is Truth.TRUE else "inactive" if instance.truth is Truth.FALSE else "unknown"


def _word(marks: Labels, word: str, now: float) -> Reading:
    if word == "unknown":
        # A word would be known: `!= "firing"` would be true of a rule that nobody can judge.
        return Unknown(metric="rule.state", labels=marks, because="its own condition is unknown", at=now)
    return Observation(metric="rule.state", labels=marks, value=word, unit=Unit.WORD, at=now)


def _flag(marks: Labels, said: str, now: float) -> Reading:
    return Observation(metric="target.bad", labels=marks, value=float(said), unit=Unit.FLAG, at=now)


def _asked(asked: set[Select], series: Series) -> bool:
    return any(select.metric == series.metric and matches(select, series) for select in asked)
