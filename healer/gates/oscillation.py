"""The oscillation gate: two cures that take turns on one target undo each other; both are held until somebody looks."""

from collections.abc import Iterable

from healer.gates.interface import Question, Refusal
from healer.model.memory import Acted, Memory

TURNS = 4
"""A, B, A, B."""
_UP, _DOWN = frozenset({"start", "restart"}), frozenset({"stop", "quarantine"})


def ask(question: Question) -> Refusal | None:
    """Refuse either of two cures that took turns on the target, by rules; a person's request is no cure."""
    if not question.rule:
        return None
    target = question.target.id
    held = question.memory.oscillations.get(target)
    window = question.brakes.oscillation_window
    pair = held.rules if held and held.held else turns(question.memory, target, since=question.now - window)
    if question.rule not in pair:
        return None
    return Refusal(
        because=f"{' and '.join(dict.fromkeys(pair))} took turns on {target}: both are held "
        f"(healer ack {target} lets them go on)",
        proposal="make the conditions of the two rules exclude each other, or leave only one of them",
    )


def turns(memory: Memory, target: str, *, since: float) -> list[str]:
    """The rules of the last four actions on a target where these took turns; empty where they did not."""
    known = memory.oscillations.get(target)
    start = max(since, known.since) if known else since
    last = [one for one in memory.acted if one.target == target and one.rule and one.at > start][-TURNS:]
    return [last[0].rule, last[1].rule] if len(last) == TURNS and _alternate(last) else []


def _alternate(acts: Iterable[Acted]) -> bool:
    first, second, third, fourth = ((one.rule, one.action) for one in acts)
    if first != third or second != fourth:
        return False
    return first[0] != second[0] or _opposite(first[1], second[1])


def _opposite(one: str, other: str) -> bool:
    return (one in _UP and other in _DOWN) or (one in _DOWN and other in _UP)
