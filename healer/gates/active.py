"""The hours gate: a rule acts only in the days and hours that it says."""

from healer.gates.interface import Question, Refusal
from healer.model.active import is_active


def ask(question: Question) -> Refusal | None:
    """Refuse outside the rule's own hours; a request has none."""
    if question.active is None or is_active(question.active, question.wall_us / 1e6):
        return None
    return Refusal(because=f"outside the hours in which {question.rule} may act")
