import pytest

from healer.errors import RefusedError
from healer.model.placeholders import bound, plain, slotted, stands_for_code


@pytest.mark.parametrize("value", ["alice", "web@3", "10.0.0.1", "a:b", r"dev-disk\x2d", "A_b-c"])
def test_names_of_units_accounts_and_hosts_are_plain(value):
    assert plain(value)


@pytest.mark.parametrize("value", ["", "-x", "@x", "a/b", "a b", "a;b", "é", "a\0", "*"])
def test_whatever_means_more_than_itself_is_not_plain(value):
    assert not plain(value)


def test_the_command_and_the_text_of_an_interpreter_are_code():
    assert [stands_for_code(["bash", "x", "-c", "y", "z"], place) for place in range(5)] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert not stands_for_code(["/usr/bin/kill", "1"], 1)


def test_dotted_names_reach_into_an_event():
    assert bound(["kick", "{event.user.name}"], {"event.user.name": "bob"}) == ["kick", "bob"]


def test_the_reason_names_what_is_bound():
    with pytest.raises(RefusedError) as told:
        bound(["kick", "{event.usr}"], {"event.user": "bob"})
    assert "event.user" in told.value.hint


def test_whole_values_are_slots_and_parts_of_them_are_not():
    made = slotted({"a": "{event.x}", "b": "{event.x}!", "c": 5, "d": None}, {"event.x": "a b'\n"})
    assert made == {"a": "a b'\n", "b": "{event.x}!", "c": 5, "d": None}
