"""Generated code against a naive interpreter, and what may never be in it."""

import itertools
import math
import re
import time
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healer.model.unit import Unit
from healer.rules import syntax
from healer.rules.combine import exact
from healer.rules.compile import FALSE, NAN, TRUE, UNKNOWN, compile_condition, compile_number, globbed
from healer.rules.expression import parse
from healer.rules.syntax import ExpressionError

NUMBERS = ("a", "b", "c")
WORDS = ("v", "w")
VOCABULARY = {**dict.fromkeys(NUMBERS, Unit.NUMBER), **dict.fromkeys(WORDS, Unit.WORD)}


def number(name):
    return syntax.Select(metric=name, unit=VOCABULARY[name])


# ------------------------------------------------------------------------------- the naive interpreter


def value(expr, known):
    """A number or a word, None when unknown."""
    match expr:
        case syntax.Number():
            return expr.value
        case syntax.Word():
            return expr.text
        case syntax.Select():
            return known[expr.metric]
        case syntax.Unary():
            inner = value(expr.of, known)
            return None if inner is None else abs(inner) if expr.op == "abs" else -inner
    left, right = value(expr.left, known), value(expr.right, known)
    if left is None or right is None or (expr.op == "/" and right == 0):
        return None
    found = {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right, "/": lambda: left / right}
    result = found[expr.op]()
    return result if math.isfinite(result) else None


def truth(expr, known):
    match expr:
        case syntax.Compare():
            return compared(expr.op, value(expr.left, known), value(expr.right, known))
        case syntax.Not():
            return {TRUE: FALSE, FALSE: TRUE, UNKNOWN: UNKNOWN}[truth(expr.of, known)]
    sides = [truth(child, known) for child in expr.children()]
    match expr:
        case syntax.All():
            return FALSE if FALSE in sides else UNKNOWN if UNKNOWN in sides else TRUE
        case syntax.Any():
            return TRUE if TRUE in sides else UNKNOWN if UNKNOWN in sides else FALSE
        case syntax.Xor():
            return UNKNOWN if UNKNOWN in sides else int(sides[0] != sides[1])
        case syntax.Count():
            holds = {"exactly": int.__eq__, "at_least": int.__ge__, "at_most": int.__le__}[expr.how]
            return unanimous(holds(sum(world), expr.n) for world in worlds(sides))
    weights = [exact(weight) for weight in expr.weights]
    return unanimous(
        sum(weight for weight, holds in zip(weights, world, strict=True) if holds) >= exact(expr.threshold)
        for world in worlds(sides)
    )


def worlds(sides):
    """Every way the unknown ones could turn out."""
    found = [()]
    for side in sides:
        found = [(*world, could) for world in found for could in ((0, 1) if side == UNKNOWN else (side,))]
    return found


def unanimous(answers):
    said = set(answers)
    return UNKNOWN if len(said) == 2 else int(said.pop())


def compared(op, left, right):
    if left is None or right is None:
        return UNKNOWN
    said = {
        "==": lambda: left == right,
        "!=": lambda: left != right,
        "<": lambda: left < right,
        "<=": lambda: left <= right,
        ">": lambda: left > right,
        ">=": lambda: left >= right,
        "contains": lambda: right in left,
        "matches": lambda: (
            re.fullmatch(re.escape(right).replace(r"\*", ".*").replace(r"\?", "."), left, re.DOTALL) is not None
        ),
    }
    return int(said[op]())


# ------------------------------------------------------------------------------------------- strategies

LIMITS = st.sampled_from([0.0, 1.0, 2.0, -1.0, 1e308, 0.1, 5e-324])
TEXTS = st.text(alphabet="ab*?", max_size=3)


def numeric():
    leaves = st.builds(number, st.sampled_from(NUMBERS)) | st.builds(lambda value: syntax.Number(value=value), LIMITS)
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(
                lambda op, left, right: syntax.Arithmetic(op=op, left=left, right=right),
                st.sampled_from("+-*/"),
                inner,
                inner,
            )
            | st.builds(lambda op, of: syntax.Unary(op=op, of=of), st.sampled_from(["-", "abs"]), inner)
        ),
        max_leaves=4,
    )


def leaf():
    word = st.builds(number, st.sampled_from(WORDS))
    text = st.builds(lambda text: syntax.Word(text=text), TEXTS)
    return st.builds(
        lambda op, left, right: syntax.Compare(op=op, left=left, right=right),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), numeric(), numeric(),
    ) | st.builds(
        lambda op, left, right: syntax.Compare(op=op, left=left, right=right),
        st.sampled_from(["==", "!="]), word, word | text,
    ) | st.builds(
        lambda op, left, right: syntax.Compare(op=op, left=left, right=right),
        st.sampled_from(["matches", "contains"]), word, text,
    )  # fmt: skip


