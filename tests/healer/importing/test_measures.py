import pytest

from healer.importing.measures import OPERATORS, bound, measure, organ, snake
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.vocabulary import METRICS
from healer.rules import expression


@pytest.mark.parametrize(
    ("system", "metric", "expected"),
    [
        ("heart", "load", "heart.load"),
        ("circulatory", "healthScore", "heart.score"),
        ("stomach", "status", "stomach.health"),
        ("system", "cpuUsage", "cpu.used"),
        ("", "disk_usage", "max(disk.used)"),
        ("memory", "available", "memory.available"),
        ("http", "latency", "max(http.latency)"),
        ("host", "harmony", "harmony"),
        ("muscles", "memory_usage", "memory.used"),
        ("flux", "capacitor", ""),
        ("flux", "cpu_usage", ""),
    ],
)
def test_metrics_are_found_by_what_people_call_them(system, metric, expected):
    assert measure(system, metric) == expected


@pytest.mark.parametrize(
    ("value", "of", "called", "expected"),
    [
        (85, "cpu.used", "cpu", "85%"),
        (0.5, "cpu.used", "cpu", "0.5"),
        ("85%", "heart.load", "load", "85%"),
        (50, "heart.score", "health", "50"),
        (200, "max(http.latency)", "latency_ms", "200ms"),
        (2, "max(http.latency)", "latency", "2s"),
        (1000, "memory.total", "total", "1000B"),
        ("failed", "stomach.health", "status", '"failed"'),
        ('a"b\\', "stomach.health", "status", '"a\\"b\\\\"'),
        (True, "http.ok", "ok", "1"),
        (None, "cpu.used", "cpu", ""),
    ],
)
def test_values_get_the_unit_they_need(value, of, called, expected):
    assert bound(value, of, called)[0] == expected


def test_everything_that_can_be_found_can_be_asked():
    vitals = {vital.id: vital for vital in DEFAULT_VITALS}
    for system, metric in [
        ("", "cpu"),
        ("", "latency"),
        ("", "energy"),
        ("", "swap"),
        ("", "uptime"),
        ("", "processes"),
    ]:
        found = measure(system, metric)
        assert expression.parse(
            f"{found} > 1s" if "uptime" in metric or "latency" in metric else f"{found} > 0", vocabulary=METRICS
        )
    assert measure("lungs", "errors") in vitals


def test_a_guess_says_so():
    assert bound(85, "cpu.used", "cpu")[1] == "85 is read as 85%"
    assert bound(0.85, "cpu.used", "cpu")[1] == ""


def test_words_are_taken_apart():
    assert snake("maxExecutionsPerHour") == "max_executions_per_hour"
    assert organ("Immune System") == "immune"
    assert organ("liver") == ""
    assert OPERATORS["greater_than"] == ">"
