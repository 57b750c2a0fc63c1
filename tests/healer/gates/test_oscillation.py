import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.gates import order, oscillation
from healer.gates.oscillation import turns
from healer.model.memory import Acted, Memory, Oscillation


def acts(*pairs, target="unit:nginx", since=900.0):
    return [
        Acted(id=f"i-{number}", at=since + number, rule=rule, target=target, action=action)
        for number, (rule, action) in enumerate(pairs)
    ]


A, B = ("stopper", "stop"), ("starter", "start")


def test_two_cures_that_took_turns_are_both_held(question, memory):
    memory.acted = acts(A, B, A, B)
    for rule in ("stopper", "starter"):
        refused = oscillation.ask(question(rule=rule))
        assert refused.because == (
            "stopper and starter took turns on unit:nginx: both are held (healer ack unit:nginx lets them go on)"
        )
        assert refused.proposal
    assert oscillation.ask(question(rule="third")) is None
    assert oscillation.ask(question(rule="")) is None


@pytest.mark.parametrize(
    ("pairs", "held"),
    [
        ((A, B, A), False),
        ((A, B, A, A), False),
        ((A, A, A, A), False),
        ((A, B, B, A), False),
        ((B, A, B, A), True),
        ((A, A, B, A, B), True),
        ((A, B, A, B, ("third", "restart")), False),
        ((("one", "restart"), ("two", "restart")) * 2, True),  # two rules, the same cure
        ((("one", "stop"), ("one", "start")) * 2, True),  # one rule against itself
        ((("one", "reload"), ("one", "restart")) * 2, False),  # the rungs of one ladder, twice
    ],
)
def test_what_counts_as_taking_turns(memory, pairs, held):
    memory.acted = acts(*pairs)
    assert bool(turns(memory, "unit:nginx", since=0.0)) is held


def test_what_was_long_ago_or_elsewhere_or_asked_for_does_not_count(question, memory):
    memory.acted = acts(A, B, A, B, since=-9000.0)
    assert oscillation.ask(question(rule="stopper")) is None
    memory.acted = acts(A, B, A, B, target="unit:other")
    assert oscillation.ask(question(rule="stopper")) is None
    memory.acted = acts(("", "stop"), B, ("", "stop"), B)
    assert oscillation.ask(question(rule="starter")) is None


def test_it_is_held_for_as_long_as_it_is_sealed_and_begins_anew_after(question, memory):
    memory.oscillations["unit:nginx"] = Oscillation(held=True, since=10.0, rules=["stopper", "starter"])
    assert oscillation.ask(question(rule="stopper")) is not None
    memory.acted = acts(A, B, A, B)
    memory.oscillations["unit:nginx"] = Oscillation(held=False, since=950.0, rules=["stopper", "starter"])
    assert oscillation.ask(question(rule="stopper")) is None


def test_garbage_says_no(question, memory):
    memory.oscillations["unit:nginx"] = Oscillation(held=True, since=10.0, rules=None)
    assert not {one.gate: one for one in order.ask_all(question())}["oscillation"].ok


@given(st.lists(st.sampled_from((A, B, ("third", "restart"))), max_size=12))
def test_no_pair_takes_more_than_two_turns_each(wanted):
    """Whatever is wanted, with the gate asked before each: never five in turns."""
    memory, done = Memory(), []
    for rule, action in wanted:
        if rule not in turns(memory, "unit:nginx", since=0.0):
            done.append((rule, action))
            memory.acted = acts(*done)
    for first in range(len(done) - 4):
        window = done[first : first + 5]
        assert not (window[0] == window[2] == window[4] and window[1] == window[3] and window[0] != window[1])