def counted(draw_from):
    return st.lists(draw_from, min_size=1, max_size=4).flatmap(
        lambda items: st.builds(
            lambda how, n: syntax.Count(how=how, n=n, items=tuple(items)),
            st.sampled_from(["exactly", "at_least", "at_most"]), st.integers(0, len(items)),
        )
    )  # fmt: skip


def weighed(draw_from):
    weight = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.7, 1.0, 2.5])
    return st.lists(st.tuples(weight, draw_from), min_size=1, max_size=4).flatmap(
        lambda pairs: st.builds(
            lambda threshold: syntax.Weighted(
                threshold=threshold, weights=tuple(w for w, _ in pairs), items=tuple(i for _, i in pairs)
            ),
            st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.8, 1.1]),
        )
    )


CONDITIONS = st.recursive(
    leaf(),
    lambda inner: (
        st.builds(lambda of: syntax.Not(of=of), inner)
        | st.builds(lambda items: syntax.All(items=tuple(items)), st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda items: syntax.Any(items=tuple(items)), st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda left, right: syntax.Xor(left=left, right=right), inner, inner)
        | counted(inner)
        | weighed(inner)
    ),
    max_leaves=8,
)
KNOWN = st.fixed_dictionaries(
    {name: st.none() | LIMITS | st.floats(allow_nan=False, allow_infinity=False) for name in NUMBERS}
    | {name: st.none() | TEXTS for name in WORDS}
)


def arguments(program, known):
    values = [known[wanted.source.metric] for wanted in program.inputs]
    return (*(NAN if value is None else value for value in values), *program.constants)


# ---------------------------------------------------------------------------------------------- claims


@given(CONDITIONS, KNOWN)
def test_generated_code_says_what_the_naive_interpreter_says(expr, known):
    program = compile_condition(expr)
    given_ = arguments(program, known)
    expected = truth(expr, known)
    assert program.decide(*given_) == expected
    assert program.decide_all([given_, given_]) == [expected, expected]


@given(numeric(), KNOWN)
def test_numbers_are_finite_or_unknown(expr, known):
    program = compile_number(expr)
    result = program.value(*arguments(program, known))
    expected = value(expr, known)
    assert math.isnan(result) if expected is None else result == expected


@given(CONDITIONS, KNOWN, KNOWN)
def test_learning_more_never_turns_true_into_false(expr, known, more):
    learned = {name: known[name] if known[name] is not None else more[name] for name in known}
    program = compile_condition(expr)
    before, after = program.decide(*arguments(program, known)), program.decide(*arguments(program, learned))
    assert before in (UNKNOWN, after)


@given(CONDITIONS)
def test_knowing_nothing_needs_no_luck_to_be_unknown_or_constant(expr):
    nothing = dict.fromkeys((*NUMBERS, *WORDS))
    program = compile_condition(expr)
    assert program.decide(*arguments(program, nothing)) == truth(expr, nothing)


@pytest.mark.parametrize("how", ["all", "any"])
def test_kleene_tables(how):
    a, b = (syntax.Compare(op=">", left=number(name), right=syntax.Number(value=0)) for name in "ab")
    make = syntax.All if how == "all" else syntax.Any
    program = compile_condition(make(items=(a, b)))
    values = {TRUE: 1.0, FALSE: -1.0, UNKNOWN: NAN}
    table = {(x, y): program.decide(values[x], values[y], *program.constants) for x in values for y in values}
    dominant, weak = (FALSE, TRUE) if how == "all" else (TRUE, FALSE)
    assert all(table[pair] == dominant for pair in table if dominant in pair)
    assert table[weak, weak] == weak
    assert all(table[pair] == UNKNOWN for pair in table if UNKNOWN in pair and dominant not in pair)


def of_truths(make):
    """Every way three conditions can be, with what a condition made of them says."""
    items = tuple(syntax.Compare(op=">", left=number(name), right=syntax.Number(value=0.0)) for name in NUMBERS)
    program, values = compile_condition(make(items)), {TRUE: 1.0, FALSE: -1.0, UNKNOWN: NAN}
    for sides in itertools.product(values, repeat=3):
        yield sides, program.decide(*(values[side] for side in sides), *program.constants)


@pytest.mark.parametrize("n", range(4))
@pytest.mark.parametrize("how", ["exactly", "at_least", "at_most"])
def test_counting_compares_intervals(how, n):
    holds = {"exactly": int.__eq__, "at_least": int.__ge__, "at_most": int.__le__}[how]
    for sides, said in of_truths(lambda items: syntax.Count(how=how, n=n, items=items)):
        assert said == unanimous(holds(sum(world), n) for world in worlds(sides)), sides


