"""The causality gate: what the agent itself set off may set off more, but not for ever."""

from healer.gates.interface import Question, Refusal

DEEPEST = 3
"""Incidents of our own doing that may stand behind an action."""


def ask(question: Question) -> Refusal | None:
    """Refuse what lies deeper in a chain of the agent's own doing."""
    depth = len(question.chain)
    if depth <= DEEPEST:
        return None
    chain = " -> ".join((*question.chain, question.incident))
    return Refusal(
        because=f"{depth} incidents of the agent's own doing led here, at most {DEEPEST} may: {chain}",
        proposal="look for rules that set each other off: healer check",
    )
