"""The approval gate: in mode ``approve`` a person must say yes first."""

from healer.gates.interface import Question, Refusal
from healer.model.mode import Mode, strictest


def ask(question: Question) -> Refusal | None:
    """Refuse what nobody has approved."""
    if strictest(mode for _, mode in question.modes) is Mode.APPROVE:
        return Refusal(because=f"{question.action} of {question.target.id} waits for an approval")
    return None
