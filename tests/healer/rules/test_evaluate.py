"""Readings in, truths out: what fires, what does not, and when."""

import math
import operator
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.model.observation import Observation, Series, Unknown, labels
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.evaluate import Change, Evaluator, shown
from healer.rules.expression import ExpressionError, bind, parse

TRUE, FALSE, UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN
FRONT = labels(target="http:front")


def see(value, at, metric="cpu.used", marks=(), *, conclusive=False):
    return Observation(metric=metric, labels=marks, value=value, unit=Unit.NUMBER, at=at, conclusive=conclusive)


def watching(text, *, baseline=True, every_sample=False, **options):
    evaluator = Evaluator(METRICS, baseline=baseline, **options)
    evaluator.add("rule", parse(text, vocabulary=METRICS, lenient=True), every_sample=every_sample)
    return evaluator


def feed(evaluator, *readings, now=None):
    for reading in readings:
        evaluator.observe(reading)
    return evaluator.evaluate(readings[-1].at if now is None else now)


def truth_after(text, *readings, now=None, **options):
    evaluator = watching(text, **options)
    feed(evaluator, *readings, now=now)
    return evaluator.truth("rule")


# ------------------------------------------------------------------------------------------ first samples


def test_the_first_sample_after_start_never_counts():
    evaluator = watching("cpu.used > 80%")
    assert feed(evaluator, see(0.9, 1.0)) == []
    assert evaluator.truth("rule") is UNKNOWN
    assert feed(evaluator, see(0.9, 2.0)) == [Change("rule", TRUE, UNKNOWN, False)]


def test_the_first_sample_does_not_clear_either():
    assert truth_after("cpu.used > 80%", see(0.1, 1.0)) is UNKNOWN


def test_the_same_sample_told_twice_is_still_the_first():
    assert truth_after("cpu.used > 80%", see(0.9, 1.0), see(0.9, 1.0)) is UNKNOWN


def test_a_conclusive_reading_needs_no_second():
    evaluator = watching("program.up{target='program:api'} == 0")
    said = see(0, 1.0, "program.up", labels(target="program:api"), conclusive=True)
    assert feed(evaluator, said) == [Change("rule", TRUE, UNKNOWN, True)]
    poll = see(0, 1.0, "program.up", labels(target="program:api"))
    assert feed(evaluator, poll) == [], "a poll at the same moment takes nothing back"
    assert evaluator.truth("rule") is TRUE


def test_vitals_take_the_first_sample():
    evaluator = Evaluator(METRICS)
    evaluator.add_value("brain.cpu", parse("cpu.used * 2", vocabulary=METRICS))
    assert evaluator.evaluate(0.0) == []
    assert evaluator.value("brain.cpu") is None
    feed(evaluator, see(0.25, 1.0))
    assert evaluator.value("brain.cpu") == 0.5


def test_without_baseline_the_first_sample_counts():
    assert truth_after("cpu.used > 80%", see(0.9, 1.0), baseline=False) is TRUE


# ------------------------------------------------------------------------------------------------ unknown


def test_never_seen_is_unknown_not_false():
    evaluator = watching("cpu.used > 80%")
    assert evaluator.evaluate(100.0) == []
    assert evaluator.truth("rule") is UNKNOWN


def test_a_value_older_than_max_age_becomes_unknown_by_itself():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    assert evaluator.due() == 2.0 + METRICS["cpu.used"].max_age
    assert evaluator.evaluate(11.9) == []
    assert evaluator.evaluate(12.0) == [Change("rule", UNKNOWN, TRUE, False)]
    assert evaluator.latest(Series("cpu.used", ())) is None
    assert evaluator.because(Series("cpu.used", ())) == "older than 10 s"


def test_a_new_sample_puts_the_deadline_off():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    feed(evaluator, see(0.9, 9.0))
    assert evaluator.evaluate(15.0) == []
    assert evaluator.evaluate(19.0) == [Change("rule", UNKNOWN, TRUE, False)]


@pytest.mark.parametrize("which", ["cpu.used", Series("cpu.used", ())])
def test_max_age_can_be_set_for_a_metric_or_a_series(which):
    evaluator = watching("cpu.used > 80%")
    evaluator.set_max_age(which, 3.0)
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    evaluator.set_max_age(which, 2.0)
    assert evaluator.due() == 4.0
    assert evaluator.evaluate(4.0) == [Change("rule", UNKNOWN, TRUE, False)]


