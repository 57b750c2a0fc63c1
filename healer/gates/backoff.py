"""The backoff gate: growing pauses between actions in a row, with jitter, forgotten after a healthy stretch."""

import zlib

from healer.gates.interface import Question, Refusal
from healer.model.limit import Backoff


def ask(question: Question) -> Refusal | None:
    """Refuse inside the pause that the number of actions in a row asks for."""
    key = f"{question.rule}@{question.target.id}"
    streak = question.memory.streaks.get(key)
    if streak is None or streak.last_end is None:
        return None
    if question.opened - streak.last_end >= question.backoff.reset_after:
        return None
    ends = streak.last_end + pause(question.backoff, streak.actions, key)
    if question.now >= ends:
        return None
    return Refusal(because=f"backoff after {streak.actions} actions in a row", until=ends)


def pause(backoff: Backoff, actions: int, key: str) -> float:
    """Seconds to wait after so many actions in a row: none after none, then initial x factor^(n-1), capped.

    The jitter is drawn from the key and the count, so that a replay waits exactly as long as the run it repeats.
    """
    if actions == 0:
        return 0.0
    plain = min(backoff.max, backoff.initial * backoff.factor ** min(actions - 1, 63))
    draw = zlib.crc32(f"{key}#{actions}".encode()) / 0xFFFFFFFF
    return plain * (1 + backoff.jitter * (2 * draw - 1))
