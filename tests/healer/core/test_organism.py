import pytest

from healer.core.organism import words
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.organism import Vital
from healer.model.target import Target

DISK = Vital(organ="stomach", name="root", value='disk.used{mount="/"}', healthy=0.8, critical=0.97)
UP = Vital(organ="heart", name="up", value='organ.up{organ="heart"}', healthy=1.0, critical=0.5)


def test_a_vital_moves_harmony_and_back(talk):
    scenario = talk.with_rules(vitals=(DISK,))
    scenario.wait(1.5)
    assert scenario.core.organs.harmony is None, "nothing was ever known"
    for used, harmony in ((0.5, 100.0), (0.97, 1.0), (0.5, 100.0)):
        scenario.see("disk.used", used, mount="/")
        scenario.wait(1.5)
        assert scenario.core.organs.harmony == pytest.approx(harmony)
        assert scenario.core.desk.harmony == scenario.core.organs.harmony


def test_rules_may_read_harmony_organs_and_vitals(talk):
    rules = [
        talk.rule(when, id=name, target="", then=())
        for name, when in (
            ("h", "harmony < 50"), ("s", 'organ.score{organ="stomach"} < 50'), ("v", "stomach.root > 90%"),
        )
    ]  # fmt: skip
    scenario = talk.with_rules(*rules, vitals=(DISK,))
    for used, truth in ((0.5, "false"), (0.99, "true")):
        for _ in range(2):
            scenario.see("disk.used", used, mount="/")
            scenario.wait(1.5)
        assert {one.truth.value for one in scenario.core.instances.values()} == {truth}


@pytest.mark.parametrize(
    ("held", "wanted", "up"), [(False, None, 0.5), (True, None, 1.0), (False, 0, 1.0), (False, 1, 0.5)]
)
def test_what_somebody_stopped_or_paused_on_purpose_is_not_ill(talk, held, wanted, up):
    targets = (talk.api, Target(kind="program", name="db", organ="heart"))
    scenario = talk.with_rules(targets=targets, vitals=(UP,))
    for name in ("program:api", "program:db"):
        talk.up(scenario, 1, name)
    if held:
        scenario.ask("pause", "program:db")
    talk.up(scenario, 0, "program:db")
    if wanted is not None:
        scenario.see("program.wanted", wanted, target="program:db")
    scenario.wait(1.5)
    assert scenario.core.known("heart.up") in {None, up}
    (heart,) = [organ for organ in scenario.core.organs.view.organs if organ.name == "heart"]
    assert heart.vitals[0].value == up


def test_restarts_are_counted_for_the_organ(talk):
    restarts = Vital(organ="heart", name="restarts", value='organ.restarts{organ="heart"}', healthy=0, critical=5)
    scenario = talk.with_rules(vitals=(restarts,))
    for count in (3, 4, 6):
        scenario.see("program.restarts", count, target="program:api")
        scenario.wait(1.5)
    (heart,) = [organ for organ in scenario.core.organs.view.organs if organ.name == "heart"]
    assert heart.vitals[0].value == 3


def test_the_default_vitals_are_all_evaluated(talk):
    scenario = talk.with_rules(vitals=DEFAULT_VITALS)
    scenario.see("memory.available", 0.01)
    scenario.wait(1.5)
    assert scenario.core.organs.harmony < 60
    said = list(words(scenario.core.organs.view))
    assert said[0].startswith("harmony ")
    assert any("muscles.available" in line for line in said)


def test_unknown_harmony_is_said_as_that(talk):
    assert list(words(talk.with_rules(vitals=(DISK,)).core.organs.view)) == ["harmony unknown"]
