"""What waits goes out together, a mass when it has come to its end, and not one message after the other."""

import itertools

from healer.alerts.box import LONGEST_LOUD, LONGEST_RETRY, LONGEST_WAIT, MASS, MOST_HELD, Box
from healer.model.alert import Policy


def waits(box, *, size=1, start=0.0, loud=False, grows=False):
    """Seconds until it goes out, if something is there from the start."""
    for now in itertools.count():
        box.holds(size + (now if grows else 0), start + now, loud=loud)
        if box.ready(start + now):
            return now
    raise AssertionError


def test_a_little_waits_for_company_and_a_mass_for_its_end():
    assert waits(Box(policy=Policy(wait=10.0))) == 10
    assert waits(Box(policy=Policy(wait=0.0))) == 0
    assert waits(Box(policy=Policy(wait=10.0)), size=MASS, grows=True) == MOST_HELD


def test_what_is_gone_before_it_went_out_begins_anew():
    box = Box(policy=Policy(wait=10.0))
    box.holds(1, 0.0)
    box.holds(0, 9.0)
    box.holds(1, 10.0)
    assert not box.ready(19.0)
    assert box.ready(20.0)


def test_messages_that_follow_each_other_wait_longer_each_time():
    found = {}
    for loud in (False, True):
        box, now, took = Box(policy=Policy(wait=10.0)), 0.0, []
        for _ in range(10):
            took.append(waits(box, start=now, loud=loud))
            now += took[-1]
            box.went(now)
            box.holds(0, now)
        found[loud] = took
    assert found[False][:6] == [10, 10, 10, 30, 60, 120]
    assert max(found[False]) == LONGEST_WAIT
    assert max(found[True]) == LONGEST_LOUD


def test_what_reached_nobody_is_tried_again_later_and_later():
    box = Box(policy=Policy(wait=0.0))
    pauses = []
    for _ in range(8):
        box.reached_nobody(1000.0)
        pauses.append(box.retry_at - 1000.0)
    assert pauses[:3] == [60.0, 120.0, 240.0]
    assert pauses[-1] == LONGEST_RETRY
    box.holds(1, 1000.0)
    assert not box.ready(1001.0)
    box.went(1001.0)
    assert box.ready(1001.0)
