"""What is held until it calms down: targets that go up and down, and cures that take turns on one target."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from healer.gates.oscillation import turns
from healer.model.observation import Observation, labels
from healer.model.organism import Health
from healer.model.unit import Unit

if TYPE_CHECKING:
    from healer.core.core import Core

SLOTS = 20
"""States that the flap score looks back on."""
_NEWEST, _OLDEST = 1.2, 0.8
"""What a change in the newest and in the oldest of them weighs."""


@dataclass(slots=True)
class Restless:
    """How often one target has changed between up and down of late."""

    began: float
    last: Health
    changes: deque[int] = field(default_factory=lambda: deque(maxlen=SLOTS))
    """Numbers of the slots of time in which it did, each once."""
    fed: int = -1
    """Slot in which its score was last told."""

    def saw(self, health: Health, slot: int) -> None:
        """Take a state in; what nobody knows is no state."""
        if health not in {self.last, Health.UNKNOWN}:
            self.last, self.fed = health, -1
            if not self.changes or self.changes[-1] != slot:
                self.changes.append(slot)

    def score(self, slot: int) -> float:
        """The share of the last slots in which it changed, 0-1; recent ones weigh more."""
        step = (_NEWEST - _OLDEST) / (SLOTS - 1)
        ages = (slot - one for one in self.changes)
        return sum(_NEWEST - step * age for age in ages if 0 <= age < SLOTS) / SLOTS


class Holding:
    """The part of the core that sees what goes back and forth."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self.restless: dict[str, Restless] = {}
        """By target, from the first time its state was known."""

    def take_over(self, other: "Holding") -> None:
        """Go on with what the core of the former configuration has seen."""
        self.restless.update({key: one for key, one in other.restless.items() if key in self._core.world.targets})

    def saw(self, target: str, health: Health, at: float) -> None:
        """Take the health of a target in, where it changed."""
        known = self.restless.get(target)
        if known is not None:
            known.saw(health, self._slot(at))
        elif health is not Health.UNKNOWN:
            self.restless[target] = Restless(began=at, last=health)

    def _slot(self, at: float) -> int:
        return int(at // self._core.world.brakes.flap_slot)

    def beat(self) -> None:
        """Tell the scores, and hold or let go what they, and the actions taken, ask for."""
        slot = self._slot(self._core.desk.now)
        for target, known in self.restless.items():
            if known.fed != slot:
                known.fed = slot
                self._feed(target, known, known.score(slot))
        self._let_go()

    def _feed(self, target: str, known: Restless, score: float) -> None:
        core, brakes = self._core, self._core.world.brakes
        core.evaluator.observe(
            Observation(
                metric="target.flaps",
                labels=labels(target=target),
                value=round(score, 4),
                unit=Unit.RATIO,
                at=core.desk.now,
            )
        )
        flapping = target in core.desk.memory.flapping
        watched = core.desk.now - known.began >= SLOTS * brakes.flap_slot
        if not flapping and score >= brakes.flapping_high:
            self._turn(target, "target.flapping", f"flap score {score:.0%}, {brakes.flapping_high:.0%} is too much")
            core.acting.tell(
                f"{target} is flapping (score {score:.0%}): nothing takes it down until it is steady",
                channel="",
                incident=f"flapping:{target}",
            )
        elif flapping and score < brakes.flapping_low and watched:
            self._turn(target, "target.steady", f"flap score {score:.0%}")
            core.incidents.ask_again("flapping")

    def _turn(self, target: str, topic: str, because: str) -> None:
        old, new = ("steady", "flapping") if topic == "target.flapping" else ("flapping", "steady")
        self._core.desk.move(f"flapping:{target}", old, new, because, topic=topic, target=target)

    # Cures that take turns ------------------------------------------------------------------------------------

    def hold(self, target: str) -> None:
        """Hold cures that took turns on a target; asked after each effect, so that no third one comes in between."""
        memory, brakes = self._core.desk.memory, self._core.world.brakes
        held = memory.oscillations.get(target)
        if held and held.held:
            return
        if pair := turns(memory, target, since=self._core.desk.now - brakes.oscillation_window):
            self._hold(target, pair)

    def _let_go(self) -> None:
        now, enough = self._core.desk.now, self._core.world.brakes.breaker_healthy_for
        for target, held in list(self._core.desk.memory.oscillations.items()):
            if held.held and min(self._core.world.healthy_for(target, now), now - held.since) >= enough:
                self.let_go(target, f"{target} has been healthy for {enough:g} s")

    def _hold(self, target: str, pair: list[str]) -> None:
        rules = " and ".join(dict.fromkeys(pair))
        because = f"cures of {rules} took turns: {', '.join(self._last(target))}"
        self._core.desk.move(
            f"oscillation:{target}",
            "calm",
            "held",
            because,
            topic="target.oscillates",
            target=target,
            rule=" ".join(pair),
        )
        self._core.acting.tell(
            f"{target}: {because}; both are held (healer ack {target} lets them go on)",
            channel="",
            incident=f"oscillation:{target}",
        )

    def _last(self, target: str) -> list[str]:
        acts = [one for one in self._core.desk.memory.acted if one.target == target and one.rule]
        return [f"{one.action} by {one.rule}" for one in acts[-4:]]

    def let_go(self, target: str, because: str) -> bool:
        """Let cures that were held go on; says whether any was."""
        held = self._core.desk.memory.oscillations.get(target)
        if held is None or not held.held:
            return False
        self._core.desk.move(
            f"oscillation:{target}",
            "held",
            "calm",
            because,
            topic="target.calm",
            target=target,
            rule=" ".join(held.rules),
        )
        self._core.incidents.ask_again("oscillation")
        return True
