"""Toy senses: they look at the toy world, and lie, hang, go blind or talk nonsense as chance wants it."""

import asyncio
from collections.abc import Sequence

from healer.errors import SensorError
from healer.model.event import Looked
from healer.model.observation import Labels, Observation, Reading, Unknown, labels
from healer.model.target import Target
from healer.model.unit import Unit
from healer.sensors.interface import Push, Sensor
from healer.simulation.chance import Chance
from healer.simulation.loop import SimClock
from healer.simulation.world import Sample, Thing, World

GARBAGE: tuple[object, ...] = (float("nan"), float("inf"), float("-inf"), -1, 1e308, "", "up", None, True, 10**400, [])
"""What no sensor should ever say."""
ROUNDING = 1e-6
"""Seconds by which two ways to compute one moment may differ."""
LONGEST_FOR = 4.0
"""Seconds: the longest ``for`` of any rule in the books."""


class ToySensor(Sensor):
    """Looks at one target of the toy world."""

    def __init__(self, thing: Thing, world: World, *, every: float) -> None:
        name = thing.target.id
        super().__init__(name=name, every=every, timeout=1.0, max_age=3 * every + 1.0, target=name)
        self._thing, self._world, self._chance = thing, world, world.chance
        self._marks = labels(target=name)
        self._kept: Sequence[Reading] = ()
        self._push: Push | None = None
        self.blind_until = 0.0
        """Simulation second until which nothing can be seen."""

    async def open(self, push: Push) -> None:
        """Remember where exits are told."""
        self._push = push

    def exited(self) -> None:
        """Tell of an exit the moment it happens, as a pidfd does."""
        if self._push is not None and self._thing.target.kind == "program" and not self._blind:
            now = self._world.clock.now()
            up = Observation(
                metric="program.up", labels=self._marks, value=0.0, unit=Unit.FLAG, at=now, conclusive=True
            )
            self._push([up, self._generation(now)])

    @property
    def _blind(self) -> bool:
        return self._world.clock.at < self.blind_until

    async def look(self, now: float) -> Sequence[Reading]:
        """Look once, or fail in one of the ways senses fail."""
        chance = self._chance
        await asyncio.sleep(0.001 if chance.calm else chance.between(0.001, 0.05))
        self._world.settle()
        if self._blind or chance.hit("sensor.error"):
            raise SensorError(f"cannot see {self.name}")
        if chance.hit("sensor.crash"):
            raise ValueError("a bug in a sensor")
        if chance.hit("sensor.hang"):
            await asyncio.sleep(chance.between(0.5, 30.0))
        if chance.hit("sensor.empty"):
            return ()
        if chance.hit("sensor.stale") and self._kept:
            return self._kept
        if chance.hit("sensor.garbage"):
            return self._nonsense(now)
        self._kept = self._see(now)
        return self._kept

    def _see(self, now: float) -> list[Reading]:
        kind, thing = self._thing.target.kind, self._thing
        up = self._world.healthy(self.name) if kind == "http" else thing.up
        if self._chance.hit("sensor.lie"):
            up = not up
        if kind == "http":
            return [Observation(metric="http.ok", labels=self._marks, value=float(up), unit=Unit.FLAG, at=now)]
        said: list[Reading] = [
            Observation(metric=f"{kind}.up", labels=self._marks, value=float(up), unit=Unit.FLAG, at=now),
            self._generation(now),
        ]
        cpu = max(thing.cpu, 0.95 if thing.pressed > thing.knob else 0.0)
        figures = {"cpu": (cpu, Unit.RATIO), "memory": (thing.memory, Unit.BYTES)}
        for what, (value, unit) in figures.items():
            metric = f"{kind}.{what}"
            said.append(
                Observation(metric=metric, labels=self._marks, value=value, unit=unit, at=now)
                if thing.up
                else Unknown(metric=metric, labels=self._marks, because="it does not run", at=now)
            )
        return said

    def _generation(self, now: float) -> Observation:
        kind, word = self._thing.target.kind, self._thing.generation
        return Observation(metric=f"{kind}.generation", labels=self._marks, value=word, unit=Unit.WORD, at=now)

    def _nonsense(self, now: float) -> list[Reading]:
        value = self._chance.random.choice(GARBAGE)
        metrics = [reading.metric for reading in self._see(now) if not reading.metric.endswith(".generation")]
        return [
            Observation(metric=one, labels=self._marks, value=value, unit=Unit.FLAG, at=now)  # type: ignore[arg-type]  # garbage is the point
            for one in metrics
        ]


