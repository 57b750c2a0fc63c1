"""What a sensor is to the rest of the agent."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from healer.model.observation import Reading, labels
from healer.model.target import Target

Push = Callable[[Sequence[Reading]], None]
"""Hand over readings at once, outside a look (an exit, a container event). Called on the loop's thread."""


class Sensor(ABC):
    """Looks at one thing at an interval; never two looks at once; a look raises `SensorError` or returns readings.

    What the sensor could not read is an `Unknown` reading (one series) or a raised `SensorError` (the whole look);
    never a made-up number. Sensors are built by ``catalog.build`` from a validated configuration.
    """

    quick: ClassVar[bool] = False
    """A look takes microseconds and never waits: the poller calls `glance`, and makes no task or timer for it."""

    def __init__(self, *, name: str, every: float, timeout: float, max_age: float, target: str = "") -> None:
        self.name = name
        """Unique: ``host``, ``self``, or the id of the target it looks at (``http:front``)."""
        self.every = every
        """Seconds between looks."""
        self.timeout = timeout
        """Seconds after which a look is given up (its late answer is thrown away)."""
        self.max_age = max_age
        """Seconds for which a reading counts as known."""
        self.target = target
        self.garbage = 0
        """Readings thrown away since the start because they were no sane value of their metric."""

    def covers(self, target: str) -> bool:
        """Say whether a look at this target (or sensor name) is a look of this sensor."""
        return target in (self.name, self.target)

    async def open(self, push: Push) -> None:  # noqa: B027 - most sensors have nothing to prepare
        """Prepare (connect, subscribe); raises SensorError. Default: nothing to do."""

    @abstractmethod
    async def look(self, now: float) -> Sequence[Reading]:
        """Look once at boot-clock second ``now``; raises SensorError."""

    async def close(self) -> None:  # noqa: B027 - as open
        """Let go of everything ``open`` took. Never raises. Default: nothing to do."""


class TargetSensor(Sensor):
    """A sensor that looks at one target, in the target's own time (``every``, ``timeout``, ``max_age`` of its spec)."""

    def __init__(self, target: Target, *, every: float = 10.0, margin: float = 0.0) -> None:
        spec = target.spec
        self.patience = float(spec.get("timeout") or 5.0)
        """Seconds the target has to answer."""
        beat = float(spec.get("every") or every)
        timeout = self.patience + margin  # where running out of patience is a fact about the target, the look goes on
        kept = float(spec.get("max_age") or 3 * beat + timeout)
        super().__init__(name=target.id, every=beat, timeout=timeout, max_age=kept, target=target.id)
        self.marks = labels(target=target.id)


class QuickSensor(Sensor):
    """A sensor whose look never waits."""

    quick: ClassVar[bool] = True

    @abstractmethod
    def glance(self, now: float) -> Sequence[Reading]:
        """Look once, without waiting; raises SensorError."""

    async def look(self, now: float) -> Sequence[Reading]:
        """The same look for callers that treat all sensors alike."""
        return self.glance(now)
