"""Which units may meet."""

import pytest

from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.expression import parse
from healer.rules.units import constant, is_bare, near, unit_in, unit_of


def read(text):
    return parse(text, vocabulary=METRICS)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("cpu.used", Unit.RATIO),
        ("cpu.used * 2", Unit.RATIO),
        ("2 * memory.total", Unit.BYTES),
        ("self.memory / memory.total", None),
        ("self.memory / 2", Unit.BYTES),
        ("self.memory * cpu.used", Unit.BYTES),
        ("self.memory * memory.total", None),
        ("self.memory / http.latency", Unit.BYTES_PER_SECOND),
        ("memory.total - 1GiB", Unit.BYTES),
        ("-http.latency", Unit.SECONDS),
        ("age(cpu.used)", Unit.SECONDS),
        ("avg(http.ok)", Unit.RATIO),
        ("sum(http.ok)", Unit.COUNT),
        ("count(disk.used)", Unit.COUNT),
        ("changes(disk.used, 5m)", Unit.COUNT),
        ("rate(program.restarts, 5m)", Unit.PER_SECOND),
        ("rate(self.memory, 5m)", Unit.BYTES_PER_SECOND),
        ("max(delta(self.memory, 5m))", Unit.BYTES),
        ("http.status", None),
        ("5", None),
        ("heart.load", None),
    ],
)
def test_units_of_expressions(text, unit):
    assert unit_of(read(text)) is unit


@pytest.mark.parametrize(
    "text",
    ["avg(http.ok) < 50%", "sum(http.ok) >= 2", "net.rx_rate > 10MiB", "self.memory / memory.total > 80%",
     "self.memory / memory.total > 5", "rate(self.memory, 5m) > 1MiB", "host.temperature > 80", "harmony < 70",
     "program.cpu > 200%", "delta(self.notify_failed, 10m) > 0", "brain.pressure > 80%"],
)  # fmt: skip
def test_what_fits_is_accepted(text):
    assert read(text)


def test_constants_are_seen_through_a_minus():
    assert constant(read("-5")) == -5
    assert constant(read("cpu.used")) is None
    assert is_bare(read("2 * -5"))
    assert not is_bare(read("2 * 5%"))


def test_a_vocabulary_may_be_units_or_declarations():
    assert unit_in({"a": Unit.BYTES}, "a") is Unit.BYTES
    assert unit_in(METRICS, "disk.used") is Unit.RATIO
    assert unit_in({}, "harmony") is Unit.SCORE
    assert unit_in({}, "a") is None


def test_a_near_miss_is_suggested_else_a_short_list():
    assert near("runing", ("running", "exited")) == "did you mean running?"
    assert near("zzz", ("running", "exited")) == "one of: running, exited"
    assert near("zzz", [f"name{index}" for index in range(100)]) == ""
