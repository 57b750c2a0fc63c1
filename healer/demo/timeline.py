"""What the sealed log says of one healing: when it was seen, decided, sealed, acted and verified."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from healer.demo.patients import Patient
from healer.demo.victims import Victim


class Line(NamedTuple):
    """One entry of the log."""

    leaf: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """One victim healed. Times in milliseconds since it was broken, all of them from the log."""

    name: str
    fault: str
    rule: str
    action: str
    intent: str
    """Leaf hash of the sealed intent."""
    evidence: str
    """What the decision rested on, as sealed."""
    attempts: int
    """Intents it took."""
    seen_ms: float
    decided_ms: float
    sealed_ms: float
    """When its effect was let begin, which is not before the intent is durable and signed."""
    acted_ms: float
    healed_ms: float
    """When the cure was seen to work."""
    verified: bool


def healing(lines: Iterable[Line], victim: Patient | Victim, broken_us: int) -> Healing | None:
    """The healing of a victim broken at ``broken_us`` (boot clock, µs); None while no cure of it was verified."""
    since = [line for line in lines if line.fields["mono"] >= broken_us]
    intents = [
        line
        for line in since
        if line.fields["kind"] == "intent"
        and line.fields["rule"] == victim.rule
        and line.fields["target"] == victim.target
    ]
    for attempts, intent in enumerate(intents, 1):
        outcome = _of(since, "outcome", intent)
        verdict = _of(since, "verdict", intent)
        if outcome and verdict and verdict["result"] == "verified":
            return _told(since, victim, broken_us, attempts=attempts, intent=intent, outcome=outcome, verdict=verdict)
    return None


def _told(
    since: Sequence[Line],
    victim: Patient | Victim,
    broken_us: int,
    *,
    attempts: int,
    intent: Line,
    outcome: Mapping[str, Any],
    verdict: Mapping[str, Any],
) -> Healing:
    def ms(at: int) -> float:
        return round((at - broken_us) / 1000, 3)

    return Healing(
        name=victim.name,
        fault=victim.fault,
        rule=victim.rule,
        action=intent.fields["action"],
        intent=intent.leaf,
        evidence=", ".join(f"{one['series']} = {one['value']}" for one in intent.fields["evidence"]),
        attempts=attempts,
        seen_ms=ms(_seen(since, victim, intent.fields, broken_us)),
        decided_ms=ms(intent.fields["mono"]),
        sealed_ms=ms(outcome["mono"] - outcome["took_us"]),
        acted_ms=ms(outcome["mono"]),
        healed_ms=ms(verdict["mono"]),
        verified=True,
    )


def _of(lines: Iterable[Line], kind: str, intent: Line) -> Mapping[str, Any] | None:
    return next((one.fields for one in lines if one.fields["kind"] == kind and one.fields["of"] == intent.leaf), None)


def _seen(since: Iterable[Line], victim: Patient | Victim, intent: Mapping[str, Any], broken_us: int) -> int:
    """When the illness first showed: a target's change of state, or the sample that settled the condition."""
    sample: int = intent["mono"] - min((one["age_us"] for one in intent["evidence"]), default=0)
    changes: list[int] = [
        line.fields["mono"]
        for line in since
        if line.fields["kind"] == "state"
        and line.fields["subject"].removeprefix("target:") in victim.watched
        and line.fields["mono"] <= intent["mono"]
    ]
    return max(broken_us, min([sample, *changes]))


def withheld(lines: Iterable[Line], rule: str, since_us: int) -> dict[str, str] | None:
    """What the log says of an action of this rule that was withheld since; None where none was."""
    for line in lines:
        fields = line.fields
        if fields["kind"] == "withheld" and fields["rule"] == rule and fields["mono"] >= since_us:
            because = f"{fields['gate']}: {fields['because']}"
            return {"rule": rule, "target": fields["target"], "action": fields["action"], "because": because}
    return None
