"""Kleene's three truth values."""

import enum


class Truth(enum.Enum):
    """Only TRUE fires; UNKNOWN neither fires nor clears."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"
