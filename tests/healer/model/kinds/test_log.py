from healer.model.kinds.catalog import KINDS
from healer.model.kinds.log import KIND


def test_a_log_serves_nobody_and_its_counters_never_fall_below_nothing():
    assert KINDS["log"] is KIND
    assert not KIND.serves
    assert all(metric.minimum == 0.0 for metric in KIND.metrics if not metric.words)