def test_what_a_sensor_could_not_read_is_unknown_until_the_next_value():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    blind = Unknown(metric="cpu.used", because="permission denied", at=3.0)
    assert feed(evaluator, blind) == [Change("rule", UNKNOWN, TRUE, False)]
    assert evaluator.because(Series("cpu.used", ())) == "permission denied"
    assert feed(evaluator, see(0.9, 4.0)) == [Change("rule", TRUE, UNKNOWN, False)]


@pytest.mark.parametrize("which", ["cpu.", [Series("cpu.used", ())]])
def test_lost_series_are_unknown(which):
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    evaluator.lost(which, "the sensor died", 3.0)
    assert evaluator.evaluate(3.0) == [Change("rule", UNKNOWN, TRUE, False)]


def test_losing_what_nobody_knows_is_no_mistake():
    evaluator = watching("cpu.used > 80%")
    evaluator.lost([Series("never.seen", ())], "x", 1.0)
    evaluator.lost("nothing.", "x", 1.0)
    assert evaluator.evaluate(1.0) == []


@pytest.mark.parametrize(
    "garbage",
    [math.nan, math.inf, -math.inf, -1, -0.001, 1.5, 1e308, 10**400, -(10**400), "0.9", "", "NaN", True, None, [0.9]],
    ids=repr,
)  # fmt: skip
def test_garbage_is_unknown_and_counted(garbage):
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    assert feed(evaluator, see(garbage, 3.0)) == [Change("rule", UNKNOWN, TRUE, False)]
    assert evaluator.garbage == 1
    assert feed(evaluator, see(0.9, 4.0)) == [Change("rule", TRUE, UNKNOWN, False)]


@pytest.mark.parametrize("word", [0, 1.0, True, None, "x" * 5000, math.nan])
def test_a_word_that_is_none_is_unknown(word):
    marks = labels(target="file:a")
    evaluator = watching('file.owner{target="file:a"} != "root"')
    feed(evaluator, *(see("web", at, "file.owner", marks) for at in (1.0, 2.0)))
    assert evaluator.truth("rule") is TRUE
    feed(evaluator, see(word, 3.0, "file.owner", marks))
    assert evaluator.truth("rule") is UNKNOWN


def test_a_word_where_a_number_is_expected_is_unknown():
    # An undeclared metric may hold either; the condition says which it needs.
    assert truth_after("my.own > 5", see("six", 1.0, "my.own"), see("six", 2.0, "my.own")) is UNKNOWN
    assert truth_after('my.own == "six"', see(6, 1.0, "my.own"), see(6, 2.0, "my.own")) is UNKNOWN


@pytest.mark.parametrize("at", [math.nan, -math.inf, math.inf, 1.0])
def test_a_late_or_timeless_answer_changes_nothing(at):
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    evaluator.observe(see(0.1, at))
    assert evaluator.evaluate(2.5) == []
    assert evaluator.late == 1


def test_a_late_answer_does_not_end_a_blindness():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    feed(evaluator, Unknown(metric="cpu.used", because="timeout", at=4.0), see(0.9, 3.0), now=4.0)
    assert evaluator.truth("rule") is UNKNOWN


def test_a_sample_from_the_future_is_garbage_and_does_not_lock_the_series():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    assert feed(evaluator, see(0.9, 5000.0), now=3.0) == [Change("rule", UNKNOWN, TRUE, False)]
    assert evaluator.garbage == 1
    feed(evaluator, see(0.9, 4.0), see(0.9, 5.0))
    assert evaluator.truth("rule") is TRUE


# ------------------------------------------------------------------------------------- selectors and labels


def test_a_bound_condition_reads_only_its_own_target():
    evaluator = Evaluator(METRICS, baseline=False)
    expr = parse("http.ok{target} == 0", vocabulary=METRICS)
    for name in ("http:front", "http:back"):
        evaluator.add(name, bind(expr, name))
    for name, value in (("http:front", 0), ("http:back", 1)):
        evaluator.observe(see(value, 1.0, "http.ok", labels(target=name)))
    evaluator.evaluate(1.0)
    assert (evaluator.truth("http:front"), evaluator.truth("http:back")) == (TRUE, FALSE)


def test_an_unbound_target_means_no_series_at_all():
    assert truth_after("http.ok{target} == 0", see(0, 1.0, "http.ok", FRONT), baseline=False) is UNKNOWN


def test_several_series_without_an_aggregate_are_unknown():
    disks = [see(0.99, at, "disk.used", labels(mount=mount)) for at in (1.0, 2.0) for mount in ("/", "/var")]
    assert truth_after("disk.used > 90%", *disks) is UNKNOWN
    assert truth_after("max(disk.used) > 90%", *disks) is TRUE
    assert truth_after('disk.used{mount="/"} > 90%', *disks) is TRUE


