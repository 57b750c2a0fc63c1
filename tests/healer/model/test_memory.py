"""What must not be forgotten, and in which time it is remembered."""

import pytest

from healer.model.memory import Frame, Memory, Streak


def remembering(*, boot="boot-1", mono=100.0, wall=1000.0, last_end=90.0):
    frame = Frame(boot=boot, mono_us=round(mono * 1e6), wall_us=round(wall * 1e6))
    return Memory(frame=frame, streaks={"r@t": Streak(actions=1, last_end=last_end)})


def rebase(memory, *, boot, mono, wall):
    memory.rebase(boot=boot, mono_us=round(mono * 1e6), wall_us=round(wall * 1e6))
    return memory.streaks["r@t"].last_end


@pytest.mark.parametrize("wall", [1.0, 1030.0, 99_999.0])
def test_a_restart_within_one_boot_moves_no_time_whatever_the_wall_clock_did(wall):
    assert rebase(remembering(), boot="boot-1", mono=130.0, wall=wall) == 90.0


def test_across_boots_the_time_in_between_is_the_difference_of_the_wall_clocks():
    last_end = rebase(remembering(), boot="boot-2", mono=5.0, wall=1060.0)
    assert last_end == pytest.approx(5.0 - 60.0 - 10.0)


def test_a_wall_clock_set_back_across_boots_makes_no_negative_time():
    assert rebase(remembering(), boot="boot-2", mono=5.0, wall=1.0) == pytest.approx(5.0 - 10.0)


def test_what_comes_back_from_a_snapshot_is_what_went_in():
    memory = remembering()
    assert Memory.from_json(memory.to_json()) == memory
