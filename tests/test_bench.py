"""The bench tells the truth: what counts as reached, what runs, and that a quick one ends with figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audit.writer import Writer
from bench import figures
from bench.__main__ import BENCHES, run, verdicts
from bench.agent import ENVIRONMENT
from bench.restart import Bare, audited
from bench.victim import Birth, Victim

CHECKOUT = Path(__file__).resolve().parents[1]


def test_a_figure_is_reached_at_its_target_whatever_the_floor():
    assert figures.at_most(3.0, 3.0, 0.1)["reached"]
    assert figures.at_least(150.0, 150.0, 900.0)["reached"]


def test_on_a_slow_machine_a_figure_is_reached_at_one_and_a_half_floors_and_not_beyond():
    assert figures.at_most(4.5, 3.0, 3.0)["reached"]
    assert not figures.at_most(4.51, 3.0, 3.0)["reached"]
    assert figures.at_least(100.0, 150.0, 150.0)["reached"]
    assert not figures.at_least(99.0, 150.0, 150.0)["reached"]


def test_a_fast_floor_makes_no_target_harder():
    assert figures.at_most(2.9, 3.0, 0.1)["reached"]
    assert figures.at_least(151.0, 150.0, 1e9)["reached"]


def test_the_spread_is_the_median_and_the_worst_but_one_in_a_hundred():
    found = figures.spread([float(value) for value in range(1, 201)])
    assert found == {"p50_ms": 100.5, "p99_ms": 199.0, "times": 200}


def test_every_figure_with_a_target_is_found_however_deep_it_lies():
    nested = {"a": {"p50": {"value": 1, "reached": True}, "more": {"x": {"reached": False}}}, "b": {"value": 2}}
    assert dict(verdicts(nested)) == {"a.p50": True, "a.more.x": False}


def test_every_bench_on_the_list_is_a_module_that_can_be_run():
    for name in BENCHES:
        text = (CHECKOUT / "bench" / f"{name}.py").read_text(encoding="utf-8")
        assert 'if __name__ == "__main__":' in text, name


def test_a_bench_that_is_not_there_is_refused_by_name():
    argv = [sys.executable, "-m", "bench", "speed"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=CHECKOUT, env=ENVIRONMENT)
    assert done.returncode == 2
    assert "speed" in done.stderr


def test_a_bench_that_breaks_is_missed_not_passed_over(monkeypatch):
    monkeypatch.setitem(BENCHES, "nowhere", 30.0)
    found = run("nowhere", [], [], ENVIRONMENT)
    assert not found["reached"]
    assert "nowhere" in found["failed"]


def test_one_bench_prints_one_object_with_its_floors_and_the_load():
    argv = [sys.executable, "-m", "bench", "floors", "--quick"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=CHECKOUT, env=ENVIRONMENT)
    floors = json.loads(done.stdout)["benches"]["floors"]
    assert floors["sign_rsa3072"]["p50_ms"] > 0
    assert len(floors["load_average"]) == 2


@pytest.mark.parametrize("shell", [False, True])
def test_the_victim_tells_when_its_first_instruction_ran(tmp_path, shell):
    floor = Bare(tmp_path / "floor", sealed=True, shell=shell)
    try:
        assert 0 < floor.round() < 10_000
    finally:
        floor.close()


def test_a_replacement_without_a_sealed_intent_is_noticed(tmp_path, log):
    victim = Victim(tmp_path, shell=True)
    victim.births.append(Birth(pid=1, at=1, intent="0" * 64))
    assert audited(log, victim)["each_had_its_own_sealed_intent"] is False
    victim.close()


@pytest.fixture
def log(tmp_path):
    with Writer.open(tmp_path / "state", node="bench") as writer:
        writer.append({"kind": "event", "type": "service.check", "data": {}, "who": "test"})
    return tmp_path / "state"
