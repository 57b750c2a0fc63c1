from dataclasses import replace

import pytest

from healer.drivers import container_proofs as proofs
from healer.drivers.containers import Container, Limits

UP = Container(
    id="a" * 64, name="web", state="running", health="none", restarts=0, started_at="2026-01-01T00:00:00Z",
    exit_code=None, policy="no", networks={"front": {}},
)  # fmt: skip
DOWN = replace(UP, state="exited", exit_code=3)


def test_what_runs_runs_and_what_ended_says_how():
    assert proofs.runs(UP) == ""
    assert proofs.runs(DOWN) == "did not stay up: it is exited, its exit code is 3"
    assert proofs.runs(replace(UP, state="restarting")) == "did not stay up: it is restarting"


@pytest.mark.parametrize("state", ["running", "paused", "restarting"])
def test_what_still_runs_was_not_stopped(state):
    assert proofs.does_not_run(replace(UP, state=state))
    assert proofs.does_not_run(DOWN) == ""


def test_pauses_networks_and_bounds_are_looked_at():
    assert proofs.paused(UP) == "is not paused but running"
    assert proofs.paused(replace(UP, state="paused")) == ""
    assert proofs.apart(UP, {"front": {}, "back": {}}) == "is still in front"
    assert proofs.joined(UP, {"front": {}, "back": {}}) == "is not in back"
    assert proofs.apart(UP, {"back": {}}) == proofs.joined(UP, {"front": {}}) == ""
    assert proofs.bounded(UP, Limits()) == ""
    assert "otherwise" in proofs.bounded(UP, Limits(pids=3))
    assert proofs.anything(DOWN) == ""


def test_an_update_says_what_changes_and_what_the_engine_wants_beside_it():
    old = Limits(memory=100, memory_swap=200, pids=5)
    assert proofs.written(replace(old, pids=6), old) == {"PidsLimit": 6}
    assert proofs.written(replace(old, memory=150), old) == {"Memory": 150, "MemorySwap": 200}
    assert proofs.written(old, old) == {}
