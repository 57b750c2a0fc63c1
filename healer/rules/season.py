"""What is usual for a series at this time of its season, and how far from that it is now."""

import math
from array import array

DAY = 86400.0
"""Seconds of a season, unless it is given."""
SLOTS = 288
"""Parts of a day."""
SHORTEST, LONGEST = 3600.0, 7 * DAY
"""Seconds a season may have."""
_SEEN = 0.75
"""Share of the first season that must have been seen."""
_WARM = 1 / 24
"""Share of the second season over which errors are gathered before they count."""
_LEVEL, _DRIFT, _SEASON, _ERROR = 0.1, 0.0005, 0.2, 0.05
"""How fast each part learns from one slot."""
_WILD = 3.0
"""Standard deviations beyond which a value teaches no more than one of that size: trouble is not the new normal."""
_FINE = 1e-3
"""Share of its level by which a series must be off before it is remarkable, however still it was."""


class Season:
    """Additive Holt-Winters over the slots of one season, begun from the first full one; about 1.5 kB.

    Begun from zeros it would take many seasons to learn what the first one shows.
    """

    __slots__ = ("_drift", "_error", "_first", "_learned", "_level", "_now", "_usual", "_width")

    def __init__(self, season: float) -> None:
        self._width = max(season / SLOTS, min(150.0, season / 24))
        self._usual = array("f", bytes(4 * round(season / self._width)))
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._now: _Slot | None = None
        self._first = 0
        self._learned = 0
        """Slots learned from since the first season was over; 0 during it."""
        self._level = self._drift = self._error = 0.0

    @property
    def known(self) -> bool:
        """Whether a first season, and a little more, has been seen."""
        return self._learned > len(self._usual) * _WARM

    def add(self, at: float, value: float | str) -> None:
        """Take a sample; one of a slot that is over is left out."""
        if isinstance(value, str):
            return
        number = int(at / self._width)
        if self._now is None or number - self._now.number > len(self._usual):
            self._restart(number)
        elif number > self._now.number:
            self._turn(self._now, number)
        if self._now is not None and number == self._now.number:
            self._now.add(value, self._expected(number) if self._learned else value)

    def score(self, at: float, value: float) -> float:
        """Standard deviations from what is usual at that second; NaN while that is not known, or past all counting."""
        if not self.known:
            return math.nan
        expected = self._expected(int(at / self._width))
        score = (value - expected) / self._deviation(expected)
        return score if math.isfinite(score) else math.nan

    def _expected(self, number: int) -> float:
        return self._level + self._drift + self._usual[number % len(self._usual)]

    def _deviation(self, expected: float) -> float:
        return max(math.sqrt(self._error), _FINE * max(abs(expected), abs(self._level)), 1e-12)

    def _restart(self, number: int) -> None:
        self.forget()
        self._first, self._now = number, _Slot(number)
        for at in range(len(self._usual)):
            self._usual[at] = math.nan

    def _turn(self, over: "_Slot", number: int) -> None:
        """A slot is over: learn from it, and go to the next one that has samples."""
        if self._learned:
            self._learn(over, number - over.number)
        else:
            self._usual[over.number % len(self._usual)] = over.mean
            if number - self._first >= len(self._usual):
                self._begin(number)
        if self._now is over:
            self._now = _Slot(number)

    def _begin(self, number: int) -> None:
        """The first season is over: its mean is the level, and what remains is the season."""
        seen = [value for value in self._usual if not math.isnan(value)]
        if len(seen) < _SEEN * len(self._usual):
            self._restart(number)
            return
        self._level = sum(value / len(seen) for value in seen)
        self._learned = 1
        before = self._level
        for at, value in enumerate(self._usual):
            # A slot that was not seen is taken to have been as the one before it.
            before = before if math.isnan(value) else value
            self._usual[at] = before - self._level
        if not math.isfinite(self._level):
            self._restart(number)

    def _learn(self, over: "_Slot", steps: int) -> None:
        expected = self._expected(over.number)
        error, square = over.mean - expected, over.square
        weight = max(_ERROR, 1 / self._learned)
        if self.known:
            most = _WILD * self._deviation(expected)
            # Else an hour of trouble would make its own size usual, and pass for calm.
            weight = weight if abs(error) < most else weight / 10
            error, square = max(-most, min(most, error)), min(square, most * most)
        self._level += self._drift * steps + _LEVEL * error
        self._drift += _DRIFT * error
        self._usual[over.number % len(self._usual)] += _SEASON * error
        self._error += weight * (square - self._error)
        self._learned += 1
        if not math.isfinite(self._level + self._error):
            self._restart(over.number)


class _Slot:
    """The samples of one slot: their mean, and the mean square of their errors."""

    __slots__ = ("_count", "mean", "number", "square")

    def __init__(self, number: int) -> None:
        self.number = number
        self._count = 0
        self.mean = self.square = 0.0

    def add(self, value: float, expected: float) -> None:
        self._count += 1
        # Running means: a sum of huge values would be infinite.
        self.mean += value / self._count - self.mean / self._count
        error = value - expected
        self.square += (error * error - self.square) / self._count