@pytest.mark.parametrize("threshold", ["0.1", "0.2", "0.3", "0.7", "0.8", "0.9", "1.0"])
def test_weights_compare_intervals_in_exact_decimals(threshold):
    weights = ("0.1", "0.2", "0.7")
    make = {"threshold": float(threshold), "weights": tuple(map(float, weights))}
    for sides, said in of_truths(lambda items: syntax.Weighted(items=items, **make)):
        sums = (
            sum(Decimal(weight) for weight, holds in zip(weights, world, strict=True) if holds)
            for world in worlds(sides)
        )
        assert said == unanimous(total >= Decimal(threshold) for total in sums), sides


def test_nested_xor_stays_small():
    expr = syntax.Compare(op=">", left=number("a"), right=syntax.Number(value=0))
    for limit in range(30):
        other = syntax.Compare(op=">", left=number("b"), right=syntax.Number(value=float(limit)))
        expr = syntax.Xor(left=expr, right=other)
    assert len(compile_condition(expr).source) < 20_000


@pytest.mark.parametrize(
    "text",
    [
        'v == "__import__"',
        "v matches '*); import os'",
        'v{k="evil()"} contains "eval"',
        "a > 12345.678",
        "max(a{evil=~'x'}) > 1",
    ],
)
def test_nothing_a_user_wrote_is_in_the_source(text):
    program = compile_condition(parse(text, vocabulary=VOCABULARY))
    assert not re.search(r"import|evil|eval|12345|678", program.source)
    words = r"decide|decide_all|value|out|put|append|rows|def|return|for|in|if|else|and|or|not"
    words += r"|nan|add|sub|mul|div|abs|globbed"
    assert re.fullmatch(rf"(?:{words}|[sknft]\d+|_|\d+|[ ()\[\]<>=!,:*+\-.\n])*", program.source)


def test_the_code_has_no_way_out():
    names = compile_condition(parse("a > 1", vocabulary=VOCABULARY)).decide.__globals__
    assert set(names["__builtins__"]) == {"abs"}


def test_expressions_of_one_shape_share_one_function():
    first, second = (
        compile_condition(parse(text, vocabulary=VOCABULARY)) for text in ("a > 1 and b < 2", "c > 3 and a < 9")
    )
    assert first.decide is second.decide
    assert first.source is second.source, "a text of its own for each of a thousand is half a megabyte"


@pytest.mark.parametrize("text", ["a", "a + 1", "v"])
def test_a_number_does_not_compile_as_a_condition(text):
    with pytest.raises(ExpressionError, match="no condition"):
        compile_condition(parse(text, vocabulary=VOCABULARY))


@pytest.mark.parametrize("text", ["a > 1", "v", '"text"'])
def test_a_condition_does_not_compile_as_a_number(text):
    with pytest.raises(ExpressionError, match="no number"):
        compile_number(parse(text, vocabulary=VOCABULARY))


def test_a_maximum_is_judged_by_what_is_known_of_it():
    program = compile_condition(parse("max(a) > 1", vocabulary=VOCABULARY))
    assert [wanted.partial for wanted in program.inputs] == [True, False]
    assert program.decide(5.0, NAN, 1.0) == TRUE, "one member above the limit is enough, whatever the unknown ones are"
    assert program.decide(0.5, NAN, 1.0) == UNKNOWN
    assert program.decide(0.5, 0.5, 1.0) == FALSE


def test_ages_know_when_they_turn():
    assert compile_condition(parse("age(a) > 5m or age(a) > 1m", vocabulary=VOCABULARY)).edges == ((60.0, 300.0),)
    assert compile_condition(parse("age(a) > age(b)", vocabulary=VOCABULARY)).edges == (None, None)
    assert compile_condition(parse("a > 1", vocabulary=VOCABULARY)).edges == (None,)


@given(TEXTS | st.text(max_size=20), TEXTS)
@example("a" * 4000, "*a" * 1000 + "b")
def test_globs_match_whole_texts_as_the_pattern_says(text, pattern):
    if len(text) < 100:
        assert globbed(text, pattern) == compared("matches", text, pattern)
    else:
        assert not globbed(text, pattern)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("a" * 4096, "*" + "a" * 2000 + "b"),
        ("a" * 4096, "*a" * 2000 + "b"),
        ("a" * 4096, "*" * 2000 + "b"),
        ("ab" * 2048, "*" + "ab" * 1000 + "c"),
        ("a" * 4096, ("*" + "a" * 30) * 60 + "*b"),
    ],
    ids=lambda value: value[:5],
)
def test_no_glob_is_catastrophic(text, pattern):
    globbed("warm", pattern)
    start = time.process_time()
    assert not globbed(text, pattern)
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize(
    ("text", "pattern", "same"),
    [("a[b]", "a[b]", True), ("ab", "a[b]", False), ("a\nb", "a*b", True), ("a.b", "a?b", True), ("", "*", True)],
)
def test_brackets_and_dots_of_a_glob_are_themselves(text, pattern, same):
    assert globbed(text, pattern) is same
