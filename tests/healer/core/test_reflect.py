import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.core.body import Body
from healer.core.reflect import Counters, Mirror, trend
from healer.model.organism import ORGANS, Vital

VITALS = tuple(Vital(organ=name, name="x", value="x", healthy=0, critical=1) for name in ORGANS)
WELL = {vital.id: 0.0 for vital in VITALS}
QUIET = Counters(since=0.0)


def view(values=WELL, pressures=None):
    body = Body(VITALS)
    body.update(values, 0.0, pressures=pressures)
    return body.view(0.0)


def reflect(counters=QUIET, given_view=None, now=100.0):
    mirror = Mirror()
    mirror.remember(given_view or view(), now)
    return mirror.reflect(counters, now)


def insight(reflection, about):
    found = [one for one in reflection.insights if one.about == about]
    assert found, [one.about for one in reflection.insights]
    return found[0]


def test_a_healthy_quiet_host_gives_nothing_to_say():
    reflection = reflect()
    assert reflection.score == 100.0
    assert (reflection.insights, reflection.recommendations) == ((), ())


def test_before_the_first_view_nothing_is_claimed():
    reflection = Mirror().reflect(QUIET, 1.0)
    assert (reflection.score, reflection.trend.word, reflection.insights) == (None, "unknown", ())


def test_the_largest_deductions_are_told_with_their_points():
    reflection = reflect(given_view=view(WELL | {"lungs.x": 0.9}))
    told = insight(reflection, "harmony")
    assert told.says.startswith("lungs.x takes ")
    assert told.figures["vital"] == "lungs.x"
    assert told.figures["points"] == pytest.approx(100 - reflection.score, abs=0.01)
    assert insight(reflection, "balance").figures["organ"] == "lungs"
    assert [one.about for one in reflection.recommendations] == ["harmony"]
    assert reflection.recommendations[0].figures == told.figures


def test_organs_nobody_can_see_are_named():
    told = insight(reflect(given_view=view(WELL | {"heart.x": None})), "unknown")
    assert told.says == "nothing is known now of heart"


def test_little_energy_is_told():
    assert insight(reflect(given_view=view(pressures={"io.psi.some10": 0.9})), "energy").figures == {"energy": 10.0}


@pytest.mark.parametrize(
    ("verdicts", "figures", "advised"),
    [
        ({"verified": 9, "unverified": 1}, {"verified": 9, "judged": 10, "share": 0.9}, False),
        ({"verified": 1, "unverified": 2, "failed-permanent": 1}, {"verified": 1, "judged": 4, "share": 0.25}, True),
        ({"unverified": 2}, {"verified": 0, "judged": 2, "share": 0.0}, False),  # two are too few to advise on
        ({"verified": 1, "stale": 99, "cancelled": 9}, {"verified": 1, "judged": 1, "share": 1.0}, False),
    ],
)
def test_success_counts_verdicts_and_not_attempts(verdicts, figures, advised):
    told = insight(reflect(Counters(since=40.0, actions=200, verdicts=verdicts)), "cures")
    assert told.figures == figures
    assert told.says.endswith("in 60 s")
    assert bool(told.advice) is advised


def test_ambiguous_actions_are_told():
    told = insight(reflect(Counters(since=0.0, actions=3, outcomes={"ambiguous": 1, "done": 2})), "ambiguous")
    assert told.figures == {"ambiguous": 1.0, "actions": 3.0}


def test_the_gate_that_withholds_most_is_named():
    told = insight(reflect(Counters(since=0.0, actions=1, withheld={"mode": 2, "cooldown": 5})), "withheld")
    assert (told.figures["gate"], told.figures["withheld"]) == ("cooldown", 7.0)
    assert "cooldown" in told.advice
    assert not insight(reflect(Counters(since=0.0, actions=50, withheld={"mode": 9})), "withheld").advice


def test_blind_sensors_are_counted_and_the_first_are_named():
    told = insight(reflect(Counters(since=0.0, blind={f"http:{n}": "timed out" for n in range(9)})), "sensors")
    assert told.figures["sensors"] == 9.0
    assert told.figures["http:0"] == "timed out"
    assert len(told.figures) == 6


def test_what_the_agent_costs_is_told_when_it_is_much():
    assert insight(reflect(Counters(since=0.0, cpu=0.5)), "cost").says == "the agent itself uses 50% of a core"
    both = insight(reflect(Counters(since=0.0, cpu=0.01, memory=float(300 << 20))), "cost")
    assert both.says == "the agent itself uses 1% of a core and 300 MiB"
    assert insight(reflect(Counters(since=0.0, loop_lag=0.9)), "lag").figures == {"seconds": 0.9}
    assert not reflect(Counters(since=0.0, cpu=0.01, memory=6e7, loop_lag=0.01)).insights


def test_every_insight_carries_figures_and_can_be_written_as_json():
    busy = Counters(
        since=0.0, actions=4, outcomes={"ambiguous": 1}, verdicts={"unverified": 4}, withheld={"mode": 9},
        blind={"docker": "refused"}, loop_lag=1.0, cpu=1.0, memory=1e9,
    )  # fmt: skip
    sick = view(WELL | {"lungs.x": 1.0, "heart.x": None}, {"cpu.psi.some10": 1.0})
    mirror = Mirror()
    for at in range(0, 400, 10):
        mirror.remember(view(WELL | {"lungs.x": at / 400}), float(at))
    mirror.remember(sick, 400.0)
    reflection = mirror.reflect(busy, 400.0)
    assert {one.about for one in reflection.insights} == {
        "harmony", "unknown", "balance", "energy", "trend", "cures", "ambiguous", "withheld", "sensors", "lag", "cost",
    }  # fmt: skip
    assert all(one.figures for one in (*reflection.insights, *reflection.recommendations))
    json.dumps([dict(one.figures) for one in reflection.insights], allow_nan=False)


@pytest.mark.parametrize(("per_second", "word"), [(0.1, "rising"), (-0.1, "falling"), (0.001, "steady")])
def test_a_trend_has_a_word_and_a_slope(per_second, word):
    way = trend([(float(at), 50 + at * per_second) for at in range(0, 300, 30)], 300.0)
    assert way.word == word
    assert way.points_per_hour == pytest.approx(per_second * 3600)
    assert way.over == 270.0


@pytest.mark.parametrize("points", [[], [(0.0, 50.0)], [(0.0, 50.0), (30.0, 20.0)], [(1.0, 5.0)] * 5])
def test_too_few_points_make_no_trend(points):
    assert trend(points, 30.0).word == "unknown"


def test_a_trend_forgets_what_is_older_than_ten_minutes():
    old = [(float(at), 100.0) for at in range(0, 100, 10)]
    assert trend([*old, *[(float(at), 20.0) for at in range(900, 1000, 10)]], 1000.0).word == "steady"


@given(st.lists(st.tuples(st.floats(0, 1e7), st.floats(1, 100)), max_size=30), st.floats(0, 1e7))
def test_a_trend_never_fails(points, now):
    assert trend(sorted(points), now).word in {"rising", "falling", "steady", "unknown"}


def test_a_mirror_remembers_in_bounded_space():
    mirror = Mirror(remembered=10)
    for at in range(1000):
        mirror.remember(view(), float(at))
    assert len(mirror._moments) == 10


def test_a_falling_host_is_told_with_the_slope():
    mirror = Mirror()
    for at in range(0, 300, 30):
        mirror.remember(view(WELL | {"lungs.x": at / 300}), float(at))
    told = insight(mirror.reflect(QUIET, 300.0), "trend")
    assert "falling" in told.says
    assert told.figures["points_per_hour"] < 0
