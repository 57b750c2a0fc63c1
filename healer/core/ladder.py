"""The way along the rungs of a rule: what is skipped, where it branches, what it waits for, whom it acts on next."""

from typing import TYPE_CHECKING

from healer.core.acting import RETRY
from healer.core.instance import Instance
from healer.core.line import Line
from healer.gates.interface import Refusal
from healer.model.decision import QUIET_VERBS, Result
from healer.model.memory import Incident, OpenIntent
from healer.model.target import Target
from healer.model.truth import Truth
from healer.rules import plan, select
from healer.rules.plan import Rung
from healer.rules.rule import CONTROL, Selection

if TYPE_CHECKING:
    from healer.core.incidents import Incidents

FRESH_WITHIN = 30.0
"""Seconds that a rung waits for what it asks to be known, before unknown is the answer."""
_NOT_CURED = frozenset({Result.UNVERIFIED, Result.FAILED_PERMANENT, Result.AMBIGUOUS})


class Ladder:
    """The part of the core that takes the next rung."""

    def __init__(self, incidents: "Incidents", line: Line) -> None:
        self._incidents = incidents
        self.desk, self.acting, self.line = incidents.desk, incidents.acting, line

    def take(self, instance: Instance, incident: Incident, rung: Rung) -> None:
        """Take a rung: act, or find out that it is another rung's turn."""
        step = rung.step
        if step.only_if is not None:
            truth = self._known(instance, incident, plan.only_if(rung.number))
            if truth is None:
                return
            if truth is not Truth.TRUE:
                because = f"skipped: only if {step.only_if.source}, and that is {truth.value}"
                self.go_on(instance, incident, rung, Result.SKIPPED, because)
                return
        if step.branch is not None:
            self._branch(instance, incident, rung)
        elif step.wait_for is not None:
            self._wait(instance, incident, rung)
        elif step.starts:
            self._trigger(instance, incident, rung)
        else:
            self._act(instance, incident, rung)

    def _known(self, instance: Instance, incident: Incident, role: str) -> Truth | None:
        """The truth of a rung's own condition; None while it is unknown and may still come to be known."""
        truth = instance.asked.get(role, Truth.UNKNOWN)
        patient = max(incident.since, instance.armed) + FRESH_WITHIN
        if truth is Truth.UNKNOWN and self.desk.now < patient:
            self._incidents.wake(instance.key, patient)
            return None
        return truth

    def skipped(self, intent: OpenIntent, because: str) -> bool:
        """An effect was not tried, since what carries it out fails: the next rung's turn. False: it was no rung."""
        instance = self._incidents.instances.get(intent.incident)
        incident = self.desk.memory.incidents.get(intent.incident)
        rung = instance.plan.rung(intent.step) if instance else None
        if instance is None or incident is None or rung is None:
            return False
        self.go_on(instance, incident, rung, Result.SKIPPED, because)
        return True

    def go_on(self, instance: Instance, incident: Incident, rung: Rung, result: Result, because: str) -> None:
        """Go to the next rung; behind the last one there is only giving up, unless nothing was to be cured there."""
        quiet = rung.step.action in QUIET_VERBS or rung.step.action in CONTROL
        fine = result is Result.VERIFIED or (result is Result.SKIPPED and quiet)
        if instance.plan.rung(rung.next) is None and not fine:
            self._incidents.give_up(instance, incident, f"the last remedy was {result.value}")
            return
        self._to(instance, rung.next, because)

    def _to(self, instance: Instance, number: int, because: str) -> None:
        self.desk.move(f"incident:{instance.key}", "firing", "firing", because, step=number)
        self._incidents.wake(instance.key, self.desk.now)

    # Rungs that touch nothing ---------------------------------------------------------------------------------

    def _branch(self, instance: Instance, incident: Incident, rung: Rung) -> None:
        branch = rung.step.branch
        if branch is None:
            return
        truth = self._known(instance, incident, plan.asked(rung.number))
        if truth is None or (truth is Truth.UNKNOWN and branch.on_unknown == "hold"):
            return  # whatever becomes of it wakes the incident
        to = rung.next if truth is Truth.TRUE else rung.other
        self._to(instance, to, f"if {branch.test.source}: {truth.value}")

    def _wait(self, instance: Instance, incident: Incident, rung: Rung) -> None:
        wait = rung.step.wait_for
        if wait is None:
            return
        if instance.asked.get(plan.asked(rung.number)) is Truth.TRUE:
            self.go_on(instance, incident, rung, Result.VERIFIED, f"it came: {wait.test.source}")
            return
        ends = incident.since + wait.timeout
        if self.desk.now < ends:
            self._incidents.wake(instance.key, ends)
            return
        because = f"waited {wait.timeout:g} s in vain for {wait.test.source}"
        if wait.on_timeout == "give_up":
            self._incidents.give_up(instance, incident, because)
            return
        failed = wait.on_timeout == "fail"
        if failed:
            self._incidents.hooks.fire("on_attempt_failed", instance, because)
        self.go_on(instance, incident, rung, Result.UNVERIFIED if failed else Result.VERIFIED, because)

    def _trigger(self, instance: Instance, incident: Incident, rung: Rung) -> None:
        """Start another rule for the same target, or for the one it is about; its own gates answer for the rest."""
        name = rung.step.starts
        other = self._incidents.bound(name, instance.target.id)
        if other is None:
            because = f"{name} is not about {instance.target.id}"
        elif self._incidents.trigger(other, cause=instance.key):
            because = f"started {other.key}"
        else:
            because = f"{other.key} was not started: {self._why_not(other)}"
        self.go_on(instance, incident, rung, Result.VERIFIED, because)

    def _why_not(self, other: Instance) -> str:
        if other.key in self.desk.memory.incidents:
            return "its incident is open already"
        return "it is switched off" if not self._incidents.enabled(other.rule) else f"it is {other.truth.value}"

    # Rungs that act -------------------------------------------------------------------------------------------

    def _act(self, instance: Instance, incident: Incident, rung: Rung) -> None:
        if rung.step.targets is not None and not incident.targets:
            self._choose(instance, incident, rung, rung.step.targets)
            return
        target = self.acting.subject(instance, rung)
        if target is None:
            because = "skipped: it is not looked after any more"
            if not self._next_target(instance, incident, rung, because):
                self.go_on(instance, incident, rung, Result.SKIPPED, because)
            return
        refused = self.acting.attempt(instance, rung, target)
        if refused is None:
            self.line.leave(instance.key)
            return
        gate, refusal = refused
        if gate == "binding":
            self.go_on(instance, incident, rung, Result.REFUSED, refusal.because)
        elif self._waits(gate):
            self._queue(instance, rung, target, refusal)
        else:
            self._later(instance, refusal.until)
            self.leave_line(instance.key)

    def _later(self, instance: Instance, until: float | None) -> None:
        instance.retry_at = max(until or 0.0, self.desk.now + RETRY)
        self._incidents.wake(instance.key, instance.retry_at)

    def _choose(self, instance: Instance, incident: Incident, rung: Rung, selection: Selection) -> None:
        """Freeze what a step acts on, where everybody can read it."""
        found = select.chosen(selection, self.desk.world.targets, self._incidents.states.of, rung.step.action)
        if not found:
            self.go_on(instance, incident, rung, Result.SKIPPED, "skipped: nothing is selected, so nothing is done")
            return
        if selection.max_targets and len(found) > selection.max_targets:
            because = f"{len(found)} targets are selected, at most {selection.max_targets} may be"
            self.acting.withheld(instance, rung.step, instance.target, "blast_radius", Refusal(because=because))
            self._later(instance, None)
            return
        self.desk.move(
            f"incident:{instance.key}",
            "firing",
            "firing",
            f"{rung.step.action} of {len(found)}, one at a time: {', '.join(found[:8])}",
            step=rung.number,
            data={"targets": list(found)},
        )
        self._incidents.wake(instance.key, self.desk.now)

    def _next_target(self, instance: Instance, incident: Incident, rung: Rung, because: str) -> bool:
        """Go on to the next of several targets; says whether there is one."""
        item = incident.item + 1
        if item >= len(incident.targets):
            return False
        self.desk.move(f"incident:{instance.key}", "firing", "firing", because, step=rung.number, data={"item": item})
        self._incidents.wake(instance.key, self.desk.now)
        return True

    # Places that are taken ------------------------------------------------------------------------------------

    def _waits(self, gate: str) -> bool:
        """Whether what says no is that others are at work."""
        memory = self.desk.memory
        full = memory.running() >= self.desk.world.brakes.concurrent
        return gate in {"concurrency", "conflict"} or (gate == "limit" and full)

    def _queue(self, instance: Instance, rung: Rung, target: Target, refusal: Refusal) -> None:
        own, firm = instance.rule.concurrency, rung.undoes != plan.NOWHERE
        policy = own.on_conflict if own is not None and not firm else "queue"
        if policy == "skip":
            self._to(instance, instance.plan.end, f"skipped: {refusal.because}")
            return
        if policy == "replace":
            for rival in self.line.rivals(instance, target):
                self._incidents.close(rival, f"stale: {instance.key} took its place in the line")
        waiter = self.line.enter(instance, target, firm=firm)
        if own is not None and not firm and self.desk.now - waiter.since >= own.ttl:
            self._incidents.close(instance.key, f"stale: waited {own.ttl:g} s, {refusal.because}")
            return
        self._later(instance, None)

    def leave_line(self, key: str) -> None:
        """It is not others that hold it up, or not any more: nobody waits behind it for nothing."""
        if self.line.leave(key):
            self.freed()

    def freed(self) -> None:
        """A place is free: whoever waits is asked again, all of it; the most urgent gets it."""
        for key in self.line.waiting:
            if waiting := self._incidents.instances.get(key):
                waiting.retry_at = min(waiting.retry_at, self.desk.now)
                self._incidents.wake(key, self.desk.now)

    # What a verdict means for the way -------------------------------------------------------------------------

    def judged(
        self, instance: Instance, incident: Incident, intent: OpenIntent, result: Result, *, tripped: bool
    ) -> None:
        """Go where the verdict on a rung leads."""
        rung = instance.plan.rung(intent.step)
        if rung is None:
            self._incidents.give_up(instance, incident, "its ladder is another one now")
            return
        if result is not Result.VERIFIED:
            because = f"step {rung.number} ({intent.action} of {intent.target}) was {result.value}"
            self._incidents.hooks.fire("on_attempt_failed", instance, because)
        if rung.undoes != plan.NOWHERE:
            self._taken_back(instance, incident, rung, result)
        elif result is Result.VERIFIED:
            self._verified(instance, incident, rung, intent)
        elif rung.rollback != plan.NOWHERE and (result in _NOT_CURED or tripped):
            back = instance.plan.rungs[rung.rollback]
            self._to(instance, back.number, f"step {rung.number} was {result.value}: it is taken back")
            if target := self.acting.subject(instance, back):
                self.line.enter(instance, target, firm=True)
        elif tripped:
            self._incidents.give_up(instance, incident, f"the breaker of {intent.action} opened")
        elif result in {Result.FAILED_TRANSIENT, Result.INTERRUPTED} and instance.rule.trigger.kind != "manual":
            self._incidents.wake(instance.key, self.desk.now)
        else:
            self.go_on(instance, incident, rung, result, f"step {rung.number} was {result.value}")

    def _verified(self, instance: Instance, incident: Incident, rung: Rung, intent: OpenIntent) -> None:
        several = rung.step.targets is not None
        if several and self._next_target(instance, incident, rung, f"{intent.target} is done"):
            return
        if intent.action in QUIET_VERBS:
            self.go_on(instance, incident, rung, Result.VERIFIED, f"step {rung.number} was verified")
        else:
            self._incidents.cured(instance, incident)

    def _taken_back(self, instance: Instance, incident: Incident, rung: Rung, result: Result) -> None:
        """One step of a rollback is over: it is tried once, and what cannot be taken back is a person's matter."""
        undone = instance.plan.rungs[rung.undoes]
        if result is not Result.VERIFIED:
            self._incidents.give_up(instance, incident, f"the rollback of step {undone.number} was {result.value}")
            return
        after = instance.plan.rung(rung.next)
        if after is not None and after.undoes == rung.undoes:
            self._to(instance, rung.next, f"step {rung.number} was verified")
            return
        target = undone.step.target or instance.target.id
        breaker = self.desk.memory.breakers.get(f"{undone.step.action}@{target}")
        if after is None or (breaker is not None and breaker.open):
            self._incidents.give_up(instance, incident, f"step {undone.number} did not help, and was taken back")
            return
        self._to(instance, rung.next, f"step {undone.number} was taken back")
