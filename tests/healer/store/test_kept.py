"""The nouns of the store."""

import dataclasses

import pytest

from healer.store.kept import FIVE_MINUTES, HOUR, Keep, Sample


def test_coarser_levels_are_kept_longer():
    keep = Keep()
    assert keep.raw < keep.five_minutes < keep.hour
    assert HOUR % FIVE_MINUTES == 0


def test_what_was_kept_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sample(metric="cpu.used", at=1.0, value=0.5).value = 0.6