class Tap:
    """Listens between the senses and the agent: what had been delivered at any moment, whatever became of it."""

    def __init__(self, clock: SimClock, chance: Chance) -> None:
        self._clock, self._chance = clock, chance
        self.last: dict[tuple[str, str], Sample] = {}
        """The last sample by target and metric."""
        self.history: dict[tuple[str, str], list[tuple[float, float | str | None]]] = {}
        """Everything delivered, by target and metric: (second at which it was true, value)."""
        self.onset: dict[str, float] = {}
        """Simulation second since which a target has been seen bad without a break (unknown is no break)."""
        self.alarms: list[tuple[int, float, str]] = []
        """(life, second, group) at which so many were seen bad that nobody may act any more."""
        self._life = 0
        self._was_up: set[str] = set()
        self._blind_since: dict[str, float] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.primary: dict[str, str] = {}

    def watch(self, targets: Sequence[Target]) -> None:
        """Learn which targets there are, and what they are groups of."""
        for target in targets:
            self.primary[target.id] = f"{target.kind}.{'ok' if target.kind == 'http' else 'up'}"
            for group in (*target.groups, f"kind {target.kind}"):
                self.groups[group] = (*self.groups.get(group, ()), target.id)

    def begin(self) -> None:
        """A new agent: it has seen nothing yet."""
        self.last, self.onset, self._was_up, self._blind_since = {}, {}, set(), {}
        self._life += 1

    def take(self, looked: Looked) -> None:
        """Note one look."""
        if looked.because:
            for target, metric in [key for key in self.last if key[0] == looked.sensor]:
                self._note(target, metric, None, self._clock.at, conclusive=False)
            return
        for reading in looked.readings:
            target = _target(reading.labels)
            at = self._clock.at + (reading.at - self._clock.now())
            value = _sane(reading) if isinstance(reading, Observation) else None
            conclusive = isinstance(reading, Observation) and reading.conclusive
            self._note(target, reading.metric, value, at, conclusive=conclusive)

    def _note(self, target: str, metric: str, value: float | str | None, at: float, *, conclusive: bool) -> None:
        old = self.last.get((target, metric))
        if old is not None and at < old.at - ROUNDING:
            return  # a late answer about an earlier moment says nothing about now
        self.history.setdefault((target, metric), []).append((at, value))
        counts = value is not None and (old is None or at > old.known + ROUNDING or conclusive)
        seen = (old.seen if old else 0) + counts
        known = at if value is not None else (old.known if old else -1.0)
        if old is not None and old.told < self._clock.at:
            old.before = None  # nobody asks what was before that
        self.last[target, metric] = Sample(
            value=value,
            at=at,
            told=self._clock.at,
            seen=seen,
            known=known,
            conclusive=conclusive,
            before=old,
        )
        if metric == self.primary.get(target):
            self._sign(target, value, at)
            self._watch_the_blind(target, value, at)

    def _sign(self, target: str, value: float | str | None, at: float) -> None:
        if value == 0 and target not in self.onset:
            if target in self._was_up or not target.startswith("program:"):  # else it was not started yet
                self.onset[target] = at
                self._count(at)
        elif value == 1:
            self.onset.pop(target, None)
            self._was_up.add(target)

    def _watch_the_blind(self, target: str, value: float | str | None, at: float) -> None:
        """Unknown for longer than any rule waits: had unknown been bad, a rule would have acted."""
        if value is not None:
            self._blind_since.pop(target, None)
        elif at - self._blind_since.setdefault(target, at) > LONGEST_FOR:
            self._chance.reach("unknown withheld")

    def _count(self, at: float) -> None:
        for group, members in self.groups.items():
            sick = [one for one in members if self.onset.get(one, -1e9) >= at - 60.0]
            if len(sick) >= 3 and 2 * len(sick) >= len(members):
                self.alarms.append((self._life, self._clock.at, group))
                self._chance.reach("mass failure seen")


def _target(marks: Labels) -> str:
    return dict(marks).get("target", "")


def _sane(reading: Observation) -> float | str | None:
    """A number or a word that can be one; flags are 0 or 1; everything else is unknown."""
    value: object = reading.value
    if reading.metric.endswith(".generation"):
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    high = 1.0 if reading.metric.endswith((".up", ".ok")) else 1.7e308
    return float(value) if 0.0 <= value <= high else None
