"""The dependency gate: while what a target requires is bad or unknown, the target is not the one to treat."""

from healer.gates.interface import Question, Refusal, View
from healer.model.organism import Health
from healer.model.target import Target

SETTLE = 5.0
"""Seconds a parent must have been healthy again before its children are judged on their own."""


def ask(question: Question) -> Refusal | None:
    """Refuse while any required parent is not healthy, or became so only just now."""
    blocked = first_unmet(question.target, question.view)
    if blocked:
        return Refusal(because=blocked, proposal=f"heal first what {question.target.id} requires")
    settled = [
        since + max(SETTLE, question.settle)
        for parent in question.target.requires
        if not parent.startswith("group:") and (since := question.view.recovered(parent)) is not None
    ]
    if settled and question.now < max(settled):
        return Refusal(because="what it requires has only just recovered", until=max(settled))
    return None


def first_unmet(target: Target, view: View) -> str:
    """Name the first requirement that does not hold, or return an empty string.

    ``requires`` is an AND of targets and of redundancy groups; inside a group one healthy member suffices.
    """
    for requirement in target.requires:
        if requirement.startswith("group:"):
            members = [view.health(member) for member in view.members(requirement.removeprefix("group:"))]
            if Health.HEALTHY not in members:
                return f"nothing in {requirement}, which it requires, is known to be healthy"
        elif (health := view.health(requirement)) is not Health.HEALTHY:
            word = "unknown" if health is Health.UNKNOWN else "bad"
            return f"{requirement}, which it requires, is {word}"
    return ""
