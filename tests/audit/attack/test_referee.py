"""Every attack is seen as it must be; and the referee notices a verifier that does not look."""

import pytest

from audit import ratchet
from audit.attack import book, referee
from audit.attack.catalog import Attack, Auditor, Family, Power, Verdict
from audit.errors import Unreadable

MAX_CPU_S = 60.0


def test_the_whole_run_is_soon_over(whole_run):
    assert sum(map(len, whole_run.outcomes.values())) > 200
    assert set(whole_run.outcomes) == {family.name for family in book.FAMILIES}
    assert whole_run.cpu_s < MAX_CPU_S


def test_a_verifier_that_accuses_everybody_is_found_out(world, monkeypatch):
    monkeypatch.setattr(ratchet, "check", lambda *_: "wrong")
    (outcome,) = referee.run(world, book.attacks("no-attack"))
    assert outcome.bad
    with pytest.raises(Unreadable, match="the log itself is tampered"):
        referee.check_honest(world)


def judged(verdict: Verdict, must: str, codes: tuple[str, ...] = (), *, control: bool = False) -> referee.Outcome:
    family = Family("f", "things", "cut")
    family.add("a", "A thing", Power.FILE, must, lambda _case: None, control=control)
    (attack,) = family
    cell = referee.Cell(verdict=verdict, said="so", codes=codes)
    return referee.Outcome(attack=attack, cells=dict.fromkeys(Auditor, cell))


def test_more_than_must_be_seen_is_right_and_less_is_wrong():
    assert judged(Verdict.SEEN, "nnss", ("cut",)).bad is False
    assert judged(Verdict.NOT_PROVEN, "nnss", ("cut",)).wrong == [Auditor.ANCHOR, Auditor.WITNESS]
    assert judged(Verdict.UNBOUNDED, "uuuu").wrong == list(Auditor)


def test_what_is_seen_for_another_reason_is_wrong():
    assert judged(Verdict.SEEN, "nnss", ("chain",)).beside_the_point
    assert not judged(Verdict.SEEN, "nnss", ("chain", "cut")).beside_the_point
    assert not judged(Verdict.SEEN, "nnuu", ("chain",)).beside_the_point


def test_what_is_no_attack_must_be_seen_as_nothing_else():
    assert judged(Verdict.SEEN, "uuuu", control=True).wrong == list(Auditor)
    assert judged(Verdict.UNNOTICED, "uuuu", control=True).bad is False


def test_an_attack_that_cannot_be_made_is_told_and_hides_nothing(world):
    def broken(_case):
        raise ValueError("of the kit's own")

    bad = Attack(
        name="broken",
        family="f",
        what="Nothing",
        power=Power.FILE,
        must=dict.fromkeys(Auditor, Verdict.SEEN),
        because="",
        make=broken,
        codes=frozenset(),
    )
    first, second = referee.run(world, [bad, *book.attacks("cut-tail")])
    assert first.failed == "ValueError: of the kit's own"
    assert second.cells


def test_nothing_is_left_of_the_copies(world):
    list(referee.run(world, book.attacks("fork")))
    assert [path.name for path in world.place.iterdir() if path.name.startswith(("case", "honest"))] == []
