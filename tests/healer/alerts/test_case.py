"""One trouble over time; how it ends, comes back and is written down."""

import json

import pytest

from healer.alerts.case import CALM, FLAP_WINDOW, Case, News, Told
from healer.model.alert import Policy, Trouble

DOWN = Trouble(key="target:web", about="failure", severity="warning", says="web is down", target="web")
FLUTTER = Trouble(key="organ:brain", about="degradation", severity="warning", says="brain is degraded", settle=30.0)


def case(trouble=DOWN):
    return Case(trouble=trouble, since=100.0, changed=100.0)


def test_what_came_back_three_times_within_half_an_hour_comes_and_goes():
    one = case()
    for now in (200.0, 300.0, 400.0):
        one.is_over(now - 50.0)
        one.goes_on(DOWN, now)
        assert one.flapping is (now == 400.0)
    assert one.news("x", Policy(), 401.0) is News.FLAPS
    one.told["x"] = Told(severity="warning", at=401.0, first="1", last="1", flaps=True)
    assert one.news("x", Policy(), 402.0) is None
    one.calms(400.0 + CALM)
    assert not one.flapping
    one.is_over(400.0 + CALM + 1.0)
    assert one.news("x", Policy(), 400.0 + CALM + 2.0) is News.RESOLVED


def test_what_comes_and_goes_escalates_when_it_has_done_so_for_long_enough():
    one = case()
    for now in (200.0, 300.0, 400.0):
        one.is_over(now - 50.0)
        one.goes_on(DOWN, now)
    boss = Policy(after=900.0)
    assert one.news("boss", boss, 401.0) is None
    assert one.news("boss", boss, 1100.0) is News.FLAPS
    one.acked = "uid:0"
    assert one.news("boss", boss, 1100.0) is None


def test_what_is_too_short_to_be_told_is_too_short_to_count():
    one = case(FLUTTER)
    for now in (200.0, 300.0, 400.0, 500.0):
        one.is_over(one.since + 10.0)
        one.goes_on(FLUTTER, now)
    assert not one.flapping


def test_what_is_over_is_remembered_as_long_as_its_return_would_count():
    one = case()
    one.is_over(200.0)
    assert not one.forgettable(200.0 + FLAP_WINDOW)
    assert one.forgettable(201.0 + FLAP_WINDOW)
    one.told["x"] = Told(severity="warning", at=150.0, first="1", last="1")
    assert not one.forgettable(1e9)  # somebody still has to hear that it is over


def test_it_is_quiet_until_something_can_be_new():
    one = case()
    one.rests([Policy(after=10.0), Policy(after=900.0)], 100.0)
    assert one.quiet == 110.0
    one.mute(muted=True)
    assert one.quiet == 0.0


def test_what_is_written_down_is_read_back_on_another_boot():
    one = case()
    one.told["x"] = Told(severity="warning", at=110.0, first="1", last="2")
    one.acked = "uid:0"
    one.turns = [105.0]
    kept = json.loads(json.dumps(one.kept(200.0)))
    again = Case.taken_up(kept, 20.0)
    assert (again.since, again.acked, again.turns) == (-80.0, "uid:0", [-75.0])
    assert again.told["x"] == Told(severity="warning", at=-70.0, first="1", last="2")
    assert again.trouble == DOWN


@pytest.mark.parametrize("spoil", [{"since": "x"}, {"told": {"x": [1]}}, {"trouble": {}}, {"turns": 3}])
def test_half_of_it_is_nothing(spoil):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Case.taken_up(case().kept(200.0) | spoil, 20.0)
