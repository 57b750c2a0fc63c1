"""Every function: what it takes, what it refuses and where it points, and that it is written back the same."""

import pytest

from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.calls import CALLS
from healer.rules.expression import ExpressionError, bind, is_condition, is_number, mentions_target, parse, unparse
from healer.rules.syntax import Calendar, Chosen, Heard, Trend, walk
from healer.rules.units import unit_of

GOOD = (
    'eta(disk.used{mount="/"}, 95%) < 4h',
    "eta(disk.free_bytes, 1GiB, 2h) < 1d",
    "eta(command.value{target}, -5) > 1h",
    "min(eta(disk.used, 95%)) < 4h and count(eta(disk.used, 95%)) > 0",
    "forecast(disk.used, 4h) > 95%",
    "max(forecast(disk.used, 4h, 30m)) > 95%",
    "forecast(self.memory, 1d) - self.memory > 100MiB",
    "2 * forecast(disk.used, 4h) / 2 > 90%",
    "-forecast(cpu.load_per_core, 1h) < -2",
    "anomaly(cpu.used) > 4",
    "abs(anomaly(http.latency{target}, 7d)) > 4 and max(anomaly(disk.busy)) > 3",
    'occurred("unit.failed", 10m)',
    'occurred("backup.*", 1d){name="db",own=~"*"} or not occurred("backup.done", 1d){target}',
    'matched("log.line", "oom.*pid (?P<pid>[0-9]+)")',
    'matched("log.line", "say \\"no\\" to {name}", 10m){unit="x"}',
    'matched(http.message{target}, "pool {name} is exhausted")',
    'matched(my.words, "a.b")',
    "flaps{target} > 30% and flaps(target) > 30%",
    'flaps("program:api") > 0.3',
    'state(target) == "running"',
    'rule("a") == "given-up"',
    'rule("a", "program:api") != "inactive"',
    'any_state("stopped", kind="program", group="web,db", except="program:x")',
    'none_state("fault", label="tier=1", name="a*", organ="heart") and all_state("running", group="web")',
    'calendar(hours="22:00-06:00", days="mon-fri", tz="Europe/Warsaw")',
    'calendar(month_days="-1") or calendar(months="dec", dates="2026-12-24", years="2026")',
    'matched(log:auth, "failed")',
    'matched(log:auth, "failed", 10m) and not matched(journal:ssh.service, "too-many")',
    'matched(journal{target}, "failed", 30s)',
    'matched(log{target="log:a"}, "failed")',
    'grew(log.count{target="log:auth",pattern="failed"}, 5m) == 1',
)