def test_a_second_series_that_appears_later_makes_it_ambiguous():
    evaluator = watching("disk.used > 90%", baseline=False)
    feed(evaluator, see(0.99, 1.0, "disk.used", labels(mount="/")))
    assert evaluator.truth("rule") is TRUE
    feed(evaluator, see(0.1, 2.0, "disk.used", labels(mount="/var")))
    assert evaluator.truth("rule") is UNKNOWN


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ('{mount="/"}', 0.5),
        ('{mount!="/"}', 0.7),
        ('{mount=~"/v*"}', 0.7),
        ('{mount=~"*"}', None),
        ('{mount="/nope"}', None),
        ('{device=""}', None),
    ],
)
def test_label_filters(matcher, expected):
    evaluator = Evaluator({"disk.used": Unit.RATIO})
    evaluator.add_value("v", parse(f"disk.used{matcher}", vocabulary={"disk.used": Unit.RATIO}))
    feed(evaluator, see(0.5, 1.0, "disk.used", labels(mount="/")), see(0.7, 1.0, "disk.used", labels(mount="/var")))
    assert evaluator.value("v") == expected


@pytest.mark.parametrize(
    ("function", "expected"), [("max", 0.9), ("min", 0.1), ("sum", 1.5), ("avg", 0.5), ("count", 3), ("p95", 0.9)]
)
def test_aggregates_over_labels(function, expected):
    evaluator = Evaluator(METRICS)
    evaluator.add_value("v", parse(f"{function}(disk.used)", vocabulary=METRICS))
    feed(evaluator, *(see(value, 1.0, "disk.used", labels(mount=str(value))) for value in (0.1, 0.5, 0.9)))
    assert evaluator.value("v") == pytest.approx(expected)
    evaluator.observe(Unknown(metric="disk.used", labels=labels(mount="0.5"), because="stale mount", at=2.0))
    evaluator.evaluate(2.0)
    assert evaluator.value("v") is None, "with one member unknown the aggregate is"


def test_an_aggregate_of_nothing_is_unknown_not_zero():
    evaluator = Evaluator(METRICS)
    for function in ("max", "sum", "count"):
        evaluator.add_value(function, parse(f"{function}(disk.used)", vocabulary=METRICS))
    evaluator.evaluate(1.0)
    assert {evaluator.value(function) for function in ("max", "sum", "count")} == {None}


def test_one_member_over_the_limit_is_enough_however_blind_the_others_are():
    evaluator = watching("max(disk.used) > 90%", baseline=False)
    blind = Unknown(metric="disk.used", labels=labels(mount="/nfs"), because="hangs", at=1.0)
    feed(evaluator, see(0.5, 1.0, "disk.used", labels(mount="/")), blind)
    assert evaluator.truth("rule") is UNKNOWN
    feed(evaluator, see(0.95, 2.0, "disk.used", labels(mount="/")))
    assert evaluator.truth("rule") is TRUE


def test_a_member_long_gone_no_longer_blinds_its_aggregate():
    evaluator = watching("max(disk.used) < 90%", baseline=False, forget_after=300.0)
    gone = labels(mount="/mnt")
    feed(evaluator, see(0.5, 1.0, "disk.used", gone), see(0.5, 1.0, "disk.used", labels(mount="/")))
    for at in range(100, 600, 100):
        feed(evaluator, see(0.5, float(at), "disk.used", labels(mount="/")))
    # 121 s: unknown; 421 s: forgotten.
    assert evaluator.truth("rule") is TRUE
    feed(evaluator, see(0.99, 600.0, "disk.used", gone), now=600.0)
    assert evaluator.truth("rule") is FALSE, "and it counts again when it comes back"


def test_more_series_than_kept_are_dropped_and_the_metric_is_unknown():
    evaluator = watching('disk.used{mount="0"} > 90%', baseline=False, max_series=5)
    feed(evaluator, *(see(0.99, 1.0, "disk.used", labels(mount=str(index))) for index in range(8)))
    assert evaluator.dropped == 3
    assert len(evaluator.series("disk.used")) == 5
    assert evaluator.truth("rule") is UNKNOWN


def test_series_unspoken_of_make_room_for_new_ones():
    evaluator = watching('disk.used{mount="new"} > 90%', baseline=False, max_series=2, forget_after=60.0)
    feed(evaluator, *(see(0.1, 1.0, "disk.used", labels(mount=mount)) for mount in "abc"))
    assert evaluator.dropped == 1
    feed(evaluator, see(0.99, 100.0, "disk.used", labels(mount="new")))
    assert evaluator.truth("rule") is TRUE
    assert evaluator.series("disk.used") == (Series("disk.used", labels(mount="new")),)


