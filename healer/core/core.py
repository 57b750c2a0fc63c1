"""The pure core: ``handle(event) -> effects``. No await, no clock, no I/O, no chance of its own.

`run`, `test`, `replay` and the simulation are this same code with another source of events. The parts: `World` (what is
seen), `Memory` (what must not be forgotten), the evaluator (what is true), `Incidents` (what becomes of it), `Acting`
(what is wanted), `Proving` (what it was worth), `States` (where targets are in life), `Asking` (what people want),
`Organs` (how the whole is), `Desk` (where entries are made). This file joins them and gives each event to its part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from healer.core.acting import RETRY, Acting
from healer.core.ages import Ages
from healer.core.approving import Approving
from healer.core.asking import Asking
from healer.core.body import Body
from healer.core.desk import Desk
from healer.core.facts import Facts
from healer.core.hearing import Hearing
from healer.core.holding import Holding
from healer.core.incidents import Incidents
from healer.core.instance import Instance
from healer.core.organism import Organs
from healer.core.proving import Proving
from healer.core.states import States
from healer.core.undoing import Undoing
from healer.core.windows import Windows
from healer.core.world import HOST, World
from healer.gates.dependency import first_unmet
from healer.model.decision import Outcome, Result
from healer.model.effect import Effect
from healer.model.event import Asked, Event, Finished, Happened, Looked, Sealed, Tick
from healer.model.limit import Brakes
from healer.model.memory import Memory, OpenIntent
from healer.model.mode import Mode, Profile
from healer.model.observation import Reading, Series, Unknown, labels
from healer.model.organism import Health, Vital
from healer.model.target import State, Target
from healer.model.vocabulary import METRICS
from healer.rules.evaluate import Evaluator
from healer.rules.rule import Rule, RuleSet
from healer.rules.select import matches

SOON = 0.1
"""Seconds from a change of somebody's health to the next look at the organs."""
BEAT = 1.0
"""Seconds between looks at the clocks: organs, expiries, refusals without an end."""
ORGANS_EVERY = 2.0
"""Seconds between looks at the organs while nobody's health changes; when somebody's does, the next beat looks."""
BALANCING = "balancing"
"""Tag of the rules that are judged when harmony falls."""
CHAIN = 8
"""Rules that wait for the state of each other, one after the other, settled within one event; the rest at the next."""
JUMP = 2.0
"""Seconds by which wall and boot clock may drift apart between two ticks before it is called a jump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the core is built from, once per configuration."""

    node: str
    boot: str
    targets: tuple[Target, ...] = ()
    rules: RuleSet
    vitals: tuple[Vital, ...] = ()
    organ_weights: Mapping[str, float] = field(default_factory=dict)
    organ_modes: Mapping[str, Mode] = field(default_factory=dict)
    organ_concurrent: Mapping[str, int] = field(default_factory=dict)
    """Actions that may be under way at once for an organ, where the operator says so."""
    mode: Mode = Mode.AUTO
    default_mode: Mode = Mode.OBSERVE
    profile: Profile = Profile.FULL
    brakes: Brakes = field(default_factory=Brakes)
    max_ages: Mapping[str, float] = field(default_factory=dict)
    """Seconds for which the readings of a sensor count, by its name, where longer than their metrics say."""
    beat: float = BEAT
    """Seconds between looks at the clocks. Only who replays what was recorded every ten seconds may make it longer."""
    organs_every: float = ORGANS_EVERY
    """Seconds between looks at the organs. Who replays rules that read none of them may leave them out (infinity)."""
    baseline: bool = True
    """The first sample of a series never fires. Off only where a test says what it means."""


