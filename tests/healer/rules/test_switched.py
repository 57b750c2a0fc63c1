"""One line switches a rule on, and a line that switches nothing is a mistake."""

import pytest

from healer.errors import ConfigError
from healer.model.mode import Mode
from healer.rules.load import load
from healer.rules.switched import switched

RULES = """version: 1
rules:
  - {id: unit-failed, when: harmony < 5, then: [{notify: journal}]}
  - {id: unit-slow, when: harmony < 6, then: [{notify: journal}]}
  - {id: own, mode: observe, when: harmony < 7, then: [{notify: journal}]}
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(RULES)
    return load([path])


def modes(found):
    return {rule.id: rule.mode for rule in found.rules}


def test_a_rule_is_switched_on_by_its_id(rules):
    assert modes(switched(rules, {"unit-failed": Mode.AUTO})) == {
        "unit-failed": Mode.AUTO, "unit-slow": None, "own": Mode.OBSERVE,
    }  # fmt: skip


def test_an_id_goes_before_a_pattern_and_of_patterns_the_strictest(rules):
    said = {"unit-*": Mode.APPROVE, "*": Mode.AUTO, "unit-slow": Mode.AUTO}
    found = modes(switched(rules, said))
    assert (found["unit-failed"], found["unit-slow"]) == (Mode.APPROVE, Mode.AUTO)


def test_a_rule_that_says_itself_how_far_it_goes_keeps_to_it(rules):
    assert modes(switched(rules, {"*": Mode.AUTO}))["own"] is Mode.OBSERVE


def test_a_line_that_switches_nothing_is_a_mistake_with_its_place(rules):
    with pytest.raises(ConfigError) as caught:
        switched(rules, {"unit-fialed": Mode.AUTO}, place="organism.yaml:9:3")
    assert caught.value.problems == (
        "organism.yaml:9:3: no rule is called 'unit-fialed' (did you mean 'unit-failed'?)",
    )


def test_it_is_the_same_set_of_rules_for_the_log(rules):
    assert switched(rules, {"*": Mode.AUTO}).hash == rules.hash
