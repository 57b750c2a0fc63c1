"""Units of measured values."""

import enum


class Unit(enum.Enum):
    """What a number counts. Ratios are 0-1; ``%`` in an expression divides by 100."""

    RATIO = "ratio"
    BYTES = "bytes"
    SECONDS = "seconds"
    COUNT = "count"
    PER_SECOND = "per_second"
    BYTES_PER_SECOND = "bytes_per_second"
    CELSIUS = "celsius"
    SCORE = "score"
    """0-100: harmony and organ scores."""
    FLAG = "flag"
    """0 or 1."""
    WORD = "word"
    """A text value such as ``running``; only ``==`` and ``!=`` (and ``matches``, ``contains``) apply."""
    NUMBER = "number"
    """A plain number: a user's own metric."""
