import contextlib
import json

import pytest

from healer.model.trigger import Accumulate, Heard, Missing, Together, Trigger
from healer.rules.triggers import TriggerShape
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text):
    return document.text(text, TriggerShape(), Problems())


def told(text):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, TriggerShape(), problems, name="f")
    return " ".join(str(one) for one in problems.found)


def test_a_rule_may_wait_for_its_condition_a_person_the_calendar_or_an_event():
    assert [read(word).kind for word in ("auto", "manual")] == ["auto", "manual"]
    assert read('{schedule: "30 3 * * 7", tz: Europe/Warsaw}') == Trigger(
        kind="schedule", cron="30 3 * * 7", tz="Europe/Warsaw"
    )
    assert read("{event: login.failed}") == Trigger(kind="event", topic="login.failed")


def test_an_event_may_be_filtered_counted_grouped_and_waited_out():
    made = read(
        '{event: login.failed, filter: {level: ">= 3", host: "web*", zone: [a, b]}, group_by: user, once_within: 10m,'
        " once_after: 30s, accumulate: {count: 5, within: 1m}, own: true}"
    )
    assert made == Trigger(
        kind="event",
        topic="login.failed",
        filter={"level": ">= 3", "host": "web*", "zone": ("a", "b")},
        group_by=("user",),
        once_within=600.0,
        once_after=30.0,
        accumulate=Accumulate(count=5, within=60.0),
        own=True,
    )
    assert str(made) == ("event login.failed, 5 within 60s, by user, after 30s of quiet, once within 600s")


def test_several_events_may_have_to_come_or_one_not_to_follow():
    both = read("{all_within: {events: [a.b, {event: c.*, filter: {n: 3}}], within: 5m}}")
    assert both.together == Together(events=(Heard(topic="a.b"), Heard(topic="c.*", filter={"n": 3})), within=300.0)
    missed = read("{event: backup.started, not_followed_by: {event: backup.done, within: 2h}, group_by: [job, host]}")
    assert missed.missing == Missing(event=Heard(topic="backup.done"), within=7200.0)
    assert "without backup.done within 7200s, by job and host" in str(missed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("now", "one of: auto, manual"),
        ("5", "expected auto, manual"),
        ("[]", "expected auto, manual"),
        ("{}", "one of: a schedule, an event, all_within"),
        ("{event: a, schedule: '* * * * *'}", "one of: a schedule, an event, all_within"),
        ("{event: a, all_within: {events: [a, b], within: 1m}}", "one of: a schedule, an event, all_within"),
        ("{evnt: a}", "did you mean 'event'"),
        ("{event: a, once_witin: 10m}", "did you mean 'once_within'"),
        ("{event: a, once_within: 10}", "has no unit"),
        ("{event: a, once_within: 0s}", "out of bounds"),
        ("{event: a, once_within: -5m}", "not a duration"),
        ("{event: a, once_after: 1000d}", "out of bounds"),
        ("{event: a, accumulate: {count: -1, within: 1m}}", "out of bounds"),
        ("{event: a, accumulate: {count: 1, within: 1m}}", "out of bounds"),
        ("{event: a, accumulate: {count: 1000000, within: 1m}}", "out of bounds"),
        ("{event: a, accumulate: {count: 2.5, within: 1m}}", "whole number"),
        ("{event: a, accumulate: {count: 5}}", "'within' is missing"),
        ("{event: a, accumulate: {count: 5, within: 300d}}", "out of bounds"),
        ("{event: a, group_by: []}", "an empty list"),
        ("{event: a, filter: {n: '> many'}}", "compares with no number"),
        ("{event: a, filter: {n: [1, '> many']}}", "compares with no number"),
        ("{event: a, filter: {n: {m: 1}}}", "expected a value"),
        ("{event: a, filter: {n: []}}", "an empty list"),
        ("{all_within: {events: [a], within: 1m}}", "at least 2"),
        ("{all_within: {events: [], within: 1m}}", "an empty list"),
        ("{all_within: {events: [a, {evnt: b}], within: 1m}}", "did you mean 'event'"),
        ("{all_within: {events: [a, b], within: 1m}, filter: {n: 1}}", "filter goes with an event"),
        ("{event: a, not_followed_by: {event: b}}", "'within' is missing"),
        ("{event: a, not_followed_by: {event: b, within: 1m}, accumulate: {count: 2, within: 1m}}", "does not go with"),
        ("{schedule: '0 3 * * *', once_within: 5m}", "goes with event"),
        ("{event: a, tz: UTC}", "tz goes with schedule"),
        ("{schedule: '0 3 * * *', tz: Mars/Olympus}", "unknown time zone"),
        ("{schedule: '0 0 30 2 *'}", "cron line"),
        ("{schedule: '61 * * * *'}", "not a cron line"),
        ("{schedule: '* * * * * *'}", "not a cron line"),
        ("{schedule: 5}", "quote it"),
        ("{event: '" + "x" * 300 + "'}", "at most 256"),
        ("{event: null}", "found nothing"),
    ],
)
def test_what_is_no_trigger_is_told_at_its_place(text, says):
    problems = told(text)
    assert says in problems
    assert problems.startswith("f:1:")


FULL = [
    {"schedule": "0 3 * * *", "tz": "UTC"},
    {
        "event": "a",
        "filter": {"n": ">= 3"},
        "own": True,
        "once_within": "10m",
        "once_after": "30s",
        "group_by": ["user"],
        "accumulate": {"count": 5, "within": "1m"},
    },
    {"all_within": {"events": ["a", {"event": "b", "filter": {"n": 1}}], "within": "5m"}},
    {"event": "a", "not_followed_by": {"event": "b", "filter": {"n": 1}, "within": "5m"}},
]
WRONG = [None, -1, 10**18, 0.5, [], [[]], {}, {"x": [{}]}, "", "x" * 10_000, "\x00", True]
_OPEN = {"filter", "n"}
"""Where the author's own words and values stand."""


def places(held, path=()):
    for key, inner in held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(held, path, change):
    made = json.loads(json.dumps(held))
    at = made
    for key in path[:-1]:
        at = at[key]
    change(at, path[-1])
    return json.dumps(made)


@pytest.mark.parametrize("full", FULL, ids=lambda full: next(iter(full)))
def test_every_key_misspelt_and_every_value_of_another_kind_is_refused_and_crashes_nothing(full):
    read(json.dumps(full))
    for path in places(full):
        if isinstance(path[-1], str) and path[-1] not in _OPEN:
            told(changed(full, path, lambda at, key: at.__setitem__(key + "x", at.pop(key))))
        for wrong in WRONG:
            text = changed(full, path, lambda at, key, wrong=wrong: at.__setitem__(key, wrong))
            with contextlib.suppress(Bad):
                assert str(read(text))  # where it fits, it says what it waits for
