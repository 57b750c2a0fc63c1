"""From an effect that ended to its verdict: success is what was observed afterwards, and nothing else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from healer.core.desk import Desk
from healer.model.decision import Result
from healer.model.effect import Look
from healer.model.memory import OpenIntent
from healer.model.organism import Health
from healer.model.target import Target
from healer.model.truth import Truth

VERIFY_WITHIN = 30.0
"""Seconds a step without ``verify`` has for its rule's condition to clear."""

Judge = Callable[[float], Truth]


@dataclass(slots=True)
class Proof:
    """What will show whether an effect cured anything."""

    intent: OpenIntent
    armed: float
    """Only what was seen after this second counts."""
    deadline: float
    stable_for: float
    judge: Judge
    true_since: float | None = None
    looked: bool = False
    """A look was asked for that counts: one that began when the target's startup grace was over."""
    met: bool = False
    """The incarnation that the action made has been seen."""
    harmony_before: float | None = None


class Proving:
    """The part of the core that judges effects."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.proofs: dict[str, Proof] = {}
        """Keyed by intent."""

    def of_incident(self, incident: str) -> list[str]:
        """Intents of an incident that wait for their proof."""
        return [key for key, proof in self.proofs.items() if proof.intent.incident == incident]

    def of_target(self, target: str) -> list[str]:
        """Intents on a target that wait for their proof."""
        return [key for key, proof in self.proofs.items() if proof.intent.target == target]

    def await_proof(self, proof: Proof) -> None:
        """Remember what would prove the effect, and look at once when that may count."""
        proof.harmony_before = self.desk.harmony
        proof.looked = proof.armed <= self.desk.now
        self.proofs[proof.intent.id] = proof
        self.desk.out.append(Look(target=proof.intent.target, because="an action on it ended"))

    def judge(self, intent_id: str) -> tuple[OpenIntent, Result] | None:
        """Look whether a proof is complete or has failed; returns the verdict, or None while it is open."""
        proof, now = self.proofs[intent_id], self.desk.now
        if proof.intent.action == "restart" and _same_incarnation(proof.intent):
            return self.verdict(proof.intent, Result.UNVERIFIED, "it is still the same incarnation: nothing restarted")
        if self._gone_again(proof):
            return self.verdict(proof.intent, Result.FAILED_TRANSIENT, "what it started has ended again already")
        if now >= proof.armed and proof.judge(now) is Truth.TRUE:
            proof.true_since = now if proof.true_since is None else proof.true_since
            if now - proof.true_since >= proof.stable_for:
                return self.verdict(proof.intent, Result.VERIFIED, "the condition it had to reach holds")
        elif proof.true_since is not None and proof.stable_for and proof.judge(now) is Truth.FALSE:
            return self.verdict(proof.intent, Result.UNVERIFIED, "it relapsed before it had held long enough")
        else:
            proof.true_since = None
        if now >= proof.deadline:
            return self.verdict(proof.intent, Result.UNVERIFIED, "what would prove it was not seen in time")
        if now >= proof.armed and not proof.looked:
            # Its next look by itself may be later than the deadline.
            proof.looked = True
            self.desk.out.append(Look(target=proof.intent.target, because="from now on what is seen of it counts"))
        return None

    def _gone_again(self, proof: Proof) -> bool:
        """Whether the incarnation that the action made was seen and is no more: no need to wait for the deadline."""
        target = self.desk.world.targets.get(proof.intent.target)
        made = proof.intent.generation_after
        if target is None or not made or proof.intent.action == "stop":
            return False
        now = self.desk.world.generation(target)
        proof.met = proof.met or now == made
        return proof.met and now != made

    def next_look(self, intent_id: str) -> float:
        """When the proof should be judged again at the latest."""
        proof = self.proofs[intent_id]
        stable = proof.deadline if proof.true_since is None else proof.true_since + proof.stable_for
        return min(proof.deadline, stable if proof.looked else min(stable, proof.armed))

    def verdict(self, intent: OpenIntent, result: Result, because: str) -> tuple[OpenIntent, Result]:
        """Seal the verdict and free the target; opens the breaker where failures have added up."""
        desk = self.desk
        proof = self.proofs.pop(intent.id, None)
        fields: dict[str, object] = {
            "of": intent.leaf,
            "id": intent.id,
            "result": result.value,
            "because": because,
            "took_us": round((desk.now - intent.at) * 1e6),
        }
        if proof is not None and proof.harmony_before is not None and desk.harmony is not None:
            fields["harmony_before"] = round(proof.harmony_before * 100)
            fields["harmony_after"] = round(desk.harmony * 100)
        desk.note("verdict", "action.verdict", **fields)
        return intent, result

    def let_go(self, targets: Iterable[str], because: str) -> None:
        """Wait no longer for the proofs of actions on these targets: whoever ended them did so on purpose."""
        for intent_id in [key for target in targets for key in self.of_target(target)]:
            self.verdict(self.proofs[intent_id].intent, Result.CANCELLED, because)

    def breaker_tripped(self, intent: OpenIntent) -> bool:
        """Open the breaker of this action and target when its failures have reached the threshold."""
        desk = self.desk
        key = f"{intent.action}@{intent.target}"
        breaker = desk.memory.breakers.get(key)
        if breaker is None or breaker.open or breaker.failures < desk.world.brakes.breaker_opens_after:
            return False
        desk.note(
            "state",
            "breaker.open",
            subject=f"breaker:{key}",
            **{"from": "closed", "to": "open"},
            because=f"{breaker.failures} failures in a row",
            target=intent.target,
        )
        return True

    def request_proof(self, intent: OpenIntent, target: Target) -> Proof:
        """What proves a requested action: the target's own sign, seen after the action."""
        want = Health.FAILED if intent.action == "stop" else Health.HEALTHY
        armed = (intent.ended or self.desk.now) + (0.0 if intent.action == "stop" else target.startup_grace)

        def judge(_: float) -> Truth:
            sign = self.desk.world.signs.get(target.id)
            if sign is None or sign.at <= armed:
                return Truth.UNKNOWN
            return Truth.TRUE if sign.health is want else Truth.FALSE

        return Proof(intent=intent, armed=armed, deadline=armed + VERIFY_WITHIN, stable_for=0.0, judge=judge)


def _same_incarnation(intent: OpenIntent) -> bool:
    return bool(intent.generation) and intent.generation == intent.generation_after
