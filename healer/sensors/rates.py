"""Turn counters of the kernel into rates, and know when they cannot be."""

FIRST = "a rate needs two looks"
RESET = "the counter went back: it was reset, or has wrapped"
NO_TIME = "no time has passed since the last look"


class Rates:
    """Remembers the last value of each counter."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}

    def step(self, key: str, value: float, now: float) -> float | str:
        """The rate per second since the last look, or why there is none."""
        before = self._last.get(key)
        self._last[key] = (value, now)
        if before is None:
            return FIRST
        gone = now - before[1]
        if gone <= 0:
            return NO_TIME
        grown = value - before[0]
        return grown / gone if grown >= 0 else RESET

    def forget(self, key: str) -> None:
        """Start anew: the thing behind the counter is another one now."""
        self._last.pop(key, None)
