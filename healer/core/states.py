"""The state machine of every target: legal moves only, each sealed."""

from healer.core.desk import Desk
from healer.core.world import HOST
from healer.errors import RefusedError
from healer.model.observation import Observation, labels
from healer.model.target import State, Target, check_move
from healer.model.unit import Unit
from healer.rules.evaluate import Evaluator


class States:
    """Follows what the looks show, and what commands and faults set."""

    def __init__(self, desk: Desk, evaluator: Evaluator) -> None:
        self.desk = desk
        self._evaluator = evaluator

    def of(self, target: str) -> State:
        """The state of a target: what a command or a fault set, else what the looks show."""
        held = self.desk.memory.states.get(target)
        return State(held) if held else State.UNKNOWN

    def follow(self, target: Target, at: float) -> None:
        """Follow what the looks show, by legal moves only."""
        old, new = self.of(target.id), self.desk.world.live_state(target)
        if old is not new and old not in {State.FAULT, State.PAUSED} and self._legal(target.id, old, new):
            self.desk.move(f"target:{target.id}", old.value, new.value, "seen", topic="target.state", target=target.id)
        self._feed(target, at)

    def _feed(self, target: Target, at: float) -> None:
        word = self.of(target.id).value
        series = labels(target=target.id)
        self._evaluator.observe(Observation(metric="target.state", labels=series, value=word, unit=Unit.WORD, at=at))

    @staticmethod
    def _legal(subject: str, old: State, new: State) -> bool:
        try:
            check_move(subject, old, new)
        except RefusedError:
            return False
        return True

    def fault(self, target: str, because: str) -> None:
        """Its remedies are exhausted, or its breaker opened: it stays so until somebody says otherwise."""
        if target == HOST.id or self.of(target) is State.FAULT:
            return
        old = self.of(target).value
        self.desk.move(f"target:{target}", old, State.FAULT.value, because, topic="target.fault", target=target)

    def leave_fault(self, target: Target, because: str) -> None:
        """Fault is left by ack or by a long healthy period, never by looking healthy for a moment."""
        if self.of(target.id) is State.FAULT:
            topic = "target.acknowledged"
            self.desk.move(f"target:{target.id}", "fault", "acknowledged", because, topic=topic, target=target.id)
            self.follow(target, self.desk.now)

    def resume_target(self, target: Target, because: str) -> None:
        """Let a paused target be looked after again."""
        self.desk.move(f"target:{target.id}", "paused", "resuming", because, target=target.id)
        seen = self.desk.world.live_state(target)
        new = seen if self._legal(target.id, State.RESUMING, seen) else State.UNKNOWN
        self.desk.move(f"target:{target.id}", "resuming", new.value, because, target=target.id)
        self.follow(target, self.desk.now)
