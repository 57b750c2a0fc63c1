import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.core.body import Body, energy, health, readings, score, weighted
from healer.errors import HealerError
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.observation import Observation, Series, Unknown, labels
from healer.model.organism import ORGANS, Health, Vital

DISK = Vital(organ="stomach", name="disk", value="max(disk.used)", healthy=0.8, critical=0.97)
FREE = Vital(organ="muscles", name="available", value="memory.available", healthy=0.2, critical=0.03)
UP = Vital(organ="heart", name="up", value='organ.up{organ="heart"}', healthy=1.0, critical=0.5)
THREE = (UP, DISK, FREE)
WELL = {"heart.up": 1.0, "stomach.disk": 0.1, "muscles.available": 0.9}

finite = st.floats(allow_nan=False, allow_infinity=False)
bounds = st.floats(min_value=-1e9, max_value=1e9).filter(lambda x: x == 0 or abs(x) > 1e-6)


@st.composite
def vitals(draw):
    healthy, critical = draw(bounds), draw(bounds)
    if abs(healthy - critical) < 1e-6:
        critical = healthy + 1.0
    weight = draw(st.floats(min_value=0.01, max_value=100))
    return Vital(
        organ=draw(st.sampled_from(ORGANS)), name="x", value="x", healthy=healthy, critical=critical, weight=weight
    )


@st.composite
def bodies(draw):
    """Vitals of any organ, a current value for each (or none), and the weights of organs."""
    made = [replace(vital, name=f"v{n}") for n, vital in enumerate(draw(st.lists(vitals(), min_size=1, max_size=9)))]
    values = {vital.id: draw(st.one_of(finite, between(vital))) for vital in made}
    weights = draw(st.dictionaries(st.sampled_from(ORGANS), st.floats(min_value=0.01, max_value=100)))
    return made, values, weights


def between(vital):
    low, high = sorted((vital.healthy, vital.critical))
    return st.floats(min_value=low, max_value=high)


def well(vital):
    return vital.healthy


def seen(given_vitals, values, now=0.0, weights=None, **more):
    body = Body(given_vitals, weights)
    body.update(values, 0.0, **more)
    return body.view(now)


def organ(view, name):
    return next(one for one in view.organs if one.name == name)


def vital_of(view, name):
    return next(vital for one in view.organs for vital in one.vitals if vital.id == name)


@pytest.mark.parametrize(
    ("vital", "value", "points"),
    [
        (DISK, 0.0, 100),
        (DISK, 0.8, 100),
        (DISK, 0.885, 50.5),
        (DISK, 0.97, 1),
        (DISK, 7.0, 1),
        (FREE, 1.0, 100),
        (FREE, 0.115, 50.5),
        (FREE, 0.0, 1),
    ],
)
def test_a_score_is_linear_between_the_bounds_in_both_directions(vital, value, points):
    assert score(vital, value) == pytest.approx(points)


@given(vitals(), finite)
def test_a_score_stays_within_its_range_whatever_the_value(vital, value):
    assert 1.0 <= score(vital, value) <= 100.0


def test_health_words_change_at_70_and_30():
    assert [health(points) for points in (100, 70, 69.9, 30, 29.9, 1)] == [
        Health.HEALTHY,
        Health.HEALTHY,
        Health.DEGRADED,
        Health.DEGRADED,
        Health.FAILED,
        Health.FAILED,
    ]


def test_all_well_is_a_hundred_with_nothing_deducted():
    view = seen(THREE, WELL)
    assert view.harmony == 100.0
    assert view.deductions == ()
    assert view.balance == 0.0


def test_one_dying_organ_cannot_hide_behind_fine_ones():
    one_each = [Vital(organ=name, name="x", value="x", healthy=0, critical=1) for name in ORGANS]
    view = seen(one_each, {vital.id: float(vital.organ == "lungs") for vital in one_each})
    assert view.harmony is not None
    assert view.harmony < 10  # the arithmetic mean would say 86
    assert organ(view, "lungs").health is Health.FAILED
    assert view.balance == 99.0


def test_a_dead_vital_does_not_freeze_the_whole_at_zero():
    worse = seen(THREE, WELL | {"stomach.disk": 1.0, "heart.up": 0.5})
    better = seen(THREE, WELL | {"stomach.disk": 1.0, "heart.up": 0.6})
    assert 1.0 <= worse.harmony < better.harmony


def test_nothing_known_is_unknown_and_neither_nothing_nor_full():
    view = Body(DEFAULT_VITALS).view(0.0)
    assert (view.harmony, view.balance, view.energy, view.deductions) == (None, None, None, ())
    assert {one.health for one in view.organs} == {Health.UNKNOWN}
    assert all(one.score is None for one in view.organs)


