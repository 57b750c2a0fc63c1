import pytest

from healer.core.core import Core
from healer.model.limit import Backoff, Brakes
from healer.model.target import Target
from healer.rules.rule import Concurrency, Selector

QUICK = Backoff(initial=0.0, jitter=0.0)
FARM = tuple(Target(kind="program", name=f"p{number}", organ="heart", startup_grace=0.0) for number in range(4))


@pytest.fixture
def scene(talk):
    """Rules on p0..p3 whose effects never end by themselves; ``fall`` makes the condition of one true."""

    def made(*rules, **more):
        brakes = more.pop("brakes", Brakes(mass_failure_count=99, concurrent=9))
        scenario = talk.with_rules(*rules, targets=FARM, brakes=brakes, **more)
        scenario.world = lambda one: scenario.succeed(one) if one.action == "notify" else None
        for target in FARM:
            talk.up(scenario, 1, target.id)
        scenario.wait(1)
        return scenario

    return made


@pytest.fixture
def rule(talk):
    def made(id="r", number=None, **more):  # noqa: A002 - the word of the field
        held = {"cooldown": 0.0, "backoff": QUICK} | more
        where = {"each": Selector(kind="program")} if number is None else {"target": f"program:p{number}"}
        return talk.rule(id=id, **where, **held)

    return made


def fall(talk, scenario, *numbers):
    for number in numbers:
        talk.up(scenario, 0, f"program:p{number}")


def done(talk, scenario):
    return [int(target[-1]) for verb, target in talk.actions(scenario) if verb == "restart"]


def heal(talk, scenario, number):
    """End the effect on a target, and let it be seen up."""
    (intent,) = [one for one in scenario.core.desk.memory.intents.values() if one.target == f"program:p{number}"]
    decision = next(one for one in scenario.acted if one.id == intent.id)
    scenario.finish(scenario.succeed(decision))
    scenario.wait(0.5)
    talk.up(scenario, 1, f"program:p{number}")


def because(scenario, key):
    return [one["because"] for one in scenario.log.of("state") if one["subject"] == f"incident:{key}"]


ONE = Concurrency(max=1, key="disk")


def test_so_many_at_once_and_the_others_wait_their_turn(talk, scene, rule):
    scenario = scene(rule(concurrency=ONE))
    fall(talk, scenario, 0, 1, 2)
    assert done(talk, scenario) == [0]
    assert {(one.target, one.gate) for one in scenario.withheld} == {
        ("program:p1", "concurrency"),
        ("program:p2", "concurrency"),
    }
    heal(talk, scenario, 0)
    assert done(talk, scenario) == [0, 1], "who came first goes first, in the moment the place is free"


def test_a_place_is_held_until_the_verdict(talk, scene, rule):
    scenario = scene(rule(concurrency=ONE))
    fall(talk, scenario, 0, 1)
    (intent,) = scenario.core.desk.memory.intents.values()
    scenario.finish(scenario.succeed(next(one for one in scenario.acted if one.id == intent.id)))
    fall(talk, scenario, 1)
    scenario.wait(2)
    assert done(talk, scenario) == [0], "it is still being proved"


@pytest.mark.parametrize(
    ("key", "expected"),
    [("target", [0, 1, 2]), ("rule", [0]), ("group:web", [0]), ("disk", [0])],
)
def test_the_key_says_what_is_counted_together(talk, scene, rule, key, expected):
    scenario = scene(rule(concurrency=Concurrency(max=1, key=key)))
    fall(talk, scenario, 0, 1, 2)
    assert done(talk, scenario) == expected


def test_a_word_is_shared_by_all_rules_that_write_it(talk, scene, rule):
    scenario = scene(rule("a", 0, concurrency=ONE), rule("b", 1, concurrency=ONE), rule("c", 2))
    fall(talk, scenario, 0, 1, 2)
    assert done(talk, scenario) == [0, 2]


def test_the_most_urgent_goes_first_whoever_came_first(talk, scene, rule):
    urgent = rule("u", 3, priority=9, concurrency=ONE)
    low = [rule(f"r{number}", number, priority=2, concurrency=ONE) for number in range(3)]
    scenario = scene(*low, urgent)
    fall(talk, scenario, 0, 1, 2, 3)
    heal(talk, scenario, 0)
    assert done(talk, scenario) == [0, 3]


def test_the_most_urgent_gets_the_target_it_waits_for(talk, scene, rule):
    low = rule("low", 0, "program.cpu{target} > 90%") if False else rule("low", 0, priority=2)
    high = rule("high", 0, priority=9, for_=1.0)
    other = rule("other", 0, priority=1, for_=0.5)
    scenario = scene(low, other, high)
    fall(talk, scenario, 0)
    scenario.wait(2)
    assert [one.rule for one in scenario.acted] == ["low"]
    (intent,) = scenario.core.desk.memory.intents.values()
    scenario.finish(scenario.succeed(scenario.acted[0]))
    for _ in range(40):
        fall(talk, scenario, 0)
        scenario.wait(1)
    restarts = [one.rule for one in scenario.acted if one.action == "restart"]
    assert restarts[:2] == ["low", "high"]
    assert intent.rule == "low"


