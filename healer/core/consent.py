"""Questions put to people: each is asked once, and closed in the log."""

from typing import Protocol

from healer.core.desk import Desk
from healer.core.instance import Instance
from healer.gates.approval import find
from healer.gates.interface import Question
from healer.model.memory import Approval

_TOPICS = {
    "granted": "approval.granted",
    "denied": "approval.denied",
    "expired": "approval.expired",
    "stale": "approval.stale",
}


class Tell(Protocol):
    """How people are told."""

    def __call__(self, message: str, *, channel: str, incident: str) -> None:
        """Tell them."""
        ...


def seal(desk: Desk, approval: Approval, decision: str, who: str, because: str) -> None:
    """Seal what became of a question."""
    desk.note(
        "approval",
        _TOPICS[decision],
        id=approval.id,
        decision=decision,
        who=who,
        because=because,
        corr=approval.incident,
        rule=approval.rule,
        target=approval.target,
        action=approval.action,
        step=approval.step,
    )


def granted(question: Question) -> str:
    """The id of the yes that an action rests on; empty where it needs none."""
    found = find(question)
    return found.id if found is not None and found.state == "granted" else ""


def ask_people(desk: Desk, instance: Instance, question: Question, tell: Tell) -> bool:
    """Ask for an approval and tell people that it waits; False where they have been asked already."""
    if find(question) is not None:
        return False
    key = f"a-{desk.memory.asked + 1}"
    ttl = question.approve_ttl
    because = instance.rule.why or instance.rule.when_source
    desk.note(
        "approval",
        "approval.asked",
        id=key,
        decision="asked",
        who=f"rule:{instance.rule.id}",
        because=because,
        corr=question.incident,
        rule=question.rule,
        target=question.target.id,
        action=question.action,
        step=question.step,
        until_us=desk.wall_us + round(ttl * 1e6),
        deadline_us=round((desk.now + ttl) * 1e6),
    )
    tell(
        f"{question.action} of {question.target.id} waits for your yes for {ttl:g} s: {because} "
        f"(healer approve {key}, or healer deny {key})",
        channel=instance.rule.on_exhausted.notify,
        incident=instance.key,
    )
    return True