def test_an_organ_without_vitals_is_shown_unknown_with_the_reason():
    view = seen((DISK,), {"stomach.disk": 0.1})
    assert [one.name for one in view.organs] == list(ORGANS)
    assert organ(view, "lungs").because == "it has no vitals"
    assert view.harmony == 100.0


def test_a_vital_never_known_is_left_out():
    assert seen(THREE, {"stomach.disk": 0.1}).harmony == 100.0
    assert organ(seen(THREE, {"stomach.disk": 0.1}), "heart").because == "none of its 1 vitals is known"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 10**400])
def test_a_vital_that_turns_unknown_keeps_its_score_and_shows_its_age(value):
    body = Body(THREE)
    body.update(WELL | {"stomach.disk": 0.97}, 100.0)
    before = body.view(100.0)
    body.update(WELL | {"stomach.disk": value}, 130.0)
    after = body.view(142.0)
    disk = vital_of(after, "stomach.disk")
    assert after.harmony == before.harmony
    assert (disk.value, disk.score, disk.health, disk.age) == (None, 1.0, Health.UNKNOWN, 42.0)
    assert organ(after, "stomach").health is Health.UNKNOWN
    assert after.deductions[0].because == "unknown for 42 s, last score 1 (healthy at 0.8, critical at 0.97)"


def test_an_organ_with_one_vital_known_is_known():
    inodes = replace(DISK, name="inodes")
    body = Body((DISK, inodes))
    body.update({"stomach.disk": 0.1, "stomach.inodes": 0.1}, 0.0)
    body.update({"stomach.disk": None}, 1.0)
    assert organ(body.view(1.0), "stomach").health is Health.HEALTHY


def test_a_sick_organ_names_its_lowest_vital():
    view = seen(THREE, WELL | {"stomach.disk": 0.95})
    assert organ(view, "stomach").because == "stomach.disk is at 13"
    assert organ(view, "heart").because == ""


def test_time_that_seems_to_run_backwards_gives_no_negative_age():
    body = Body(THREE)
    body.update(WELL, 10.0)
    assert vital_of(body.view(9.0), "heart.up").age == 0.0


def test_weights_make_a_vital_and_an_organ_count_for_more():
    ill = WELL | {"stomach.disk": 0.9}
    heavy = seen((UP, replace(DISK, weight=5), replace(DISK, name="other"), FREE), ill | {"stomach.other": 0.0})
    light = seen((UP, DISK, replace(DISK, name="other"), FREE), ill | {"stomach.other": 0.0})
    assert heavy.harmony < light.harmony
    assert seen(THREE, ill, weights={"stomach": 5}).harmony < seen(THREE, ill).harmony


@given(bodies(), st.data())
def test_harmony_is_monotone_in_every_vital(made, data):
    given_vitals, values, weights = made
    vital = data.draw(st.sampled_from(given_vitals))
    first, second = data.draw(st.one_of(finite, between(vital))), data.draw(st.one_of(finite, between(vital)))
    worse, better = sorted((first, second), reverse=vital.healthy < vital.critical)
    low = seen(given_vitals, values | {vital.id: worse}, weights=weights)
    high = seen(given_vitals, values | {vital.id: better}, weights=weights)
    assert low.harmony <= high.harmony
    assert organ(low, vital.organ).score <= organ(high, vital.organ).score


@pytest.mark.parametrize("vital", DEFAULT_VITALS, ids=lambda vital: vital.id)
def test_every_default_vital_moves_harmony_and_back(vital):
    body = Body(DEFAULT_VITALS)
    body.update({one.id: one.healthy for one in DEFAULT_VITALS}, 0.0)
    assert body.view(0.0).harmony == 100.0
    body.update({vital.id: vital.critical}, 1.0)
    ill = body.view(1.0)
    assert ill.harmony < 99
    assert [one.vital for one in ill.deductions] == [vital.id]
    body.update({vital.id: vital.healthy}, 2.0)
    assert body.view(2.0).harmony == 100.0


@given(bodies())
def test_a_deduction_is_what_setting_that_vital_to_100_would_give_back(made):
    given_vitals, values, weights = made
    view = seen(given_vitals, values, weights=weights)
    for deduction in view.deductions:
        vital = next(one for one in given_vitals if one.id == deduction.vital)
        cured = seen(given_vitals, values | {vital.id: vital.healthy}, weights=weights)
        assert cured.harmony - view.harmony == pytest.approx(deduction.points, abs=1e-6)


