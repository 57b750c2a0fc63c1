import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.conditions import COMBINATORS, Condition, definition
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad

CONDITION = Condition(METRICS)
HOT, FULL = "cpu.used > 90%", "memory.available < 5%"


def read(text):
    return document.text(text, CONDITION, Problems())


def told(text):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, CONDITION, problems, name="f")
    return [str(one) for one in problems.found]


def parsed(text):
    return expression.parse(text, vocabulary=METRICS)


@pytest.mark.parametrize(
    ("yaml", "meant"),
    [
        (HOT, HOT),
        (f"[{HOT}, {FULL}]", f"{HOT} and {FULL}"),
        (f"{{all: [{HOT}, {FULL}]}}", f"{HOT} and {FULL}"),
        (f"{{any: [{HOT}, {FULL}]}}", f"{HOT} or {FULL}"),
        (f"{{not: {HOT}}}", f"not {HOT}"),
        (f"{{none: [{HOT}, {FULL}]}}", f"not ({HOT} or {FULL})"),
        (f"{{not_all: [{HOT}, {FULL}]}}", f"not ({HOT} and {FULL})"),
        (f"{{xor: [{HOT}, {FULL}]}}", f"{HOT} xor {FULL}"),
        (f"{{exactly: {{n: 1, of: [{HOT}, {FULL}]}}}}", f"exactly(1, {HOT}, {FULL})"),
        (f"{{at_least: {{n: 1, of: [{HOT}, {FULL}]}}}}", f"at_least(1, {HOT}, {FULL})"),
        (f"{{at_most: {{n: 1, of: [{HOT}, {FULL}]}}}}", f"at_most(1, {HOT}, {FULL})"),
        (
            f"{{weighted: {{threshold: 0.7, of: [{{when: {HOT}, weight: 0.8}}, {{when: {FULL}, weight: 0.4}}]}}}}",
            f"weighted(0.7, {HOT}, 0.8, {FULL}, 0.4)",
        ),
        (
            "{state: {any: {kind: program, group: [web, db], except: [b*], label: {tier: 1}}, is: stopped}}",
            'any_state("stopped", kind="program", group="web,db", except="b*", label="tier=1")',
        ),
        ("{state: {none: {organ: heart, name: a*}, is: fault}}", 'none_state("fault", organ="heart", name="a*")'),
        ("{not: {state: {all: {group: web}, is: running}}}", 'not all_state("running", group="web")'),
        ('{organ: heart, vital: load, op: ">", value: 85%}', "heart.load > 85%"),
        ("{organ: heart, vital: load, op: greaterThan, value: 85%}", "heart.load > 85%"),
        ("{organ: stomach, vital: health, op: equals, value: failed}", 'stomach.health == "failed"'),
        (f"{{any: [{{all: [{HOT}, {FULL}]}}, {{not: {HOT}}}]}}", f"({HOT} and {FULL}) or not {HOT}"),
    ],
)
def test_yaml_means_what_the_text_means(yaml, meant):
    assert read(yaml).expr == parsed(meant)


def test_every_combination_is_tried_above():
    assert set(COMBINATORS) == {
        "all", "any", "none", "not_all", "not", "xor", "exactly", "at_least", "at_most", "weighted", "state",
    }  # fmt: skip