def test_the_most_urgent_gets_the_last_place_of_the_host(talk, scene, rule):
    rules = [rule(f"r{number}", number, priority=number + 1) for number in range(4)]
    scenario = scene(*rules, brakes=Brakes(mass_failure_count=99, concurrent=1))
    fall(talk, scenario, 0, 1, 2, 3)
    assert done(talk, scenario) == [0]
    (intent,) = scenario.core.desk.memory.intents.values()
    scenario.finish(scenario.succeed(scenario.acted[0]))
    fall(talk, scenario, 1, 2, 3)
    scenario.wait(1)
    assert done(talk, scenario) == [0, 3]
    assert intent.target == "program:p0"


def test_whoever_waits_but_may_not_act_for_another_reason_holds_nobody_up(talk, scene, rule):
    urgent = rule("u", 3, priority=9, concurrency=ONE)
    scenario = scene(rule("a", 0, concurrency=ONE), rule("b", 1, concurrency=ONE), urgent)
    fall(talk, scenario, 0, 1, 3)
    scenario.ask("maintenance-add", "program:p3", **{"for": 600.0})
    heal(talk, scenario, 0)
    assert done(talk, scenario) == [0, 1]


def test_whoever_waited_is_proved_anew_when_its_turn_comes(talk, scene, rule):
    scenario = scene(rule(concurrency=ONE))
    fall(talk, scenario, 0, 1, 2)
    talk.up(scenario, 1, "program:p1")
    scenario.wait(1)
    fall(talk, scenario, 2)
    heal(talk, scenario, 0)
    assert done(talk, scenario) == [0, 2], "what is well again is left alone"
    assert because(scenario, "r@program:p1")[-2:] == ["the condition is gone", "clear"]


def test_what_is_not_known_any_more_is_not_acted_on_from_the_line(talk, scene, rule):
    scenario = scene(rule(concurrency=ONE))
    fall(talk, scenario, 0, 1)
    talk.up(scenario, None, "program:p1")
    heal(talk, scenario, 0)
    scenario.wait(5)
    assert done(talk, scenario) == [0]


def test_whoever_waits_too_long_is_dropped_as_stale_and_judged_anew(talk, scene, rule):
    scenario = scene(rule(concurrency=Concurrency(max=1, key="disk", ttl=10.0)))
    fall(talk, scenario, 0, 1)
    for _ in range(11):
        scenario.wait(1)
        fall(talk, scenario, 1)
    said = because(scenario, "r@program:p1")
    assert any(one.startswith("stale: waited 10 s, disk: 1 of at most 1 under way") for one in said)
    assert scenario.core.desk.memory.incidents["r@program:p1"].opened > 1010.0, "a new incident, on fresh evidence"


def test_skip_leaves_the_incident_untreated(talk, scene, rule):
    scenario = scene(rule(concurrency=Concurrency(max=1, key="disk", on_conflict="skip")))
    fall(talk, scenario, 0, 1)
    heal(talk, scenario, 0)
    for _ in range(5):
        fall(talk, scenario, 1)
        scenario.wait(1)
    assert done(talk, scenario) == [0]
    assert because(scenario, "r@program:p1")[-1].startswith("skipped: disk: 1 of at most 1 under way")


def test_replace_takes_the_place_of_whoever_waits_and_never_of_what_runs(talk, scene, rule):
    scenario = scene(rule(concurrency=Concurrency(max=1, key="disk", on_conflict="replace")))
    fall(talk, scenario, 0)
    fall(talk, scenario, 1)
    fall(talk, scenario, 2)
    assert because(scenario, "r@program:p1")[-1] == "stale: r@program:p2 took its place in the line"
    assert list(scenario.core.desk.memory.intents) == ["i-1"], "what runs is never cut short"
    heal(talk, scenario, 0)
    assert done(talk, scenario) == [0, 2]


def test_the_operator_may_bound_an_organ(talk, scene, rule):
    scenario = scene(rule(), organ_concurrent={"heart": 2})
    fall(talk, scenario, 0, 1, 2, 3)
    assert done(talk, scenario) == [0, 1]
    refused = scenario.ask("act", "program:p3", action="restart")
    assert (refused["answer"], "organ:heart: 2 of at most 2 under way" in refused["because"]) == ("refused", True)


def test_a_restart_of_the_agent_forgets_the_line_and_judges_everybody_anew(talk, scene, rule):
    scenario = scene(rule(concurrency=ONE))
    fall(talk, scenario, 0, 1)
    memory, old = scenario.folded(), scenario.core
    scenario.core = Core(old.setup, memory, now=scenario.now, wall=scenario.now + old.desk.wall_offset)
    scenario.take(scenario.core.recover())
    scenario.wait(3)
    assert done(talk, scenario) == [0], "nothing was seen since: nothing is done"
    for _ in range(3):
        fall(talk, scenario, 1)
        scenario.wait(1)
    assert done(talk, scenario) == [0, 1]
