"""Which faults a seed may meet, and how often: every seed enables another part of the menu (swarm testing)."""

import random
from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

from healer.simulation.loop import Crash

FAULTS: Mapping[str, float] = MappingProxyType(
    {
        "crash.before-seal": 0.03,
        "crash.after-seal": 0.10,
        "crash.before-effect": 0.06,
        "crash.during-effect": 0.08,
        "crash.after-effect": 0.08,
        "crash.step": 0.5,
        "crash.recovery": 0.5,
        "reboot": 0.4,
        "snapshot.lost": 0.5,
        "seal.slow": 0.15,
        "seal.full": 0.5,
        "seal.broken": 0.004,
        "sensor.hang": 0.04,
        "sensor.error": 0.06,
        "sensor.garbage": 0.05,
        "sensor.crash": 0.01,
        "sensor.lie": 0.06,
        "sensor.stale": 0.04,
        "sensor.empty": 0.04,
        "sensor.blind-together": 0.5,
        "action.slow": 0.3,
        "action.hang": 0.03,
        "action.transient": 0.15,
        "action.permanent": 0.08,
        "action.ambiguous": 0.08,
        "action.crash": 0.03,
        "action.lost": 0.15,
        "world.mass-failure": 0.6,
        "world.churn": 0.15,
        "world.crash-loop": 0.4,
        "world.slow-start": 0.4,
        "world.worse": 0.25,
        "world.hungry": 0.9,
        "people.request": 0.7,
        "people.pause": 0.5,
        "people.maintenance": 0.6,
        "people.kill-switch": 0.6,
        "people.reload": 0.6,
        "people.answer": 0.9,
        "people.tell": 0.9,
        "clock.step": 0.5,
        "witness.slow": 0.3,
        "witness.refused": 0.3,
        "witness.silent": 0.1,
    }
)
"""Fault to its greatest rate: per opportunity (an effect, a look, a block), or per seed for what is planned."""
LATER: Mapping[str, float] = MappingProxyType({"world.pressed": 1.0, "people.turn": 0.6})
"""The same, drawn apart: the seeds told before these stay the stories they were."""
MOST: Mapping[str, float] = MappingProxyType({**FAULTS, **LATER})
"""Every fault to its greatest rate."""
ENABLED = 0.45
"""Share of the menu that a seed has on average."""


class Chance:
    """The one source of chance of a seed, and the record of what it led to; ``insist`` names faults it must have."""

    def __init__(self, seed: int, insist: Collection[str] = ()) -> None:
        self.seed = seed
        self.random = random.Random(f"healer-{seed}")
        self.interleaving = random.Random(f"steps-{seed}")
        self.later = random.Random(f"later-{seed}")
        self.rates = {
            fault: most * self.random.random() for fault, most in FAULTS.items() if self.random.random() < ENABLED
        }
        self.rates |= {fault: most * self.later.random() for fault, most in LATER.items()}
        self.rates |= {fault: MOST[fault] for fault in insist}
        self.calm = False
        """No fault happens any more: the time in which the agent has to show that it heals."""
        self.reached: Counter[str] = Counter()

    def hit(self, fault: str) -> bool:
        """Whether this fault happens now."""
        rate = self.rates.get(fault, 0.0)
        if not rate or self.calm or self.random.random() >= rate:
            return False
        self.reached[fault] += 1
        return True

    def crash(self, where: str) -> None:
        """Die here, if chance wants it; raises Crash."""
        if self.hit(f"crash.{where}"):
            raise Crash(where)

    def between(self, low: float, high: float) -> float:
        """A number between two bounds."""
        return self.random.uniform(low, high)

    def reach(self, what: str) -> None:
        """Note that something worth testing came about."""
        self.reached[what] += 1
