"""What proves a rung: its own ``verify``, the end of the condition, or the sign of each of several targets."""

from collections.abc import Callable

from healer.core.desk import Desk
from healer.core.instance import Instance
from healer.core.proving import VERIFY_WITHIN, Proof, Proving
from healer.core.world import HOST
from healer.model.memory import OpenIntent
from healer.model.target import Target
from healer.model.truth import Truth
from healer.rules import plan
from healer.rules.evaluate import Evaluator
from healer.rules.expression import Expr

About = Callable[[Expr, Target], Expr]
"""Makes an expression one about a target."""


class Proofs:
    """Makes the proofs of rules, and watches what they ask for."""

    def __init__(self, desk: Desk, evaluator: Evaluator, proving: Proving, about: About) -> None:
        self.desk, self._evaluator, self._proving, self._about = desk, evaluator, proving, about
        self._apart: dict[str, tuple[str, ...]] = {}
        """Roles of what proves one of several targets of a step, by instance."""

    def roles(self, instance: Instance) -> tuple[str, ...]:
        """Names of all conditions of an instance that begin anew after an action."""
        return (*instance.roles, *self._apart.get(instance.key, ()))

    def of(self, intent: OpenIntent, instance: Instance) -> Proof:
        """What would prove an action of a rule, and until when."""
        rung = instance.plan.rung(intent.step)
        step = rung.step if rung else None
        target = self.desk.world.targets.get(intent.target, HOST)
        several = step is not None and step.targets is not None
        if several and step is not None and step.verify is None:
            proof = self._proving.request_proof(intent, target)
            proof.armed, proof.deadline = proof.armed + step.settle, proof.deadline + step.settle
            return proof
        ended = self.desk.now if intent.ended is None else intent.ended
        armed = ended + (target if several else instance.target).startup_grace + (step.settle if step else 0.0)
        verify = step.verify if step else None
        role = plan.proof(intent.step, intent.target if several else "")
        if several and verify is not None:
            self._watch(instance, role, self._about(verify.when, target), armed)

        def judge(_: float) -> Truth:
            if verify is not None:
                return instance.asked.get(role, Truth.UNKNOWN)
            return Truth.TRUE if instance.cleared else Truth.FALSE

        within = verify.within if verify else VERIFY_WITHIN
        stable_for = verify.stable_for if verify else 0.0
        return Proof(
            intent=intent, armed=armed, deadline=armed + within + stable_for, stable_for=stable_for, judge=judge
        )

    def _watch(self, instance: Instance, role: str, verify: Expr, armed: float) -> None:
        """Watch what proves one of several targets, and no longer what proved the one before it."""
        for old in self._apart.pop(instance.key, ()):
            self._evaluator.remove(f"{instance.key}|{old}")
            instance.asked.pop(old, None)
        self._apart[instance.key] = (role,)
        self._evaluator.add(f"{instance.key}|{role}", verify)
        self._evaluator.rearm(f"{instance.key}|{role}", armed)
