"""Why a condition is what it is."""

import pytest

from healer.model.observation import Observation, Unknown, labels
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.evaluate import Evaluator
from healer.rules.expression import parse
from healer.rules.truth_tree import explain, render


def see(value, at, metric, **marks):
    return Observation(metric=metric, labels=labels(**marks), value=value, unit=Unit.NUMBER, at=at)


ROOT = see(0.9, 1.0, "disk.used", mount="/")
BLIND = Unknown(metric="disk.used", labels=labels(mount="/a"), because="x", at=1.0)


def explained(text, *readings, now=3.0, baseline=False, **options):
    evaluator = Evaluator(METRICS, baseline=baseline, **options)
    evaluator.add("rule", parse(text, vocabulary=METRICS))
    for reading in readings:
        evaluator.observe(reading)
    evaluator.evaluate(now)
    node = explain(evaluator, "rule", now)
    assert node.truth is evaluator.truth("rule")
    return node


def leaves(node):
    return [node] if not node.children else [leaf for child in node.children for leaf in leaves(child)]


def test_every_part_has_its_truth_value_and_age():
    node = explained(
        "cpu.used > 80% and not memory.used * 2 > 150%", see(0.9, 1.0, "cpu.used"), see(0.5, 2.0, "memory.used")
    )
    assert render(node).splitlines() == [
        "✓ cpu.used > 80% and not memory.used * 2 > 150%: true",
        "  ✓ cpu.used > 80%: true",
        "    · cpu.used: 0.9, 2.0 s ago",
        "  ✓ not memory.used * 2 > 150%: true",
        "    ✗ memory.used * 2 > 150%: false",
        "      · memory.used * 2: 1",
        "        · memory.used: 0.5, 1.0 s ago",
    ]


@pytest.mark.parametrize(
    ("text", "readings", "because"),
    [
        ("cpu.used > 80%", [], "no such series"),
        ("cpu.used > 80%", [Unknown(metric="cpu.used", because="permission denied", at=1.0)], "permission denied"),
        ("cpu.used > 80%", [see(2.0, 1.0, "cpu.used")], "never seen"),
        ("disk.used > 80%", [ROOT, see(0.9, 1.0, "disk.used", mount="/a")], "2 series match"),
        ("avg_over(cpu.used, 5m) > 80%", [see(0.9, 1.0, "cpu.used")], "the window is incomplete"),
        ("avg(disk.used) > 80%", [ROOT, BLIND], "1 of 2 series"),
    ],
)  # fmt: skip
def test_an_unknown_part_says_why(text, readings, because):
    node = explained(text, *readings)
    assert node.truth is Truth.UNKNOWN
    if because == "never seen":
        because = "garbage: 2.0"
    assert any(because in part.because for part in (*leaves(node), *node.children)), render(node)


def test_old_values_first_samples_and_rearms_are_named():
    assert "older than 10 s" in render(explained("cpu.used > 80%", see(0.9, 1.0, "cpu.used"), now=50.0))
    assert "first sample" in render(explained("cpu.used > 80%", see(0.9, 1.0, "cpu.used"), baseline=True))
    evaluator = Evaluator(METRICS, baseline=False)
    evaluator.add("rule", parse("cpu.used > 80%", vocabulary=METRICS))
    evaluator.observe(see(0.9, 1.0, "cpu.used"))
    evaluator.rearm("rule", 2.0)
    evaluator.evaluate(3.0)
    assert "no sample since the re-arm" in render(explain(evaluator, "rule", 3.0))


def test_members_of_an_aggregate_are_listed():
    disks = [see(value, 1.0, "disk.used", mount=mount) for mount, value in (("/", 0.5), ("/var", 0.95))]
    blind = Unknown(metric="disk.used", labels=labels(mount="/nfs"), because="hangs", at=1.0)
    said = render(explained("max(disk.used) > 90%", *disks, blind))
    assert "✓ max(disk.used) > 90%: true" in said
    assert 'disk.used{mount="/var"}: 0.95' in said
    assert 'disk.used{mount="/nfs"}: unknown (hangs)' in said


def test_words_and_counts_are_explained():
    state = see("exited", 1.0, "container.state", target="container:db")
    said = render(explained('at_least(1, container.state{target="container:db"} != "running", cpu.used > 1%)', state))
    assert said.startswith("✓ at_least(1,")
    assert '"exited"' in said


