import pytest

from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules import fields
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Version
from healer.yamldoc.shape import Bad, Record

RULE = Record(*fields.rule_fields(METRICS, VERBS))


def read(key, text):
    return document.text(text, RULE.fields[key].shape, Problems())


def told(key, text):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, RULE.fields[key].shape, problems, name="f")
    return " ".join(str(one) for one in problems.found)


def test_priorities_are_words_or_numbers():
    assert [read("priority", word) for word in ("low", "normal", "high", "critical", "1", "10")] == [2, 4, 7, 10, 1, 10]


def test_active_times_are_days_hours_and_a_zone():
    active = read("active", '{days: mon-fri, hours: ["22:00-06:00", "12:00-13:00"], tz: Europe/Warsaw}')
    assert (active.days, active.hours, active.tz) == ((0, 1, 2, 3, 4), ((1320, 360), (720, 780)), "Europe/Warsaw")
    assert read("active", "{days: [mon, wed-thu]}").days == (0, 2, 3)


def test_triggers_are_words_schedules_or_events():
    assert read("trigger", "manual").kind == "manual"
    schedule = read("trigger", '{schedule: "30 3 * * sun", tz: UTC}')
    assert (schedule.kind, schedule.cron, schedule.tz) == ("schedule", "30 3 * * sun", "UTC")
    event = read("trigger", "{event: security.*, filter: {level: 3}}")
    assert (event.kind, event.topic, event.filter) == ("event", "security.*", {"level": 3})


def test_selectors_are_any_criteria():
    selector = read("each", "{kind: unit, name: 'web@*', group: [a, b], label: {tier: x}, except: 'web@9'}")
    assert (selector.group, selector.label, selector.except_) == (("a", "b"), (("tier", "x"),), ("web@9",))


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("id", "5", "quote it"),
        ("id", "a b", "is not an id"),
        ("id", "../x", "is not an id"),
        ("priority", "11", "out of bounds"),
        ("priority", "urgent", "one of: low, normal"),
        ("priority", "[1]", "expected low, normal"),
        ("each", "{}", "selects every target"),
        ("each", "{name: '*'}", "selects every target"),
        ("each", "{except: [a]}", "selects every target"),
        ("each", "{state: running}", "selects every target"),
        ("each", "{all: true}", "unknown key 'all'"),
        ("each", "{knd: unit}", "did you mean 'kind'?"),
        ("each", "{kind: units}", "did you mean 'unit'?"),
        ("each", "{group: []}", "empty list"),
        ("samples", "{bad: 5, of: 4}", "5 of 4 can never be"),
        ("samples", "{bad: 0, of: 4}", "out of bounds"),
        ("limits", "[]", "an empty list"),
        ("limits", "[{max: 0, per: 1h}]", "out of bounds"),
        ("limits", "[{max: 1, per: 60}]", "60 has no unit"),
        ("limits", "[{max: 1, per: 0s}]", "out of bounds"),
        ("limits", "[{max: 1, per: 1h, scope: rules}]", "did you mean 'rule'?"),
        ("backoff", "{initial: 10m, max: 5m}", "longer than the longest"),
        ("backoff", "{factor: 0.5}", "out of bounds"),
        ("backoff", "{jitter: 20}", "did you mean 20%?"),
        ("active", "{hours: '25:00-26:00'}", "leaves the day"),
        ("active", "{days: weekend}", "not a weekday"),
        ("active", "{hours: 12:30}", "base 60"),
        ("active", "{tz: Europe/Warsow}", "unknown time zone"),
        ("trigger", "now", "one of: auto, manual"),
        ("trigger", "5", "expected auto, manual"),
        ("trigger", "{}", "a schedule, an event, all_within"),
        ("trigger", "{schedule: '* * *'}", "not a cron line"),
        ("trigger", "{schedule: '0 0 30 2 *'}", "bad day-of-month"),
        ("for", "20", "20 has no unit"),
        ("cooldown", "-5s", "not a duration"),
        ("mode", "on", "true or false to some"),
        ("enabled", "yes", "true or false to some"),
        ("then", "[]", "an empty list"),
        ("then", "restart", "expected a list"),
    ],
)
def test_mistakes_are_told(key, text, says):
    assert says in told(key, text)


def test_versions_other_than_this_one_are_refused():
    for text, says in (
        ("2", "version 2 is not known"),
        ("'1'", "expected version: 1"),
        ("true", "expected version: 1"),
    ):
        problems = Problems()
        with pytest.raises(Bad):
            document.text(text, Version(), problems)
        assert says in str(problems.found[0])


def test_everything_has_a_schema_and_a_sentence():
    assert RULE.schema()["required"] == ["id", "when", "then"]
    assert all(field.doc for field in RULE.fields.values())