def test_the_source_of_a_tree_parses_to_the_same_tree():
    made = read(f"{{any: [{{all: [{HOT}, {FULL}]}}, {{not: {HOT}}}]}}")
    assert parsed(made.source) == made.expr


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("{state: stopped}", "expected {any, is}, found 'stopped'"),
        ("{state: {is: stopped}}", "'any' is missing"),
        ("{state: {any: {kind: program}}}", "'is' is missing"),
        ("{state: {any: {kind: program}, is: stoped}}", "did you mean 'stopped'"),
        ("{state: {any: {kynd: program}, is: stopped}}", "did you mean 'kind'"),
        ("{state: {any: {kind: programm}, is: stopped}}", "did you mean program"),
        ("{state: {any: {}, is: stopped}}", "an empty mapping"),
        ("{state: {any: {group: []}, is: stopped}}", "every target there is"),
        ("{state: {any: {group: [[a]]}, is: stopped}}", "found a list"),
        ("{state: {any: {name: '*'}, is: stopped}}", "every target there is"),
        ("{state: {any: {except: a}, is: stopped}}", "every target there is"),
        ("{state: {any: {label: a}, is: stopped}}", "needs its value"),
        ("{state: {any: {kind: program}, all: {kind: program}, is: stopped}}", "unknown key 'all'"),
        ("", "expected a condition, found nothing"),
        ("' '", "expected a condition"),
        ("true", "expected a condition, found true"),
        ("5", "expected a condition, found the number 5"),
        ("cpu.used", "f:1:1: cpu.used is no condition"),
        ("5 + 5", "no condition"),
        ("cpu.usd > 90%", "f:1:1: unknown metric 'cpu.usd'"),
        ("{any: ['cpu.used > 90%', 'cpu.used >> 90%']}", "f:1:37: expected a metric or a number"),
        ("{}", "expected one combination, found nothing"),
        (f"{{all: [{HOT}], any: [{FULL}]}}", "expected one combination, found all, any"),
        (f"{{al: [{HOT}]}}", "did you mean 'all'?"),
        ("[]", "an empty list of conditions"),
        ("{all: []}", "an empty list of conditions"),
        ("{any: }", "expected a list of conditions, found nothing"),
        (f"{{any: {HOT}}}", "expected a list of conditions"),
        (f"{{not: [{HOT}]}}", "not takes one condition"),
        (f"{{xor: [{HOT}, {HOT}, {HOT}]}}", "xor takes two conditions, found 3"),
        (f"{{exactly: {{n: 3, of: [{HOT}]}}}}", "3 is out of bounds"),
        (f"{{exactly: {{of: [{HOT}]}}}}", "'n' is missing"),
        (f"{{exactly: {{n: 1, off_: 2, of: [{HOT}]}}}}", "unknown key 'off_'"),
        ("{exactly: 5}", "expected {n, of}"),
        ("{weighted: {threshold: 0.7, of: []}}", "expected a list of {when, weight}"),
        (f"{{weighted: {{threshold: 0.9, of: [{{when: {HOT}, weight: 0.1}}]}}}}", "less than the threshold"),
        (f"{{weighted: {{threshold: 0.7, of: [{{when: {HOT}}}]}}}}", "'weight' is missing"),
        ("{organ: hart, vital: load, op: '>', value: 1}", "did you mean 'heart'?"),
        ("{organ: heart, vital: load, op: '>>', value: 1}", "unknown operator"),
        ("{organ: heart, vital: load, op: '>'}", "'value' is missing"),
        ("{organ: heart, vital: load, op: '>', value: []}", "expected value as a word or number"),
        ("{organ: heart, vital: load, op: on, value: 1}", "true or false to some"),
    ],
)
def test_what_would_never_be_meant_is_told(yaml, says):
    assert any(says in line for line in told(yaml)), told(yaml)


def test_every_mistake_in_a_tree_is_told():
    assert len(told("{all: ['cpu.usd > 1', {any: ['memory.avail < 1', '']}, 7]}")) == 4


def test_too_deep_a_tree_is_told_not_recursed_into():
    assert told("{not: " * 40 + "cpu.used > 1%" + "}" * 40)


@given(st.text(max_size=60))
def test_no_text_whatever_is_more_than_a_problem(text):
    problems = Problems()
    try:
        document.text(text, CONDITION, problems)
    except Bad:
        assert problems


def test_the_schema_nests():
    assert CONDITION.schema() == {"$ref": "#/$defs/condition"}
    assert len(definition()["anyOf"]) == 2 + len(COMBINATORS) + 1
