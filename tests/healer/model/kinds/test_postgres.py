from healer.model.kinds.catalog import KINDS
from healer.model.kinds.postgres import CHECKPOINT_CAUSES, CONNECTION_STATES, KIND
from healer.model.unit import Unit


def test_it_is_a_kind_of_the_stomach_that_is_up_or_not():
    assert KINDS["postgres"] is KIND
    assert KIND.organ == "stomach"
    (up,) = (metric for metric in KIND.metrics if metric.name == KIND.up)
    assert up.unit is Unit.FLAG


def test_every_metric_is_its_own_and_carries_the_target():
    names = [metric.name for metric in KIND.metrics]
    assert len(set(names)) == len(names)
    assert all(name.startswith("postgres.") for name in names)
    assert all(metric.labels[0] == "target" and metric.doc for metric in KIND.metrics)


def test_what_is_asked_once_a_minute_counts_for_longer_than_that():
    slow = {metric.name: metric.max_age for metric in KIND.metrics}
    for name in ("size", "dead_ratio", "xid_age", "wraparound", "checkpoints_rate", "archive_failing"):
        assert slow[f"postgres.{name}"] > 120


def test_states_and_causes_are_words_fit_for_labels():
    assert all(word == word.lower() and " " not in word for word in (*CONNECTION_STATES, *CHECKPOINT_CAUSES))
