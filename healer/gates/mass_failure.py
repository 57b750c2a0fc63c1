"""The mass-failure gate: too many sick at once means that we are the ones who are wrong."""

from healer.gates.interface import Question, Refusal


def ask(question: Question) -> Refusal | None:
    """Refuse in safe mode, whatever brought it about."""
    if question.memory.safe_mode:
        return Refusal(because=f"safe mode: {question.memory.safe_mode} (healer resume-healing ends it)")
    return None
