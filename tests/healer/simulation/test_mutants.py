"""A harness that lets a seeded bug live proves nothing: each of them is killed."""

import pytest

from healer.core.core import Core
from healer.gates import order
from healer.model import memory
from healer.record import Record
from healer.simulation import life, mutants
from healer.simulation.mutants import MUTANTS, Verdict, hunt

FEW = 25
"""Seeds each must be killed within."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS[::6]])
def test_it_is_killed(name):
    """Some of them: .ci/run has `healer simulate --mutants` hunt them all, without the weight of coverage."""
    verdict = hunt(name, FEW)
    assert verdict.seed is not None, f"{name} lives after {FEW} seeds"
    assert verdict.because


def test_there_are_enough_and_each_says_what_it_breaks():
    assert len(MUTANTS) >= 10
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.what for mutant in MUTANTS)


def test_a_mutant_leaves_nothing_behind():
    before = (Record.submit, order.ORDER, dict(memory._FOLDS), Core._interrupted, life.recall)
    for mutant in MUTANTS:
        hunt(mutant.name, 0)
    assert (Record.submit, order.ORDER, dict(memory._FOLDS), Core._interrupted, life.recall) == before


def test_one_that_lives_fails_the_hunt_by_name(monkeypatch):
    said = []

    class Here:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

        def map(self, _, names, __):
            return [Verdict(name=name, seed=None if name == "twice" else 1) for name in names]

    monkeypatch.setattr(mutants, "ProcessPoolExecutor", Here)
    assert mutants.main(seeds=9, say=said.append) == 1
    assert any(line.startswith("twice") and "LIVES after 9 seeds" in line for line in said)
    assert f"{len(MUTANTS) - 1} of {len(MUTANTS)} mutants killed" in said[-1]
