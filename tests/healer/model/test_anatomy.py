import re
from pathlib import Path

import pytest

from healer.model.anatomy import DEFAULT_VITALS, ENERGY, vitals_markdown
from healer.model.organism import ORGANS
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules import expression

PAGE = Path(__file__).resolve().parents[3] / "docs" / "organism.md"
NAME = re.compile(r"[a-z_]+(?:\.[a-z_0-9]+)+")
TEXT = re.compile(r'"[^"]*"')


def names_in(expression):
    return set(NAME.findall(TEXT.sub("", expression)))


@pytest.mark.parametrize("vital", DEFAULT_VITALS, ids=lambda vital: vital.id)
def test_every_default_vital_reads_metrics_that_exist(vital):
    read = names_in(vital.value)
    assert read
    assert read <= set(METRICS)


@pytest.mark.parametrize("vital", DEFAULT_VITALS, ids=lambda vital: vital.id)
def test_a_vital_over_many_series_says_which_of_them_counts(vital):
    # A selector that matches several series is unknown without an aggregate.
    many = [name for name in names_in(vital.value) if METRICS[name].labels and f"{name}{{" not in vital.value]
    assert all(re.search(rf"\b(max|min|avg)\({re.escape(name)}\)", vital.value) for name in many)


@pytest.mark.parametrize("vital", DEFAULT_VITALS, ids=lambda vital: vital.id)
def test_bounds_lie_where_the_metric_can_reach_them(vital):
    # Only where the value is the metric itself: a rate or a spread has bounds of its own.
    for name in names_in(vital.value) if "_over(" not in vital.value and "delta(" not in vital.value else ():
        low, high = METRICS[name].minimum, METRICS[name].maximum
        for bound in (vital.healthy, vital.critical):
            assert low is None or bound >= low
            assert high is None or bound <= high


@pytest.mark.parametrize("vital", DEFAULT_VITALS, ids=lambda vital: vital.id)
def test_every_default_vital_is_a_number_in_the_language_of_rules(vital):
    units = {name: metric.unit for name, metric in METRICS.items()}
    assert expression.is_number(expression.parse(vital.value, vocabulary=units))


def test_every_organ_has_vitals_of_its_own_and_those_of_its_targets():
    for organ in ORGANS:
        names = {vital.name for vital in DEFAULT_VITALS if vital.organ == organ}
        assert {"up", "load", "memory"} < names


def test_vitals_have_names_rules_can_write():
    ids = [vital.id for vital in DEFAULT_VITALS]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+\.[a-z][a-z0-9_]*", name) for name in ids)
    # These words are sugar for the organ itself.
    assert not {"health", "score"} & {vital.name for vital in DEFAULT_VITALS}


def test_energy_is_read_from_ratios_that_exist():
    assert all(METRICS[name].unit is Unit.RATIO for names in ENERGY.values() for name in names)


def test_the_table_on_the_page_is_in_step():
    assert vitals_markdown() in PAGE.read_text(encoding="utf-8")
