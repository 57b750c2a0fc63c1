"""What the core knows of itself, as series for conditions: where rules are in their life, which targets are bad."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healer.core.instance import Instance
from healer.model.observation import Labels, Observation, Reading, Series, Unknown, labels
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.rules.lines import matches
from healer.rules.syntax import Select, selectors

if TYPE_CHECKING:
    from healer.core.core import Core

_FED = ("rule.state", "target.bad")


class Facts:
    """Tells the evaluator what some condition asks for: at every beat, and at once where it changed."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        asked = {
            select for _, expr, _ in core.evaluator.watched() for select in selectors(expr) if select.metric in _FED
        }
        self._rules = {
            key: labels(rule=one.rule.id, target=one.target.id)
            for key, one in core.instances.items()
            if _asked(asked, Series("rule.state", labels(rule=one.rule.id, target=one.target.id)))
        }
        self._targets = {
            name: labels(target=name)
            for name in core.world.targets
            if _asked(asked, Series("target.bad", labels(target=name)))
        }
        self._told: dict[Labels, str] = {}

    def tell(self, *, again: bool) -> bool:
        """Feed what changed since the last time (``again``: everything); returns whether anything did change."""
        if not self._rules and not self._targets:
            return False
        changed = False
        for marks, reading, said in self._readings():
            news = self._told.get(marks) != said
            changed = changed or news
            if news or again:
                self._told[marks] = said
                self._core.evaluator.observe(reading)
        return changed

    def _readings(self) -> Iterator[tuple[Labels, Reading, str]]:
        core, now = self._core, self._core.desk.now
        for key, marks in self._rules.items():
            word = phase(core, core.instances[key])
            yield marks, _word(marks, word, now), word
        bad = {incident.target for incident in core.desk.memory.incidents.values()} if self._targets else set()
        for name, marks in self._targets.items():
            value = float(name in bad)
            yield marks, Observation(metric="target.bad", labels=marks, value=value, unit=Unit.FLAG, at=now), str(value)


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


def _asked(asked: set[Select], series: Series) -> bool:
    return any(select.metric == series.metric and matches(select, series) for select in asked)
