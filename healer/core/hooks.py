"""Hooks: what accompanies an incident. They heal nothing, hold nothing, use nothing up, and nobody waits for them."""

from dataclasses import replace

from healer.core.acting import PATIENCE, Acting
from healer.core.desk import Desk
from healer.core.instance import Instance
from healer.core.params import filled
from healer.errors import RefusedError
from healer.gates import order
from healer.gates.interface import Answer, Question, Refusal
from healer.model.decision import Decision, Withheld
from healer.model.limit import Backoff
from healer.model.memory import HOOK
from healer.model.mode import Mode, strictest
from healer.model.target import Target
from healer.rules.plan import Rung

TELLING = frozenset({"notify", "publish", "capture"})
"""They only say or keep something: the kill switch silences them, as it does the agent's own alerts, and mode off."""


class Hooks:
    """The part of the core that starts hooks, and proves them once more after their seal."""

    def __init__(self, desk: Desk, acting: Acting) -> None:
        self.desk, self.acting = desk, acting

    def fire(self, name: str, instance: Instance, because: str) -> None:
        """Start every step of one hook of a rule; what a gate refuses is withheld, and not tried again."""
        for number in instance.plan.hooks[name]:
            self._start(instance, instance.plan.rungs[number], because)

    def _start(self, instance: Instance, rung: Rung, because: str) -> None:
        desk, step = self.desk, rung.step
        incident = desk.memory.incidents.get(instance.key)
        target = desk.world.targets.get(step.target, instance.target) if step.target else instance.target
        question = self.question(instance, rung, target)
        refused = self._refused(question)
        try:
            params = filled(step.action, step.params, incident.bindings if incident else instance.bindings)
        except RefusedError as exc:
            refused, params = refused or ("binding", str(exc)), {}
        if refused is not None:
            self._withhold(instance, question, *refused)
            return
        self.acting.decide(
            Decision(
                id=self.acting.next_id(),
                incident=question.incident,
                rule=instance.rule.id,
                rules_hash=self.acting.rules_hash,
                step=rung.number,
                attempt=1,
                action=step.action,
                target=target.id,
                params=params,
                timeout=step.timeout,
                deadline=desk.now + PATIENCE,
                generation=desk.world.generation(target),
                because=because,
                evidence=(),
                actor=f"rule:{instance.rule.id}",
                mode=strictest(mode for _, mode in question.modes),
                priority=instance.rule.priority,
                decided_at=desk.now,
            )
        )

    def question(self, instance: Instance, rung: Rung, target: Target) -> Question:
        """What the gates are asked: those of the target and the host, none that counts or paces the rule."""
        plain = self.acting.question(instance, rung.step, target, self.desk.now, rung.number)
        return replace(
            plain,
            incident=f"{HOOK}{rung.hook}:{instance.key}",
            cooldown=0.0,
            limits=(),
            backoff=Backoff(initial=0.0),
            settle=0.0,
            slots=(),
            disruptive=False,
        )

    def _refused(self, question: Question) -> tuple[str, str] | None:
        memory = self.desk.memory
        if question.action in TELLING:
            if memory.kill_switch:
                return "kill_switch", "the kill switch is on"
            off = strictest(mode for _, mode in question.modes) is Mode.OFF
            return ("mode", "mode is off") if off else None
        if sum(intent.hook for intent in memory.intents.values()) >= question.brakes.concurrent:
            return "limit", f"{question.brakes.concurrent} hooks are under way, the most allowed at once"
        refused = _first(order.ask_all(question))
        return (refused[0], refused[1].because) if refused else None

    def _withhold(self, instance: Instance, question: Question, gate: str, because: str) -> None:
        incident = self.desk.memory.incidents.get(instance.key)
        told = (question.incident, gate, incident.opened if incident else 0.0)
        if told in instance.hooks_withheld:
            return
        instance.hooks_withheld = {one for one in instance.hooks_withheld if one[2] == told[2]} | {told}
        self.desk.withhold(
            Withheld(
                incident=question.incident,
                rule=question.rule,
                target=question.target.id,
                action=question.action,
                gate=gate,
                because=because,
                at=self.desk.now,
            )
        )

    def moved(self, decision: Decision, instance: Instance | None) -> str:
        """Say why a sealed hook must not be done any more; nothing where it may."""
        rung = instance.plan.rungs.get(decision.step) if instance else None
        if instance is None or rung is None or not rung.hook:
            return "its rule is not in force any more"
        target = self.desk.world.targets.get(decision.target)
        if target is None:
            return f"{decision.target} is not looked after any more"
        if self.desk.now > decision.deadline:
            return f"{self.desk.now - decision.decided_at:.1f} s passed since the decision"
        if decision.action in TELLING:
            return ""
        refused = _first(order.ask_again(replace(self.question(instance, rung, target), intent=decision.id)))
        return f"{refused[0]}: {refused[1].because}" if refused else ""


def _first(answers: tuple[Answer, ...]) -> tuple[str, Refusal] | None:
    """The gate that stops a hook. Whoever holds its target is no reason: a hook holds nothing, and waits for nobody."""
    return order.first_refusal(tuple(one for one in answers if one.gate != "conflict"))
