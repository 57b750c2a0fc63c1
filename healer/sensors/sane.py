"""Keep garbage out: what is no sane value of its metric becomes unknown, with a counter."""

import math
from collections.abc import Sequence

from healer.model.observation import Labels, Observation, Reading, Unknown
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS

LARGEST = 1e18
"""More than any byte count or age on a real host; 1e308 is a parser's accident, not a measurement."""
LONGEST_WORD = 200


def clean(metric: str, value: object) -> float | None:
    """The value as a finite number within the metric's bounds; None when it is no such thing.

    A bool is a number only where the metric is a flag; a string never is, whatever it spells.
    """
    bounds = METRICS[metric]
    if isinstance(value, bool):
        return float(value) if bounds.unit is Unit.FLAG else None
    if not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        return None  # NaN fails every comparison; so do infinities and integers too large for a float
    number = float(value)
    if bounds.minimum is not None and number < bounds.minimum:
        return None
    if bounds.maximum is not None and number > bounds.maximum:
        return None
    if bounds.unit is Unit.FLAG and number not in (0.0, 1.0):
        return None
    return number


def clean_word(metric: str, value: object) -> str | None:
    """The value as one line of printable text, cut at 200 characters; None when it is no word of the metric."""
    if not isinstance(value, str):
        return None
    word = "".join(char if char.isprintable() else " " for char in value[: 4 * LONGEST_WORD]).strip()[:LONGEST_WORD]
    closed = METRICS[metric].words
    return None if closed and word not in closed else word


def ratio(part: float, whole: float) -> float | None:
    """``part / whole``; None when there is no whole."""
    return part / whole if whole > 0 and math.isfinite(whole) else None


class Sieve:
    """Collects the readings of one look, at one time and about one thing."""

    __slots__ = ("_labels", "at", "garbage", "readings")

    def __init__(self, at: float, labels: Labels = ()) -> None:
        self.at = at
        self._labels = labels
        self.readings: list[Reading] = []
        self.garbage = 0

    def number(self, metric: str, value: object, labels: Labels | None = None, *, conclusive: bool = False) -> None:
        """Add a number, or an unknown where it is none."""
        sane = clean(metric, value)
        if sane is None:
            self._refuse(metric, value, labels)
            return
        self.readings.append(
            Observation(
                metric=metric, labels=self._labels if labels is None else labels, value=sane,
                unit=METRICS[metric].unit, at=self.at, conclusive=conclusive,
            )
        )  # fmt: skip

    def word(self, metric: str, value: object, labels: Labels | None = None, *, conclusive: bool = False) -> None:
        """Add a word, or an unknown where it is none (of the metric's)."""
        sane = clean_word(metric, value)
        if sane is None:
            self._refuse(metric, value, labels)
            return
        self.readings.append(
            Observation(
                metric=metric, labels=self._labels if labels is None else labels, value=sane,
                unit=Unit.WORD, at=self.at, conclusive=conclusive,
            )
        )  # fmt: skip

    def unknown(self, metric: str, because: str, labels: Labels | None = None) -> None:
        """Add what could not be read, and why."""
        self.readings.append(
            Unknown(metric=metric, labels=self._labels if labels is None else labels, because=because, at=self.at)
        )

    def maybe(self, metric: str, value: object, because: str, labels: Labels | None = None) -> None:
        """Add a number; where it is None, an unknown and why."""
        if value is None:
            self.unknown(metric, because, labels)
        else:
            self.number(metric, value, labels)

    def all_unknown(self, metrics: Sequence[str], because: str) -> None:
        """Add several series that could not be read for one reason."""
        for metric in metrics:
            self.unknown(metric, because)

    def _refuse(self, metric: str, value: object, labels: Labels | None) -> None:
        self.garbage += 1
        self.unknown(metric, f"garbage: {_short(value)} is no value of {metric}", labels)


def _short(value: object) -> str:
    """What the value looks like, without printing a gigabyte of it."""
    if isinstance(value, str | bytes):
        value = value[:40]
    elif isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    elif not isinstance(value, int | float | None):
        return f"a {type(value).__name__}"
    return repr(value)[:60]
