"""Each law of putting back sees its own crime: an honest story is told, one fact in it is changed, that law objects."""

import copy

import pytest

from healer.simulation.invariants import LAWS
from healer.simulation.life import Life
from healer.simulation.oracle import Evidence
from healer.simulation.undolaws import UNDO_LAWS


@pytest.fixture
def told(house):
    """A story in which a program needs more, gets it in two incidents, and a person turns the knob of another one."""
    house.book = "knobs"
    world = house.world
    first, second = world.things["program:p0"], world.things["program:p1"]
    world.plan(10.0, lambda: setattr(first, "pressed", 2))
    world.plan(10.0, lambda: setattr(second, "pressed", 1))
    world.plan(13.0, lambda: setattr(second, "knob", second.knob + 1000))
    world.plan(20.0, lambda: house.life.ask("act", "program:p2", action="adjust", params={"cpu": "+20%"}))
    world.plan(50.0, world.heal)
    house.life = Life(house)
    assert house.life.live(200.0) == ""
    evidence = Evidence(house=house)
    evidence.calm, evidence.end = 50.0, 200.0
    evidence.inspect("")
    for law in LAWS:
        law(evidence)
    assert evidence.violations == []
    return evidence


def undone(evidence):
    return [one for one in evidence.deeds.values() if one.undoes]


def again(evidence):
    """The last thing that was put back is put back once more."""
    last = undone(evidence)[-1].intent
    copied = copy.deepcopy(last)
    copied.at += 60.0
    evidence.entries.append(copied)


def while_it_is_open(evidence):
    number = evidence.entries.index(undone(evidence)[0].intent)
    closing = [
        one
        for one in evidence.entries[:number]
        if one.kind == "state" and str(one["subject"]).startswith("incident:") and one["to"] == "inactive"
    ]
    for one in closing:
        one.fields["to"] = "firing"


def in_order_of_making(evidence):
    mine = [one.intent for one in undone(evidence) if one.intent["target"] == "program:p0"]
    mine[0].fields["undoes"], mine[1].fields["undoes"] = mine[1]["undoes"], mine[0]["undoes"]


def of_a_person(evidence):
    asked = next(one for one in evidence.deeds.values() if one.intent["request"] and one.intent["action"] == "adjust")
    undone(evidence)[-1].intent.fields["undoes"] = asked.intent["id"]


def hastily(evidence):
    first = undone(evidence)[0]
    copied = copy.deepcopy(first.intent)
    copied.at -= 1.0
    evidence.entries.insert(evidence.entries.index(first.intent), copied)


def never(evidence):
    first = undone(evidence)[-1]
    evidence.entries.remove(first.outcomes[0])


def to_somewhere_else(evidence):
    effect = next(one.effects[0] for one in undone(evidence) if one.effects)
    effect.turned = (effect.turned[0], effect.turned[1] + 7)


def unread(evidence):
    for effect in undone(evidence)[0].effects:
        effect.turned = None


CRIMES = {
    again: "put back once",
    of_a_person: "put back once",
    while_it_is_open: "put back late",
    in_order_of_making: "put back in order",
    hastily: "put back with pauses",
    never: "put back in the end",
    to_somewhere_else: "put back as it was",
    unread: "honest verdict",
}


def test_an_honest_story_breaks_no_law_and_each_law_sees_its_crime(told):
    reached = {"put back", "several changes put back", "left as a person had it"}
    assert reached <= set(told.house.chance.reached)
    assert told.house.world.things["program:p0"].knob == 0
    assert told.house.world.things["program:p1"].knob > 1000
    assert told.house.world.things["program:p2"].knob == 1
    for crime, law in CRIMES.items():
        entries, deeds = copy.deepcopy((told.entries, told.deeds))
        story = Evidence(house=told.house, entries=entries, deeds=deeds, calm=told.calm, end=told.end)
        ledger, told.house.world.ledger = told.house.world.ledger, [one for it in deeds.values() for one in it.effects]
        crime(story)
        for look in UNDO_LAWS:
            look(story)
        told.house.world.ledger = ledger
        assert law in {one.partition(":")[0] for one in story.violations}, crime.__name__