# -------------------------------------------------------------------------------------------- age and windows


def test_age_of_the_never_seen_is_unknown():
    assert truth_after("age(cpu.used) > 1s", see(1, 1.0, "cpu.iowait"), now=1000.0) is UNKNOWN


def test_an_age_fires_when_it_is_due_without_any_reading():
    evaluator = watching("age(cpu.used) > 5m")
    feed(evaluator, see(0.5, 10.0))
    assert evaluator.truth("rule") is FALSE
    assert evaluator.due() == 20.0  # it turns unknown first; its age goes on
    evaluator.evaluate(20.0)
    assert evaluator.due() == 310.0
    evaluator.evaluate(310.0)
    assert evaluator.truth("rule") is FALSE, "not older than 5 minutes yet"
    later = evaluator.due()
    assert later is not None
    assert 310.0 < later < 310.1
    assert evaluator.evaluate(later) == [Change("rule", TRUE, FALSE, False)]
    feed(evaluator, see(0.5, 400.0))
    assert evaluator.truth("rule") is FALSE


def test_an_age_without_a_constant_limit_is_looked_at_every_second():
    evaluator = watching("age(cpu.used) > age(cpu.iowait) + 2s")
    feed(evaluator, see(0.5, 10.0), see(0.5, 10.0, "cpu.iowait"))
    assert evaluator.due() == 11.0


def test_a_window_is_unknown_until_it_has_been_observed():
    evaluator = watching("avg_over(cpu.used, 1m) > 80%")
    for at in range(0, 50, 5):
        feed(evaluator, see(0.9, float(at)))
        assert evaluator.truth("rule") is UNKNOWN, at
    for at in range(50, 60, 5):
        feed(evaluator, see(0.9, float(at)))
    assert evaluator.truth("rule") is TRUE


def test_a_window_with_a_silent_sensor_is_unknown():
    evaluator = watching("min_over(cpu.used, 1m) > 80%")
    for at in range(0, 65, 5):
        feed(evaluator, see(0.9, float(at)))
    assert evaluator.truth("rule") is TRUE
    evaluator.evaluate(75.0)
    assert evaluator.truth("rule") is UNKNOWN


def test_windows_of_several_series_are_aggregated():
    evaluator = Evaluator(METRICS)
    evaluator.add_value("v", parse("max(rate(program.restarts, 1m))", vocabulary=METRICS))
    for at in range(0, 80, 10):
        for name, step in (("program:a", 1), ("program:b", 2)):
            evaluator.observe(see(at * step, float(at), "program.restarts", labels(target=name)))
    evaluator.evaluate(70.0)
    assert evaluator.value("v") == pytest.approx(2.0)


# --------------------------------------------------------------------------------------------------- re-arm


def test_after_a_rearm_only_newer_samples_count():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    evaluator.rearm("rule", 5.0)
    assert evaluator.truth("rule") is UNKNOWN, "at once, without an evaluation"
    assert evaluator.evaluate(3.0) == [Change("rule", UNKNOWN, TRUE, False)]
    assert feed(evaluator, see(0.9, 5.0)) == []
    assert feed(evaluator, see(0.9, 5.5)) == [Change("rule", TRUE, UNKNOWN, False)]


def test_a_rearm_touches_no_other_rule():
    evaluator = watching("cpu.used > 80%")
    evaluator.add("other", parse("cpu.used > 80%", vocabulary=METRICS))
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    evaluator.rearm("rule", 5.0)
    evaluator.evaluate(3.0)
    assert (evaluator.truth("rule"), evaluator.truth("other")) == (UNKNOWN, TRUE)


def test_every_input_must_be_seen_again_after_a_rearm():
    evaluator = watching("cpu.used > 80% and memory.used > 80%")
    for at in (1.0, 2.0):
        feed(evaluator, see(0.9, at), see(0.9, at, "memory.used"))
    evaluator.rearm("rule", 2.0)
    feed(evaluator, see(0.9, 3.0))
    assert evaluator.truth("rule") is UNKNOWN
    feed(evaluator, see(0.9, 3.0, "memory.used"))
    assert evaluator.truth("rule") is TRUE


