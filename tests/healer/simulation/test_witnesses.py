from healer.simulation.life import Life
from healer.simulation.loop import SimLoop, run
from healer.simulation.oracle import Evidence, judge
from healer.simulation.witnesses import PATIENCE, ToyWitnesses


def asked(house, height=7):
    loop = SimLoop(house.clock, house.chance.interleaving)
    began = house.clock.at
    said = run(loop, ToyWitnesses(house.world, lambda: height).quorum(0.0))
    return said, house.clock.at - began


def test_they_cosign_what_is_durable_when_they_are_asked_and_forget_nothing(house):
    assert asked(house)[0] == ""
    assert house.world.cosigned == 7
    assert asked(house, 3)[0] == ""
    assert house.world.cosigned == 7


def test_they_may_be_late_down_or_silent(house, chance):
    for fault, low in (("witness.silent", PATIENCE), ("witness.refused", 0.0)):
        chance.rates = {fault: 1.0}
        said, took = asked(house)
        assert said
        assert took >= low
        assert house.world.cosigned == -1
    chance.rates = {"witness.slow": 1.0}
    said, took = asked(house)
    assert (said, took > 0) == ("", True)


def test_a_rule_that_waits_for_them_heals_when_they_answer_and_not_before(house, chance):
    chance.rates = {"witness.refused": 1.0}
    house.world.plan(10.0, lambda: house.world.die("container:c0"))
    house.world.plan(30.0, chance.rates.clear)
    assert Life(house).live(120.0) == ""
    evidence = Evidence(house=house)
    evidence.inspect("")
    judge(evidence)
    assert evidence.violations == []
    deeds = [deed for deed in evidence.deeds.values() if deed.intent["rule"] == "box-down"]
    assert [one["result"] for deed in deeds[:-1] for one in deed.outcomes] == ["refused"] * (len(deeds) - 1)
    assert len(deeds) > 2
    assert deeds[-1].effects[0].began > 30.0
    assert house.world.things["container:c0"].up
