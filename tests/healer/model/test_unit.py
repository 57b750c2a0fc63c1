from healer.model.unit import Unit
from healer.model.vocabulary import METRICS


def test_every_unit_of_a_metric_is_known_and_words_are_words():
    assert {metric.unit for metric in METRICS.values()} <= set(Unit)
    assert METRICS["target.state"].unit is Unit.WORD
