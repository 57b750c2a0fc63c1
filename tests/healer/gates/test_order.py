from pathlib import Path

import pytest

from healer import gates
from healer.gates import order
from healer.gates.interface import Refusal
from healer.model.mode import Mode


def test_every_gate_in_the_folder_is_asked():
    files = {path.stem for path in Path(gates.__file__).parent.glob("*.py")}
    assert {name for name, _ in order.ORDER} == files - {"__init__", "interface", "order"}


def test_all_gates_answer_in_order_and_none_refuses_a_plain_question(question):
    answers = order.ask_all(question())
    assert [answer.gate for answer in answers] == [name for name, _ in order.ORDER]
    assert order.first_refusal(answers) is None


def test_the_first_refusal_in_order_is_the_reason(question, memory):
    memory.kill_switch, memory.safe_mode = True, "too many"
    answers = order.ask_all(question(modes=(("organism", Mode.OFF),)))
    assert [answer.gate for answer in answers if not answer.ok] == ["mode", "kill_switch", "mass_failure"]
    assert order.first_refusal(answers)[0] == "mode"


@pytest.mark.parametrize("failure", [KeyError("x"), ValueError("x"), TypeError("x"), ZeroDivisionError()])
def test_a_gate_that_cannot_answer_says_no(question, monkeypatch, failure):
    def broken(_):
        raise failure

    monkeypatch.setattr(order, "ORDER", (("limit", broken),))
    gate, refusal = order.first_refusal(order.ask_all(question()))
    assert gate == "limit"
    assert "could not answer" in refusal.because


def test_unreadable_state_fails_closed(question, memory):
    memory.streaks["r@unit:nginx"] = None
    memory.acted = [None]
    refused = {answer.gate for answer in order.ask_all(question()) if not answer.ok}
    assert "limit" in refused


def test_between_seal_and_effect_the_intent_does_not_refuse_itself(question, memory, intent):
    memory.intents["i-1"] = intent()
    asked = order.ask_again(question(intent="i-1"))
    assert order.first_refusal(asked) is None
    assert {answer.gate for answer in asked} == order.AFTER_THE_SEAL


@pytest.mark.parametrize("gate", sorted(order.AFTER_THE_SEAL))
def test_what_may_have_changed_meanwhile_is_asked_again(question, monkeypatch, gate):
    changed = tuple((name, (lambda _: Refusal(because="no")) if name == gate else one) for name, one in order.ORDER)
    monkeypatch.setattr(order, "ORDER", changed)
    assert order.first_refusal(order.ask_again(question()))[0] == gate
