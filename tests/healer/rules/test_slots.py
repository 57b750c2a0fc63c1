"""The values conditions are made of."""

import math

import pytest

from healer.model.observation import Series, labels
from healer.model.vocabulary import METRICS
from healer.rules.compile import Input
from healer.rules.expression import parse
from healer.rules.lines import Family, Line
from healer.rules.slots import Slot


def slot(text, *values, partial=False, baseline=False, since=-math.inf):
    source = parse(text, vocabulary=METRICS)
    family = Family("disk.used", METRICS)
    made = Slot((Input(source, partial), baseline, since), 0, family)
    for index, value in enumerate(values):
        line = Line(Series("disk.used", labels(mount=str(index))), family)
        if value is not None:
            line.value, line.at, line.count, line.known = value, 10.0, 2, True
        made.lines.append(line)
    return made


def test_one_series_is_its_value():
    assert slot("disk.used", 0.5).compute(11.0) == 0.5


@pytest.mark.parametrize("values", [(), (None,), (0.5, 0.5)])
def test_none_unknown_or_several_are_unknown(values):
    assert math.isnan(slot("disk.used", *values).compute(11.0))


def test_a_slot_before_its_rearm_is_unknown():
    assert math.isnan(slot("disk.used", 0.5, since=10.0).compute(11.0))
    assert slot("disk.used", 0.5, since=9.0).compute(11.0) == 0.5


def test_aggregates_need_every_member_but_their_bounds_do_not():
    assert math.isnan(slot("max(disk.used)", 0.5, None).compute(11.0))
    assert slot("max(disk.used)", 0.5, None, partial=True).compute(11.0) == 0.5
    assert math.isnan(slot("max(disk.used)", None, partial=True).compute(11.0))


def test_forgotten_members_do_not_count():
    made = slot("max(disk.used)", 0.5, None)
    made.lines[1].gone = True
    assert made.compute(11.0) == 0.5


def test_a_sum_that_overflows_is_unknown():
    assert math.isnan(slot("sum(disk.used)", 1.7e308, 1.7e308).compute(11.0))


def test_an_overflowing_metric_is_unknown_but_for_its_bounds():
    made = slot("max(disk.used)", 0.5)
    made.family.overflow = True
    assert math.isnan(made.compute(11.0))


def test_ages_count_from_the_newest_value_known_or_not():
    made = slot("age(disk.used)", 0.5)
    made.lines[0].known = False
    assert made.compute(15.0) == 5.0
    assert made.next_turn(15.0) == math.inf, "nobody compares it yet"
    assert math.isnan(slot("age(disk.used)", None).compute(15.0))
