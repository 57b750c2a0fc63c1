"""The pure core: ``handle(event) -> effects``. No await, no clock, no I/O, no chance of its own.

`run`, `test`, `replay` and the simulation are this same code with another source of events. The parts: `World` (what is
seen), `Memory` (what must not be forgotten), the evaluator (what is true), `Acting` (what is wanted), `Asking` (what
people want), `Desk` (where entries are made). This file holds the life of an incident:

    inactive -> pending -> firing -> (acting -> verifying)* -> clearing -> inactive, or given-up
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from healer.core.acting import RETRY, VERIFY_WITHIN, Acting, Proof
from healer.core.asking import Asking
from healer.core.body import Body
from healer.core.desk import Desk
from healer.core.instance import Instance
from healer.core.organism import Organs
from healer.core.world import HOST, World
from healer.errors import RefusedError
from healer.gates.dependency import first_unmet
from healer.model.decision import QUIET_VERBS, Evidence, Outcome, Result, Withheld
from healer.model.effect import Effect, Look, Snapshot
from healer.model.event import Asked, Event, Finished, Happened, Looked, Sealed, Tick
from healer.model.limit import Brakes
from healer.model.memory import Incident, Memory, OpenIntent
from healer.model.mode import Mode, Profile
from healer.model.observation import Observation, Reading, Series, Unknown, labels
from healer.model.organism import Health, Vital
from healer.model.target import State, Target, check_move
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.calendar import is_active
from healer.rules.evaluate import Change, Evaluator
from healer.rules.rule import Rule, RuleSet
from healer.rules.select import matches

BEAT = 1.0
"""Seconds between looks at the clocks: organs, expiries, refusals without an end."""
BALANCING = "balancing"
"""Tag of the rules that are judged when harmony falls."""
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
    mode: Mode = Mode.AUTO
    default_mode: Mode = Mode.OBSERVE
    profile: Profile = Profile.FULL
    brakes: Brakes = field(default_factory=Brakes)
    max_ages: Mapping[str, float] = field(default_factory=dict)
    """Seconds for which the readings of a sensor count, by its name, where longer than their metrics say."""
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
            now=now,
            wall_offset=wall - now,
        )
        self.evaluator = Evaluator(METRICS, baseline=setup.baseline)
        self.acting = Acting(self.desk, rules_hash=setup.rules.hash, evidence=self._evidence)
        self.asking = Asking(self)
        self.organs = Organs(Body(setup.vitals, setup.organ_weights), self.evaluator, self.world)
        self.instances: dict[str, Instance] = {}
        self._of_target: dict[str, list[Instance]] = {}
        self._wakes: list[tuple[float, str]] = []
        self._next_beat = now
        self._bind_all(setup.rules.rules)

    # Binding rules to targets ---------------------------------------------------------------------------------

    def _bind_all(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            for target in self._targets_of(rule):
                self._bind(rule, target)

    def _targets_of(self, rule: Rule) -> list[Target]:
        if rule.each is not None:
            return [target for target in self.setup.targets if matches(rule.each, target)]
        if rule.target:
            return [self.world.targets[rule.target]] if rule.target in self.world.targets else []
        return [HOST]

    def _bind(self, rule: Rule, target: Target) -> None:
        instance = Instance(rule=rule, target=target)
        self.instances[instance.key] = instance
        self._of_target.setdefault(target.id, []).append(instance)
        add = self.evaluator.add
        add(f"{instance.key}|when", expression.bind(rule.when, target.id), every_sample=rule.samples is not None)
        if rule.clear is not None:
            add(f"{instance.key}|clear", expression.bind(rule.clear, target.id))
        for number, step in enumerate(rule.then):
            if step.verify is not None:
                add(f"{instance.key}|{number}", expression.bind(step.verify.when, target.id))

    def recover(self) -> list[Effect]:
        """Take up what a stop or a crash left: close dangling intents, go on verifying what had ended."""
        self.desk.out = []
        for intent in list(self.desk.memory.intents.values()):
            if intent.id in self.acting.decisions:
                continue  # going on, under a configuration that has just been replaced
            if intent.ended is None:
                self._interrupted(intent)
            else:
                self._await_proof(intent)
        for key, incident in list(self.desk.memory.incidents.items()):
            if key not in self.instances:
                self._move(key, incident, "inactive", "its rule or target is gone")
            else:
                self._wake(key, self.desk.now + RETRY)
        return self._flush()

    def _interrupted(self, intent: OpenIntent) -> None:
        because = "the agent stopped between the intent and its outcome: nobody knows whether it happened"
        outcome = Outcome(
            id=intent.id, result=Result.INTERRUPTED, because=because, at=self.desk.now, took=self.desk.now - intent.at
        )
        self.acting.ended(outcome)
        self.acting.verdict(intent, Result.INTERRUPTED, because)

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
                self._settle()
                intent = self.desk.memory.intents.get(event.id)
                instance = self.instances.get(intent.incident) if intent else None
                self.acting.prove(event.id, event.leaf, instance)
            case Finished():
                self._at(event.outcome.at)
                self._finished(event.outcome)
            case Asked():
                self._at(event.request.at)
                self.asking.take(event.request)
            case Tick():
                self._tick(event)
            case Happened():
                self._at(event.at)
                self.asking.heard(event)
        return self._flush()

    def _flush(self) -> list[Effect]:
        self._settle()
        self._wake_due()
        out, self.desk.out = self.desk.out, []
        return out

    def due(self) -> float:
        """The boot-clock second at which the next `Tick` is needed."""
        deadlines = [self._next_beat]
        if self._wakes:
            deadlines.append(self._wakes[0][0])
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
            self._too_many(self.world.blind(self.desk.now))
            return
        for reading in event.readings:
            if reading.series not in known:
                known.add(reading.series)
                self._age(event.sensor, reading.series)
            self.evaluator.observe(reading)
            self._observe(reading)

    def _age(self, sensor: str, series: Series) -> None:
        """A sensor that looks seldom keeps its values for longer than their metric says."""
        usual = METRICS[series.metric].max_age if series.metric in METRICS else 0.0
        if (age := self.setup.max_ages.get(sensor, 0.0)) > usual:
            self.evaluator.set_max_age(series, age)

    def _lost(self, series: Series, event: Looked) -> None:
        self._observe(Unknown(metric=series.metric, labels=series.labels, because=event.because, at=event.at))

    def _observe(self, reading: Reading) -> None:
        changed = self.world.observe(reading)
        target = changed or dict(reading.labels).get("target", "")
        if target and self.acting.proofs:
            self._prove_again(target)
        if target in self.world.targets and (changed or reading.metric.endswith(".state")):
            self._state_of(self.world.targets[target], reading.at)
        if changed:
            if self.world.health(changed) is Health.FAILED:
                self._too_many(self.world.mass_failure(self.desk.now))
            elif self.world.health(changed) is Health.HEALTHY:
                self._parent_recovered(changed)

    def _prove_again(self, target: str) -> None:
        """What was seen of a target may prove, or disprove, an action on it."""
        for intent_id, proof in self.acting.proofs.items():
            if proof.intent.target == target:
                self._wake(intent_id, self.desk.now)

    def _parent_recovered(self, parent: str) -> None:
        """Children start again with fresh evidence once what they require is back."""
        for target in self.world.targets.values():
            if parent in target.requires and not first_unmet(target, self.world):
                self._rearm(target.id, self.desk.now)

    def _too_many(self, because: str) -> None:
        if because and not self.desk.memory.safe_mode:
            self.safe_mode(because)

    def safe_mode(self, because: str) -> None:
        """Look, seal, tell; no actions until somebody says otherwise."""
        self.desk.note("state", "agent.safe-mode", subject="safe_mode", **{"from": "off", "to": "on"}, because=because)
        self.acting.tell(f"safe mode: {because}", channel="", incident="safe_mode")

    def _tick(self, event: Tick) -> None:
        self._at(event.at)
        drift = (event.wall - event.at) - self.desk.wall_offset
        self.desk.wall_offset = event.wall - event.at
        if abs(drift) > JUMP:
            self.desk.note(
                "gap",
                "clock.jumped",
                because=f"the wall clock moved by {drift:+.3f} s against the boot clock",
                data={"jump_us": round(drift * 1e6)},
            )
        if self.desk.now >= self._next_beat:
            self._next_beat = self.desk.now + BEAT
            self._beat()

    def _beat(self) -> None:
        for reading in self.organs.beat(self.desk.now, self.desk.memory.states):
            self.evaluator.observe(reading)
        self.desk.harmony = self.organs.harmony
        self.asking.expire()

    # Truth ----------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Let every changed truth have its consequences: what changed together is weighed together."""
        moved: dict[str, bool] = {}
        for change in self.evaluator.evaluate(self.desk.now):
            key, _, role = change.key.rpartition("|")
            if instance := self.instances.get(key):
                self._changed(instance, role, change)
                moved[key] = moved.get(key, False) or (role == "when" and change.conclusive)
        for key, conclusive in moved.items():
            self._advance(self.instances[key], conclusive=conclusive)

    def _changed(self, instance: Instance, role: str, change: Change) -> None:
        if role == "when":
            instance.saw(change.truth, self.desk.now)
        elif role == "clear":
            instance.clear = change.truth
        else:
            instance.proof[int(role)] = change.truth

    def _evidence(self, instance: Instance) -> tuple[Evidence, ...]:
        return self.evaluator.evidence(f"{instance.key}|when", self.desk.now)

    def _rearm(self, target: str, at: float) -> None:
        """From ``at`` on, fresh evidence only, for every rule that judges this target."""
        for instance in self._of_target.get(target, ()):
            self._rearm_one(instance, at)

    def _rearm_one(self, instance: Instance, at: float) -> None:
        instance.rearm()
        for role in instance.roles:
            self.evaluator.rearm(f"{instance.key}|{role}", at)

    # The life of an incident ----------------------------------------------------------------------------------

    def _wake(self, key: str, at: float) -> None:
        heapq.heappush(self._wakes, (at, key))

    def _wake_due(self) -> None:
        while self._wakes and self._wakes[0][0] <= self.desk.now:
            _, key = heapq.heappop(self._wakes)
            if instance := self.instances.get(key):
                self._advance(instance)
            elif key in self.acting.proofs:
                self._judge(key)

    def _advance(self, instance: Instance, *, conclusive: bool = False) -> None:
        incident = self.desk.memory.incidents.get(instance.key)
        phase = incident.phase if incident else ""
        if incident is None:
            self._consider(instance, conclusive=conclusive)
        elif phase == "firing":
            self._firing(instance, incident)
        elif phase == "verifying":
            self._verifying(instance)
        elif phase == "clearing":
            self._clearing(instance, incident)
        elif phase == "given-up":
            self._given_up(instance, incident)

    def _consider(self, instance: Instance, *, conclusive: bool) -> None:
        """Pending: wait until the condition is confirmed."""
        rule = instance.rule
        if rule.trigger.kind != "auto" or not self.enabled(rule) or instance.truth is not Truth.TRUE:
            return
        missing = 0.0 if conclusive else instance.confirmed_in(self.desk.now)
        if missing <= 0:
            self.open(instance)
        elif missing != float("inf"):
            self._wake(instance.key, self.desk.now + missing)

    def enabled(self, rule: Rule) -> bool:
        """Whether a rule is switched on, by its file or by a command since."""
        disabled = self.desk.memory.disabled.get(rule.id)
        return rule.enabled if disabled is None else not disabled

    def open(self, instance: Instance) -> None:
        """Open an incident and take its first step if nothing says no."""
        rule, memory = instance.rule, self.desk.memory
        streak = memory.streaks.get(instance.key)
        if streak and streak.last_end is not None and self.desk.now - streak.last_end >= rule.backoff.reset_after:
            self._state(f"streak:{instance.key}", str(streak.actions), "0", "healthy long enough since the last action")
        readings = ", ".join(f"{e.series}={e.value}" for e in self._evidence(instance)[:4])
        self._state(
            f"incident:{instance.key}",
            "pending",
            "firing",
            f"{rule.when_source} [{readings}]",
            topic="incident.firing",
            rule=rule.id,
            target=instance.target.id,
        )
        instance.retry_at = self.desk.now + rule.settle
        instance.clear_since = None
        self._firing(instance, memory.incidents[instance.key])

    def _firing(self, instance: Instance, incident: Incident) -> None:
        if instance.cleared:
            self._move(instance.key, incident, "clearing", "the condition is gone")
            self._clearing(instance, incident)
            return
        if instance.truth is not Truth.TRUE or incident.step >= len(instance.rule.then):
            self._tell_unknown(instance)
            return
        if self.desk.now < instance.retry_at:
            self._wake(instance.key, instance.retry_at)
            return
        self._attempt(instance, incident)

    def _attempt(self, instance: Instance, incident: Incident) -> None:
        rule = instance.rule
        step = rule.then[incident.step]
        if rule.active is not None and not is_active(rule.active, self.desk.wall_us / 1e6):
            refused_until: float | None = None
            self.desk.withhold(
                Withheld(
                    incident=instance.key,
                    rule=rule.id,
                    target=instance.target.id,
                    action=step.action,
                    gate="active",
                    because="outside the hours in which this rule may act",
                    at=self.desk.now,
                )
            )
        else:
            refusal = self.acting.attempt(instance, step, incident.step, rule.why or rule.when_source)
            if refusal is None:
                return
            refused_until = refusal.until
        instance.retry_at = max(refused_until or 0.0, self.desk.now + RETRY)
        self._wake(instance.key, instance.retry_at)

    def _tell_unknown(self, instance: Instance) -> None:
        if instance.rule.on_unknown == "notify" and instance.truth is Truth.UNKNOWN and not instance.told_unknown:
            instance.told_unknown = True
            self.acting.tell(
                f"rule {instance.rule.id} cannot see {instance.target.id} while its incident is open",
                channel=instance.rule.on_exhausted.notify,
                incident=instance.key,
            )

    def _clearing(self, instance: Instance, incident: Incident) -> None:
        if instance.truth is Truth.TRUE and not instance.cleared:
            self._move(instance.key, incident, "inactive", "it came back: a new incident begins")
            self._consider(instance, conclusive=False)
            return
        if not instance.cleared:
            instance.clear_since = None
            return
        instance.clear_since = self.desk.now if instance.clear_since is None else instance.clear_since
        ends = instance.clear_since + instance.rule.clear_for
        if self.desk.now >= ends:
            self._move(instance.key, incident, "inactive", "clear", topic="incident.cleared")
        else:
            self._wake(instance.key, ends)

    def _given_up(self, instance: Instance, incident: Incident) -> None:
        rule, now = instance.rule, self.desk.now
        instance.clear_since = (instance.clear_since or now) if instance.cleared else None
        healthy = instance.clear_since is not None and now - instance.clear_since >= rule.backoff.reset_after
        if healthy or now - incident.since >= rule.on_exhausted.rearm_after:
            because = "healthy long enough" if healthy else "rearm_after has passed"
            self._move(instance.key, incident, "inactive", because, topic="incident.rearmed")
            self.leave_fault(instance.target, because)
            return
        wait = rule.on_exhausted.rearm_after - (now - incident.since)
        if instance.clear_since is not None:
            wait = min(wait, rule.backoff.reset_after - (now - instance.clear_since))
        self._wake(instance.key, now + max(wait, RETRY))

    # What requests ask for ------------------------------------------------------------------------------------

    def trigger(self, instance: Instance) -> bool:
        """Open an incident by hand, where the condition holds and none is open; says whether it did."""
        if instance.key in self.desk.memory.incidents or instance.truth is not Truth.TRUE:
            return False
        self.open(instance)
        return True

    def balance(self) -> int:
        """Judge the balancing rules now; returns how many incidents that opened."""
        ours = [one for one in self.instances.values() if BALANCING in one.rule.tags]
        return sum(self.trigger(instance) for instance in ours)

    def close_incident(self, key: str, because: str) -> None:
        """End an incident by hand; its evidence starts again."""
        self._move(key, self.desk.memory.incidents[key], "inactive", because, topic="incident.rearmed")
        if instance := self.instances.get(key):
            instance.rearm()
            self.evaluator.rearm(f"{key}|when", self.desk.now)

    def kill_switch(self, *, on: bool, because: str) -> None:
        """Note that the switch was thrown; the executor reads the file itself."""
        if on != self.desk.memory.kill_switch:
            old, new = ("off", "on") if on else ("on", "off")
            self._state("kill_switch", old, new, because, topic="agent.kill-switch")

    def leave_safe_mode(self, because: str) -> None:
        """End safe mode; every rule starts with fresh evidence."""
        self._state("safe_mode", "on", "off", because, topic="agent.safe-mode")
        for target in self.world.targets:
            self._rearm(target, self.desk.now)

    def resume_target(self, target: Target, because: str) -> None:
        """Let a paused target be looked after again."""
        self._state(f"target:{target.id}", "paused", "resuming", because, target=target.id)
        new = self.world.live_state(target)
        self._state(f"target:{target.id}", "resuming", new.value, because, target=target.id)

    def note_state(self, subject: str, old: str, new: str, because: str) -> None:
        """Seal one transition somebody asked for."""
        self._state(subject, old, new, because, topic="state.changed")

    # Effects that ended ---------------------------------------------------------------------------------------

    def _finished(self, outcome: Outcome) -> None:
        intent = self.acting.ended(outcome)
        if intent is None:
            return
        if outcome.result is Result.DONE:
            self._done(intent)
        elif intent.id in self.desk.memory.intents:
            self._rearm_after(intent)
            self.desk.out.append(Look(target=intent.target, because="an action on it failed"))
            self._judged(self.acting.verdict(intent, outcome.result, outcome.because))
        elif instance := self.instances.get(intent.incident):
            instance.retry_at = self.desk.now + RETRY
            self._wake(instance.key, instance.retry_at)

    def _done(self, intent: OpenIntent) -> None:
        if intent.action in QUIET_VERBS:
            self._judged(self.acting.verdict(intent, Result.VERIFIED, "done"))
            return
        self._await_proof(intent)

    def _await_proof(self, intent: OpenIntent) -> None:
        target = self.world.targets.get(intent.target, HOST)
        instance = self.instances.get(intent.incident)
        proof = self._rule_proof(intent, instance) if instance else self.acting.request_proof(intent, target)
        self._rearm_after(intent)
        self.acting.await_proof(proof)
        self._wake(intent.id, proof.armed)
        self._wake(intent.id, proof.deadline)

    def _rearm_after(self, intent: OpenIntent) -> None:
        """Whatever became of an action: evidence begins again on its target, and for the rule that wanted it."""
        if intent.action in QUIET_VERBS:
            return
        ended = self.desk.now if intent.ended is None else intent.ended
        at = ended + self.world.targets.get(intent.target, HOST).startup_grace
        self._rearm(intent.target, at)
        instance = self.instances.get(intent.incident)
        if instance is not None and instance.target.id != intent.target:
            self._rearm_one(instance, at)  # it acts on another target than the one it judges

    def _rule_proof(self, intent: OpenIntent, instance: Instance) -> Proof:
        ended = self.desk.now if intent.ended is None else intent.ended
        armed = ended + instance.target.startup_grace
        step = instance.rule.then[intent.step] if intent.step < len(instance.rule.then) else None
        verify = step.verify if step else None

        def judge(_: float) -> Truth:
            if verify is not None:
                return instance.proof.get(intent.step, Truth.UNKNOWN)
            return Truth.TRUE if instance.cleared else Truth.FALSE

        within = verify.within if verify else VERIFY_WITHIN
        stable_for = verify.stable_for if verify else 0.0
        return Proof(
            intent=intent, armed=armed, deadline=armed + within + stable_for, stable_for=stable_for, judge=judge
        )

    def _verifying(self, instance: Instance) -> None:
        for intent_id in [key for key, proof in self.acting.proofs.items() if proof.intent.incident == instance.key]:
            self._judge(intent_id)

    def _judge(self, intent_id: str) -> None:
        judged = self.acting.judge(intent_id)
        if judged is None:
            self._wake(intent_id, max(self.acting.next_look(intent_id), self.desk.now + 0.001))
        else:
            self._judged(judged)

    def _judged(self, judged: tuple[OpenIntent, Result]) -> None:
        """What a verdict means for the incident it belongs to."""
        intent, result = judged
        tripped = self.acting.breaker_tripped(intent)
        instance = self.instances.get(intent.incident)
        incident = self.desk.memory.incidents.get(intent.incident)
        if instance is None or incident is None:
            if tripped:
                self._fault(intent.target, f"{intent.action} keeps failing")
            return
        if result is Result.VERIFIED and intent.action not in QUIET_VERBS:
            self._move(instance.key, incident, "clearing", "the cure was verified", topic="incident.cured")
            self._clearing(instance, incident)
        elif tripped:
            self._give_up(instance, incident, f"the breaker of {intent.action} opened")
        elif result in {Result.FAILED_TRANSIENT, Result.INTERRUPTED}:
            self._wake(instance.key, self.desk.now)
        else:
            self._next_step(instance, incident, result)

    def _next_step(self, instance: Instance, incident: Incident, result: Result) -> None:
        step = incident.step + 1
        if step >= len(instance.rule.then) and result is not Result.VERIFIED:
            self._give_up(instance, incident, f"the last remedy was {result.value}")
            return
        self._state(
            f"incident:{instance.key}", "firing", "firing", f"step {incident.step} was {result.value}", step=step
        )
        self._wake(instance.key, self.desk.now)

    def _give_up(self, instance: Instance, incident: Incident, because: str) -> None:
        self._move(instance.key, incident, "given-up", because, topic="incident.given-up")
        self._fault(instance.target.id, because)
        self.acting.tell(
            f"gave up on {instance.target.id} (rule {instance.rule.id}): {because}",
            channel=instance.rule.on_exhausted.notify,
            incident=instance.key,
        )
        self._wake(instance.key, self.desk.now + RETRY)

    # For others to read ---------------------------------------------------------------------------------------

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
        for key, instance in self.instances.items():
            before = old.instances.get(key)
            if before is not None and before.rule.when_source == instance.rule.when_source:
                instance.confirmed = before.confirmed_so_far(old.desk.now)
        return self.recover()

    # States ---------------------------------------------------------------------------------------------------

    def _move(self, key: str, incident: Incident, to: str, because: str, *, topic: str = "incident.moved") -> None:
        rule, target = incident.rule, incident.target
        self._state(f"incident:{key}", incident.phase, to, because, topic=topic, rule=rule, target=target)
        if to == "inactive" and (instance := self.instances.get(key)):
            instance.clear_since, instance.told_unknown = None, False
            self.desk.out.append(Snapshot())

    def _state(self, subject: str, old: str, new: str, because: str, *, topic: str = "", **more: object) -> None:
        self.desk.note("state", topic, subject=subject, **{"from": old, "to": new}, because=because, **more)

    def state(self, target: str) -> State:
        """The state of a target: what a command or a fault set, else what the looks show."""
        held = self.desk.memory.states.get(target)
        return State(held) if held else State.UNKNOWN

    def _state_of(self, target: Target, at: float) -> None:
        """Follow what the looks show, by legal moves only."""
        old, new = self.state(target.id), self.world.live_state(target)
        if old is not new and old not in {State.FAULT, State.PAUSED} and self._legal(target.id, old, new):
            self._state(f"target:{target.id}", old.value, new.value, "seen", topic="target.state", target=target.id)
        self._feed_state(target, at)

    def _feed_state(self, target: Target, at: float) -> None:
        word = self.state(target.id).value
        series = labels(target=target.id)
        self.evaluator.observe(Observation(metric="target.state", labels=series, value=word, unit=Unit.WORD, at=at))

    @staticmethod
    def _legal(subject: str, old: State, new: State) -> bool:
        try:
            check_move(subject, old, new)
        except RefusedError:
            return False
        return True

    def _fault(self, target: str, because: str) -> None:
        if target == HOST.id or self.state(target) is State.FAULT:
            return
        old = self.state(target).value
        self._state(f"target:{target}", old, State.FAULT.value, because, topic="target.fault", target=target)

    def leave_fault(self, target: Target, because: str) -> None:
        """Fault is left by ack or by a long healthy period, never by looking healthy for a moment."""
        if self.state(target.id) is State.FAULT:
            topic = "target.acknowledged"
            self._state(f"target:{target.id}", "fault", "acknowledged", because, topic=topic, target=target.id)
            self._state_of(target, self.desk.now)
