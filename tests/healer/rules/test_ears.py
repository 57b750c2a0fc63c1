"""What was heard on the bus, and what the calendar says: known, not known, and when that turns."""

import datetime as dt
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.model.truth import Truth
from healer.model.vocabulary import METRICS
from healer.rules.evaluate import Evaluator
from healer.rules.expression import bind, parse

TRUE, FALSE, UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


def listening(text, *, at=1000.0, target=""):
    made = Evaluator(METRICS)
    tree = parse(text, vocabulary=METRICS)
    made.add("rule", bind(tree, target) if target else tree)
    made.evaluate(at)
    return made


def truth(made, now):
    made.evaluate(now)
    return made.truth("rule")


def test_silence_is_unknown_until_listened_for_so_long():
    made = listening('occurred("backup.done", 10m)')
    assert truth(made, 1000.0) is UNKNOWN
    assert truth(made, 1599.0) is UNKNOWN
    assert truth(made, 1600.0) is FALSE


def test_what_occurred_is_true_at_once_and_for_that_time():
    made = listening('occurred("backup.done", 10m)')
    made.heard("backup.done", {}, 1005.0)
    assert truth(made, 1005.0) is TRUE
    assert truth(made, 1605.0) is TRUE
    assert truth(made, 1605.1) is FALSE


def test_it_turns_by_itself_when_due():
    made = listening('occurred("backup.done", 10m)')
    assert made.due() == pytest.approx(1600.0, abs=0.01)
    made.heard("backup.done", {}, 1005.0)
    made.evaluate(1005.0)
    # The old entry of the heap may come first: earlier than needed, never later.
    assert made.due() <= 1605.01
    assert truth(made, 1600.0) is TRUE
    assert 1605.0 < made.due() < 1605.01
    assert truth(made, made.due()) is FALSE
    assert made.due() is None


@pytest.mark.parametrize(
    ("text", "topic", "data", "meant"),
    [
        ('occurred("backup.*", 1m)', "backup.done", {}, True),
        ('occurred("backup.*", 1m)', "Backup.done", {}, False),
        ('occurred("backup.*", 1m)', "backup", {}, False),
        ('occurred("b", 1m){name="db"}', "b", {"name": "db"}, True),
        ('occurred("b", 1m){name="db"}', "b", {"name": "other"}, False),
        ('occurred("b", 1m){name="db"}', "b", {}, False),
        ('occurred("b", 1m){name=~"d*",code!="0"}', "b", {"name": "db", "code": 5}, True),
        ('occurred("b", 1m){name=~"d*",code!="0"}', "b", {"name": "db", "code": 0}, False),
        ('occurred("b", 1m){on="true"}', "b", {"on": True}, True),
        ('occurred("b", 1m){list=""}', "b", {"list": [1, 2]}, True),
        ('matched("log.line", "oom")', "log.line", {"message": "an oom here"}, True),
        ('matched("log.line", "oom")', "log.line", {"message": "fine"}, False),
        ('matched("log.line", "oom")', "log.line", {"text": "oom"}, False),
        ('matched("log.line", "oom"){unit="x"}', "log.line", {"message": "oom", "unit": "y"}, False),
    ],
)
def test_what_is_meant(text, topic, data, meant):
    made = listening(text)
    made.heard(topic, data, 1001.0)
    assert (truth(made, 1001.0) is TRUE) is meant


def test_an_event_about_another_target_is_not_meant():
    made = listening('occurred("unit.failed", 1m){target}', target="unit:a")
    made.heard("unit.failed", {"target": "unit:b"}, 1001.0)
    assert truth(made, 1001.0) is UNKNOWN
    made.heard("unit.failed", {"target": "unit:a"}, 1002.0)
    assert truth(made, 1002.0) is TRUE


def test_what_the_agent_says_itself_counts_only_when_asked_for():
    for text, own in (
        ('occurred("incident.*", 1m)', False),
        ('occurred("*", 1m)', False),
        ('occurred("incident.*", 1m){own="yes"}', True),
        ('occurred("incident.*", 1m){own=~"*"}', True),
    ):
        made = listening(text)
        assert made.hears_own is own
        made.heard("incident.firing", {"own": "no"}, 1001.0, own=True)
        assert (truth(made, 1001.0) is TRUE) is own
    made = listening('occurred("a", 1m){own="yes"}')
    made.heard("a", {"own": "yes"}, 1001.0)
    assert truth(made, 1001.0) is UNKNOWN, "nobody else can pass for the agent"


def test_after_a_re_arm_it_listens_anew():
    made = listening('occurred("a", 1m)')
    made.heard("a", {}, 1001.0)
    made.rearm("rule", 1010.0)
    assert truth(made, 1010.0) is UNKNOWN
    made.heard("a", {}, 1009.0)
    assert truth(made, 1011.0) is UNKNOWN
    assert truth(made, 1070.0) is FALSE


