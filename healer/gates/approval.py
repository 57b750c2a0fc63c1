"""The approval gate: in mode ``approve`` a person must say yes first, to this step of this incident, and in time."""

from healer.gates.interface import Question, Refusal
from healer.model.memory import Approval
from healer.model.mode import Mode, strictest


def ask(question: Question) -> Refusal | None:
    """Refuse what nobody has approved; a yes counts for one intent, and only while it is fresh."""
    if strictest(mode for _, mode in question.modes) is not Mode.APPROVE:
        return None
    what = f"{question.action} of {question.target.id}"
    found = find(question)
    if found is None:
        return Refusal(because=f"{what} waits for an approval")
    if found.state == "used" and question.intent and found.intent == question.intent:
        return None
    if is_over(found, question.now, question.wall_us):
        return Refusal(because=f"nobody approved {what} in time ({found.id})")
    if found.state == "granted":
        return None
    return Refusal(
        because=f"{what} waits for an approval (healer approve {found.id}, or deny; no answer is a no)",
        until=found.expires,
    )


def find(question: Question) -> Approval | None:
    """What people were asked about exactly this, where it is not closed."""
    return question.memory.approval(
        incident=question.incident, step=question.step, action=question.action, target=question.target.id
    )


def is_over(approval: Approval, now: float, wall_us: int) -> bool:
    """Whether its time has passed on either clock."""
    return now >= approval.expires or wall_us >= approval.until_us
