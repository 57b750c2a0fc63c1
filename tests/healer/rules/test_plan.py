import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.plan import NOWHERE, Plan
from healer.rules.rule import Branch, Check, Exhausted, Position, Rule, Step, WaitFor, flattened, steps_of

TRUE = expression.parse("harmony > 5", vocabulary=METRICS)
CHECK = Check(when=TRUE, source="harmony > 5")
PLAIN = Step(action="restart")


def rule(*then, **more):
    return Rule(
        id="r", position=Position(file="f", line=1, column=1), when=TRUE, when_source="harmony > 5", then=then, **more
    )


def fork(then, else_=()):
    return Step(action="if", branch=Branch(test=CHECK, then=tuple(then), else_=tuple(else_)))


steps = st.recursive(
    st.just(PLAIN) | st.just(Step(action="wait_for", wait_for=WaitFor(test=CHECK))),
    lambda inner: st.one_of(
        st.builds(fork, st.lists(inner, min_size=1, max_size=3), st.lists(inner, max_size=3)),
        st.builds(lambda back: Step(action="restart", rollback=tuple(back)), st.lists(st.just(PLAIN), max_size=3)),
    ),
    max_leaves=8,
)


def test_a_plain_ladder_is_numbered_as_it_is_written():
    plan = Plan.of(rule(PLAIN, PLAIN, PLAIN))
    assert [(number, rung.next) for number, rung in sorted(plan.rungs.items())] == [(0, 1), (1, 2), (2, 3)]
    assert plan.end == 3


def test_both_ways_of_a_branch_lead_behind_it():
    plan = Plan.of(rule(fork([PLAIN, PLAIN], [PLAIN]), PLAIN))
    assert [(rung.number, rung.next, rung.other) for _, rung in sorted(plan.rungs.items())] == [
        (0, 1, 3),
        (1, 2, NOWHERE),
        (2, 4, NOWHERE),
        (3, 4, NOWHERE),
        (4, 5, NOWHERE),
    ]


def test_a_rollback_leads_behind_what_it_takes_back():
    plan = Plan.of(rule(Step(action="restart", rollback=(PLAIN, PLAIN)), PLAIN))
    assert (plan.rungs[0].next, plan.rungs[0].rollback) == (3, 1)
    assert [(plan.rungs[number].next, plan.rungs[number].undoes) for number in (1, 2)] == [(2, 0), (3, 0)]


def test_hooks_have_numbers_of_their_own_that_no_ladder_leads_to():
    plan = Plan.of(rule(PLAIN, on_fire=(PLAIN,), on_exhausted=Exhausted(steps=(PLAIN, PLAIN))))
    assert (plan.hooks["on_fire"], plan.hooks["on_exhausted"]) == ((2,), (3, 4))
    assert [plan.rung(number) for number in (1, 2, 3, 99)] == [None] * 4
    assert plan.rungs[2].hook == "on_fire"


@pytest.mark.parametrize("number", [-1, 5, 10**9])
def test_a_number_that_is_no_rung_is_none(number):
    assert Plan.of(rule(PLAIN)).rung(number) is None


@given(st.lists(steps, min_size=1, max_size=4), st.lists(st.just(PLAIN), max_size=2))
def test_every_step_has_one_number_and_every_way_ends(then, hook):
    made = rule(*then, on_fire=tuple(hook))
    plan = Plan.of(made)
    assert len(plan.rungs) == len(list(steps_of(made)))
    assert plan.end == len(list(flattened(then)))
    assert [plan.rungs[number].step for number in sorted(plan.rungs)] == list(steps_of(made))
    for number, rung in plan.rungs.items():
        for to in (rung.next, rung.other, rung.rollback):
            assert to == NOWHERE or number < to <= plan.end or rung.hook, "only ever forward"
