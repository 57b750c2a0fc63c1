"""Selections written out: who is meant, and what that makes true."""

import pytest

from healer.model.observation import Observation, labels
from healer.model.target import Target
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.evaluate import Evaluator
from healer.rules.expression import any_of, parse
from healer.rules.resolve import resolve
from healer.rules.truth_tree import explain

TRUE, FALSE, UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN
TARGETS = (
    Target(kind="program", name="a", organ="heart", groups=("web",), labels=(("tier", "1"),)),
    Target(kind="program", name="b", organ="heart", groups=("web", "db")),
    Target(kind="http", name="front", organ="lungs", groups=("web",)),
)


def made(text, targets=TARGETS):
    return resolve(parse(text, vocabulary=METRICS), targets)


@pytest.mark.parametrize(
    ("criteria", "names"),
    [
        ('kind="program"', "ab"),
        ('kind="program", group="web", except="program:a"', "b"),
        ('group="db,other"', "b"),
        ('name="?"', "ab"),
        ('label="tier=1"', "a"),
        ('organ="heart", except="a, x"', "b"),
    ],
)
def test_who_is_meant(criteria, names):
    states = [parse(f'state("program:{name}") == "stopped"', vocabulary=METRICS) for name in names]
    assert made(f'any_state("stopped", {criteria})') == any_of(states)


def truth(text, *, targets=TARGETS, **states):
    evaluator = Evaluator(METRICS, baseline=False)
    evaluator.add("rule", made(text, targets))
    for name, word in states.items():
        if word:
            seen = Observation(
                metric="target.state", labels=labels(target=f"program:{name}"), value=word, unit=Unit.WORD, at=1.0
            )
            evaluator.observe(seen)
    evaluator.evaluate(1.0)
    return evaluator


@pytest.mark.parametrize("how", ["any", "all", "none"])
@pytest.mark.parametrize("a", ["stopped", "running", ""])
@pytest.mark.parametrize("b", ["stopped", "running", ""])
def test_any_all_and_none_are_kleene(how, a, b):
    found = truth(f'{how}_state("stopped", kind="program")', a=a, b=b).truth("rule")
    sides = [TRUE if word == "stopped" else FALSE if word else UNKNOWN for word in (a, b)]
    some = TRUE if TRUE in sides else UNKNOWN if UNKNOWN in sides else FALSE
    every = FALSE if FALSE in sides else UNKNOWN if UNKNOWN in sides else TRUE
    nobody = {TRUE: FALSE, FALSE: TRUE, UNKNOWN: UNKNOWN}[some]
    assert found is {"any": some, "all": every, "none": nobody}[how]


@pytest.mark.parametrize("how", ["any", "all", "none"])
def test_an_empty_selection_is_unknown_and_so_is_its_negation(how):
    for text in (f'{how}_state("stopped", kind="file")', f'not {how}_state("stopped", kind="file")'):
        evaluator = truth(text)
        assert evaluator.truth("rule") is UNKNOWN
    node = explain(evaluator, "rule", 1.0).children[0]
    assert (node.truth, node.because) == (UNKNOWN, "no target is selected")


def test_without_a_selection_nothing_is_touched():
    tree = parse("harmony < 1", vocabulary=METRICS)
    assert resolve(tree, ()) is tree
