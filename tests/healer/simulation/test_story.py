"""A seed is one story: the same every time, with a storm, a calm, and a judgement."""

import pytest

from healer.simulation.campaign import quietly
from healer.simulation.story import REAL_KEYS, run_seed


@pytest.mark.parametrize("seed", [3, 8, REAL_KEYS])
def test_every_law_holds(seed):
    result = quietly((seed, None))
    assert result.violations == []
    assert result.effects
    assert result.lives >= 2


def test_a_seed_is_the_same_story_every_time():
    assert quietly((5, None)).trace == quietly((5, None)).trace
    assert quietly((5, None)).trace != quietly((6, None)).trace


def test_what_it_leaves_can_be_kept(tmp_path):
    quietly((REAL_KEYS, tmp_path / "seed"))
    assert (tmp_path / "seed" / "state" / "audit.db").exists()
    assert (tmp_path / "seed" / "seal.pub").exists()


def test_rules_turn_knobs_and_turn_them_back():
    result = run_seed(2, insist=("world.pressed",))
    assert result.ok
    assert {"put back", "several changes put back"} <= result.reached.keys()


def test_faults_can_be_insisted_on():
    result = run_seed(5, insist=("crash.after-seal", "crash.after-effect", "world.crash-loop"))
    assert result.ok
    assert {"crash.after-seal", "crash.after-effect"} & result.reached.keys()
