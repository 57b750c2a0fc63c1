"""Rules that refer to each other."""

from pathlib import Path

import pytest

from healer.errors import HealerError
from healer.rules.load import load


def loaded(tmp_path: Path, *rules: str):
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\nrules:\n" + "".join(f"  - {rule}\n" for rule in rules), encoding="utf-8")
    return load([path])


def rule(name, when, *, more="", then="[{notify: {message: x}}]"):
    return f"{{id: {name}, why: x, target: 'program:api', when: '{when}', {more} then: {then}}}"


def refused(tmp_path, *rules):
    with pytest.raises(HealerError) as caught:
        loaded(tmp_path, *rules)
    return str(caught.value)


UP = "program.up{target} == 1"


def test_a_rule_may_ask_for_the_state_of_another(tmp_path):
    assert len(loaded(tmp_path, rule("a", UP), rule("b", 'rule("a") == "firing"')).rules) == 2


def test_a_rule_that_is_not_there_is_a_mistake_with_a_near_miss(tmp_path):
    said = refused(tmp_path, rule("front", UP), rule("b", 'rule("frnt") == "firing"'))
    assert "there is no rule 'frnt'" in said
    assert "front" in said
    assert "rules.yaml:4:" in said


def test_so_it_is_in_the_conditions_of_steps(tmp_path):
    steps = '[{restart: {}, verify: {when: \'rule("nope") == "inactive"\', within: 5s}}]'
    assert "there is no rule 'nope'" in refused(tmp_path, rule("a", UP, then=steps))


def test_a_rule_with_a_mistake_of_its_own_is_still_there(tmp_path):
    said = refused(tmp_path, rule("a", "programm.up > 1"), rule("b", 'rule("a") == "firing"'))
    assert "there is no rule" not in said


@pytest.mark.parametrize("length", [1, 2, 3, 40])
def test_rules_that_wait_for_each_other_do_not_load(tmp_path, length):
    rules = [rule(f"r{at}", f'rule("r{(at + 1) % length}") == "firing"') for at in range(length)]
    said = refused(tmp_path, rule("first", UP), *rules)
    assert said.count("wait for each other") == 1
    assert "r0 -> " in said


def test_waiting_in_clear_counts_too(tmp_path):
    clear = 'clear: \'rule("a") == "inactive"\','
    assert "a -> b -> a" in refused(tmp_path, rule("a", 'rule("b") == "firing"'), rule("b", UP, more=clear))


def test_a_diamond_is_no_circle(tmp_path):
    both = 'rule("b") == "firing" or rule("c") == "firing"'
    rules = (
        rule("a", both), rule("b", 'rule("d") == "firing"'), rule("c", 'rule("d") == "firing"'), rule("d", UP)
    )  # fmt: skip
    assert len(loaded(tmp_path, *rules).rules) == 4


def test_a_long_chain_is_walked_without_recursion(tmp_path):
    rules = [rule(f"r{at}", f'rule("r{at + 1}") == "firing"') for at in range(600)]
    assert len(loaded(tmp_path, *rules, rule("r600", UP)).rules) == 601


def test_a_capture_that_no_pattern_takes_is_a_mistake(tmp_path):
    when = 'matched("log.line", "pid {pid} died")'
    steps = '[{{run: [echo, "{{capture.{}}}"]}}]'
    assert loaded(tmp_path, rule("a", when, then=steps.format("pid")))
    said = refused(tmp_path, rule("a", when, then=steps.format("pit")))
    assert "no pattern takes {capture.pit} (taken are: pid)" in said


def test_a_field_of_an_event_that_starts_nothing_is_a_mistake_and_so_is_a_part_of_an_argument(tmp_path):
    steps = '[{run: [echo, "{event.user}"]}]'
    assert loaded(tmp_path, rule("a", UP, more="trigger: {event: login},", then=steps))
    assert "no event starts this rule" in refused(tmp_path, rule("a", UP, then=steps))
    part = '[{run: [echo, "{event.user}.log"]}]'
    assert "filled in part" in refused(tmp_path, rule("a", UP, more="trigger: {event: login},", then=part))


def test_values_of_a_statement_that_nothing_brings_are_a_mistake(tmp_path):
    steps = '[{update: {table: t, set: {a: "{event.user}"}, where: {id: 1}}, target: "sql:x"}]'
    assert loaded(tmp_path, rule("a", UP, more="trigger: {event: login},", then=steps))
    assert "no event starts this rule" in refused(tmp_path, rule("a", UP, then=steps))
