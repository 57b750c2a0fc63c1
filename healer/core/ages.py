"""For how long what a sensor said counts: as long as it says, and longer while everything is looked at less often."""

from collections.abc import Mapping

from healer.core.watch import STRETCH
from healer.core.world import World
from healer.model.observation import Series
from healer.model.vocabulary import METRICS
from healer.rules.evaluate import Evaluator

PROBES = ("http.", "tcp.", "command.", "file.")
"""Metrics of sensors that tell everything they know at every look."""


class Ages:
    """Tells the evaluator how old a value may become; looks and ages are stretched together, or both go blind."""

    def __init__(self, evaluator: Evaluator, world: World, kept: Mapping[str, float], *, small: bool) -> None:
        self._evaluator, self._world, self._kept = evaluator, world, kept
        self._factor = STRETCH if small else 1.0
        self._behind: set[str] = set()
        """Sensors whose values count for the stretched age until their next look, which comes soon."""

    def stretch(self, *, small: bool) -> None:
        """Follow the intervals: longer ages count at once, shorter ones from each sensor's next look on."""
        factor = STRETCH if small else 1.0
        if factor == self._factor:
            return
        self._factor = factor
        if small:
            for sensor, known in self._world.sensor_series.items():
                self._fit(sensor, known)
        self._behind = set() if small else set(self._world.sensor_series)

    def looked(self, sensor: str) -> None:
        """A look came back: from here on the sensor's values age as its interval is now."""
        if sensor in self._behind:
            self._behind.remove(sensor)
            self._fit(sensor, self._world.sensor_series[sensor])

    def _fit(self, sensor: str, known: set[Series]) -> None:
        for series in known:
            self.of(sensor, series, again=True)

    def of(self, sensor: str, series: Series, *, again: bool = False) -> None:
        """A sensor that looks seldom keeps its values longer than their metric says; a probe, just as long as it says.

        What a probe tells, it tells at every look: older than its own bound, it is not evidence any more. ``again``:
        the series may have another age by now.
        """
        age = self._kept.get(sensor, 0.0) * self._factor
        usual = METRICS[series.metric].max_age if series.metric in METRICS else 0.0
        probed = sensor in self._world.targets and series.metric.startswith(PROBES)
        if age > usual or (age and probed):
            self._evaluator.set_max_age(series, age)
        elif again and age and usual:
            self._evaluator.set_max_age(series, usual)
