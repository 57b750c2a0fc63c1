from healer.model.limit import Brakes
from healer.model.target import Target
from healer.rules.rule import Selection, Selector, Step

PAIR = tuple(
    Target(kind="program", name=name, organ="heart", groups=("web",), startup_grace=grace)
    for name, grace in (("api", 0.0), ("slow", 5.0))
)


def several(talk, **more):
    step = Step(action="restart", targets=Selection(selector=Selector(group=("web",), except_=("api",))), **more)
    scenario = talk.with_rules(
        talk.rule(then=(step,)), targets=PAIR, brakes=Brakes(group_unavailable=9, group_unavailable_percent=1.0)
    )
    talk.up(scenario, 1, "program:slow")
    talk.falls(scenario)
    return scenario


def verdicts(scenario):
    return [one["result"] for one in scenario.log.of("verdict")]


def test_each_of_several_has_its_own_startup_grace(talk):
    scenario = several(talk)
    scenario.wait(3)
    talk.up(scenario, 1, "program:slow")
    assert verdicts(scenario) == [], "its own grace is not over"
    scenario.wait(3)
    talk.up(scenario, 1, "program:slow")
    assert verdicts(scenario) == ["verified"]


def test_what_proved_one_of_several_is_not_watched_any_longer_than_it_is_asked_for(talk):
    scenario = several(talk, verify=talk.verify("program.memory{target} < 500MiB"))
    core = scenario.core
    assert core.incidents._proofs.roles(core.instances["r@program:api"])[-1] == "0@program:slow"
    scenario.wait(6)
    for _ in range(2):
        scenario.see("program.memory", 1.0, target="program:slow")
        scenario.wait(0.5)
    assert verdicts(scenario) == ["verified"]


def test_where_nothing_else_is_asked_for_the_end_of_the_condition_is_the_proof(talk):
    scenario = talk.with_rules(talk.rule())
    talk.falls(scenario)
    assert verdicts(scenario) == []
    for _ in range(31):
        scenario.wait(1)
        talk.up(scenario, 0)
    assert verdicts(scenario)[0] == "unverified"
