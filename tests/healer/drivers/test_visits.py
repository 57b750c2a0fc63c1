"""The status of a driver that keeps no connection tells how the last visit went, and since when it goes so."""

import pytest

from healer.drivers.interface import LinkState
from healer.drivers.visits import Visits
from healer.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def visits(clock):
    return Visits("haproxy:web", clock)


def test_one_that_nobody_asked_is_idle(visits):
    assert (visits.status.name, visits.status.state) == ("haproxy:web", LinkState.IDLE)


def test_it_is_so_since_the_first_visit_that_went_so(visits, clock):
    visits.failed("refused")
    first = visits.status.since
    clock.at += 5.0
    visits.failed("did not answer")
    assert (visits.status.since, visits.status.because) == (first, "did not answer")
    clock.at += 5.0
    visits.answered()
    assert (visits.status.since, visits.status.because) == (first + 10.0, "")


def test_an_answer_after_a_loss_is_counted_and_no_other(visits):
    for _ in range(3):
        visits.answered()
    assert visits.status.reconnects == 0
    visits.failed("refused")
    visits.failed("refused")
    visits.answered()
    visits.answered()
    assert visits.status.reconnects == 1


def test_one_that_was_ended_is_closed(visits):
    visits.failed("refused")
    visits.end()
    assert (visits.status.state, visits.status.because) == (LinkState.CLOSED, "")
