from healer.model.trigger import Accumulate
from healer.simulation import starts
from healer.simulation.rulebooks import RELOADS, rules


def test_what_the_laws_were_told_of_the_book_is_what_the_loader_reads_in_it():
    for book in ("told", RELOADS["told"]):
        held = {rule.id: rule.trigger for rule in rules(book).rules}
        assert held["told"].accumulate == Accumulate(count=starts.COUNT, within=starts.WITHIN)
        assert (held["told"].once_within, held["told"].topic, held["told"].group_by) == (
            starts.ONCE,
            starts.TOPIC,
            ("who",),
        )
        assert held["by-hand"].kind == "manual"
        assert held["down"].kind == "auto", "something has to heal by itself"
