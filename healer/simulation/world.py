"""The toy world: targets that die, start slowly, crash again, depend on each other; and the ledger of every effect."""

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from healer.model.target import Target
from healer.simulation.chance import Chance
from healer.simulation.loop import SimClock

Heard = Callable[[str], None]
"""Told the id of a target the moment it dies."""


@dataclass(slots=True)
class Thing:
    """One target as it really is."""

    target: Target
    up: bool = True
    starting: bool = False
    pid: int = 0
    started: int = 0
    """Number of its start, unlike its pid never used again."""
    memory: float = 100e6
    cpu: float = 0.1
    startup: float = 0.3
    """Seconds from a start until it is up."""
    crashes_left: int = 0
    """Times it will still die soon after a start."""
    incurable: bool = False
    """No restart helps, until the world is healed by hand."""
    hungry: bool = False
    """It eats the CPU again after every start."""
    spoils: str = ""
    """A target that dies when this one is restarted."""
    knob: int = 0
    """How much it is given."""
    pressed: int = 0
    """How much it would need."""
    changed: float = 0.0

    @property
    def generation(self) -> str:
        """The incarnation; empty when nothing runs."""
        return f"{self.pid}.{self.started}" if self.up or self.starting else ""


@dataclass(slots=True, kw_only=True)
class Effect:
    """One effect as the world saw it."""

    intent: str
    """Leaf hash it was done in the name of."""
    verb: str
    target: str
    rule: str
    began: float
    """Simulation second."""
    wall: float
    """Wall-clock second at which it began, as the host had it."""
    ended: float | None = None
    run: int
    """Number of the agent's run, from 1."""
    height: int
    """The highest block that was durable when it began, read from the file itself; -1 when none."""
    cosigned: int = -1
    """The highest block that the toy witnesses had cosigned by then."""
    judged: str
    """Incarnation the order was made for."""
    met: str
    """Incarnation it met."""
    forbidden: bool
    """The kill switch file stood when it began."""
    turned: tuple[int, int] | None = None
    """What its knob stood at before and afterwards, where it was turned."""
    samples: dict[str, "Sample"] = field(default_factory=dict)
    """What the senses had delivered about it when it began, by metric."""
    parents: dict[str, "Sample | None"] = field(default_factory=dict)
    """The same of what it requires: the primary sign of each, None where it was never seen."""


@dataclass(slots=True, kw_only=True)
class Sample:
    """The last thing a sense delivered of one series."""

    value: float | str | None
    """None: unknown."""
    at: float
    """Simulation second at which it was true."""
    told: float
    """Simulation second at which it was delivered."""
    seen: int
    """Known values delivered in this run of the agent so far."""
    known: float = -1.0
    """Simulation second of the last known value."""
    conclusive: bool = False
    before: "Sample | None" = None
    """What it replaced."""


class World:
    """What really is. Only hands change it for the agent; time and chance change it by themselves."""

    def __init__(self, targets: Iterable[Target], clock: SimClock, chance: Chance) -> None:
        self.clock, self.chance = clock, chance
        self.things = {target.id: Thing(target=target) for target in targets}
        self.ledger: list[Effect] = []
        self.heard: Heard = lambda _: None
        self.cosigned = -1
        """The highest block that the toy witnesses have cosigned: they outlive every agent."""
        self.dead = False
        """The agent has died: nothing it still says has an effect."""
        self._pids = itertools.count(100)
        self._starts = itertools.count(1)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        for thing in self.things.values():
            thing.pid, thing.started = next(self._pids), next(self._starts)

    # Time ------------------------------------------------------------------------------------------------------

    def plan(self, at: float, what: Callable[[], None]) -> None:
        """Let something happen at a simulation second."""
        heapq.heappush(self._due, (at, next(self._order), what))

    def due(self) -> float | None:
        """The second at which the next thing happens by itself; None when nothing is planned."""
        return self._due[0][0] if self._due else None

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        while self._due and self._due[0][0] <= self.clock.at:
            heapq.heappop(self._due)[2]()

    # What happens ----------------------------------------------------------------------------------------------

    def healthy(self, name: str) -> bool:
        """Whether a target does its work."""
        # The probe has no life of its own: it looks at the first program.
        return self.things["program:p0" if name.startswith("http:") else name].up

    def die(self, name: str) -> None:
        """End a target."""
        thing = self.things[name]
        if not (thing.up or thing.starting):
            return
        thing.up = thing.starting = False
        thing.changed = self.clock.at
        self.heard(name)

    def start(self, name: str, *, reuse: bool = False) -> None:
        """Start a target that does not run; it is up after its startup, if it can be."""
        thing = self.things[name]
        if thing.up or thing.starting:
            return
        thing.pid = thing.pid if reuse else next(self._pids)
        thing.started = next(self._starts)
        thing.starting, thing.changed = True, self.clock.at
        thing.memory, thing.cpu = 100e6, 0.95 if thing.hungry else 0.1
        started = thing.started
        self.plan(self.clock.at + thing.startup, lambda: self._come_up(thing, started))

    def _come_up(self, thing: Thing, started: int) -> None:
        if thing.started != started or not thing.starting:
            return
        thing.starting = False
        if thing.incurable:
            thing.changed = self.clock.at
            self.heard(thing.target.id)
            return
        thing.up, thing.changed = True, self.clock.at
        if thing.crashes_left > 0 and not self.chance.calm:
            thing.crashes_left -= 1
            self.plan(self.clock.at + self.chance.between(0.5, 4.0), lambda: self._crash_again(thing, started))

    def _crash_again(self, thing: Thing, started: int) -> None:
        if thing.started == started:
            self.die(thing.target.id)

    def restart(self, name: str) -> None:
        """End a target and start it again, with all that this may bring about."""
        thing = self.things[name]
        self.die(name)
        self.start(name)
        if thing.spoils and not self.chance.calm:
            self.die(thing.spoils)

    def churn(self, name: str) -> None:
        """Somebody else restarts a target, perhaps with the same pid: the incarnation is another one."""
        thing = self.things[name]
        was = thing.pid
        self.die(name)
        self.start(name)
        if self.chance.random.random() < 0.5:
            thing.pid = was

    def reboot(self) -> None:
        """The host goes down and comes up: every target starts anew."""
        for name in self.things:
            self.die(name)
        for name in self.things:
            self.start(name)

    def heal(self) -> None:
        """From now on nothing is beyond cure, and nothing breaks by itself."""
        self._due = [one for one in self._due if one[0] <= self.clock.at]
        for name, thing in self.things.items():
            thing.incurable, thing.crashes_left, thing.spoils, thing.hungry = False, 0, "", False
            thing.pressed = 0
            thing.memory, thing.cpu, thing.startup = 100e6, 0.1, 0.3
            if thing.starting:
                started = thing.started
                self.plan(self.clock.at + 0.3, partial(self._come_up, thing, started))
            elif not thing.up:
                self.heard(name)
