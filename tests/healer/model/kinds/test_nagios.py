from healer.model.kinds.catalog import KINDS
from healer.model.kinds.nagios import KIND, NAGIOS_STATES


def test_states_stand_in_the_order_of_exit_codes():
    assert KINDS["nagios"] is KIND
    assert NAGIOS_STATES == ("ok", "warning", "critical", "unknown")


def test_a_figure_may_be_negative():
    (perf,) = (metric for metric in KIND.metrics if metric.name == "nagios.perf")
    assert perf.minimum is None
