import itertools

import pytest

from healer.errors import RefusedError
from healer.model.target import MOVES, State, Target, check_move

S = State


def test_every_state_has_its_moves_and_none_leads_to_itself():
    assert set(MOVES) == set(State)
    assert not [state for state in State if state in MOVES[state]]


def test_every_state_can_be_reached_and_left():
    reached = {S.UNKNOWN}
    for _ in State:
        reached |= {new for old in reached for new in MOVES[old]}
    assert reached == set(State)
    assert all(MOVES.values())


@pytest.mark.parametrize(("old", "new"), list(itertools.product(State, State)))
def test_a_move_is_legal_or_refused_with_both_names_and_what_is_legal(old, new):
    if new in MOVES[old]:
        check_move("program:api", old, new)
        return
    with pytest.raises(RefusedError, match=f"program:api cannot go from {old.value} to {new.value}") as refused:
        check_move("program:api", old, new)
    for legal in MOVES[old]:
        assert legal.value in refused.value.hint


def test_fault_is_left_by_acknowledgement_or_a_hard_stop_only():
    assert MOVES[S.FAULT] == {S.ACKNOWLEDGED, S.HARD_STOPPING}


def test_whatever_lives_may_fault_and_may_be_lost_from_sight():
    for state in set(State) - {S.FAULT, S.ACKNOWLEDGED, S.UNKNOWN}:
        assert {S.FAULT, S.UNKNOWN} <= MOVES[state], state


def test_what_is_paused_starts_only_through_resuming():
    assert not MOVES[S.PAUSED] & {S.RUNNING, S.STARTING, S.INITIALIZING}


def test_a_target_is_named_by_kind_and_name():
    assert Target(kind="unit", name="nginx.service", organ="heart").id == "unit:nginx.service"
