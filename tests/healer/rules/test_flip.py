"""The smallest change that would have made a condition come out otherwise."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.model.observation import Observation, labels
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules import flip
from healer.rules.evaluate import Evaluator
from healer.rules.expression import parse
from healer.rules.unparse import unparse

FLAGS = {f"own.f{number}": Unit.FLAG for number in range(5)}


def judged(text, *values, vocabulary=METRICS):
    evaluator = Evaluator(vocabulary, baseline=False)
    evaluator.add("rule", parse(text, vocabulary=vocabulary))
    for metric, marks, value in values:
        unit = vocabulary[metric] if isinstance(vocabulary[metric], Unit) else vocabulary[metric].unit
        evaluator.observe(Observation(metric=metric, labels=labels(**marks), value=value, unit=unit, at=1.0))
    evaluator.evaluate(2.0)
    return evaluator


def said(text, *values, true=True):
    way = flip.to(judged(text, *values), "rule", 2.0, true=true)
    return None if way is None else [str(one) for one in way]


ROOT = ("disk.used", {"mount": "/"}, 0.906)
CPU = ("cpu.used", {}, 0.5)


def test_a_number_is_told_with_its_unit_beside_the_bound_as_it_was_written():
    assert said('disk.used{mount="/"} > 91%', ROOT) == ['disk.used{mount="/"} is 90.6%, > 91% is needed']
    assert said("self.memory > 512MiB", ("self.memory", {}, 3 * 2.0**26)) == [
        "self.memory is 192MiB, > 512MiB is needed"
    ]


def test_what_holds_already_needs_nothing_and_what_is_never_so_has_no_way():
    assert said("cpu.used > 40%", CPU) == []
    assert said("cpu.used > 40% and 1 > 2", CPU) is None


def test_of_several_ways_the_one_with_the_fewest_changes_and_then_the_nearest_is_told():
    text = 'cpu.used > 90% or disk.used{mount="/"} > 91%'
    assert said(text, ROOT, CPU) == ['disk.used{mount="/"} is 90.6%, > 91% is needed']
    text = 'cpu.used > 90% and disk.used{mount="/"} > 91% or cpu.used > 99%'
    assert said(text, ROOT, CPU) == ["cpu.used is 50%, > 99% is needed"]


def test_everything_that_must_change_together_is_told():
    assert len(said('cpu.used > 90% and disk.used{mount="/"} > 91%', ROOT, CPU)) == 2


def test_a_bound_on_the_left_is_turned_round():
    assert said("90% < cpu.used", CPU) == ["cpu.used is 50%, > 90% is needed"]


def test_what_would_have_kept_it_from_firing_is_told_as_well():
    assert said("cpu.used > 40%", CPU, true=False) == ["cpu.used is 50%, <= 40% is needed"]


def test_words_and_what_is_unknown_are_told_as_they_are():
    assert said('harmony < 70 and stomach.health == "failed"') == [
        "harmony is unknown (no such series), < 70 is needed",
        'organ.health{organ="stomach"} is unknown (no such series), "failed" is needed',
    ]


def trees(depth=3):
    leaf = st.sampled_from([f"{name} == 1" for name in FLAGS])
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            inner.map(lambda one: f"not ({one})"),
            st.lists(inner, min_size=2, max_size=3).map(lambda many: " and ".join(f"({one})" for one in many)),
            st.lists(inner, min_size=2, max_size=3).map(lambda many: " or ".join(f"({one})" for one in many)),
            st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) xor ({pair[1]})"),
        ),
        max_leaves=depth + 3,
    )


def counted():
    inner = st.permutations([f"{name} == 1" for name in FLAGS])
    how = st.sampled_from(["exactly", "at_least", "at_most"])
    return st.tuples(how, st.integers(0, 5), inner).map(lambda one: f"{one[0]}({one[1]}, {', '.join(one[2])})")


def weighted():
    weights = st.lists(st.sampled_from([0.3, 0.4, 0.7, 1.1]), min_size=5, max_size=5)
    return st.tuples(st.sampled_from([0.3, 0.7, 1.1, 1.5]), weights).map(
        lambda one: f"weighted({one[0]}, {', '.join(f'{n} == 1, {w}' for n, w in zip(FLAGS, one[1], strict=True))})"
    )


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(trees(), counted(), weighted()),
    st.lists(st.sampled_from([0.0, 1.0]), min_size=5, max_size=5),
    st.booleans(),
)
def test_the_change_that_is_told_is_one_that_works(text, values, true):
    """Every flag that is named is turned: the condition comes out as wanted."""
    named = [(name, {}, value) for name, value in zip(FLAGS, values, strict=True)]
    way = flip.to(judged(text, *named, vocabulary=FLAGS), "rule", 2.0, true=true)
    wanted = Truth.TRUE if true else Truth.FALSE
    if way is None:
        for other in itertools.product([0.0, 1.0], repeat=5):
            tried = [(name, {}, value) for name, value in zip(FLAGS, other, strict=True)]
            assert judged(text, *tried, vocabulary=FLAGS).truth("rule") is not wanted
        return
    turned = {one.source.partition(" ")[0] for one in way}
    after = [(name, {}, 1.0 - value if name in turned else value) for name, _, value in named]
    assert judged(text, *after, vocabulary=FLAGS).truth("rule") is wanted


@pytest.mark.parametrize(
    "text", ["at_least(2, own.f0 == 1, own.f1 == 1, own.f2 == 1)", "exactly(2, own.f0 == 1, own.f1 == 1, own.f2 == 1)"]
)
def test_as_few_as_possible_are_turned(text):
    way = flip.to(
        judged(text, ("own.f0", {}, 1.0), ("own.f1", {}, 0.0), ("own.f2", {}, 0.0), vocabulary=FLAGS),
        "rule",
        2.0,
        true=True,
    )
    assert len(way) == 1
    assert all(math.isfinite(one.distance) for one in way)


def test_a_way_is_written_as_the_condition_is():
    evaluator = judged("cpu.used > 90%", CPU)
    (one,) = flip.to(evaluator, "rule", 2.0, true=True)
    assert one.source == unparse(evaluator.expression("rule"))
