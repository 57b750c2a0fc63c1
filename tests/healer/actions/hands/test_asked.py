"""What an order asks for means the same to the hands of every kind."""

import pytest

from healer.actions.hands.asked import applied, asked, changes, instances, told
from healer.actions.interface import Order
from healer.errors import ActionError
from healer.model.change import parse
from healer.model.target import Target


def order(**params):
    target = Target(kind="program", name="web@1", organ="heart")
    return Order(intent="a" * 64, target=target, params=params, timeout=10.0, generation="1.2")


@pytest.mark.parametrize("written", ["+20%", parse("+20%")])
def test_a_change_is_taken_as_text_or_as_read_already(written):
    assert asked(written) == parse("+20%")


@pytest.mark.parametrize("written", ["", "lots", "1e9", "nan", 2.5e30, None, "9" * 99])
def test_what_is_no_change_is_refused_for_good(written):
    with pytest.raises(ActionError, match="is no change") as caught:
        asked(written)
    assert not caught.value.transient
    assert "512MiB" in caught.value.hint


def test_only_settings_that_were_asked_for_change():
    found = changes(order(cpu="+1", memory=None, back={"cpu": 1}), ("cpu", "memory", "tasks"))
    assert found == {"cpu": parse("+1")}


def test_an_order_for_nothing_says_what_there_is():
    with pytest.raises(ActionError, match="nothing to adjust") as caught:
        changes(order(memory=None), ("cpu", "memory"))
    assert (caught.value.hint, caught.value.transient) == ("one of: cpu, memory", False)


def test_an_amount_more_than_no_bound_is_refused_for_good():
    with pytest.raises(ActionError, match="needs a present value") as caught:
        applied(parse("+10%"), float("inf"), least=0.0, most=9.0)
    assert not caught.value.transient


@pytest.mark.parametrize(("to", "of"), [("+1", 3), ("-5", 1), ("9", 4), ("50%", 2), (parse("3"), 3)])
def test_instances_stay_within_what_was_declared(to, of):
    assert instances(order(to=to), 2, least=1, most=4) == of


def test_a_dry_run_tells_what_is_asked():
    assert told(order(cpu="+1", memory=None, back=None), ("cpu", "memory")) == "cpu +1"
    assert told(order(), ("cpu", "memory")) == "nothing"
