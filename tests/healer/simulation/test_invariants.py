"""Each law sees its own crime: an honest story is told, one fact in it is changed, and that law, by name, objects."""

import copy

import pytest

from healer.simulation import people
from healer.simulation.invariants import LAWS
from healer.simulation.life import Life
from healer.simulation.oracle import Evidence, judge


@pytest.fixture
def told(house):
    """A story with two cures by one rule, one request, one pause, one window and one alarm that was ended."""
    world = house.world
    for at in (10.0, 60.0):
        world.plan(at, lambda: world.die("program:p1"))
    life = house.life = Life(house)
    world.plan(100.0, lambda: life.ask("act", "program:p2", action="restart"))
    world.plan(120.0, lambda: life.ask("pause", "program:p3"))
    world.plan(125.0, lambda: life.ask("resume", "program:p3"))
    world.plan(126.0, lambda: life.ask("maintenance-add", selector={"target": "program:p3"}, **{"for": 5.0}))
    world.plan(140.0, lambda: [world.die(f"program:p{number}") for number in range(3)])
    world.plan(150.0, lambda: people.make_peace(house))
    assert life.live(260.0) == ""
    evidence = Evidence(house=house)
    evidence.calm, evidence.end = 150.0, 260.0
    evidence.inspect("")
    judge(evidence)
    assert evidence.violations == []
    return evidence


def cures(evidence, rule="down"):
    return [deed for deed in evidence.deeds.values() if deed.intent["rule"] == rule and not deed.quiet]


def entry(evidence, **wanted):
    return next(one for one in evidence.entries if all(one[name] == value for name, value in wanted.items()))


def effect(evidence, number=0):
    return cures(evidence)[number].effects[0]


def sample(evidence):
    return effect(evidence).samples["program.up"]


def moved(evidence, one, height):
    one.height = height
    evidence.entries.remove(one)
    evidence.entries.insert(next(at for at, other in enumerate(evidence.entries) if other.height >= height), one)


def repeated(evidence):
    """The second cure comes at once after the first, and ends at once."""
    first, second = cures(evidence)[:2]
    second.intent.at = first.ended + 0.1


CRIMES = {
    "sealed before: not in the log": ("sealed before", lambda e: setattr(effect(e), "intent", "0" * 64)),
    "sealed before: later": ("sealed before", lambda e: setattr(effect(e), "height", 0)),
    "sealed before: something else": ("sealed before", lambda e: setattr(effect(e), "verb", "stop")),
    "witnessed before": (
        "witnessed before",
        lambda e: [setattr(effect(e), "cosigned", 0), cures(e)[0].intent.fields.update(rule="box-down")],
    ),
    "at most once: two effects": ("at most once", lambda e: cures(e)[0].effects.append(effect(e))),
    "at most once: one id": ("at most once", lambda e: cures(e)[0].intent.fields.update(id="i-2")),
    "fenced: incarnation": ("fenced", lambda e: setattr(effect(e), "met", "another")),
    "fenced: deadline": ("fenced", lambda e: cures(e)[0].intent.fields.update(deadline_us=0)),
    "evidence: unknown": ("fresh evidence", lambda e: setattr(sample(e), "value", None)),
    "evidence: good": ("fresh evidence", lambda e: setattr(sample(e), "value", 1.0)),
    "evidence: never seen": ("fresh evidence", lambda e: effect(e).samples.clear()),
    "evidence: old": ("fresh evidence", lambda e: setattr(sample(e), "at", sample(e).at - 20)),
    "evidence: first": (
        "fresh evidence",
        lambda e: [setattr(sample(e), "seen", 1), setattr(sample(e), "conclusive", False)],
    ),
    "evidence: from before": (
        "fresh evidence",
        lambda e: setattr(cures(e)[0].effects[0], "ended", effect(e, 1).samples["program.up"].at + 1),
    ),
    "kill switch": ("kill switch", lambda e: setattr(effect(e), "forbidden", True)),
    "maintenance": (
        "maintenance",
        lambda e: [
            entry(e, kind="maintenance", op="add").fields.update(selector={"kind": "program"}),
            moved(e, entry(e, kind="maintenance", op="add"), 2),
        ],
    ),
    "safe mode": ("safe mode", lambda e: moved(e, entry(e, subject="safe_mode", to="on"), 2)),
    "mass failure": (
        "mass failure",
        lambda e: e.house.tap.alarms.insert(0, (1, effect(e).began - 1, "kind program")),
    ),
    "observe": ("modes and selections", lambda e: setattr(effect(e), "rule", "only-watching")),
    "empty": ("modes and selections", lambda e: setattr(effect(e), "rule", "nobody")),
    "paused": (
        "modes and selections",
        lambda e: [
            entry(e, kind="mode", mode="observe").fields.update(scope="agent"),
            moved(e, entry(e, kind="mode", mode="observe"), 2),
        ],
    ),
    "one actor": (
        "one actor",
        lambda e: [cures(e)[0].verdicts.clear()],
    ),
    "concurrency": (
        "concurrency",
        lambda e: e.house.world.ledger.extend(copy.copy(effect(e)) for _ in range(5)),
    ),
    "limits": (
        "limits",
        lambda e: e.house.world.ledger.extend(copy.copy(effect(e)) for _ in range(4)),
    ),
    "cooldown": ("cooldown", repeated),
    "backoff": ("backoff", repeated),
    "breaker": (
        "breaker",
        lambda e: [
            setattr(e.house, "brakes", type(e.house.brakes)(breaker_opens_after=1)),
            cures(e)[0].verdicts[0].fields.update(result="unverified"),
        ],
    ),
    "ends once: twice": ("ends once", lambda e: cures(e)[0].outcomes.append(cures(e)[0].outcomes[0])),
    "ends once: never": ("ends once", lambda e: cures(e)[0].outcomes.clear()),
    "ends once: no verdict": ("ends once", lambda e: cures(e)[0].verdicts.clear()),
    "honest verdict: no effect": ("honest verdict", lambda e: cures(e)[0].effects.clear()),
    "honest verdict: not seen": (
        "honest verdict",
        lambda e: e.house.tap.history.update({("program:p1", "program.up"): []}),
    ),
    "dependency": ("dependency", lambda e: effect(e).parents.update({"program:p0": None})),
    "heals": ("heals", lambda e: setattr(e.house.world.things["program:p1"], "up", False)),
    "quiet": ("quiet", lambda e: setattr(effect(e, 1), "began", e.end - 1)),
}


@pytest.mark.parametrize("crime", CRIMES, ids=str)
def test_the_law_sees_it(told, crime):
    law, commit = CRIMES[crime]
    told.house.clock.at = told.end
    commit(told)
    for check in LAWS:
        check(told)
    assert any(one.startswith(f"{law}: ") for one in told.violations), told.violations


def test_what_may_have_happened_is_not_tried_again(told):
    first = cures(told)[0]
    again = copy.deepcopy(first.intent)
    first.outcomes[0].fields["result"] = "ambiguous"
    told.entries.insert(told.entries.index(first.outcomes[0]) + 1, again)
    for check in LAWS:
        check(told)
    assert any(one.startswith("ambiguous: ") for one in told.violations)


def test_a_gate_is_told_once_per_incident(told):
    said = entry(told, kind="withheld", rule="only-watching")
    told.entries.insert(told.entries.index(said) + 1, said)
    for check in LAWS:
        check(told)
    assert any(one.startswith("told once: ") for one in told.violations)
