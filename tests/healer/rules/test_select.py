import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.target import Target
from healer.rules.rule import Selector
from healer.rules.select import matches

WEB = Target(kind="unit", name="web@1", organ="heart", groups=("web", "edge"), labels=(("env", "prod"), ("tier", "1")))
names = st.text("abc@:*?[]12", max_size=6)


@given(names, names, st.lists(names, max_size=3))
def test_an_empty_selector_means_nothing_never_everything(name, group, left_out):
    target = Target(kind="unit", name=name, organ="heart", groups=(group,))
    assert not matches(Selector(), target)
    assert not matches(Selector(except_=tuple(left_out)), target)


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        (Selector(kind="unit"), True),
        (Selector(kind="Unit"), False),
        (Selector(name="web@*"), True),
        (Selector(name="web"), False),
        (Selector(name="*"), True),
        (Selector(name="WEB@1"), False),
        (Selector(organ="heart"), True),
        (Selector(organ="lungs"), False),
        (Selector(group=("db", "edge")), True),
        (Selector(group=("db",)), False),
        (Selector(label=(("env", "prod"),)), True),
        (Selector(label=(("env", "prod"), ("tier", "1"))), True),
        (Selector(label=(("env", "prod"), ("tier", "2"))), False),
        (Selector(kind="unit", organ="lungs"), False),
        (Selector(kind="unit", organ="heart", name="web@1", group=("web",)), True),
        (Selector(kind="unit", except_=("unit:web@*",)), False),
        (Selector(kind="unit", except_=("web@1",)), False),
        (Selector(kind="unit", except_=("web@2", "db")), True),
        (Selector(kind="unit", except_=("*",)), False),
    ],
)
def test_all_criteria_given_must_hold(selector, selects):
    assert matches(selector, WEB) is selects


def test_a_pattern_is_about_the_whole_name():
    assert not matches(Selector(name="web"), Target(kind="unit", name="web2", organ="heart"))
    assert not matches(Selector(name="eb*"), Target(kind="unit", name="web2", organ="heart"))
