"""The limit gate: sliding windows per rule, and the host's own ceilings. A refused attempt consumes nothing."""

from healer.gates.interface import Question, Refusal
from healer.model.limit import Limit

HOUR = 3600.0


def ask(question: Question) -> Refusal | None:
    """Refuse where one more action would exceed any window, or where too many effects run at once."""
    if question.memory.running() - bool(question.intent) >= question.brakes.concurrent:
        return Refusal(because=f"{question.brakes.concurrent} actions are running, the most allowed at once")
    ceiling = Limit(max=question.brakes.actions_per_hour, per=HOUR, scope="host")
    for limit in (*question.limits, ceiling):
        if refusal := _exceeded(question, limit):
            return refusal
    return None


def _exceeded(question: Question, limit: Limit) -> Refusal | None:
    taken = question.memory.taken(
        since=question.now - limit.per,
        scope=limit.scope,
        rule=question.rule,
        target=question.target.id,
        action=question.action,
    )
    if len(taken) < limit.max:
        return None
    return Refusal(
        because=f"{len(taken)} of at most {limit.max} actions per {limit.per:g} s taken ({limit.scope})",
        # There is room when as many have left the window as are too many; never where the limit is zero.
        until=taken[-limit.max] + limit.per if limit.max else None,
    )
