"""The cooldown gate: a pause from the END of the last action of this rule on this target."""

from healer.gates.interface import Question, Refusal


def ask(question: Question) -> Refusal | None:
    """Refuse inside the pause. A next rung of the same ladder is not a new treatment and does not wait for it."""
    streak = question.memory.streaks.get(f"{question.rule}@{question.target.id}")
    if streak is None or streak.last_end is None or _within(question, streak.last_end):
        return None
    ends = streak.last_end + question.cooldown
    if question.now >= ends:
        return None
    return Refusal(because=f"cooldown of {question.cooldown:g} s since the last action ended", until=ends)


def _within(question: Question, last_end: float) -> bool:
    """Whether that action was one of this same incident; one may open in the very moment in which another ended."""
    incident = question.memory.incidents.get(question.incident)
    return last_end > question.opened or (last_end == question.opened and incident is not None and incident.attempt > 0)
