"""The combinations the loader makes from YAML."""

import pytest

from healer.model.vocabulary import METRICS
from healer.rules import combine
from healer.rules.expression import parse, unparse
from healer.rules.syntax import ExpressionError

A, B, C = (parse(f"harmony > {limit}", vocabulary=METRICS) for limit in (1, 2, 3))


@pytest.mark.parametrize(
    "make",
    [combine.all_of, combine.any_of, combine.none_of, combine.not_all, lambda items: combine.exactly(0, items),
     lambda items: combine.at_least(0, items), lambda items: combine.at_most(0, items),
     lambda items: combine.weighted(1, items)],
)  # fmt: skip
def test_an_empty_list_is_an_error_and_never_true(make):
    with pytest.raises(ExpressionError, match="empty list"):
        make([])


def test_a_number_is_no_condition():
    with pytest.raises(ExpressionError, match="no condition"):
        combine.all_of([A, parse("harmony", vocabulary=METRICS)])


def test_combinations_read_as_text():
    assert unparse(combine.none_of([A, B])) == "not (harmony > 1 or harmony > 2)"
    assert unparse(combine.not_all([A, B])) == "not (harmony > 1 and harmony > 2)"
    assert unparse(combine.xor_of(A, B)) == "harmony > 1 xor harmony > 2"
    assert unparse(combine.at_most(1, [A, B])) == "at_most(1, harmony > 1, harmony > 2)"


@pytest.mark.parametrize("n", [-1, 4, 1.5])
def test_a_count_that_is_decided_before_anyone_looks_is_refused(n):
    with pytest.raises(ExpressionError, match="decided"):
        combine.exactly(n, [A, B, C])


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_weights_are_above_zero_and_finite(weight):
    with pytest.raises(ExpressionError, match="above 0"):
        combine.weighted(0.5, [(weight, A), (1, B)])


def test_weights_that_add_up_in_decimal_reach_the_threshold():
    assert combine.weighted(0.8, [(0.1, A), (0.7, B)])
    assert combine.weighted(0.3, [(0.1, A), (0.2, B)])


def test_combinations_nested_too_deep_are_refused():
    expr = A
    for _ in range(30):
        expr = combine.not_of(expr)
    with pytest.raises(ExpressionError, match="nested"):
        combine.not_of(expr)
