import pytest

from healer.gates import breaker
from healer.model.memory import Breaker


def test_an_open_breaker_says_how_it_is_closed(question, memory):
    memory.breakers["restart@unit:nginx"] = Breaker(failures=5, open=True, changed=0.0)
    refused = breaker.ask(question())
    assert refused.because == "breaker open: restart of unit:nginx failed 5 times (healer ack unit:nginx closes it)"
    assert refused.until is None


def test_it_is_about_one_action_on_one_target(question, memory):
    for key in ("stop@unit:nginx", "restart@unit:apache"):
        memory.breakers[key] = Breaker(failures=5, open=True)
    assert breaker.ask(question()) is None


@pytest.mark.parametrize(
    ("failures", "changed", "until"),
    [(0, 999.0, None), (1, 999.0, None), (2, 999.0, 1029.0), (3, 999.0, 1059.0), (2, 970.0, None), (4, 920.0, 1010.0)],
)
def test_between_the_thresholds_each_failure_makes_it_wait_longer(question, memory, failures, changed, until):
    memory.breakers["restart@unit:nginx"] = Breaker(failures=failures, changed=changed)
    refused = breaker.ask(question())
    assert (refused.until if refused else None) == until
    if refused:
        assert f"{failures} failures in a row" in refused.because
