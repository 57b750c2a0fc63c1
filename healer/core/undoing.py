"""What an incident has changed for its time is put back when it is over: the newest change of a target first."""

from healer.core.acting import PATIENCE, Acting
from healer.core.desk import Desk
from healer.gates import order
from healer.model.decision import Decision, Withheld
from healer.model.memory import UNDO, Made
from healer.model.mode import strictest
from healer.model.target import Target

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
"""Seconds between two tries."""
TRIES = 5
TIMEOUT = 30.0


class Undoing:
    """The part of the core that puts changes back. Every gate of the target and the host is asked, as for a cure."""

    def __init__(self, desk: Desk, acting: Acting) -> None:
        self.desk, self.acting = desk, acting

    def beat(self) -> None:
        """Put back what is due; of each target one change at a time, in the reverse order of their making."""
        if not self.desk.memory.changes:
            return
        seen: set[str] = set()
        for key, change in reversed(list(self.desk.memory.changes.items())):
            if change.target not in seen:
                seen.add(change.target)
                self._consider(key, change)

    def try_again(self, target: str, because: str) -> bool:
        """A person has acknowledged a target: what could not be put back is tried again; says whether anything is."""
        stuck = [key for key, one in self.desk.memory.changes.items() if one.stuck and one.target == target]
        for key in stuck:
            self.desk.move(f"change:{key}", "stuck", "made", because, topic="change.rearmed", target=target)
        return bool(stuck)

    def _consider(self, key: str, change: Made) -> None:
        memory, now = self.desk.memory, self.desk.now
        if change.incident in memory.incidents or change.stuck or memory.busy(change.target):
            return
        target = self.desk.world.targets.get(change.target)
        if target is None:
            because = f"{change.target} is not looked after any more: what was changed stays as it is"
            self.desk.move(f"change:{key}", "made", "gone", because, topic="change.gone", target=change.target)
            return
        if change.tries >= TRIES:
            self._give_up(key, change)
        elif now >= _not_before(change):
            self._put_back(key, change, target)

    def _give_up(self, key: str, change: Made) -> None:
        because = f"{change.action} of {change.target} could not be put back in {change.tries} tries: {change.undo}"
        self.desk.move(f"change:{key}", "made", "stuck", because, topic="change.stuck", target=change.target)
        self.acting.tell(because, channel="", incident=change.incident)

    def _put_back(self, key: str, change: Made, target: Target) -> None:
        desk = self.desk
        question = self.acting.undo_question(f"{UNDO}{key}", change.action, target)
        if refused := order.first_refusal(order.ask_all(question)):
            gate, refusal = refused
            if gate in change.withheld:
                return
            withheld = Withheld(
                incident=f"{UNDO}{key}", rule=change.rule, target=target.id, action=change.action, gate=gate,
                because=refusal.because, proposal=refusal.proposal, at=desk.now,
            )  # fmt: skip
            desk.withhold(withheld)
            return
        self.acting.decide(
            Decision(
                id=self.acting.next_id(),
                incident=f"{UNDO}{key}",
                rule=change.rule,
                rules_hash=self.acting.rules_hash,
                step=0,
                attempt=change.tries + 1,
                action=change.action,
                target=target.id,
                params=change.undo,
                timeout=TIMEOUT,
                deadline=desk.now + PATIENCE,
                generation=desk.world.generation(target),
                because=f"the incident that changed it is over ({change.incident}): it is put back",
                evidence=(),
                actor="agent",
                mode=strictest(mode for _, mode in question.modes),
                priority=5,
                undoes=key,
                decided_at=desk.now,
            )
        )


def _not_before(change: Made) -> float:
    """The second from which it may be put back: at once, unless that was tried, or came to nothing, already."""
    if change.asked is None:
        return 0.0
    return max(change.at, change.asked) + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** max(0, change.tries - 1))
