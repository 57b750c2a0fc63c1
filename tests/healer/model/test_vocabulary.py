"""The metrics are declared once, and the page of them is in step."""

import re
from pathlib import Path

import pytest

from healer.model.unit import Unit
from healer.model.vocabulary import METRICS, metrics_markdown

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def test_the_page_is_in_step():
    assert PAGE.read_text(encoding="utf-8") == metrics_markdown()


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_metric_is_named_as_rules_can_write_it(metric):
    assert re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)*", metric.name)
    assert metric.doc
    assert metric.max_age > 0
    assert METRICS[metric.name] is metric


def test_only_words_have_lists_of_words():
    assert not [metric.name for metric in METRICS.values() if metric.words and metric.unit is not Unit.WORD]


def test_every_metric_about_a_kind_of_target_carries_the_target():
    kinds = ("program.", "process.", "container.", "http.", "tcp.ok", "tcp.latency", "file.", "command.", "target.")
    assert all("target" in metric.labels for metric in METRICS.values() if metric.name.startswith(kinds))


def test_flags_and_scores_are_bounded():
    assert METRICS["http.ok"].maximum == 1
    assert METRICS["harmony"].maximum == 100
    assert METRICS["host.temperature"].minimum is None
