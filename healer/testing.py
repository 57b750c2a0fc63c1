"""Doubles that ship: a clock that stands still, sensors and hands that do as told, and a scenario with the core.

The thinking is tested as a conversation: given these observations over time, this is decided, that is withheld and why.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from healer.actions.interface import Action, Done, Order
from healer.core.core import Core, Setup
from healer.errors import ActionError
from healer.model.decision import Decision, Outcome, Result, Withheld
from healer.model.effect import Act, Cancel, Effect, Look, Note, Publish, Withhold
from healer.model.event import Asked, Event, Finished, Happened, Looked, Sealed, Tick
from healer.model.memory import Memory
from healer.model.observation import Observation, Reading, Unknown, labels
from healer.model.request import Request
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.sensors.interface import Sensor

START = 1000.0
"""Boot-clock second at which a fake clock, and a scenario, begins."""
WALL = 1_790_000_000.0
"""Wall-clock second of that moment."""


@dataclass(slots=True)
class FakeClock:
    """A clock that moves only when told."""

    at: float = START
    offset: float = WALL - START
    boot: str = "boot-1"

    def now(self) -> float:
        """Boot-clock seconds."""
        return self.at

    def wall(self) -> float:
        """Wall-clock seconds."""
        return self.at + self.offset

    def boot_id(self) -> str:
        """A made-up boot."""
        return self.boot

    def chance(self) -> float:
        """Always the middle."""
        return 0.5


class FakeSensor(Sensor):
    """A sensor that answers what it was given, or raises it."""

    def __init__(
        self, name: str, *answers: Sequence[Reading] | Exception, every: float = 1.0, target: str = ""
    ) -> None:
        super().__init__(name=name, every=every, timeout=1.0, max_age=10.0, target=target)
        self.answers = list(answers)
        self.looks = 0

    async def look(self, now: float) -> Sequence[Reading]:
        """The next answer; the last one again and again."""
        del now
        answer = self.answers[min(self.looks, len(self.answers) - 1)] if self.answers else ()
        self.looks += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


class RecordingAction(Action):
    """A hand that only remembers what it was asked; ``fails`` is raised instead when given."""

    verb = "restart"
    kinds = ("*",)
    touches = "nothing"

    def __init__(self, verb: str = "restart", fails: ActionError | None = None) -> None:
        self.verb = verb  # type: ignore[misc]  # one double for every verb
        self.fails = fails
        self.orders: list[Order] = []

    async def act(self, order: Order) -> Done:
        """Remember the order."""
        self.orders.append(order)
        if self.fails is not None:
            raise self.fails
        return Done(because=f"pretended to {self.verb} {order.target.id}")

    def would(self, order: Order) -> str:
        """Say so."""
        return f"would pretend to {self.verb} {order.target.id}"


@dataclass
class MemoryLog:
    """The log of a scenario: the entries, in order, with made-up leaf hashes."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def seal(self, entry: Mapping[str, Any]) -> str:
        """Take an entry; returns its leaf."""
        self.entries.append(dict(entry))
        return f"{len(self.entries):064x}"

    def kinds(self) -> list[str]:
        """What kinds of entries there are, in order."""
        return [entry["kind"] for entry in self.entries]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The entries of one kind."""
        return [entry for entry in self.entries if entry["kind"] == kind]


World = Callable[[Decision], Outcome | None]
"""What an effect does in a scenario: its outcome, or None where it never ends."""


class Scenario:
    """A conversation with a core, in virtual time; effects happen at once unless ``world`` says otherwise."""

    def __init__(
        self,
        setup: Setup,
        *,
        memory: Memory | None = None,
        at: float = START,
        wall: float = WALL,
        world: World | None = None,
    ) -> None:
        self.now = at
        self._offset = wall - at
        self.world: World = world or self.succeed
        self.core = Core(setup, memory or Memory(), now=at, wall=wall)
        self.log = MemoryLog()
        self.acted: list[Decision] = []
        """Decisions whose effects happened."""
        self.withheld: list[Withheld] = []
        self.stale: list[tuple[str, str]] = []
        """(decision, because) of what was cancelled between seal and effect."""
        self.looks: list[str] = []
        self.published: list[tuple[str, Mapping[str, Any]]] = []
        self.quorum: Callable[[Decision], str] = lambda _: ""
        """What the witnesses make of an intent whose rule waits for them: why their quorum is not there, or nothing."""
        self._requests = 0
        self._leaves: dict[str, str] = {}
        self.take(self.core.recover())

    def succeed(self, decision: Decision) -> Outcome:
        """The world in which every effect ends well at once, with a new incarnation."""
        generation = f"{decision.generation}+" if decision.action in {"restart", "start"} else ""
        return Outcome(id=decision.id, result=Result.DONE, because="done", at=self.now, took=0.0, generation=generation)

    def fail(self, decision: Decision) -> Outcome:
        """The world in which every effect fails, and may be tried again."""
        return Outcome(id=decision.id, result=Result.FAILED_TRANSIENT, because="it fails here", at=self.now, took=0.0)

    # What one says to it ---------------------------------------------------------------------------------------

    def see(self, metric: str, value: float | str | None, *, conclusive: bool = False, **marks: str) -> None:
        """One reading now; None is unknown."""
        own = labels(**marks)
        unit = METRICS[metric].unit if metric in METRICS else Unit.NUMBER
        reading: Reading = (
            Unknown(metric=metric, labels=own, because="the scenario says so", at=self.now)
            if value is None
            else Observation(metric=metric, labels=own, value=value, unit=unit, at=self.now, conclusive=conclusive)
        )
        self.handle(Looked(sensor=marks.get("target", "host"), at=self.now, readings=(reading,)))

    def blind(self, sensor: str, because: str = "it does not answer") -> None:
        """A look that failed."""
        self.handle(Looked(sensor=sensor, at=self.now, because=because))

    def wait(self, seconds: float) -> None:
        """Let time pass, tick by tick as the core asks for it."""
        end = self.now + seconds
        while (due := self.core.due()) < end:
            self.now = max(self.now, due)
            self._tick()
        self.now = end
        self._tick()

    def _tick(self) -> None:
        self.handle(Tick(at=self.now, wall=self.now + self._offset))

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone."""
        self._offset += seconds

    def ask(self, verb: str, subject: str = "agent", **args: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        """Make a request; returns the entry of its answer."""
        self._requests += 1
        request = Request(id=f"r{self._requests}", verb=verb, subject=subject, who="tester", args=args, at=self.now)
        self.handle(Asked(request=request))
        return next(entry for entry in reversed(self.log.entries) if entry["kind"] == "request")

    def happen(self, topic: str, /, **data: Any) -> None:  # noqa: ANN401 - JSON values
        """Something about the agent itself."""
        self.handle(Happened(topic=topic, data=data, at=self.now))

    def finish(self, outcome: Outcome) -> None:
        """End an effect that the world left open."""
        self.handle(Finished(outcome=outcome))

    # What it answers -------------------------------------------------------------------------------------------

    def handle(self, event: Event) -> list[Effect]:
        """Hand one event over, and carry out what it wants."""
        effects = self.core.handle(event)
        self.take(effects)
        return effects

    def take(self, effects: Iterable[Effect]) -> None:
        """Carry effects out as the runtime would: seal all in their order, ask once more, act."""
        acts: list[Act] = []
        for effect in effects:
            match effect:
                case Note():
                    self.log.seal(effect.fields)
                case Act():
                    self._leaves[effect.decision.id] = self.log.seal(effect.entry)
                    acts.append(effect)
                case Withhold():
                    self.withheld.append(effect.withheld)
                case Look():
                    self.looks.append(effect.target)
                case Publish():
                    self.published.append((effect.topic, effect.data))
                case _:
                    pass
        # Only now: what an effect leads to comes after all that was decided beside it.
        for act in acts:
            self._act(act)

    def _act(self, effect: Act) -> None:
        leaf = self._leaves.pop(effect.decision.id)
        if effect.decision.witness == "before":
            self.handle(Sealed(id=effect.decision.id, leaf=leaf, at=self.now, waits=True))
            if because := self.quorum(effect.decision):
                self._refuse(effect.decision, because)
                return
        answers = self.core.handle(Sealed(id=effect.decision.id, leaf=leaf, at=self.now))
        cancelled = next((one for one in answers if isinstance(one, Cancel)), None)
        self.take([one for one in answers if not isinstance(one, Cancel)])
        decision = effect.decision
        if cancelled is not None:
            self.stale.append((decision.id, cancelled.because))
            self.finish(Outcome(id=decision.id, result=Result.STALE, because=cancelled.because, at=self.now, took=0.0))
            return
        self.acted.append(decision)
        outcome = self.world(decision)
        if outcome is not None:
            self.finish(outcome)

    def _refuse(self, decision: Decision, because: str) -> None:
        self.finish(Outcome(id=decision.id, result=Result.REFUSED, because=because, at=self.now, took=0.0))

    def folded(self) -> Memory:
        """The safety state as a start would fold it from the log so far."""
        memory = Memory()
        for number, entry in enumerate(self.log.entries, 1):
            memory.apply({**entry, "leaf": f"{number:064x}"} if entry["kind"] == "intent" else entry)
        return memory
