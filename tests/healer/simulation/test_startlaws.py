"""Each law of starts sees its own crime: an honest story is told, one fact in it is changed, and that law objects."""

import pytest

from healer.simulation import starts
from healer.simulation.life import Life
from healer.simulation.oracle import Evidence
from healer.simulation.startlaws import START_LAWS


@pytest.fixture
def told(house):
    """A story in which somebody says twice what is to be fixed, later again, and asks for it outright once."""
    house.book = "told"
    house.life = life = Life(house)
    data = {"n": 1, "who": "ann", "target": "container:c0"}

    def say():
        life.ask("event", topic=starts.TOPIC, data=data)

    for at in (10.0, 12.0, 70.0, 72.0):
        house.world.plan(at, say)
    house.world.plan(40.0, lambda: life.ask("trigger", "by-hand", target="container:c0"))
    assert life.live(100.0) == ""
    evidence = Evidence(house=house)
    evidence.calm, evidence.end = 60.0, 100.0
    evidence.inspect("")
    for law in START_LAWS:
        law(evidence)
    assert evidence.violations == []
    return evidence


def entries(evidence, **wanted):
    return [one for one in evidence.entries if all(one[name] == value for name, value in wanted.items())]


def heard_once(evidence):
    entries(evidence, kind="request", verb="event")[0].fields["args"]["data"]["n"] = 0


def started_too_soon(evidence):
    used = entries(evidence, kind="state", subject="trigger:told@container:c0")
    assert len(used) == 2
    used[1].at = used[0].at + starts.ONCE - 1


def nobody_asked(evidence):
    entries(evidence, kind="request", verb="trigger")[0].fields["verb"] = "ack"


def withheld_and_done_all_the_same(evidence):
    intent = entries(evidence, kind="intent", rule="told")[0]
    opened = entries(evidence, kind="state", rule="told", to="firing")[0]
    opened.fields |= {"kind": "withheld", "gate": "maintenance", "corr": intent["corr"], "from": ""}
    evidence.entries.insert(0, entries(evidence, kind="state", rule="by-hand", to="firing")[0])
    first = evidence.entries[0]
    first.fields = first.fields | {"subject": f"incident:{intent['corr']}", "rule": "told"}


CRIMES = {
    heard_once: "events counted",
    started_too_soon: "once within",
    nobody_asked: "only when asked",
}


@pytest.mark.parametrize("crime", CRIMES, ids=lambda crime: crime.__name__)
def test_a_crime_is_seen(told, crime):
    crime(told)
    for law in START_LAWS:
        law(told)
    assert any(one.startswith(CRIMES[crime]) for one in told.violations), told.violations


def test_an_act_after_a_no_for_good_is_seen(told):
    withheld_and_done_all_the_same(told)
    for law in START_LAWS:
        law(told)
    assert any("had said no" in one for one in told.violations), told.violations
