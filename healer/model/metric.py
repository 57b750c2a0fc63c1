"""What is known of a metric before anybody has measured it: unit, labels, bounds, how long a value counts."""

from dataclasses import dataclass

from healer.model.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. A value outside ``minimum`` and ``maximum`` is garbage, and becomes unknown."""

    name: str
    unit: Unit
    doc: str
    labels: tuple[str, ...] = ()
    """Names of the labels each of its series carries."""
    max_age: float = 10.0
    """Seconds a value counts as known, unless the sensor looks less often: then `Sensor.max_age` says."""
    words: tuple[str, ...] = ()
    """The values it can have, where the unit is WORD and the list is closed; empty is any word."""
    minimum: float | None = 0.0
    maximum: float | None = None
    falls: bool = False
    """Less of it is worse: ``eta`` waits for it to fall to its limit, not to rise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Metrics that share what a group of them has in common: `put` and `share` declare one each."""

    labels: tuple[str, ...] = ()
    max_age: float = 10.0

    def put(self, name: str, unit: Unit, doc: str, *labels: str, words: tuple[str, ...] = ()) -> Metric:
        """A metric bounded as its unit is by nature."""
        top = {Unit.FLAG: 1.0, Unit.SCORE: 100.0}.get(unit)
        low = None if unit in (Unit.CELSIUS, Unit.NUMBER) else 0.0
        return Metric(
            name=name, unit=unit, doc=doc, labels=self.labels + labels, max_age=self.max_age, words=words,
            minimum=low, maximum=top,
        )  # fmt: skip

    def share(self, name: str, doc: str, *labels: str) -> Metric:
        """A ratio that cannot pass 1."""
        return Metric(
            name=name, unit=Unit.RATIO, doc=doc, labels=self.labels + labels, max_age=self.max_age, maximum=1.0
        )
