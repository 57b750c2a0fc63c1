from healer.gates import concurrency
from healer.gates.interface import Slot


def test_a_key_with_a_free_place_lets_pass(question):
    assert concurrency.ask(question()) is None
    assert concurrency.ask(question(slots=(Slot(key="rule:r", max=2, taken=("r@unit:a",)),))) is None


def test_a_key_whose_places_are_taken_refuses_and_names_who_has_them(question):
    full = Slot(key="group:web", max=1, taken=("r@unit:a",))
    assert concurrency.ask(question(slots=(full,))).because == "group:web: 1 of at most 1 under way (r@unit:a)"


def test_whoever_is_more_urgent_gets_the_place_first(question):
    kept = Slot(key="disk", max=2, taken=("r@unit:a",), ahead=("s@unit:b",))
    assert concurrency.ask(question(slots=(kept,))).because == "disk: s@unit:b is more urgent, or has waited longer"
