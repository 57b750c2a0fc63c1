"""The conflict gate: one actor per target."""

from healer.gates.interface import Question, Refusal


def ask(question: Question) -> Refusal | None:
    """Refuse while another intent holds the target, from its decision to its verdict."""
    holder = question.memory.busy(question.target.id)
    if holder is None or holder.id == question.intent:
        return None
    by = f"rule {holder.rule}" if holder.rule else f"request {holder.request}"
    return Refusal(because=f"{question.target.id} is held by {by} ({holder.action}, intent {holder.id})")
