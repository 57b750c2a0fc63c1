import pytest

from healer.model.limit import DAY, HOUR, Ceiling
from healer.rules.bounds import Rate
from healer.rules.ceiling import exceeded
from healer.rules.expression import parse
from healer.rules.rule import Position, Rule, RuleSet


def rule(name, line):
    when = parse("harmony < 5", vocabulary={})
    return Rule(id=name, position=Position(file="f.yaml", line=line, column=5), when=when, when_source="harmony < 5")


SET = RuleSet(rules=(rule("a", 3), rule("b", 9)), hash="", files=("f.yaml",))
RATES = [
    Rate(target="program:x", action="restart", per_hour=5, per_day=9, rules=("a", "b")),
    Rate(target="program:y", action="restart", per_hour=5, per_day=9, rules=("a", "b")),
    Rate(target="program:y", action="run", per_hour=1, per_day=1, rules=("a",)),
    Rate(target="program:y", action="*", per_hour=6, per_day=10, rules=("a", "b")),
]


@pytest.mark.parametrize(
    "ceiling", [Ceiling(max=6, per=HOUR), Ceiling(max=10, per=DAY), Ceiling(action="stop", max=0, per=HOUR)]
)
def test_what_is_not_above_a_ceiling_is_fine(ceiling):
    assert exceeded(SET, RATES, [ceiling]) == []


def test_every_rule_that_has_a_part_in_it_is_named_once_for_all_its_targets():
    told = exceeded(SET, RATES, [Ceiling(action="restart", max=8, per=DAY)])
    assert [(one.position.line, one.rule) for one in told] == [(3, "a"), (9, "b")]
    assert told[0].what == "could restart program:x and 1 more 9 times a day, together with b: more than restart=8/d"
    assert "per: 1d" in told[0].hint


def test_a_ceiling_for_everything_counts_all_verbs_on_a_target_together():
    (told, _) = exceeded(SET, RATES, [Ceiling(max=5, per=HOUR)])
    assert told.what == "could act on program:y 6 times an hour, together with b: more than 5/h"
