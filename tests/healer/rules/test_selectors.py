import pytest

from healer.rules.rule import Selection, Selector
from healer.rules.selectors import SELECTION, SELECTOR
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text, shape=SELECTION):
    return document.text(text, shape, Problems(), name="f")


def told(text, shape=SELECTION):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, shape, problems, name="f")
    return " ".join(map(str, problems.found))


def test_several_groups_exceptions_and_a_state():
    assert read("{group: [web, api], except: 'unit:a', state: running}", SELECTOR) == Selector(
        group=("web", "api"), except_=("unit:a",), state="running"
    )


def test_a_selection_of_a_step_has_a_bound_and_an_order():
    assert read("{kind: program, max_targets: 3, order: backward}") == Selection(
        selector=Selector(kind="program"), max_targets=3, order="backward"
    )


@pytest.mark.parametrize(
    "text", ["{}", "{state: stopped}", "{except: a}", "{name: '*'}", "{max_targets: 5}", "{all: false}"]
)
def test_what_selects_everything_has_to_say_so(text):
    assert "write all: true with max_targets" in told(text)


def test_all_needs_a_bound():
    assert read("{all: true, max_targets: 9, state: stopped}").selector.all_
    assert "all, without a bound" in told("{all: true}")


@pytest.mark.parametrize(
    "text", ["{kind: unti}", "{state: up}", "{group: []}", "{max_targets: -1}", "5", "[a]", "{order: up}"]
)
def test_what_makes_no_sense_is_told(text):
    assert told(text)


def test_a_rule_is_never_bound_to_everything():
    assert "selects every target" in told("{state: running}", SELECTOR)
    assert "unknown key 'all'" in told("{all: true}", SELECTOR)