def test_windows_never_span_a_rearm():
    evaluator = watching("avg_over(cpu.used, 1m) > 80%")
    for at in range(0, 65, 5):
        feed(evaluator, see(0.9, float(at)))
    assert evaluator.truth("rule") is TRUE
    evaluator.rearm("rule", 60.0)
    for at in range(65, 115, 5):
        feed(evaluator, see(0.9, float(at)))
        assert evaluator.truth("rule") is UNKNOWN, at
    for at in range(115, 130, 5):
        feed(evaluator, see(0.9, float(at)))
    assert evaluator.truth("rule") is TRUE


def test_samples_taken_between_the_rearm_and_its_telling_are_not_lost():
    evaluator = watching("avg_over(cpu.used, 1m) > 80%")
    for at in range(0, 125, 5):
        feed(evaluator, see(0.9, float(at)))
    evaluator.rearm("rule", 30.0)
    evaluator.evaluate(121.0)
    assert evaluator.truth("rule") is TRUE


def test_an_older_rearm_does_not_undo_a_newer():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    evaluator.rearm("rule", 5.0)
    evaluator.rearm("rule", 1.5)
    evaluator.evaluate(3.0)
    assert evaluator.rearmed("rule") == 5.0
    assert evaluator.truth("rule") is UNKNOWN


# -------------------------------------------------------------------------------------------------- changes


def test_only_changes_of_truth_are_told():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    assert feed(evaluator, see(0.95, 3.0)) == []
    assert feed(evaluator, see(0.1, 4.0)) == [Change("rule", FALSE, TRUE, False)]


def test_asking_for_values_swallows_no_change_of_truth():
    evaluator = watching("cpu.used > 80%")
    evaluator.add_value("vital", parse("cpu.used", vocabulary=METRICS))
    for at in (1.0, 2.0):
        evaluator.observe(see(0.9, at))
    evaluator.refresh(2.0)
    assert evaluator.value("vital") == 0.9
    assert evaluator.evaluate(2.0) == [Change("rule", TRUE, UNKNOWN, False)]
    assert evaluator.evaluate(2.0) == []
    feed(evaluator, see(0.1, 3.0), now=2.5)
    evaluator.observe(see(0.9, 4.0))
    evaluator.refresh(4.0)
    evaluator.remove("rule")
    assert evaluator.evaluate(4.0) == [], "what was removed is not told of any more"


def test_every_sample_is_told_where_samples_are_counted():
    evaluator = watching("cpu.used > 80%", every_sample=True)
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    assert feed(evaluator, see(0.9, 3.0)) == [Change("rule", TRUE, TRUE, False)]
    assert evaluator.evaluate(3.5) == []


def test_a_conclusive_reading_of_what_was_already_true_is_told():
    marks = labels(target="program:api")
    evaluator = watching('program.up{target="program:api"} == 0')
    feed(evaluator, see(0, 1.0, "program.up", marks), see(0, 2.0, "program.up", marks))
    assert feed(evaluator, see(0, 3.0, "program.up", marks, conclusive=True)) == [Change("rule", TRUE, TRUE, True)]
    assert feed(evaluator, see(0, 4.0, "program.up", marks)) == []


def test_an_event_overtaken_by_a_sample_is_no_longer_conclusive():
    marks = labels(target="program:api")
    evaluator = watching('program.up{target="program:api"} == 1')
    feed(evaluator, see(1, 1.0, "program.up", marks), see(1, 2.0, "program.up", marks))
    exits, starts = see(0, 3.0, "program.up", marks, conclusive=True), see(1, 3.1, "program.up", marks)
    assert not any(change.conclusive for change in feed(evaluator, exits, starts))


def test_changes_come_in_the_order_of_adding():
    evaluator = Evaluator(METRICS, baseline=False)
    for index in range(50):
        evaluator.add(f"r{index}", parse(f"cpu.used > {index}%", vocabulary=METRICS))
    feed(evaluator, see(0.0, 1.0))
    assert [change.key for change in feed(evaluator, see(1.0, 2.0))] == [f"r{index}" for index in range(50)]


def test_a_replaced_condition_starts_again():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    evaluator.add("rule", parse("cpu.used < 80%", vocabulary=METRICS))
    assert evaluator.truth("rule") is UNKNOWN
    assert evaluator.evaluate(2.0) == [Change("rule", FALSE, UNKNOWN, False)]


def test_reloading_a_rule_keeps_the_samples_of_its_window():
    evaluator = watching("avg_over(cpu.used, 1m) > 80%")
    for at in range(0, 65, 5):
        feed(evaluator, see(0.9, float(at)))
    evaluator.remove("rule")
    evaluator.add("rule", parse("avg_over(cpu.used, 1m) > 70%", vocabulary=METRICS))
    evaluator.evaluate(60.0)
    assert evaluator.truth("rule") is TRUE


