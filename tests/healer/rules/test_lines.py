"""What is known of a series, and which series a selector means."""

import sys

import pytest

from healer.model.observation import Series, labels
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.expression import parse
from healer.rules.lines import Family, Line, bounds, matches


def select(text):
    return parse(text, vocabulary={"m": Unit.NUMBER})


@pytest.mark.parametrize(
    ("text", "meant"),
    [("m", True), ('m{a="x"}', True), ('m{a="y"}', False), ('m{a!="y"}', True), ('m{a=~"?"}', True),
     ('m{a=~"y*"}', False),
     ('m{b=""}', True), ('m{b!=""}', False), ('m{a="x",b="y"}', False), ("m{target}", False)],
)  # fmt: skip
def test_matching(text, meant):
    assert matches(select(text), Series("m", labels(a="x"))) is meant


def test_bounds_come_from_the_declaration_or_else_from_the_unit():
    assert bounds(Unit.RATIO, METRICS["cpu.used"]) == (0.0, 1.0)
    assert bounds(Unit.SECONDS, METRICS["clock.offset_jump"]) == (-sys.float_info.max, sys.float_info.max)
    assert bounds(Unit.FLAG, Unit.FLAG) == (0.0, 1.0)
    assert bounds(Unit.CELSIUS, Unit.CELSIUS)[0] < -200
    assert bounds(None, None) == (-sys.float_info.max, sys.float_info.max)


def test_ages_come_from_the_declaration_and_vitals_last_longer():
    assert Family("disk.used", METRICS).max_age == METRICS["disk.used"].max_age
    assert Family("heart.load", METRICS).max_age > Family("my.own", METRICS).max_age


@pytest.mark.parametrize(
    ("metric", "value", "clean"),
    [("cpu.used", 1, 1.0), ("cpu.used", 0.5, 0.5), ("cpu.used", "x", None), ("cpu.used", False, None),
     ("file.owner", "root", "root"), ("file.owner", 0, None), ("my.own", "x", "x"), ("my.own", -5, -5.0)],
)  # fmt: skip
def test_values_are_cleaned_as_the_metric_needs(metric, value, clean):
    assert Family(metric, METRICS).clean(value) == clean


def test_a_dropped_series_is_not_found_again():
    family = Family("m", {})
    line = Line(Series("m", labels(target="a:b")), family)
    family.add(line)
    family.drop(line)
    assert not family.lines