def test_a_dropped_series_is_named():
    disks = [see(0.5, 1.0, "disk.used", mount=str(index)) for index in range(4)]
    assert "more series than the agent keeps" in render(explained("max(disk.used) == 90%", *disks, max_series=2))


def test_a_number_is_explained_too():
    evaluator = Evaluator(METRICS)
    evaluator.add_value("brain.cpu", parse("abs(cpu.used - 1)", vocabulary=METRICS))
    evaluator.observe(see(0.25, 1.0, "cpu.used"))
    evaluator.evaluate(1.0)
    assert render(explain(evaluator, "brain.cpu", 1.0)).splitlines()[0] == "· abs(cpu.used - 1): 0.75"


def test_before_the_first_evaluation_nothing_is_claimed():
    evaluator = Evaluator(METRICS)
    evaluator.add("rule", parse("cpu.used > 80%", vocabulary=METRICS))
    node = explain(evaluator, "rule", 0.0)
    assert node.truth is Truth.UNKNOWN
    assert "not evaluated yet" in render(node)


def test_an_unknown_key_is_a_key_error():
    with pytest.raises(KeyError):
        explain(Evaluator(METRICS), "nope", 0.0)


def growing(mount, slope, *, first=0.5):
    return [see(first + slope * step, step * 60.0, "disk.used", mount=mount) for step in range(64)]


def test_a_forecast_is_told_from_one_end_to_the_other_and_an_end_that_never_comes_as_such():
    readings = [*growing("/", 0.001), *growing("/srv", 0.0)]
    node = explained("min(eta(disk.used, 95%)) < 4h", *sorted(readings, key=lambda one: one.at), now=3780.0)
    assert render(node).splitlines() == [
        "✗ min(eta(disk.used, 95%)) < 4h: false",
        "  · min(eta(disk.used, 95%)): 23220, 0.0 s ago",
        '    · disk.used{mount="/"}: 23220, 0.0 s ago',
        '    · disk.used{mount="/srv"}: never, 0.0 s ago',
    ]
    wavy = [see(0.5 + 0.001 * step + 0.004 * (step % 3), step * 60.0, "disk.used", mount="/") for step in range(64)]
    leaf = explained("forecast(disk.used, 1h) > 60%", *wavy, now=3780.0).children[0]
    assert " to " in leaf.value


@pytest.mark.parametrize(
    ("text", "truth", "because"),
    [
        ("eta(disk.used, 95%) < 4h", Truth.UNKNOWN, "no trend yet"),
        ("anomaly(disk.used) > 4", Truth.UNKNOWN, "its first season is not over"),
        ('occurred("a", 10m)', Truth.UNKNOWN, "not listened for so long"),
        ('calendar(days="mon")', Truth.UNKNOWN, "the time of day is not known"),
        ('any_state("stopped", kind="file")', Truth.UNKNOWN, "no target is selected"),
    ],
)
def test_what_is_not_known_yet_says_why(text, truth, because):
    node = explained(f"{text} or cpu.used > 100%", ROOT)
    assert (node.truth, leaves(node)[0].because) == (truth, because)


def test_what_was_heard_says_how_long_ago():
    evaluator = Evaluator(METRICS)
    evaluator.add("rule", parse('occurred("a", 10m)', vocabulary=METRICS))
    evaluator.heard("a", {}, 1.0)
    evaluator.evaluate(3.0)
    assert render(explain(evaluator, "rule", 3.0)) == '✓ occurred("a", 600s): true, 2.0 s ago'


def test_a_sum_with_a_forecast_is_an_interval_too():
    wavy = [see(0.5 + 0.001 * step + 0.004 * (step % 3), step * 60.0, "disk.used", mount="/") for step in range(64)]
    leaf = explained("forecast(disk.used, 1h) > 60%", *wavy, now=3780.0).children[0]
    low, high = (float(part) for part in leaf.value.split(" to "))
    turned = explained("1 - forecast(disk.used, 1h) > 60%", *wavy, now=3780.0).children[0]
    assert [float(part) for part in turned.value.split(" to ")] == pytest.approx([1 - high, 1 - low], abs=1e-5)
    assert explained("1 - forecast(disk.used, 1h) > 60%", ROOT).children[0].value == "unknown"
