"""A scenario that keeps its story: everything seen, decided, withheld and said, with its second."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from healer.core.core import Core, Setup
from healer.model.decision import Outcome, Withheld
from healer.model.effect import Act, Effect, Note, Publish, Withhold
from healer.model.event import Event, Looked
from healer.model.memory import Memory
from healer.model.observation import Unknown
from healer.rules.evaluate import shown
from healer.testing import START, Scenario, World

Watcher = Callable[[Core], None]
"""Looks at the core after what was seen, and wherever a condition has changed, before anything comes of it."""
_BRIEF = ("op", "from", "to", "verb", "answer", "result", "rule", "target", "because")
"""Fields of an entry that tell its story."""


class Talk(Scenario):
    """A conversation with a core, written down."""

    def __init__(self, setup: Setup, *, memory: Memory | None, at: float, wall: float, world: World) -> None:
        self.story: list[tuple[float, str]] = []
        """(seconds from the beginning, what happened)."""
        self.topics: list[str] = []
        """Everything heard on the bus."""
        self.watcher: Watcher = lambda _: None
        self._values: dict[str, str] = {}
        self._truths: dict[str, str] = {}
        super().__init__(setup, memory=memory, at=at, wall=wall, world=world)

    def tell(self, what: str) -> None:
        """Add a line to the story."""
        self.story.append((self.now - START, what))

    def handle(self, event: Event) -> list[Effect]:
        """Hand an event over, and keep what came of it; what is decided at once is carried out after it was noted."""
        if isinstance(event, Looked):
            self._saw(event)
        effects = self.core.handle(event)
        if self._changed() or isinstance(event, Looked):
            self.watcher(self.core)
        self.take(effects)
        return effects

    def _changed(self) -> bool:
        """Tell whose condition has changed; says whether any has."""
        changed = False
        for key, instance in self.core.instances.items():
            truth = instance.truth.value
            if self._truths.get(key, "unknown") != truth:
                self.tell(f"condition of {key} is {truth}")
                changed = True
            self._truths[key] = truth
        return changed

    def _saw(self, event: Looked) -> None:
        for reading in event.readings:
            name = str(reading.series)
            value = "unknown" if isinstance(reading, Unknown) else shown(reading.value)
            if self._values.get(name) != value:
                self.tell(f"seen {name}: {value}")
            self._values[name] = value

    def take(self, effects: Iterable[Effect]) -> None:
        """Carry effects out, each after its line."""
        for effect in effects:
            self._tell_of(effect)
            super().take((effect,))

    def _tell_of(self, effect: Effect) -> None:
        match effect:
            case Act():
                one = effect.decision
                self.topics.append("action.intended")
                self.tell(f"decided {one.action} of {one.target} for {one.rule or 'a request'}, step {one.step + 1}")
            case Withhold():
                self.tell(_withheld(effect.withheld))
            case Note():
                if effect.topic:
                    self.topics.append(effect.topic)
                self.tell(f"sealed {effect.kind}: {_brief(effect.fields)}")
            case Publish():
                self.topics.append(effect.topic)
                self.tell(f"published {effect.topic}")
            case _:
                pass

    def finish(self, outcome: Outcome) -> None:
        """End an effect, and say how."""
        self.tell(f"ended {outcome.result.value}: {outcome.because}")
        super().finish(outcome)

    def again(self, setup: Setup, seconds: float, wall: float) -> "Talk":
        """The agent after ``seconds`` of being down: what it knows is what its log holds."""
        self.tell(f"the agent is down for {seconds:g} s")
        after = Talk(setup, memory=self.folded(), at=self.now + seconds, wall=wall, world=self.world)
        after.watcher = self.watcher
        after.log.entries[:0] = self.log.entries
        after.acted[:0], after.withheld[:0] = self.acted, self.withheld
        after.stale[:0], after.topics[:0], after.story[:0] = self.stale, self.topics, self.story
        return after


def _withheld(one: Withheld) -> str:
    return f"withheld {one.action} of {one.target} for {one.rule or 'a request'} by {one.gate}: {one.because}"


def _brief(fields: Mapping[str, Any]) -> str:
    said = [f"{key} {fields[key]}" for key in _BRIEF if fields.get(key) not in (None, "")]
    return ", ".join(said) or "-"
