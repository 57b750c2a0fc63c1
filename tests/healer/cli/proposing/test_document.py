from healer.cli.proposing import document
from healer.cli.proposing.proposal import Proposal
from healer.model.kinds.catalog import KINDS


def test_every_kind_that_has_a_rule_has_a_flag_to_judge():
    for kind in document.kinds_of(Proposal(kind=kind, name="x", organ="heart", because="x") for kind in KINDS):
        assert f"{KINDS[kind].up}{{target}} == 0" in document.rules([kind])
        assert f"rule: own-{kind}-gone" in document.tests([kind])


def test_control_characters_of_others_do_not_reach_the_file():
    hostile = Proposal(kind="unit", name="x", organ="heart", because="a\x1b[2J\nb", needs="c\rd")
    text = document.organism([hostile])
    assert "\x1b" not in text
    assert "\r" not in text
    assert len(text.splitlines()) == len(document.HEAD.splitlines()) + 3


def test_nothing_found_is_an_empty_list():
    assert "targets: []" in document.organism([])
    assert document.kinds_of([]) == ["process"]
