import pytest

from healer.model.vocabulary import METRICS
from healer.rules.cures import effect, makes_true
from healer.rules.expression import parse
from healer.rules.rule import Position, Rule


def rule(when):
    expr = parse(when, vocabulary=METRICS)
    return Rule(id="r", position=Position(file="f", line=1, column=1), target="program:a", when=expr, when_source=when)


@pytest.mark.parametrize(
    ("verb", "when", "how"),
    [
        ("restart", "program.uptime{target} < 5m", "sets program.uptime to 0"),
        ("start", "program.up{target} == 1 and harmony < 50", "sets program.up to 1"),
        ("stop", "program.up{target} != 1", "sets program.up to 0"),
        ("stop", "program.up{target} == 0 or harmony < 5", "sets program.up to 0"),
        ("restart", "program.restarts{target} >= 4", "counts program.restarts up"),
        ("restart", "rate(program.restarts{target}, 1h) > 0.1 and harmony < 90", "counts program.restarts up"),
        ("restart", 'program.up{target="program:a"} == 1', "sets program.up to 1"),
        ("restart", "program.up{target} == 0", ""),
        ("restart", "program.uptime{target} < 5m and program.up{target} == 0", ""),
        ("restart", "harmony < 50", ""),
        ("restart", 'program.up{target="program:b"} == 1', ""),
        ("restart", "program.restarts{target} < 4", ""),
        ("restart", "program.restarts{target} >= 0 and harmony < 5", ""),
        ("start", "program.restarts{target} > 4", ""),
        ("restart", "program.up{target} == 1 and program.up{target} == 0", ""),
        ("restart", "program.uptime{target} < 5m and harmony < 5 or harmony > 90", ""),
    ],
)
def test_a_cure_makes_true_what_it_brings_about_and_nothing_else(verb, when, how):
    assert makes_true(effect(verb, "program"), rule(when), "program:a") == how


def test_of_what_nobody_can_tell_there_is_no_effect():
    assert (effect("signal", "program"), effect("run", "host")) == (None, None)
