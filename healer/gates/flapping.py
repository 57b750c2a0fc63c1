"""The flapping gate: what goes up and down all the time is not calmed by being taken down once more."""

from healer.gates.interface import Question, Refusal
from healer.model.organism import Health


def ask(question: Question) -> Refusal | None:
    """Refuse to disrupt a target that flaps, or to disrupt another one because of it.

    What is down already loses nothing by being started: limits, backoff and breaker bound that.
    """
    if not question.disruptive or question.view.health(question.target.id) is Health.FAILED:
        return None
    if not question.rule and question.spelled_out:
        return None
    judged = question.incident.partition("@")[2]
    for target in dict.fromkeys((question.target.id, judged)):
        if (since := question.memory.flapping.get(target)) is not None:
            return Refusal(
                because=f"{target} has been flapping for {question.now - since:.0f} s: what goes up and down is not "
                "calmed by taking it down",
                proposal=f"find out why {target} comes and goes: its log, and what it requires",
            )
    return None