class Core:
    """Events in, effects out."""

    def __init__(self, setup: Setup, memory: Memory, *, now: float, wall: float) -> None:
        self.setup = setup
        self.world = World(setup.targets, setup.brakes)
        self.desk = Desk(
            memory=memory,
            world=self.world,
            node=setup.node,
            boot=setup.boot,
            mode=setup.mode,
            default_mode=setup.default_mode,
            profile=setup.profile,
            organ_modes=setup.organ_modes,
            organ_concurrent=setup.organ_concurrent,
            now=now,
            wall_offset=wall - now,
        )
        self.evaluator = Evaluator(METRICS, baseline=setup.baseline)
        self.evaluator.set_wall(wall - now)
        small = setup.profile is Profile.ECONOMY
        self.ages = Ages(self.evaluator, self.world, setup.max_ages, small=small)
        self.states = States(self.desk, self.evaluator)
        self.acting = Acting(self.desk, self.evaluator, rules_hash=setup.rules.hash)
        self.proving = Proving(self.desk)
        self.incidents = Incidents(self.desk, self.evaluator, self.acting, self.proving, self.states)
        self.approving, self.windows, self.holding = Approving(self), Windows(self), Holding(self)
        self.undoing = Undoing(self.desk, self.acting)
        self.asking, self.hearing = Asking(self), Hearing(self)
        self.organs = Organs(Body(setup.vitals, setup.organ_weights), self.evaluator, self.world)
        self._next_beat = self._next_organs = now
        self._bind_all(setup.rules.rules)
        self._facts = Facts(self)

    # Binding rules to targets ---------------------------------------------------------------------------------

    def _bind_all(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            for target in self._targets_of(rule):
                self.hearing.rules.listen(self.incidents.bind(rule, target))

    def _targets_of(self, rule: Rule) -> list[Target]:
        if rule.each is not None:
            return [target for target in self.setup.targets if matches(rule.each, target)]
        if rule.target:
            return [self.world.targets[rule.target]] if rule.target in self.world.targets else []
        return [HOST]

    def recover(self) -> list[Effect]:
        """Take up what a stop or a crash left: close dangling intents, go on verifying what had ended."""
        self.desk.out = []
        self.approving.recover()
        for intent in list(self.desk.memory.intents.values()):
            if intent.id in self.acting.decisions:
                continue  # going on, under a configuration that has just been replaced
            if intent.ended is None:
                self._interrupted(intent)
            else:
                self.incidents.await_proof(intent)
        for key, incident in list(self.desk.memory.incidents.items()):
            if key not in self.instances:
                self.incidents.move(key, incident, "inactive", "its rule or target is gone")
            else:
                self.incidents.wake(key, self.desk.now + RETRY)
        return self._flush()

    def _interrupted(self, intent: OpenIntent) -> None:
        because = "the agent stopped between the intent and its outcome: nobody knows whether it happened"
        outcome = Outcome(
            id=intent.id, result=Result.INTERRUPTED, because=because, at=self.desk.now, took=self.desk.now - intent.at
        )
        self.incidents.finished(outcome)  # as any other end: it may be the failure that opens a breaker

    # Events ---------------------------------------------------------------------------------------------------

    def handle(self, event: Event) -> list[Effect]:
        """Take one event in; returns what is wanted now, in order."""
        self.desk.out = []
        match event:
            case Looked():
                self._at(event.at)
                self._looked(event)
            case Sealed():
                self._at(event.at)
                self.incidents.settle()
                if event.waits:
                    self.acting.wait(event.id, event.leaf)
                    return self._flush()
                intent = self.desk.memory.intents.get(event.id)
                instance = self.instances.get(intent.incident) if intent else None
                self.acting.prove(event.id, event.leaf, instance)
            case Finished():
                self._at(event.outcome.at)
                intent = self.desk.memory.intents.get(event.outcome.id)
                self.incidents.finished(event.outcome)
                if intent is not None:
                    self.holding.hold(intent.target)
            case Asked():
                self._at(event.request.at)
                self.asking.take(event.request)
            case Tick():
                self._tick(event)
            case Happened():
                self._at(event.at)
                self.hearing.heard(event)
        return self._flush()

    def _flush(self) -> list[Effect]:
        self.incidents.settle()
        self.hearing.rules.ripen()
        self.incidents.wake_due()
        for _ in range(CHAIN):
            if not self._facts.tell(again=False):
                break
            self.incidents.settle()
        self.hearing.rules.echo()
        out, self.desk.out = self.desk.out, []
        return out

    def due(self) -> float:
        """The boot-clock second at which the next `Tick` is needed."""
        deadlines = [self._next_beat, self.incidents.due(), self.hearing.rules.due()]
        if (evaluator := self.evaluator.due()) is not None:
            deadlines.append(evaluator)
        return min(deadlines)

    def _at(self, at: float) -> None:
        self.desk.now = max(self.desk.now, at)

    def _looked(self, event: Looked) -> None:
        self.world.sense(event.sensor, seeing=not event.because, at=event.at, because=event.because)
        known = self.world.sensor_series[event.sensor]
        if event.because:
            for series in known:
                self._lost(series, event)
            self.evaluator.lost(known, event.because, event.at)
            self.too_many(self.world.blind(self.desk.now))
            return
        self.ages.looked(event.sensor)
        for reading in event.readings:
            if (reading.metric, reading.labels) not in known:  # equal to its Series, which would have to be made
                known.add(reading.series)
                self.ages.of(event.sensor, reading.series)
            self.evaluator.observe(reading)
            self._observe(reading)

    def _lost(self, series: Series, event: Looked) -> None:
        self._observe(Unknown(metric=series.metric, labels=series.labels, because=event.because, at=event.at))

    def _observe(self, reading: Reading) -> None:
        if reading.metric.endswith(".generation"):
            self._incarnation(reading)
        changed = self.world.observe(reading)
        if not (changed or self.proving.proofs or reading.metric.endswith(".state")):
            return  # most of what is seen is what was seen before
        target = changed or dict(reading.labels).get("target", "")
        if target and self.proving.proofs:
            self.incidents.prove_again(target)
        if target in self.world.targets and (changed or reading.metric.endswith(".state")):
            self.states.follow(self.world.targets[target], reading.at)
        if changed:
            self.holding.saw(changed, self.world.health(changed), reading.at)
            # Soon, but once for all that changes together: fifty programs that start are one look at the organs.
            self._next_organs = reading.at
            self._next_beat = min(self._next_beat, self.desk.now + SOON)
            if self.world.health(changed) is Health.FAILED:
                if not self.desk.memory.safe_mode:  # it looks at everybody: not once more for each of ten thousand
                    self.too_many(self.world.mass_failure(self.desk.now))
            elif self.world.health(changed) is Health.HEALTHY:
                self._parent_recovered(changed)

    def _incarnation(self, reading: Reading) -> None:
        """What was seen of one incarnation is no evidence about the next; an end alone is part of the same story."""
        old, new = self.world.words.get(reading.series), getattr(reading, "value", "")
        if old and new and old != new:
            self.incidents.rearm(dict(reading.labels).get("target", ""), reading.at)

    def _parent_recovered(self, parent: str) -> None:
        """Children start again with fresh evidence once what they require is back."""
        for target in self.world.targets.values():
            if parent in target.requires and not first_unmet(target, self.world):
                self.incidents.rearm(target.id, self.desk.now)

    def too_many(self, because: str) -> None:
        """Enter safe mode, where there is a reason: look, seal, tell; do nothing until somebody says so."""
        if not because or self.desk.memory.safe_mode:
            return
        self.desk.move("safe_mode", "off", "on", because, topic="agent.safe-mode")
        self.acting.tell(f"safe mode: {because}", channel="", incident="safe_mode")

    def _tick(self, event: Tick) -> None:
        self._at(event.at)
        drift = (event.wall - event.at) - self.desk.wall_offset
        self.desk.wall_offset = event.wall - event.at
        self.evaluator.set_wall(self.desk.wall_offset)
        if abs(drift) > JUMP:
            self.evaluator.jumped()
            self.desk.note(
                "gap",
                "clock.jumped",
                because=f"the wall clock moved by {drift:+.3f} s against the boot clock",
                data={"jump_us": round(drift * 1e6)},
            )
            self.incidents.ask_again("active")  # hours were waited for by the clock that was wrong
        if self.desk.now >= self._next_beat:
            self._next_beat = self.desk.now + self.setup.beat
            self._beat()

    def _beat(self) -> None:
        self._facts.tell(again=True)
        if self.desk.now >= self._next_organs:
            # A beat is never early, and often a bit late.
            self._next_organs = self.desk.now + self.setup.organs_every - BEAT / 2
            self._look_at_organs()
        self.windows.follow()
        self.approving.expire()
        self.holding.beat()
        self.undoing.beat()
        self.asking.close_breakers()

    def _look_at_organs(self) -> None:
        for reading in self.organs.beat(self.desk.now, self.desk.memory.states):
            self.evaluator.observe(reading)
        self.desk.harmony = self.organs.harmony

    # What requests ask for ------------------------------------------------------------------------------------

    def balance(self) -> int:
        """Judge the balancing rules now; returns how many incidents that opened."""
        ours = [one for one in self.instances.values() if BALANCING in one.rule.tags]
        return sum(self.incidents.trigger(instance) for instance in ours)

    def kill_switch(self, *, on: bool, because: str) -> None:
        """Note that the switch was thrown; the executor reads the file itself."""
        if on != self.desk.memory.kill_switch:
            old, new = ("off", "on") if on else ("on", "off")
            self.desk.move("kill_switch", old, new, because, topic="agent.kill-switch")

    def leave_safe_mode(self, because: str) -> None:
        """End safe mode; every rule starts with fresh evidence."""
        self.desk.move("safe_mode", "on", "off", because, topic="agent.safe-mode")
        for target in self.world.targets:
            self.incidents.rearm(target, self.desk.now)

    def retire(self) -> None:
        """Be of no use any more: another core has taken over, and what this one holds is freed without a long look."""
        self.evaluator.retire()
        self.__dict__.clear()

    # For others to read ---------------------------------------------------------------------------------------

    @property
    def instances(self) -> dict[str, Instance]:
        """Every rule bound to every target it is about, keyed ``RULE@TARGET``."""
        return self.incidents.instances

    def enabled(self, rule: Rule) -> bool:
        """Whether a rule is switched on, by its file or by a command since."""
        return self.incidents.enabled(rule)

    def state(self, target: str) -> State:
        """The state of a target: what a command or a fault set, else what the looks show."""
        return self.states.of(target)

    def known(self, metric: str, target: str = "") -> float | None:
        """The latest number of a series, None where it is unknown."""
        latest = self.evaluator.latest(Series(metric, labels(target=target) if target else ()))
        return latest[0] if latest and isinstance(latest[0], int | float) else None

    def keep(self) -> dict[str, float]:
        """Seconds of confirmation gathered so far, for a snapshot: ``for`` survives a restart."""
        gathered = {key: one.confirmed_so_far(self.desk.now) for key, one in self.instances.items()}
        return {key: seconds for key, seconds in gathered.items() if seconds > 0}

    def take_up(self, confirmed: Mapping[str, float]) -> None:
        """Read back what `keep` gave; the time in between does not count."""
        for key, seconds in confirmed.items():
            if instance := self.instances.get(key):
                instance.confirmed = min(seconds, instance.rule.for_)

    def succeed(self, old: "Core") -> list[Effect]:
        """Take over from the core of the former configuration: what goes on there goes on here."""
        self.acting.decisions.update(old.acting.decisions)
        self.world.signs.update({key: sign for key, sign in old.world.signs.items() if key in self.world.targets})
        self.world.words.update(old.world.words)
        # Without this a sensor that fails right after a reload would leave all that it once saw as it was.
        for sensor, series in old.world.sensor_series.items():
            self.world.sensor_series[sensor] |= series
        # A sensor that the reload took away is blind to nobody.
        there = {name: sense for name, sense in old.world.senses.items() if name in self.setup.max_ages}
        self.world.senses.update(there)
        self.holding.take_over(old.holding)
        self.evaluator.inherit(old.evaluator)
        for reading in old.evaluator.known():
            self.evaluator.observe(reading)  # one sample each: enough for organs, and conditions wait for the next
        for key, instance in self.instances.items():
            before = old.instances.get(key)
            if before is not None and before.rule.when_source == instance.rule.when_source:
                instance.confirmed = before.confirmed_so_far(old.desk.now)
        self.hearing.rules.take_over(old.hearing.rules)
        return self.recover()