def test_a_removed_condition_is_gone():
    evaluator = watching("cpu.used > 80% and avg_over(cpu.used, 1m) > 1%")
    feed(evaluator, see(0.9, 1.0), see(0.9, 2.0))
    evaluator.remove("rule")
    evaluator.remove("rule")
    assert feed(evaluator, see(0.1, 3.0)) == []
    with pytest.raises(KeyError):
        evaluator.truth("rule")
    assert not any(line.slots or line.ring for line in evaluator._lines.values())


def test_only_conditions_are_conditions_and_only_numbers_are_numbers():
    evaluator = Evaluator(METRICS)
    with pytest.raises(ExpressionError):
        evaluator.add("rule", parse("cpu.used", vocabulary=METRICS))
    with pytest.raises(ExpressionError):
        evaluator.add_value("rule", parse("cpu.used > 1%", vocabulary=METRICS))


def test_a_condition_of_constants_is_decided_at_once():
    evaluator = watching("1 > 0")
    assert evaluator.evaluate(0.0) == [Change("rule", TRUE, UNKNOWN, False)]
    assert evaluator.due() is None


# ------------------------------------------------------------------------------------------------ answers


def test_evidence_is_the_newest_reading_of_each_series():
    evaluator = watching('cpu.used > 80% and program.state{target="program:api"} == "running"')
    feed(evaluator, see(1 / 3, 1.0), see("running", 1.5, "program.state", labels(target="program:api")))
    evidence = evaluator.evidence("rule", 2.0)
    assert [(item.series, item.value, item.age_us) for item in evidence] == [
        ("cpu.used", "0.333333", 1_000_000),
        ('program.state{target="program:api"}', "running", 500_000),
    ]


def test_evidence_is_bounded():
    evaluator = watching("max(disk.used) > 1%")
    feed(evaluator, *(see(0.5, 1.0, "disk.used", labels(mount=str(index))) for index in range(40)))
    assert len(evaluator.evidence("rule", 1.0)) == 16


@pytest.mark.parametrize("value", [0.0, 1e-12, 123456789.0, 1e300, -1e-300, 0.1, 5e-324, 1.7976931348623157e308])
def test_shown_numbers_have_no_exponent(value):
    assert "e" not in shown(value).lower()
    assert float(shown(value)) == pytest.approx(value, rel=1e-5)


def test_latest_and_series_answer_for_status():
    evaluator = watching("cpu.used > 80%")
    feed(evaluator, see(0.9, 1.0))
    assert evaluator.latest(Series("cpu.used", ())) == (0.9, 1.0)
    assert evaluator.latest(Series("cpu.idle", ())) is None
    assert evaluator.because(Series("cpu.idle", ())) == "never seen"
    assert evaluator.because(Series("cpu.used", ())) == ""
    assert evaluator.series("cpu.used") == (Series("cpu.used", ()),)
    assert evaluator.series("cpu.idle") == ()


# -------------------------------------------------------------------------- the two ways to compute agree


NAMES = ("cpu.used", "cpu.iowait", "memory.used")
STEP = st.tuples(
    st.sampled_from(NAMES), st.sampled_from([0.0, 0.5, 1.0, None, math.nan]), st.sampled_from([0.0, 1.0, 6.0])
)


@settings(max_examples=60)
@given(st.lists(st.lists(STEP, max_size=4), max_size=12), st.booleans())
def test_computing_what_changed_is_computing_everything(batches, baseline):
    texts = [f"{a} > {limit}% and not {b} < {limit}%" for a in NAMES for b in NAMES for limit in (20, 50, 70)]
    lazy, eager = Evaluator(METRICS, baseline=baseline), Evaluator(METRICS, baseline=baseline)
    eager._is_much = lambda fresh, changed: True
    for evaluator in (lazy, eager):
        for text in texts:
            evaluator.add(text, parse(text, vocabulary=METRICS))
    now = 0.0
    for batch in batches:
        for metric, value, wait in batch:
            now += wait
            for evaluator in (lazy, eager):
                evaluator.observe(
                    Unknown(metric=metric, because="x", at=now) if value is None else see(value, now, metric)
                )
        assert lazy.evaluate(now) == eager.evaluate(now)
    assert [lazy.truth(text) for text in texts] == [eager.truth(text) for text in texts]


# -------------------------------------------------------------------------------------------- what will be


def filling(evaluator, values, *, every=60.0, metric="disk.used", marks=(("mount", "/"),), start=0.0):
    """Feed a series; returns the second of its last sample."""
    at = start
    for index, value in enumerate(values):
        at = start + index * every
        evaluator.observe(see(value, at, metric, marks))
    evaluator.evaluate(at)
    return at


