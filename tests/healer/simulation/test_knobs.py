"""The rules that turn knobs: one of them is there in one of the two books only."""

from healer.simulation.knobs import TURNED
from healer.simulation.rulebooks import FACTS, RELOADS, rules


def test_a_reload_takes_one_of_the_rules_that_turn_away_and_brings_it_back():
    turning = {
        book: {rule.id for rule in rules(book).rules if any(step.action == "adjust" for step in rule.then)}
        for book in ("knobs", RELOADS["knobs"])
    }
    assert turning == {"knobs": {"tight", "wide"}, "knobs-slow": {"tight"}}


def test_what_a_person_turns_is_beyond_all_that_rules_do():
    most = sum(max(limit[0] for limit in FACTS[rule].limits) for rule in ("tight", "wide"))
    assert most * 10 < TURNED
