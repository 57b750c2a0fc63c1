"""The blast-radius gate: only so many members of a group may be unavailable or under treatment at once."""

import math

from healer.gates.interface import Question, Refusal
from healer.model.organism import Health


def ask(question: Question) -> Refusal | None:
    """Refuse a disruptive action that would exceed the budget of any group of the target."""
    if not question.disruptive:
        return None
    for group in question.target.groups:
        others = [member for member in question.view.members(group) if member != question.target.id]
        out = [member for member in others if _unavailable(question, member)]
        allowed = budget(question, len(others) + 1)
        if len(out) + 1 > allowed:
            return Refusal(
                because=f"group {group}: {', '.join(sorted(out))} unavailable already, at most {allowed} may be at once"
            )
    return None


def _unavailable(question: Question, member: str) -> bool:
    if question.memory.busy(member) is not None:
        return True
    # Treating a member that is down takes nothing away; taking a live one out while others are down does.
    itself_down = question.view.health(question.target.id) is Health.FAILED
    return not itself_down and question.view.health(member) is Health.FAILED


def budget(question: Question, size: int) -> int:
    """Members that may be out: the smaller of the absolute bound and the ratio rounded down, but never below one."""
    by_ratio = math.floor(question.brakes.group_unavailable_percent * size)
    return max(1, min(question.brakes.group_unavailable, by_ratio))