def ramp(slope, *, first=0.5, count=64):
    return [first + slope * index for index in range(count)]


def test_a_disk_that_will_be_full_is_true_only_within_the_horizon():
    for hours, expected in ((8, TRUE), (4, FALSE)):
        evaluator = watching(f"eta(disk.used{{mount='/'}}, 95%) < {hours}h")
        filling(evaluator, ramp(0.001))  # 6.45 h
        assert evaluator.truth("rule") is expected


def test_a_forecast_is_unknown_while_there_is_no_trend():
    evaluator = watching("eta(disk.used{mount='/'}, 95%) < 4h")
    filling(evaluator, ramp(0.001, count=20))
    assert evaluator.truth("rule") is UNKNOWN


FORMS = {
    "{}": lambda value: value,
    "-{}": lambda value: -value,
    "{} * -2": lambda value: value * -2,
    "-2 * {}": lambda value: -2 * value,
    "2 * {}": lambda value: 2 * value,
    "{} / -4": lambda value: value / -4,
    "1 - {}": lambda value: 1 - value,
    "{} - 20%": lambda value: value - 0.2,
    "max({})": lambda value: value,
    "-min({})": lambda value: -value,
}
HOLDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@given(
    seed=st.integers(0, 500),
    slope=st.floats(-0.002, 0.002),
    form=st.sampled_from(sorted(FORMS)),
    op=st.sampled_from(sorted(HOLDS)),
    share=st.floats(-0.5, 1.5),
    swapped=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_an_interval_is_compared_as_a_whole(seed, slope, form, op, share, swapped):
    chance = random.Random(seed)
    values = [min(1.0, max(0.0, value + chance.gauss(0, 0.01))) for value in ramp(slope)]
    number = form.format("forecast(disk.used{mount='/'}, 30m)")
    evaluator = watching(f"{number} > 0")
    filling(evaluator, values)
    slot = evaluator.inputs("rule")[0]
    ends = slot.interval(slot.lines[0])
    if math.isnan(ends[0]):
        return
    low, high = sorted((FORMS[form](ends[0]), FORMS[form](ends[2])))
    # Bare numbers above 1 are no ratios: what lies out there is compared with the nearest that is one.
    limit = round(max(-1.0, min(1.0, low + share * (high - low))), 4)
    turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    text = f"{limit} {turned[op]} {number}" if swapped else f"{number} {op} {limit}"
    for key, words in (("is", text), ("not", f"not ({text})")):
        evaluator.add(key, parse(words, vocabulary=METRICS))
    evaluator.evaluate(63 * 60.0)
    holds = [HOLDS[op](end, limit) for end in (low, high)]
    expected = TRUE if all(holds) else UNKNOWN if any(holds) else FALSE
    assert evaluator.truth("is") is expected
    assert evaluator.truth("not") is {TRUE: FALSE, FALSE: TRUE, UNKNOWN: UNKNOWN}[expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("forecast(disk.used{mount='/'}, 1h) - disk.used{mount='/'} > 5%", TRUE),
        ("forecast(disk.used{mount='/'}, 1h) - disk.used{mount='/'} > 7%", FALSE),
        ("-forecast(disk.used{mount='/'}, 1h) < -60%", TRUE),
        ("forecast(disk.used{mount='/'}, 1h) * -2 < -120%", TRUE),
        ("-2 * forecast(disk.used{mount='/'}, 1h) > -120%", FALSE),
        ("forecast(disk.used{mount='/'}, 1h) / 2 > 30%", TRUE),
        ("1 - forecast(disk.used{mount='/'}, 1h) < 40%", TRUE),
        ("forecast(disk.used{mount='/'}, 1h) + forecast(disk.used{mount='/'}, 2h) > 120%", TRUE),
        ("eta(disk.used{mount='/'}, 20%) <= 0s", TRUE),
        ("eta(disk.used{mount='/'}, 95%) > 1d or eta(disk.used{mount='/'}, 95%) < 1d", TRUE),
    ],
)
def test_intervals_are_calculated_with(text, expected):
    evaluator = watching(text)
    filling(evaluator, ramp(0.001))
    assert evaluator.truth("rule") is expected