def test_an_event_from_the_past_takes_nothing_back():
    made = listening('occurred("a", 1m)')
    made.heard("a", {}, 1050.0)
    made.heard("a", {}, 1001.0)
    assert truth(made, 1100.0) is TRUE


def test_captures_are_those_of_the_newest_event_that_counts():
    made = listening('matched("log.line", "pid (?P<pid>[0-9]+)", 1m)')
    assert made.captures("rule") == {}
    made.heard("log.line", {"message": "pid 1"}, 1001.0)
    made.heard("log.line", {"message": "pid 22"}, 1002.0)
    made.heard("log.line", {"message": "no number"}, 1003.0)
    assert truth(made, 1003.0) is TRUE
    assert made.captures("rule") == {"pid": "22"}
    assert truth(made, 1100.0) is FALSE
    assert made.captures("rule") == {}


def test_what_was_heard_survives_a_reload():
    old = listening('occurred("a", 10m)')
    old.heard("a", {}, 1100.0)
    old.evaluate(1100.0)
    new = Evaluator(METRICS)
    new.add("rule", parse('occurred("a", 10m)', vocabulary=METRICS))
    new.inherit(old)
    assert truth(new, 1200.0) is TRUE
    assert truth(new, 1701.0) is FALSE, "it has listened since 1000"


@settings(max_examples=60)
@given(st.lists(st.floats(0, 100), max_size=8), st.floats(0, 200), st.floats(1, 50))
def test_it_is_true_exactly_while_the_last_one_is_recent(heard, now, window):
    made = Evaluator(METRICS)
    made.add("rule", parse(f'occurred("a", {window:.3f}s)', vocabulary=METRICS))
    window = float(f"{window:.3f}")
    made.evaluate(0.0)
    for at in sorted(heard):
        if at <= now:
            made.heard("a", {}, at)
    last = max((at for at in heard if at <= now), default=None)
    expected = TRUE if last is not None and now - last <= window else FALSE if now >= window else UNKNOWN
    assert truth(made, now) is expected


# ------------------------------------------------------------------------------------------------ calendars

MONDAY = dt.datetime(2026, 11, 16, tzinfo=dt.UTC).timestamp()


def test_a_calendar_is_unknown_until_the_time_of_day_is():
    made = listening('calendar(hours="08:00-09:00", tz="UTC")')
    assert truth(made, 1001.0) is UNKNOWN
    made.set_wall(MONDAY)
    assert truth(made, 1002.0) is FALSE


def test_a_calendar_opens_and_closes_by_itself():
    made = listening('calendar(hours="08:00-09:00", days="mon", tz="UTC")')
    made.set_wall(MONDAY - 1000.0)
    now, opened, closed = 1000.0, None, None
    made.evaluate(now)
    for _ in range(2000):
        now = made.due()
        state = truth(made, now)
        opened = now if opened is None and state is TRUE else opened
        closed = now if opened is not None and closed is None and state is FALSE else closed
        if closed:
            break
    assert opened == pytest.approx(1000.0 + 8 * 3600, abs=0.01)
    assert closed == pytest.approx(1000.0 + 9 * 3600, abs=0.01)


def test_a_calendar_follows_a_jump_of_the_clock_and_no_drift():
    made = listening('calendar(hours="08:00-09:00", tz="UTC")')
    made.set_wall(MONDAY)
    assert truth(made, 1000.0) is FALSE
    made.set_wall(MONDAY + 8 * 3600)
    assert truth(made, 1001.0) is TRUE
    made.set_wall(MONDAY + 8 * 3600 + 0.01)
    assert not made._pending


def test_after_a_re_arm_that_lies_ahead_silence_counts_from_there():
    made = listening('occurred("a", 1m)')
    made.rearm("rule", 1030.0)
    assert truth(made, 1010.0) is UNKNOWN
    assert truth(made, 1075.0) is UNKNOWN
    assert truth(made, 1090.0) is FALSE


def test_what_was_heard_is_evidence():
    made = listening('occurred("backup.*", 10m) and cpu.used < 1%')
    made.heard("backup.done", {"message": "a secret"}, 1001.0)
    made.evaluate(1003.0)
    [heard] = made.evidence("rule", 1003.0)
    assert (heard.series, heard.value, heard.age_us) == ('occurred("backup.*", 600s)', "backup.done", 2_000_000)


@pytest.mark.parametrize(
    "value",
    [10**5000, -(10**5000), float("nan"), float("inf"), "x" * 10_000_000, b"x", {}, None, "\udc80", "\0"],
    ids=lambda value: type(value).__name__,
)
def test_strange_content_is_no_crash_and_costs_no_time(value):
    made = listening('occurred("a", 1m){x=~"*a*a*a*b"} or matched("a", "(a+)+$") or occurred("a", 1m){x="1"}')
    start = time.perf_counter()
    made.heard("a", {"x": value, "message": value}, 1001.0)
    assert time.perf_counter() - start < 0.1
    assert truth(made, 1001.0) is UNKNOWN
