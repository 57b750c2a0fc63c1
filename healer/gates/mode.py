"""The mode gate: only ``auto`` (and an approved ``approve``) acts; the strictest mode that applies wins."""

from healer.gates.interface import Question, Refusal
from healer.model.mode import Mode


def ask(question: Question) -> Refusal | None:
    """Refuse below ``approve``; approval has a gate of its own."""
    source, mode = min(question.modes, key=lambda pair: pair[1], default=("default", Mode.AUTO))
    if mode >= Mode.APPROVE:
        return None
    return Refusal(because=f"mode is {mode.word} ({source}): {question.action} of {question.target.id} is only shown")
