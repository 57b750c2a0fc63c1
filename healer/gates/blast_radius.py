"""The blast-radius gate: only so many members of a group may be unavailable or under treatment at once."""

import math

from healer.gates.interface import Question, Refusal
from healer.model.limit import Budget
from healer.model.organism import Health

_OWN = Budget()


def ask(question: Question) -> Refusal | None:
    """Refuse a disruptive action that would exceed the budget of any group of the target."""
    if not question.disruptive:
        return None
    # Treating a member that is down takes nothing away; taking a live one out while others are down does.
    itself_down = question.view.health(question.target.id) is Health.FAILED
    for group in question.target.groups:
        others = [member for member in question.view.members(group) if member != question.target.id]
        out = {member: why for member in others if (why := _away(question, member, itself_down=itself_down))}
        allowed = budget(question, group, len(others) + 1)
        if itself_down:
            allowed = max(1, allowed)
        if len(out) + 1 > allowed:
            return Refusal(because=_because(question, group, out, allowed))
    return None


def _because(question: Question, group: str, out: dict[str, str], allowed: int) -> str:
    if not out:
        least = question.brakes.groups.get(group, _OWN).min_available
        keeps = f"{least} of its members must stay available" if least else "none of its members may be taken away"
        return f"group {group}: {keeps}"
    names = ", ".join(f"{member} ({why})" for member, why in sorted(out.items()))
    return f"group {group}: unavailable already: {names}; at most {allowed} may be at once"


def _away(question: Question, member: str, *, itself_down: bool) -> str:
    """Why a member counts as unavailable; empty where it does not. What nobody knows may be away: it counts."""
    if question.memory.busy(member) is not None:
        return "under treatment"
    health = question.view.health(member)
    return "" if itself_down or health is Health.HEALTHY else {Health.FAILED: "down"}.get(health, "unknown")


def budget(question: Question, group: str, size: int) -> int:
    """Members that may be out: the smaller of the absolute bound and the ratio rounded down.

    For a group without a budget of its own, the host's bounds, but never below one. A group's own absolute bound stands
    alone; its own ratio stands beside the host's absolute bound unless it has one too. ``min_available`` always counts.
    """
    brakes = question.brakes
    own = brakes.groups.get(group, _OWN)
    absolute = brakes.group_unavailable if own.unavailable is None else own.unavailable
    ratio = brakes.group_unavailable_percent if own.unavailable is None else 1.0
    # Rounded first: 29 % of 100 are 29, and not 28 because 0.29 is a little less than that as a float.
    by_ratio = math.floor(round((ratio if own.percent is None else own.percent) * size, 9))
    allowed = min(absolute, by_ratio)
    if own.unavailable is None and own.percent is None:
        allowed = max(1, allowed)
    return max(0, min(allowed, size - own.min_available))
