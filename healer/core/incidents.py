"""The life of an incident from first truth to clear or given up, in one file so that each way from a phase is seen.

Inactive, pending, firing, (acting, verifying) as often as it takes, clearing, inactive again; or given up.
"""

import heapq

from healer.core.acting import RETRY, Acting
from healer.core.desk import Desk
from healer.core.hooks import Hooks
from healer.core.instance import Instance
from healer.core.ladder import Ladder
from healer.core.line import Line
from healer.core.proofs import Proofs
from healer.core.proving import Proving
from healer.core.spent import PATIENCE, spent
from healer.core.states import States
from healer.core.world import HOST
from healer.gates import order
from healer.model.decision import QUIET_VERBS, SIGNED_VERBS, Outcome, Result
from healer.model.effect import Look, Snapshot
from healer.model.memory import Incident, OpenIntent
from healer.model.target import Target
from healer.model.truth import Truth
from healer.rules import expression
from healer.rules.evaluate import Change, Evaluator
from healer.rules.expression import Expr
from healer.rules.resolve import resolve
from healer.rules.rule import Rule

LONGEST = 60.0
"""Seconds until what was sealed and refused is tried again, at most."""


class Incidents:
    """Every rule bound to every target it is about, and what has become of each pair."""

    def __init__(self, desk: Desk, evaluator: Evaluator, acting: Acting, proving: Proving, states: States) -> None:
        self.desk, self.acting, self.proving, self.states = desk, acting, proving, states
        self.instances: dict[str, Instance] = {}
        self._evaluator = evaluator
        self._of_target: dict[str, list[Instance]] = {}
        self._proofs = Proofs(desk, evaluator, proving, self._about)
        self.hooks = Hooks(desk, acting)
        acting.line = Line(desk, self.instances.get, desk.organ_concurrent)
        self.ladder = Ladder(self, acting.line)
        acting.on_withheld = lambda instance, because: self.hooks.fire("on_withheld", instance, because)
        acting.hook_moved = lambda one: self.hooks.moved(one, self.instances.get(one.incident.split(":", 2)[2]))
        self._wakes: list[tuple[float, str]] = []

    def bind(self, rule: Rule, target: Target) -> Instance:
        """Watch a rule's conditions on a target."""
        instance = Instance(rule=rule, target=target)
        self.instances[instance.key] = instance
        self._of_target.setdefault(target.id, []).append(instance)
        add = self._evaluator.add
        add(f"{instance.key}|when", self._about(rule.when, target), every_sample=rule.samples is not None)
        if rule.clear is not None:
            add(f"{instance.key}|clear", self._about(rule.clear, target))
        for role, asked in instance.plan.roles().items():
            add(f"{instance.key}|{role}", self._about(asked, target))
        return instance

    def bound(self, rule: str, target: str) -> Instance | None:
        """A rule on a target, or on whatever else it is about where that is one thing; None where it is not bound."""
        found = [one for one in self.instances.values() if one.rule.id == rule]
        alone = found[0] if len(found) == 1 and found[0].rule.each is None else None
        return self.instances.get(f"{rule}@{target}", alone)

    def _about(self, expr: Expr, target: Target) -> Expr:
        """The expression about this target, with the selections in it written out."""
        return resolve(expression.bind(expr, target.id), self.desk.world.targets.values())

    # Truth ----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let every changed truth have its consequences: what changed together is weighed together."""
        moved: dict[str, bool] = {}
        for change in self._evaluator.evaluate(self.desk.now):
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
            instance.asked[role] = change.truth

    def rearm(self, target: str, at: float) -> None:
        """From ``at`` on, fresh evidence only, for every rule that judges this target."""
        for instance in self._of_target.get(target, ()):
            self._rearm_one(instance, at)

    def _rearm_one(self, instance: Instance, at: float) -> None:
        instance.rearm()
        instance.armed = max(instance.armed, at)
        for role in self._proofs.roles(instance):
            self._evaluator.rearm(f"{instance.key}|{role}", at)

    def prove_again(self, target: str) -> None:
        """What was seen of a target may prove, or disprove, an action on it."""
        for intent_id in self.proving.of_target(target):
            self.wake(intent_id, self.desk.now)

    # Time -----------------------------------------------------------------------------------------------------

    def wake(self, key: str, at: float) -> None:
        """Look at an incident, or at a proof, again at that second."""
        heapq.heappush(self._wakes, (at, key))

    def due(self) -> float:
        """The second at which `wake_due` has something to do; infinity when never."""
        return self._wakes[0][0] if self._wakes else float("inf")

    def wake_due(self) -> None:
        """Look at what is due now."""
        while self._wakes and self._wakes[0][0] <= self.desk.now:
            _, key = heapq.heappop(self._wakes)
            if instance := self.instances.get(key):
                self._advance(instance)
            elif key in self.proving.proofs:
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
            self._clearing(instance, incident, conclusive=conclusive)
        elif phase == "given-up":
            self._given_up(instance, incident)

    # Opening and acting ---------------------------------------------------------------------------------------

    def _consider(self, instance: Instance, *, conclusive: bool) -> None:
        """Pending: wait until the condition is confirmed."""
        rule = instance.rule
        if rule.trigger.kind != "auto" or not self.enabled(rule) or instance.truth is not Truth.TRUE:
            return
        missing = 0.0 if conclusive else instance.confirmed_in(self.desk.now)
        if missing <= 0 and not self._in_state(instance):
            self.wake(instance.key, self.desk.now + RETRY)
        elif missing <= 0:
            self.open(instance)
        elif missing != float("inf"):
            self.wake(instance.key, self.desk.now + missing)

    def _in_state(self, instance: Instance) -> bool:
        """Whether its target is in the state that the rule's selection asks for, where it asks for one."""
        wanted = instance.rule.each.state if instance.rule.each else ""
        return not wanted or self.states.of(instance.target.id).value == wanted

    def enabled(self, rule: Rule) -> bool:
        """Whether a rule is switched on, by its file or by a command since."""
        disabled = self.desk.memory.disabled.get(rule.id)
        return rule.enabled if disabled is None else not disabled

    def trigger(self, instance: Instance, *, cause: str = "") -> bool:
        """Open an incident at once, where the condition holds and none is open; says whether it did.

        ``cause`` is the key of the incident whose step asks for it; empty where nobody's does.
        """
        open_already = instance.key in self.desk.memory.incidents
        if open_already or instance.truth is not Truth.TRUE or not self.enabled(instance.rule):
            return False
        if not self._in_state(instance):
            return False
        self.open(instance, cause=cause)
        return True

    def open(self, instance: Instance, *, cause: str = "") -> None:
        """Open an incident and take its first step if nothing says no."""
        rule, memory = instance.rule, self.desk.memory
        streak = memory.streaks.get(instance.key)
        last = streak.last_end if streak and streak.actions else None
        if streak and last is not None and self.desk.now - last >= rule.backoff.reset_after:
            self.desk.move(
                f"streak:{instance.key}", str(streak.actions), "0", "healthy long enough since the last action"
            )
        readings = ", ".join(f"{e.series}={e.value}" for e in self.acting.evidence(instance)[:4])
        data: dict[str, object] = {"cause": cause} if cause else {}
        captured = self._evaluator.captures(f"{instance.key}|when")
        if bindings := instance.bindings | {f"capture.{name}": value for name, value in captured.items()}:
            data["bindings"] = sorted([name, value] for name, value in bindings.items())
        self.desk.move(
            f"incident:{instance.key}",
            "pending",
            "firing",
            f"{rule.when_source} [{readings}]",
            topic="incident.firing",
            rule=rule.id,
            target=instance.target.id,
            **({"data": data} if data else {}),
        )
        instance.retry_at = self.desk.now + rule.settle
        instance.clear_since, instance.spent, instance.answers = None, "", ()
        if rule.trigger.kind != "auto":
            self.wake(instance.key, instance.retry_at + PATIENCE)
        self.hooks.fire("on_fire", instance, f"rule {rule.id} fires for {instance.target.id}: {rule.when_source}")
        self._firing(instance, memory.incidents[instance.key])

    def _firing(self, instance: Instance, incident: Incident) -> None:
        if instance.cleared:
            self.move(instance.key, incident, "clearing", "the condition is gone")
            self._clearing(instance, incident)
            return
        if not self.enabled(instance.rule):
            self.move(instance.key, incident, "inactive", "its rule is switched off", topic="incident.cleared")
            return
        rung = instance.plan.rung(incident.step)
        if rung is None and instance.rule.trigger.kind != "auto":
            # What started it is over: nobody waits for a condition to end that did not begin it.
            self.move(instance.key, incident, "inactive", "its ladder is done", topic="incident.cleared")
            return
        if rung is not None and self._expire(instance):
            return
        if instance.truth is not Truth.TRUE or rung is None:
            self.ladder.leave_line(instance.key)
            self._tell_unknown(instance)
            return
        if self.desk.now < instance.retry_at:
            self.wake(instance.key, instance.retry_at)
            return
        self.ladder.take(instance, incident, rung)
        self._expire(instance)

    def _expire(self, instance: Instance) -> bool:
        """End what something else than its condition started, once nothing comes of it any more."""
        incident = self.desk.memory.incidents.get(instance.key)
        because = spent(instance, incident, self.desk.now) if incident and incident.phase == "firing" else ""
        if because and incident:
            instance.spent = because
            self.move(instance.key, incident, "inactive", because, topic="incident.cleared")
        return bool(because)

    def at_once(self, instance: Instance) -> None:
        """Try again without waiting: what it waited for is there."""
        instance.retry_at = min(instance.retry_at, self.desk.now)
        self.wake(instance.key, self.desk.now)

    def denied(self, key: str, because: str) -> None:
        """A person said no, or nobody answered: it is given up, and not asked about again."""
        incident, instance = self.desk.memory.incidents.get(key), self.instances.get(key)
        if instance is not None and incident is not None and incident.phase == "firing":
            self.give_up(instance, incident, because)

    def ask_again(self, gate: str) -> None:
        """Try at once what only this gate holds back: what it said no for has ended before its time."""
        for key in self.desk.memory.incidents:
            instance = self.instances.get(key)
            refused = order.first_refusal(instance.answers) if instance else None
            if instance and refused and refused[0] == gate:
                instance.retry_at = min(instance.retry_at, self.desk.now)
                self.wake(key, self.desk.now)

    def _tell_unknown(self, instance: Instance) -> None:
        if instance.rule.on_unknown == "notify" and instance.truth is Truth.UNKNOWN and not instance.told_unknown:
            instance.told_unknown = True
            self.acting.tell(
                f"rule {instance.rule.id} cannot see {instance.target.id} while its incident is open",
                channel=instance.rule.on_exhausted.notify,
                incident=instance.key,
            )

    # Effects that ended ---------------------------------------------------------------------------------------

    def finished(self, outcome: Outcome) -> None:
        """Take the end of an effect."""
        intent = self.acting.ended(outcome)
        if intent is None:
            return
        if outcome.result is Result.DONE:
            if instance := self.instances.get(intent.incident):
                instance.refused = 0
            self._done(intent)
        elif intent.id in self.desk.memory.intents:
            self._rearm_after(intent)
            self.desk.out.append(Look(target=intent.target, because="an action on it failed"))
            self._judged(self.proving.verdict(intent, outcome.result, outcome.because))
        elif outcome.result is Result.SKIPPED and self.ladder.skipped(intent, outcome.because):
            pass
        elif instance := self.instances.get(intent.incident):
            instance.refused = instance.refused + 1 if outcome.result is Result.REFUSED else 0
            instance.retry_at = self.desk.now + min(LONGEST, RETRY * 2.0 ** max(0, instance.refused - 1))
            self.wake(instance.key, instance.retry_at)
            self.ladder.freed()

    def witnesses_are_back(self) -> None:
        """Try at once what was refused for want of witnesses."""
        for instance in self.instances.values():
            if instance.refused and instance.rule.witness == "before":
                instance.refused, instance.retry_at = 0, min(instance.retry_at, self.desk.now)
                self.wake(instance.key, self.desk.now)

    def _done(self, intent: OpenIntent) -> None:
        if intent.action in QUIET_VERBS:
            self._judged(self.proving.verdict(intent, Result.VERIFIED, "done"))
            return
        self.await_proof(intent)

    def await_proof(self, intent: OpenIntent) -> None:
        """Whatever an effect says of itself, only what is seen after it proves it."""
        if intent.undoes:
            self._rearm_after(intent)
            self._judged(self.proving.verdict(intent, Result.VERIFIED, "its hand has read back that it was put back"))
            return
        target = self.desk.world.targets.get(intent.target, HOST)
        instance = self.instances.get(intent.incident)
        if instance is None and (target is HOST or intent.action not in SIGNED_VERBS):
            if target is not HOST:
                self._rearm_after(intent)  # other rules judge it too
            because = "nobody said what would prove it"  # a request to run something: done, and that is all we know
            self._judged(self.proving.verdict(intent, Result.UNVERIFIED, because))
            return
        proof = self._proofs.of(intent, instance) if instance else self.proving.request_proof(intent, target)
        self._rearm_after(intent)
        self.proving.await_proof(proof)
        self.wake(intent.id, proof.armed)
        self.wake(intent.id, proof.deadline)

    def _rearm_after(self, intent: OpenIntent) -> None:
        """Whatever became of an action: evidence begins again on its target, and for the rule that wanted it."""
        if intent.action in QUIET_VERBS or intent.hook:
            return
        ended = self.desk.now if intent.ended is None else intent.ended
        instance = self.instances.get(intent.incident)
        rung = instance.plan.rung(intent.step) if instance else None
        grace = self.desk.world.targets.get(intent.target, HOST).startup_grace
        at = ended + grace + (rung.step.settle if rung else 0.0)
        self.rearm(intent.target, at)
        if instance is not None and instance.target.id != intent.target:
            self._rearm_one(instance, at)  # it acts on another target than the one it judges

    def _verifying(self, instance: Instance) -> None:
        for intent_id in self.proving.of_incident(instance.key):
            self._judge(intent_id)

    def _judge(self, intent_id: str) -> None:
        judged = self.proving.judge(intent_id)
        if judged is None:
            self.wake(intent_id, max(self.proving.next_look(intent_id), self.desk.now + 0.001))
        else:
            self._judged(judged)

    def _judged(self, judged: tuple[OpenIntent, Result]) -> None:
        """What a verdict means for the incident it belongs to."""
        intent, result = judged
        if intent.hook:
            return
        tripped = self.proving.breaker_tripped(intent)
        instance = self.instances.get(intent.incident)
        incident = self.desk.memory.incidents.get(intent.incident)
        if instance is not None and incident is not None:
            self.ladder.judged(instance, incident, intent, result, tripped=tripped)
        elif tripped:
            self.states.fault(intent.target, f"{intent.action} keeps failing")
        self.ladder.freed()

    def cured(self, instance: Instance, incident: Incident) -> None:
        """What a step was to bring about was seen."""
        self.move(instance.key, incident, "clearing", "the cure was verified", topic="incident.cured")
        self._clearing(instance, incident)

    # Ending ---------------------------------------------------------------------------------------------------

    def _clearing(self, instance: Instance, incident: Incident, *, conclusive: bool = False) -> None:
        if instance.truth is Truth.TRUE and not instance.cleared:
            self.move(instance.key, incident, "inactive", "it came back: a new incident begins")
            self._consider(instance, conclusive=conclusive)
            return
        if not instance.cleared:
            instance.clear_since = None
            return
        instance.clear_since = self.desk.now if instance.clear_since is None else instance.clear_since
        ends = instance.clear_since + instance.rule.clear_for
        if self.desk.now >= ends:
            self.move(instance.key, incident, "inactive", "clear", topic="incident.cleared")
            self._recovered(instance)
        else:
            self.wake(instance.key, ends)

    def _recovered(self, instance: Instance) -> None:
        self.hooks.fire("on_recovered", instance, f"{instance.target.id} is well again (rule {instance.rule.id})")

    def give_up(self, instance: Instance, incident: Incident, because: str) -> None:
        """End the ladder without a cure, and tell a person."""
        self.move(instance.key, incident, "given-up", because, topic="incident.given-up")
        self.states.fault(instance.target.id, because)
        self.hooks.fire("on_exhausted", instance, because)
        self.acting.tell(
            f"gave up on {instance.target.id} (rule {instance.rule.id}): {because}",
            channel=instance.rule.on_exhausted.notify,
            incident=instance.key,
        )
        self.wake(instance.key, self.desk.now + RETRY)

    def _given_up(self, instance: Instance, incident: Incident) -> None:
        rule, now = instance.rule, self.desk.now
        instance.clear_since = (instance.clear_since or now) if instance.cleared else None
        healthy = instance.clear_since is not None and now - instance.clear_since >= rule.backoff.reset_after
        if healthy or now - incident.since >= rule.on_exhausted.rearm_after:
            because = "healthy long enough" if healthy else "rearm_after has passed"
            self.move(instance.key, incident, "inactive", because, topic="incident.rearmed")
            self.states.leave_fault(instance.target, because)
            if healthy:
                self._recovered(instance)
            return
        wait = rule.on_exhausted.rearm_after - (now - incident.since)
        if instance.clear_since is not None:
            wait = min(wait, rule.backoff.reset_after - (now - instance.clear_since))
        self.wake(instance.key, now + max(wait, RETRY))

    def close(self, key: str, because: str) -> None:
        """End an incident by hand; its evidence starts again."""
        self.move(key, self.desk.memory.incidents[key], "inactive", because, topic="incident.rearmed")
        if instance := self.instances.get(key):
            instance.rearm()
            self._evaluator.rearm(f"{key}|when", self.desk.now)

    def move(self, key: str, incident: Incident, to: str, because: str, *, topic: str = "incident.moved") -> None:
        """Seal the next phase of an incident."""
        rule, target = incident.rule, incident.target
        self.ladder.leave_line(key)
        self.desk.move(f"incident:{key}", incident.phase, to, because, topic=topic, rule=rule, target=target)
        if to == "inactive" and (instance := self.instances.get(key)):
            instance.clear_since, instance.told_unknown = None, False
            self.desk.out.append(Snapshot())