def test_many_disks_are_looked_at_together_and_one_that_is_unknown_hides_no_other():
    evaluator = watching("min(eta(disk.used, 95%)) < 8h")
    filling(evaluator, ramp(0.001))
    evaluator.observe(see(0.5, 3780.0, "disk.used", labels(mount="/new")))
    evaluator.evaluate(3780.0)
    assert evaluator.truth("rule") is TRUE, "one of them is known to be full soon"
    other = watching("min(eta(disk.used, 95%)) > 1h")
    filling(other, ramp(0.001))
    other.observe(see(0.5, 3780.0, "disk.used", labels(mount="/new")))
    other.evaluate(3780.0)
    assert other.truth("rule") is UNKNOWN, "nobody knows of the new one"


def test_disks_of_which_none_fills_up_are_false_and_not_unknown():
    evaluator = watching("min(eta(disk.used, 95%)) < 8h")
    filling(evaluator, [0.5] * 64)
    filling(evaluator, [0.6] * 64, marks=labels(mount="/srv"))
    assert evaluator.truth("rule") is FALSE


def test_what_falls_is_waited_for_from_above():
    evaluator = watching("eta(disk.free_bytes{mount='/'}, 1GiB) < 2h")
    filling(evaluator, [(20 - 0.2 * index) * 2**30 for index in range(64)], metric="disk.free_bytes")
    assert evaluator.truth("rule") is TRUE
    evaluator = watching("eta(disk.free_bytes{mount='/'}, 1GiB) < 2h")
    filling(evaluator, [20 * 2**30] * 64, metric="disk.free_bytes")
    assert evaluator.truth("rule") is FALSE


def test_a_jump_of_the_clock_and_a_re_arm_begin_a_forecast_anew():
    for upset in ("jump", "re-arm"):
        evaluator = watching("eta(disk.used{mount='/'}, 95%) < 8h")
        now = filling(evaluator, ramp(0.001))
        assert evaluator.truth("rule") is TRUE
        evaluator.jumped() if upset == "jump" else evaluator.rearm("rule", now)
        evaluator.evaluate(now + 1)
        assert evaluator.truth("rule") is UNKNOWN, upset
        filling(evaluator, ramp(0.001, first=0.564, count=20), start=now + 60)
        assert evaluator.truth("rule") is UNKNOWN, upset
        filling(evaluator, ramp(0.001, first=0.584, count=40), start=now + 60 * 21)
        assert evaluator.truth("rule") is TRUE, upset


def test_a_forecast_survives_a_reload_and_ends_with_its_condition():
    old = watching("eta(disk.used{mount='/'}, 95%) < 8h")
    now = filling(old, ramp(0.001))
    new = watching("eta(disk.used{mount='/'}, 95%) < 8h")
    new.inherit(old)
    filling(new, ramp(0.001, first=0.564, count=2), start=now + 60)
    assert new.truth("rule") is TRUE
    new.remove("rule")
    new.evaluate(now + 200)
    assert not any(line.studies for line in new._lines.values())


def test_an_anomaly_is_unknown_for_a_season_and_then_tells():
    evaluator = watching("abs(anomaly(cpu.used, 1h)) > 4")
    chance = random.Random(5)
    values = [0.3 + 0.1 * math.sin(index / 60 * 2 * math.pi) + chance.gauss(0, 0.005) for index in range(180)]
    now = filling(evaluator, values[:50], metric="cpu.used", marks=())
    assert evaluator.truth("rule") is UNKNOWN
    for index in range(50, 180):
        now = index * 60.0
        evaluator.observe(see(values[index], now, "cpu.used"))
    evaluator.evaluate(now)
    assert evaluator.truth("rule") is FALSE
    evaluator.observe(see(0.9, now + 60, "cpu.used"))
    evaluator.evaluate(now + 60)
    assert evaluator.truth("rule") is TRUE


def test_a_word_that_matches_is_true_and_its_captures_are_taken():
    text = 'matched(http.message{target="http:front"}, "pool {name} is (?P<what>full|stuck)")'
    evaluator = watching(text, baseline=False)
    evaluator.evaluate(0.0)
    assert evaluator.truth("rule") is UNKNOWN
    feed(evaluator, see("pool main is full", 1.0, "http.message", FRONT))
    assert evaluator.truth("rule") is TRUE
    assert evaluator.captures("rule") == {"name": "main", "what": "full"}
    feed(evaluator, see("all is well", 2.0, "http.message", FRONT))
    assert evaluator.truth("rule") is FALSE
    assert evaluator.captures("rule") == {}


def test_flaps_is_a_metric_like_others():
    assert truth_after(
        'flaps("http:front") > 30%', see(0.4, 1.0, "target.flaps", FRONT), see(0.5, 2.0, "target.flaps", FRONT)
    ) is TRUE  # fmt: skip
