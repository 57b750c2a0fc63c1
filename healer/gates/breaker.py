"""The breaker gate: an action that keeps failing on a target is not tried again until somebody says so."""

from healer.gates.interface import Question, Refusal

HALF_WAY = 30.0
"""Seconds of pause per failure, once failures back off and until the breaker opens."""


def ask(question: Question) -> Refusal | None:
    """Refuse while open; between the two thresholds, wait longer with each failure."""
    breaker = question.memory.breakers.get(f"{question.action}@{question.target.id}")
    if breaker is None:
        return None
    if breaker.open:
        return Refusal(
            because=f"breaker open: {question.action} of {question.target.id} failed {breaker.failures} times "
            f"(healer ack {question.target.id} closes it)"
        )
    if breaker.failures < question.brakes.breaker_backoff_after:
        return None
    ends = breaker.changed + HALF_WAY * (breaker.failures - question.brakes.breaker_backoff_after + 1)
    if question.now >= ends:
        return None
    return Refusal(because=f"{breaker.failures} failures in a row: waiting before the next try", until=ends)
