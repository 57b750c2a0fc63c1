from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.model.vocabulary import METRICS
from healer.rules.cases import ANYTHING, cases, holds, implies, keys, overlap, together
from healer.rules.expression import parse
from healer.rules.spans import Span, Words, covers
from healer.rules.syntax import All, Any, Compare, Count, Not, Xor
from healer.rules.units import constant


def of(text):
    return parse(text, vocabulary=METRICS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("harmony < 50", "harmony < 60"),
        ("harmony < 50 and cpu.used > 90%", "harmony < 60"),
        ("harmony == 50", "harmony >= 50 or cpu.used > 1%"),
        ("harmony < 40 or harmony > 60", "harmony != 50"),
        ("program.up{target} == 0 and program.wanted{target} == 1", "program.up{target} != 1"),
        ("program.memory{target} > 2GiB", "program.memory{target} > 1GiB"),
        ('heart.health == "failed"', 'heart.health != "healthy"'),
        ("at_least(2, harmony < 50, cpu.used > 50%, memory.used > 50%)", "harmony < 50 or cpu.used > 50%"),
        ("cpu.used > memory.used", "cpu.used > memory.used or harmony < 5"),
        ("harmony < 5 xor harmony < 4", "harmony < 5"),
    ],
)
def test_what_follows_is_seen_and_only_one_way(one, other):
    assert implies(of(one), of(other))
    assert not implies(of(other), of(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("harmony < 50", "cpu.used > 90%"),
        ('program.memory{target="program:a"} > 2GiB', 'program.memory{target="program:b"} > 1GiB'),
        ("avg_over(cpu.used, 5m) > 90%", "cpu.used > 80%"),
        ("harmony > 100", "harmony < 50"),  # what never holds implies nothing worth a word
    ],
)
def test_what_does_not_follow_is_not_claimed(one, other):
    assert not implies(of(one), of(other))


def test_what_excludes_each_other():
    assert not together(of("harmony < 50"), of("harmony > 50 and cpu.used > 5%"))
    assert together(of("harmony < 50"), of("harmony > 40"))
    assert not together(of("program.up{target} == 0"), of("program.up{target} == 1"))


def test_conditions_overlap_only_where_they_go_by_the_same_things():
    assert overlap(of("harmony < 50"), of("harmony > 40 and cpu.used < 5%"))
    assert not overlap(of("harmony < 50"), of("harmony > 50"))
    assert not overlap(of("harmony < 50"), of("cpu.used < 5%"))
    assert not overlap(of("harmony < 50 or cpu.used > 90%"), of("harmony > 60"))


def test_a_case_says_what_each_thing_is():
    (case,) = cases(of('harmony < 50 and heart.health == "failed" and cpu.used > memory.used'))
    assert list(case.values()) == [
        Span(low=0, high=50, high_open=True), Words(only=frozenset({"failed"})), Span(low=1, high=1),
    ]  # fmt: skip
    assert keys(of("harmony < 50")) == {of("harmony")}


def test_of_too_many_cases_nothing_is_concluded():
    many = " and ".join(f"(cpu.used > {n}% or memory.used > {n}%)" for n in range(20))
    assert cases(of(many)) == ANYTHING
    assert cases(of(f"at_least(3, {', '.join(f'cpu.used > {n}%' for n in range(20))})")) == ANYTHING
    assert not implies(of(many), of("cpu.used > 1%"))


# Every value agrees ---------------------------------------------------------------------------------------------

HARMONY, FLAG = of("harmony"), of("http.ok{target}")
POINTS = [dict(zip((HARMONY, FLAG), values, strict=True)) for values in product((0.0, 25, 50, 75, 100), (0.0, 1))]
atoms = st.one_of(
    st.builds(lambda op, n: of(f"harmony {op} {n}"), st.sampled_from(("<", "<=", ">", ">=", "==", "!=")),
              st.sampled_from((-1, 0, 10, 25, 50, 90, 100))),
    st.builds(lambda op, n: of(f"http.ok{{target}} {op} {n}"), st.sampled_from(("==", "!=", "<", ">")),
              st.sampled_from((0, 1))),
)  # fmt: skip
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(lambda a: Not(of=a), inner),
        st.builds(lambda items: All(items=tuple(items)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda items: Any(items=tuple(items)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda a, b: Xor(left=a, right=b), inner, inner),
        st.builds(
            lambda how, n, items: Count(how=how, n=n, items=tuple(items)),
            st.sampled_from(("exactly", "at_least", "at_most")),
            st.integers(0, 4),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=6,
)
OPS = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__, "==": float.__eq__}


def true_at(expr, point):
    match expr:
        case Compare():
            left, right = float(point[expr.left]), constant(expr.right)
            return left != right if expr.op == "!=" else OPS[expr.op](left, right)
        case Not():
            return not true_at(expr.of, point)
        case Xor():
            return true_at(expr.left, point) is not true_at(expr.right, point)
    truths = [true_at(item, point) for item in expr.items]
    match expr:
        case All():
            return all(truths)
        case Any():
            return any(truths)
    return {"exactly": sum(truths) == expr.n, "at_least": sum(truths) >= expr.n, "at_most": sum(truths) <= expr.n}[
        expr.how
    ]


def within(point, case):
    return all(covers(values, Span(low=float(point[key]), high=float(point[key]))) for key, values in case.items())


@settings(max_examples=150, deadline=None)
@given(conditions, conditions)
def test_cases_are_right_at_every_value(one, other):
    for truth in (True, False):
        ways = cases(one, truth=truth)
        assert all(any(within(point, way) for way in ways) for point in POINTS if true_at(one, point) is truth)
    for point in POINTS:
        exact = {key: Span(low=float(value), high=float(value)) for key, value in point.items()}
        assert holds(one, exact) is true_at(one, point)
        assert holds(one, {}) in (None, true_at(one, point))
    if implies(one, other):
        assert all(true_at(other, point) for point in POINTS if true_at(one, point))
    if not together(one, other):
        assert not any(true_at(one, point) and true_at(other, point) for point in POINTS)