BAD = (
    ("eta(disk.used) < 4h", 13, "until it crosses what"),
    ("eta(disk.used, 95) < 4h", 15, "ratio"),
    ("eta(disk.used, 5MiB) < 4h", 15, "one unit"),
    ("eta(disk.used, cpu.used) < 4h", 15, "the number"),
    ("eta(disk.used, 95%) < 4", 22, "missing unit"),
    ("eta(disk.used, 95%) == 4h", 20, "never exactly"),
    ("eta(disk.used, 95%, 10s) < 4h", 20, "at least 1m"),
    ("eta(disk.used, 95%, 2d) < 4h", 20, "at most 1d"),
    ("eta(disk.used + 1%, 95%) < 4h", 14, "expected ','"),
    ("eta(avg_over(disk.used, 5m), 95%) < 4h", 4, "takes a metric"),
    ("eta(file.owner, 95%) < 4h", 4, "a word"),
    ("forecast(disk.used, 4) > 1%", 20, "5m"),
    ("forecast(disk.used, 31d) > 1%", 20, "at most 30d"),
    ("forecast(disk.used, 0s) > 1%", 20, "longer than 0"),
    ("forecast(disk.used, 4h) > 95", 26, "95%"),
    ("forecast(disk.used, 4h) * cpu.used > 1%", 24, "by a number only"),
    ("cpu.used * forecast(disk.used, 4h) > 1%", 9, "by a number only"),
    ("2 / forecast(disk.used, 4h) > 1%", 2, "by a number only"),
    ("forecast(disk.used, 4h) * 0 > 1%", 24, "by a number only"),
    ("abs(forecast(disk.used, 4h)) > 1%", 0, "has no abs"),
    ("anomaly(cpu.used, 10m) > 4", 18, "at least 1h"),
    ("anomaly(cpu.used, 8d) > 4", 18, "at most 7d"),
    ("anomaly(file.owner) > 4", 8, "a word"),
    ("occurred(unit.failed, 10m)", 9, "in quotes"),
    ('occurred("unit.failed")', 22, "within which time"),
    ('occurred("unit failed", 10m)', 9, "no topic"),
    ('occurred("", 10m)', 9, "no topic"),
    ('occurred("a", 2d)', 14, "at most 1d"),
    ('occurred("a", 10m) > 1', 0, "cannot be compared"),
    ('occurred("a", 10m){own="maybe"}', 18, "yes or no"),
    ('matched("log.line", 5)', 20, "in quotes"),
    ('matched("log.line", "(a")', 21, "not a pattern"),
    ('matched("log.line", "(?P<x>a) \\\\1")', 21, "not a pattern"),
    ('matched("log.line", "a*")', 21, "empty text"),
    ('matched("log.line", "")', 21, "empty pattern"),
    ('matched(cpu.used, "a")', 8, "takes a word"),
    ("flaps(cpu.used) > 1%", 6, "in quotes"),
    ("flaps{target} > 30", 16, "30%"),
    ('rule("a") == "firng"', 13, "firing"),
    ('rule("a", 5) == "firing"', 10, "in quotes"),
    ('any_state("stoped", kind="program")', 10, "stopped"),
    ('any_state("stopped")', 0, "every target"),
    ('any_state("stopped", kid="program")', 21, "kind"),
    ('any_state("stopped", kind="programme")', 0, "program"),
    ('any_state("stopped", kind="program", kind="unit")', 37, "twice"),
    ('any_state("stopped", kind=program)', 26, "in quotes"),
    ('any_state("stopped", group="a,,b")', 0, "empty"),
    ('calendar(hours="25:00-26:00")', 0, "leaves the day"),
    ('calendar(days="monday")', 0, "weekday"),
    ("calendar()", 9, "calendar"),
    ('matched(log, "failed")', 8, "which log"),
    ('matched(journal{}, "failed")', 8, "target alone"),
    ('matched(log{pattern="x"}, "failed")', 8, "target alone"),
    ("matched(log:auth, failed)", 18, "in quotes"),
    ('matched(log:auth, "Failed password")', 18, "name of a pattern"),
    ('matched(log:auth, "failed", 2d)', 28, "at most"),
    ("matched(log:auth)", 16, "expected ','"),
    ('matched(file:auth, "failed")', 12, "unexpected"),
    ('calendar(tz="Nowhere/Else", days="mon")', 0, "time zone"),
    ('calendar(hour="22:00-06:00")', 9, "hours"),
)


def read(text, **options):
    return parse(text, vocabulary=METRICS, lenient="my." in text, **options)


@pytest.mark.parametrize("text", GOOD)
def test_what_is_taken_is_a_condition_and_is_written_back_the_same(text):
    tree = read(text)
    assert is_condition(tree)
    assert read(unparse(tree)) == tree


@pytest.mark.parametrize(("text", "offset", "word"), BAD)
def test_what_is_refused_is_pointed_at_and_explained(text, offset, word):
    with pytest.raises(ExpressionError) as caught:
        read(text)
    assert word in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.offset == offset


def test_every_function_is_tried_above_or_is_older():
    older = {
        "max", "min", "avg", "sum", "count", "p95", "avg_over", "max_over", "min_over", "sum_over", "count_over",
        "p95_over", "rate", "delta", "changes", "exactly", "at_least", "at_most", "weighted", "age", "abs",
    }  # fmt: skip
    assert {name for name in CALLS if not any(f"{name}(" in text for text in GOOD)} <= older


def test_unless_it_is_said_a_forecast_rests_on_an_hour_and_a_season_is_a_day():
    tree = read("eta(disk.used, 95%) < 4h")
    assert next(node.history for node in walk(tree) if isinstance(node, Trend)) == 3600
    assert read("anomaly(cpu.used) > 1") == read("anomaly(cpu.used, 1d) > 1")
    assert read('matched("a", "b")') == read('matched("a", "b", 5m)')


def test_units_follow():
    assert unit_of(read("eta(disk.used, 95%)")) is Unit.SECONDS
    assert unit_of(read("forecast(self.memory, 1h)")) is Unit.BYTES
    assert is_number(read("anomaly(cpu.used)"))


def test_an_event_about_the_target_is_bound_to_it():
    tree = read('occurred("unit.failed", 10m){target}')
    assert mentions_target(tree)
    bound = bind(tree, "unit:x")
    assert not mentions_target(bound)
    assert isinstance(bound, Heard)
    assert unparse(bound) == 'occurred("unit.failed", 600s){target="unit:x"}'


def test_selections_and_calendars_are_leaves_of_their_own():
    assert isinstance(read('any_state("stopped", kind="program")'), Chosen)
    assert isinstance(read('calendar(days="mon")'), Calendar)
    assert read('calendar(days="mon")') != read('calendar(days="tue")')
