import pytest

from healer.core.watch import STRETCH
from healer.model.mode import Mode, Profile

LOOK, KEPT = 5.0, 17.5


def truths(scene, *, every, looks=4):
    """What a condition about a probe is, half a second before each of the next looks."""
    said = []
    for _ in range(looks):
        scene.wait(every - 0.5)
        said.append(scene.core.instances["r@http:web"].truth.value)
        scene.wait(0.5)
        scene.see("http.ok", 0, target="http:web")
    return said


@pytest.fixture
def made(talk):
    """A rule about a probe that looks every five seconds."""

    def make(**more):
        rule = talk.rule("http.ok{target} == 0", target="http:web", mode=Mode.OBSERVE)
        scene = talk.with_rules(rule, max_ages={"http:web": KEPT}, **more)
        for _ in range(2):
            scene.see("http.ok", 0, target="http:web")
            scene.wait(1)
        return scene

    return make


def test_what_is_looked_at_less_often_counts_longer_and_no_condition_goes_blind_between_looks(made):
    scene = made()
    scene.happen("profile", profile="economy", because="starved")
    assert truths(scene, every=LOOK * STRETCH) == ["true"] * 4


def test_an_economy_that_was_configured_stretches_the_ages_too(made):
    assert truths(made(profile=Profile.ECONOMY), every=LOOK * STRETCH) == ["true"] * 4


def test_leaving_economy_believes_what_is_known_until_the_next_look_and_then_ages_as_before(made):
    scene = made()
    scene.happen("profile", profile="economy", because="starved")
    scene.wait(18)
    scene.happen("profile", profile="", because="over")
    scene.wait(LOOK)
    assert scene.core.instances["r@http:web"].truth.value == "true"
    scene.see("http.ok", 0, target="http:web")
    scene.wait(KEPT - 1)
    assert scene.core.instances["r@http:web"].truth.value == "true"
    scene.wait(2)
    assert scene.core.instances["r@http:web"].truth.value == "unknown"


def test_a_value_whose_metric_says_longer_goes_back_to_that(talk):
    scene = talk.with_rules(talk.rule('disk.used{mount="/"} > 0.9', mode=Mode.OBSERVE), max_ages={"host": 60.0})
    for _ in range(2):
        scene.see("disk.used", 0.95, mount="/")
        scene.wait(1)
    scene.happen("profile", profile="economy", because="starved")
    scene.wait(200)
    instance = scene.core.instances["r@program:api"]
    assert instance.truth.value == "true"
    scene.happen("profile", profile="", because="over")
    scene.see("disk.used", 0.95, mount="/")
    scene.wait(119)
    assert instance.truth.value == "true"
    scene.wait(2)
    assert instance.truth.value == "unknown"


def test_in_maintenance_looks_are_stretched_as_well_and_so_are_ages(made):
    scene = made(profile=Profile.MAINTENANCE)
    scene.happen("profile", profile="economy", because="starved")
    assert truths(scene, every=LOOK * STRETCH) == ["true"] * 4
