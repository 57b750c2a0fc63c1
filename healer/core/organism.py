"""Organs from readings: vitals evaluated once a beat, judged by the body, and fed back as metrics for rules."""

import os
from collections.abc import Iterable

from healer.core.body import Body, readings
from healer.core.sums import Restarts, target_sums
from healer.core.world import HOST, World
from healer.model.anatomy import ENERGY
from healer.model.kinds.catalog import KINDS
from healer.model.observation import Reading
from healer.model.organism import HarmonyView
from healer.model.target import State, Target
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.evaluate import Evaluator


class Organs:
    """Evaluates the vitals of a body; pure but for the number of cores, which does not change."""

    def __init__(self, body: Body, evaluator: Evaluator, world: World) -> None:
        self._body, self._evaluator, self._world = body, evaluator, world
        self._restarts = Restarts()
        self._cores = os.cpu_count() or 1
        self.view: HarmonyView = body.view(0.0)
        units = {name: metric.unit for name, metric in METRICS.items()}
        self._vitals = {vital.id: f"vital:{vital.id}" for vital in body.vitals}
        for vital in body.vitals:
            evaluator.add_value(self._vitals[vital.id], expression.parse(vital.value, vocabulary=units))

    @property
    def harmony(self) -> float | None:
        """0-100 as of the last beat."""
        return self.view.harmony

    def beat(self, now: float, held: dict[str, str]) -> tuple[Reading, ...]:
        """Judge the organs; returns what rules may read of them. ``held`` is the state commands set, by target."""
        sums = self._sums(now, held)
        for reading in sums:
            self._evaluator.observe(reading)
        self._evaluator.refresh(now)  # changes of truth are for the core to hear
        values = {vital: self._evaluator.value(key) for vital, key in self._vitals.items()}
        pressures = {name: self._known(name, "") for names in ENERGY.values() for name in names}
        self._body.update(values, now, pressures=pressures)
        self.view = self._body.view(now)
        return (*sums, *readings(self.view, now))

    def _sums(self, now: float, held: dict[str, str]) -> tuple[Reading, ...]:
        wanted = []
        for name, target in self._world.targets.items():
            if self._wanted(name, target, held):
                wanted.append(target)
                if KINDS[target.kind].counts_restarts:
                    self._restarts.feel(name, self._known(f"{target.kind}.restarts", name), now)
        total = self._known("memory.total", "")
        return target_sums(wanted, self._known, cores=self._cores, memory_total=total, at=now, restarts=self._restarts)

    def _wanted(self, name: str, target: Target, held: dict[str, str]) -> bool:
        """Whether it is meant to be up: what somebody stopped or paused on purpose is not ill."""
        stopped = target.kind == "program" and self._known("program.wanted", name) == 0
        return target is not HOST and not stopped and held.get(name) != State.PAUSED.value

    def _known(self, metric: str, target: str) -> float | None:
        return self._evaluator.number(metric, (("target", target),) if target else ())


def words(view: HarmonyView) -> Iterable[str]:
    """Harmony in three lines a tired person can read."""
    yield f"harmony {'unknown' if view.harmony is None else f'{view.harmony:.0f}'}"
    for deduction in view.deductions:
        yield f"-{deduction.points:.1f} {deduction.vital}: {deduction.because}"
