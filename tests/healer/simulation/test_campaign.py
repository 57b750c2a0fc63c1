"""A campaign says what failed, how to repeat it, and what it never reached."""

import json
import logging

import pytest

from healer.simulation import campaign
from healer.simulation.campaign import NEEDED, Report, hushed, lines, main, repeat_command, run
from healer.simulation.story import Result


def test_a_few_seeds_hold_every_law_and_say_so_as_json():
    said = []
    assert main(seeds=3, as_json=True, workers=1, say=said.append) == 0
    (report,) = map(json.loads, said)
    assert report["ok"]
    assert (report["seeds"], report["failed"], report["diverged"]) == (3, [], [])
    assert report["effects"]


def test_one_seed_is_run_twice_and_is_the_same_story_under_another_hash_seed():
    report = run([5], workers=1)
    assert (report.repeated, report.diverged) == (1, [])


@pytest.fixture
def canned(monkeypatch):
    def put(*results):
        monkeypatch.setattr(campaign, "results", lambda *_, **__: iter(results))

    return put


def test_a_seed_that_fails_is_told_with_the_command_that_repeats_it(canned):
    canned(Result(seed=7, violations=["kill switch: it was ignored"]))
    said = []
    assert main(seeds=1, say=said.append) == 1
    assert said[0].endswith(repeat_command(7))
    assert "healer simulate --seed 7" in said[0]
    assert "it was ignored" in said[1]


def test_a_seed_that_is_another_story_the_second_time_fails(canned):
    canned(Result(seed=50, trace="not what it was"))
    assert run([50]).diverged == [50]


def test_a_campaign_that_never_came_anywhere_fails_when_it_was_long_enough(canned):
    canned()
    few, many = run(range(1, 10)), run(range(1, 301))
    assert few.ok
    assert not many.ok
    assert many.missing == list(NEEDED)
    assert any("never reached: breaker opened" in line for line in lines(many))


def test_a_clean_report_ends_with_what_was_reached():
    *_, last = lines(Report(seeds=1, reached={"breaker opened": 3}))
    assert last == "every law held; reached: breaker opened"


def test_logs_can_be_kept(tmp_path):
    assert main(seed=4, state_dir=tmp_path, say=lambda _: None) == 0
    assert (tmp_path / "seed-4" / "state" / "audit.db").exists()


def test_the_agent_is_hushed_and_heard_again():
    before = logging.getLogger("healer").level
    with hushed():
        assert not logging.getLogger("healer.loop").isEnabledFor(logging.CRITICAL)
    assert logging.getLogger("healer").level == before


@pytest.mark.slow
def test_several_seeds_on_all_cores_hold_every_law():
    report = run(range(1, 9))
    assert report.ok, list(lines(report))