@given(bodies())
def test_deductions_come_largest_first_and_never_promise_more_than_is_missing(made):
    given_vitals, values, weights = made
    view = seen(given_vitals, values, weights=weights)
    points = [one.points for one in view.deductions]
    assert points == sorted(points, reverse=True)
    assert len(points) <= 3
    assert all(one > 0 for one in points)
    assert sum(points) <= 100 - view.harmony + 1e-6


@given(bodies())
def test_a_mean_lies_between_the_worst_and_the_best(made):
    given_vitals, values, weights = made
    view = seen(given_vitals, values, weights=weights)
    points = [one.score for one in view.organs if one.score is not None]
    assert min(points) - 1e-6 <= view.harmony <= max(points) + 1e-6
    assert view.balance == max(points) - min(points)


def test_a_mean_of_nothing_is_nothing():
    assert weighted([]) is None


@pytest.mark.parametrize(
    ("pressures", "left"),
    [
        ({}, None),
        ({"cpu.psi.some10": None}, None),
        ({"cpu.psi.some10": 0.25, "memory.psi.some10": 0.1, "io.psi.some10": 0.0}, 75.0),
        ({"cpu.psi.some10": 0.1, "cpu.used": 0.99}, 90.0),  # PSI says more than use: a busy host may have headroom
        ({"cpu.psi.some10": None, "cpu.used": 0.7, "memory.used": 0.2}, 30.0),
        ({"cpu.psi.some10": 0.1, "memory.psi.some10": 0.2, "io.psi.some10": 0.5}, 50.0),
        ({"io.psi.some10": 1.7}, 0.0),
        ({"io.psi.some10": -0.1}, 100.0),
        ({"io.psi.some10": math.nan}, None),
    ],
)
def test_energy_is_what_the_worst_pressure_leaves(pressures, left):
    assert energy(pressures) == (None if left is None else pytest.approx(left))


def test_the_view_carries_the_energy_of_the_last_pressures_given():
    body = Body(THREE)
    body.update({}, 0.0, pressures={"io.psi.some10": 0.4})
    body.update(WELL, 1.0)
    assert body.view(1.0).energy == pytest.approx(60)


def said(view):
    return {reading.series: reading for reading in readings(view, 5.0)}


def test_the_view_is_said_as_series_for_rules():
    series = said(seen(THREE, WELL | {"stomach.disk": 0.95}, pressures={"cpu.psi.some10": 0.0}))
    assert series[Series("harmony", ())].value < 100
    assert series[Series("energy", ())].value == 100.0
    assert series[Series("organ.health", labels(organ="stomach"))].value == "failed"
    assert series[Series("organ.score", labels(organ="heart"))].value == 100.0
    assert series[Series("stomach.disk", ())].value == 0.95
    assert {reading.at for reading in series.values()} == {5.0}


def test_what_nobody_sees_any_more_is_unknown_to_rules_though_its_score_is_kept():
    body = Body(THREE)
    body.update(WELL | {"stomach.disk": 0.97}, 0.0)
    body.update({"stomach.disk": None}, 1.0)
    series = said(body.view(1.0))
    assert isinstance(series[Series("harmony", ())], Observation)
    for gone in (
        Series("organ.health", labels(organ="stomach")),
        Series("organ.score", labels(organ="stomach")),
        Series("stomach.disk", ()),
    ):
        assert isinstance(series[gone], Unknown), gone
    body.update({"heart.up": None, "muscles.available": None}, 2.0)
    assert isinstance(said(body.view(2.0))[Series("harmony", ())], Unknown)
    assert body.view(2.0).harmony is not None


@pytest.mark.parametrize(
    "vital",
    [
        replace(DISK, critical=0.8),
        replace(DISK, critical=math.inf),
        replace(DISK, healthy=math.nan),
        replace(DISK, healthy=-1.7e308, critical=1.7e308),
        replace(DISK, weight=0),
        replace(DISK, weight=-1),
        replace(DISK, weight=math.nan),
        replace(DISK, weight=1e300),
        replace(DISK, organ="tail"),
    ],
)
def test_a_vital_that_cannot_be_judged_is_refused_by_name(vital):
    with pytest.raises(HealerError, match=r"stomach\.disk|tail"):
        Body([vital])


def test_what_makes_no_sense_is_refused():
    with pytest.raises(HealerError, match="declared twice"):
        Body([DISK, DISK])
    with pytest.raises(HealerError, match="no organ tail"):
        Body([DISK], {"tail": 1})
    with pytest.raises(HealerError, match="weight"):
        Body([DISK], {"heart": 0})
    with pytest.raises(HealerError, match=r"heart\.up is no vital"):
        Body([DISK]).update({"heart.up": 1.0}, 0.0)


def test_a_body_tells_what_it_is_made_of():
    assert Body(THREE).vitals == THREE
