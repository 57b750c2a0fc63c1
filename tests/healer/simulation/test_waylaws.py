"""Each law of ways sees its own crime: an honest story is told, one fact in it is changed, and that law objects."""

import copy

import pytest

from healer.simulation.invariants import LAWS
from healer.simulation.life import Life
from healer.simulation.oracle import Evidence
from healer.simulation.waylaws import WAYS_LAWS
from healer.simulation.ways import SHARED


@pytest.fixture
def told(house):
    """A story in which two programs die at once, one of which is slow to come up, and the front is silent with it."""
    house.book = "ways"
    world = house.world

    def fail():
        world.things["program:p0"].startup = 12.0
        world.die("program:p0")
        world.die("program:p1")

    world.plan(10.0, fail)
    world.plan(60.0, world.heal)
    house.life = Life(house)
    assert house.life.live(110.0) == ""
    evidence = Evidence(house=house)
    evidence.calm, evidence.end = 60.0, 110.0
    evidence.inspect("")
    for law in LAWS:
        if law.__name__ not in {"heals_and_is_quiet", "every_intent_ends_once"}:
            law(evidence)
    assert evidence.violations == []
    return evidence


def deeds(evidence, rule, step=None):
    found = [one for one in evidence.deeds.values() if one.intent["rule"] == rule and not one.quiet]
    return [one for one in found if step in {None, one.intent["step"]}]


def shared_at_once(evidence):
    first, second = [one for one in evidence.deeds.values() if one.intent["rule"] in SHARED and not one.quiet][:2]
    for closing in (*first.verdicts, *first.outcomes):
        closing.number = second.intent.number + 1


def taken_back_although_verified(evidence):
    for deed in deeds(evidence, "ways-down", 2):
        for verdict in deed.verdicts:
            verdict.fields["result"] = "verified"


def taken_back_twice(evidence):
    back = deeds(evidence, "ways-down", 3)[0]
    again = copy.deepcopy(back)
    again.intent.leaf = "f" * 64
    evidence.deeds[again.intent.leaf] = again
    evidence.entries.insert(evidence.entries.index(back.intent) + 1, again.intent)


def acted_on_another(evidence):
    deeds(evidence, "herd")[0].intent.fields["target"] = "program:p3"


def a_hook_that_acts(evidence):
    hook = next(one for one in evidence.deeds.values() if str(one.intent["corr"]).startswith("hook:"))
    hook.intent.fields["action"] = "restart"


CRIMES = {
    shared_at_once: "places",
    taken_back_although_verified: "rollback",
    taken_back_twice: "rollback",
    acted_on_another: "chosen",
    a_hook_that_acts: "hooks",
}


def test_an_honest_story_breaks_no_law_and_each_law_sees_its_crime(told):
    assert {"taken back", "several chosen", "hook called"} <= set(told.house.chance.reached)
    for crime, law in CRIMES.items():
        entries, deeds = copy.deepcopy((told.entries, told.deeds))
        story = Evidence(house=told.house, entries=entries, deeds=deeds)
        crime(story)
        for look in WAYS_LAWS:
            look(story)
        assert law in {one.partition(":")[0] for one in story.violations}, crime.__name__
