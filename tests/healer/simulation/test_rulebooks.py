"""What the oracle was told of the rules by hand is what the loader reads in them."""

import pytest

from healer.simulation.rulebooks import BOOKS, FACTS, JITTER, RELOADS, RESET_AFTER, rules

ALL = [(book, rule) for book in BOOKS for rule in rules(book).rules]


@pytest.mark.parametrize(("book", "rule"), ALL, ids=lambda one: getattr(one, "id", one))
def test_the_oracle_knows_the_rule_as_it_is(book, rule):
    fact = FACTS[rule.id]
    assert fact.metric in rule.when_source
    if not fact.acts:
        return
    assert rule.cooldown == fact.cooldown
    assert tuple((one.max, one.per, one.scope) for one in rule.limits) == fact.limits
    assert (rule.backoff.initial, rule.backoff.factor, rule.backoff.max) == fact.backoff
    assert (rule.backoff.jitter, rule.backoff.reset_after) == (JITTER, RESET_AFTER)
    for step in rule.then:
        if step.verify is not None:
            assert fact.cured[0] in step.verify.source


def test_a_reload_changes_the_rules_and_changes_them_back():
    for book, other in RELOADS.items():
        assert RELOADS[other] == book
        assert rules(book).hash != rules(other).hash
