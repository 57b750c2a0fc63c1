import pytest

from healer.core.core import Core
from healer.core.listening import MOST_WAITING
from healer.model.event import Happened
from healer.model.mode import Mode
from healer.model.trigger import Accumulate, Heard, Missing, Together, Trigger
from healer.rules.rule import Selector, Step

TELL = (Step(action="notify"),)


@pytest.fixture
def on_event(talk):
    def make(topic="a", *, rule="r", when="1 == 1", then=TELL, more=None, **trigger):
        trigger = Trigger(kind="event", topic="" if "together" in trigger else topic, **trigger)
        return talk.rule(when, id=rule, trigger=trigger, then=then, cooldown=0.0, **(more or {}))

    return make


def say(scenario, topic="a", **data):
    return scenario.ask("event", topic=topic, data=data)


def test_the_fifth_within_the_minute_starts_it_and_the_sixth_does_not(talk, on_event):
    scenario = talk.with_rules(on_event(accumulate=Accumulate(count=5, within=60.0), group_by=("user",)))
    for _ in range(4):
        say(scenario, user="bob")
        say(scenario, user="eve")
        scenario.wait(5)
    assert not scenario.acted
    assert say(scenario, user="bob")["because"] == "published a, 1 incidents opened"
    scenario.wait(5)
    say(scenario, user="bob")
    assert len(scenario.acted) == 1


def test_what_is_quiet_for_long_enough_starts_it_without_another_event(talk, on_event):
    scenario = talk.with_rules(on_event(once_after=30.0))
    for _ in range(3):
        say(scenario)
        scenario.wait(20)
    assert not scenario.acted
    scenario.wait(11)
    assert len(scenario.acted) == 1
    assert scenario.acted[0].decided_at == pytest.approx(1070, abs=0.2)


def test_what_does_not_follow_starts_it_at_its_deadline(talk, on_event):
    missing = Missing(event=Heard(topic="done", filter={"ok": True}), within=60.0)
    scenario = talk.with_rules(on_event("begun", missing=missing, group_by=("job",)))
    say(scenario, "begun", job="x")
    say(scenario, "begun", job="y")
    scenario.wait(50)
    say(scenario, "done", job="x", ok=True)
    say(scenario, "done", job="y", ok=False)
    scenario.wait(9)
    assert not scenario.acted
    scenario.wait(2)
    assert len(scenario.acted) == 1
    scenario.wait(100)
    assert len(scenario.acted) == 1


def test_an_event_that_came_late_does_not_undo_a_deadline_that_nobody_looked_at_yet(talk, on_event):
    scenario = talk.with_rules(on_event("begun", missing=Missing(event=Heard(topic="done"), within=60.0)))
    say(scenario, "begun")
    late = Happened(topic="event", data={"topic": "done", "data": {}}, at=scenario.now + 61)
    scenario.take(scenario.core.handle(late))
    assert len(scenario.acted) == 1


def test_events_that_come_together_start_it(talk, on_event):
    together = Together(events=(Heard(topic="disk.slow"), Heard(topic="db.slow")), within=30.0)
    scenario = talk.with_rules(on_event(together=together))
    say(scenario, "disk.slow")
    scenario.wait(31)
    say(scenario, "db.slow")
    assert not scenario.acted
    say(scenario, "disk.slow")
    assert len(scenario.acted) == 1


def test_once_within_counts_starts_for_each_group_and_survives_a_restart(talk, on_event):
    rule = on_event(once_within=600.0, group_by=("user",))
    scenario = talk.with_rules(rule)
    for _ in range(3):
        say(scenario, user="bob")
        say(scenario, user="eve")
        scenario.wait(100)
    assert len(scenario.acted) == 2
    assert scenario.folded().started == scenario.core.desk.memory.started
    again = talk.with_rules(rule, memory=scenario.folded(), at=scenario.now)
    say(again, user="bob")
    assert not again.acted, "300 s after its start"
    again.wait(301)
    say(again, user="bob")
    assert len(again.acted) == 1


def test_once_within_is_used_up_by_a_start_and_not_by_an_event_that_started_nothing(talk, on_event):
    scenario = talk.with_rules(on_event(when="program.up{target} == 0", once_within=600.0))
    talk.up(scenario, 1)
    scenario.wait(1)
    say(scenario)
    talk.up(scenario, 0)
    say(scenario)
    assert len(scenario.acted) == 1


def test_counting_goes_on_through_a_reload_and_begins_anew_where_the_trigger_changed(talk, on_event):
    rule = on_event(accumulate=Accumulate(count=3, within=600.0))
    for later, starts in ((rule, 1), (on_event(accumulate=Accumulate(count=3, within=601.0)), 0)):
        scenario = talk.with_rules(rule)
        say(scenario)
        say(scenario)
        old = scenario.core
        scenario.core = Core(talk.setup(later), old.desk.memory, now=scenario.now, wall=scenario.now)
        scenario.take(scenario.core.succeed(old))
        say(scenario)
        assert len(scenario.acted) == starts


def test_a_wait_that_began_before_a_reload_ends_after_it(talk, on_event):
    rule = on_event(missing=Missing(event=Heard(topic="b"), within=60.0))
    scenario = talk.with_rules(rule)
    say(scenario)
    old = scenario.core
    scenario.core = Core(talk.setup(rule), old.desk.memory, now=scenario.now, wall=scenario.now)
    scenario.take(scenario.core.succeed(old))
    scenario.wait(61)
    assert len(scenario.acted) == 1


def test_the_data_of_the_event_fill_the_arguments_of_its_steps_and_nothing_else_is_kept(talk, on_event):
    step = Step(action="run", params={"argv": ["/bin/kick", "{event.user}", "{event.n}"]})
    scenario = talk.with_rules(on_event(then=(step,)))
    say(scenario, user="bob", n=3, password="not for the log", ok=True)
    assert scenario.acted[0].params["argv"] == ["/bin/kick", "bob", "3"]
    assert "not for the log" not in str(list(scenario.log.of("state")))


def test_a_step_whose_placeholder_the_event_did_not_bring_is_refused(talk, on_event):
    step = Step(action="run", params={"argv": ["/bin/kick", "{event.user}"]})
    scenario = talk.with_rules(on_event(then=(step,)))
    for data in ({}, {"user": ""}, {"user": None}, {"user": ["bob"]}, {"user": "-rf"}, {"user": "x" * 300}):
        say(scenario, **data)
        scenario.wait(120)
    assert not [one for one in scenario.acted if one.action == "run"]


def test_a_later_start_by_hand_does_not_use_the_data_of_an_earlier_event(talk, on_event):
    step = Step(action="run", params={"argv": ["/bin/kick", "{event.user}"]}, verify=talk.verify("1 == 1"))
    scenario = talk.with_rules(on_event(then=(step,)))
    say(scenario, user="bob")
    scenario.wait(300)
    assert scenario.ask("trigger", "r")["answer"] == "accepted"
    assert [one.params["argv"] for one in scenario.acted if one.action == "run"] == [["/bin/kick", "bob"]]


def test_what_others_say_is_heard_once_also_by_who_hears_the_agent_itself(talk, on_event):
    scenario = talk.with_rules(on_event("user.*", own=True, accumulate=Accumulate(count=2, within=60.0)))
    say(scenario, "user.login")
    scenario.ask("log-event", type="user.log", data={})
    scenario.wait(5)
    assert len(scenario.acted) == 1
    say(scenario, "user.login")
    scenario.wait(5)
    assert len(scenario.acted) == 1


def test_an_incident_that_an_own_event_opened_knows_the_one_it_came_from(talk, on_event):
    scenario = talk.with_rules(talk.rule(id="first"), on_event("incident.firing", rule="then", own=True))
    talk.falls(scenario)
    scenario.wait(2)
    opened = [one for one in scenario.log.of("state") if one["subject"].startswith("incident:then@")]
    assert opened[0]["data"]["cause"] == "first@program:api"


def test_the_most_urgent_rule_hears_it_first(talk, on_event):
    kick = (Step(action="restart"),)
    low = on_event(rule="low", then=kick, more={"priority": 2})
    high = on_event(rule="high", then=kick, more={"priority": 9})
    scenario = talk.with_rules(low, high)
    say(scenario)
    assert scenario.acted[0].rule == "high"


def test_a_rule_that_is_switched_off_counts_nothing(talk, on_event):
    scenario = talk.with_rules(on_event(accumulate=Accumulate(count=2, within=600.0)))
    scenario.ask("disable-rule", "r")
    say(scenario)
    scenario.ask("enable-rule", "r")
    say(scenario)
    assert not scenario.acted


def test_of_many_targets_the_one_an_event_names_is_counted(talk, on_event):
    scenario = talk.with_rules(on_event(accumulate=Accumulate(count=2, within=60.0), more={"each": Selector(name="*")}))
    say(scenario, target="http:web")
    say(scenario, target="program:api")
    assert not scenario.acted
    say(scenario, target="http:web")
    assert [one.target for one in scenario.acted] == ["http:web"]


def test_what_had_to_be_forgotten_is_counted(talk, on_event):
    scenario = talk.with_rules(on_event(accumulate=Accumulate(count=1000, within=600.0), group_by=("ip",)))
    for number in range(25):
        say(scenario, ip=f"10.0.0.{number}")
    assert scenario.core.hearing.rules.dropped("r") == 5


def test_a_hostile_event_neither_starts_nor_ends_anything(talk, on_event):
    scenario = talk.with_rules(on_event("*", filter={"n": "> 3"}, group_by=("user",)))
    deep: dict = {}
    for _ in range(40):
        deep = {"user": deep}
    for data in ({"n": "9" * 5000}, {"n": float("nan"), "user": "x"}, deep, {"n": 4, "user": deep}, {"n": True}):
        scenario.handle(Happened(topic="event", data={"topic": "a", "data": data}, at=scenario.now))
    assert not scenario.acted
    say(scenario, n=4, user="bob")
    assert len(scenario.acted) == 1


def test_a_start_that_a_mode_holds_back_is_consumed_and_a_flood_of_them_fills_no_log(talk, on_event):
    scenario = talk.with_rules(on_event(more={"mode": Mode.OBSERVE}))
    for _ in range(100):
        say(scenario)
        scenario.wait(0.1)
    assert not scenario.acted
    assert not scenario.core.desk.memory.incidents
    assert len([one for one in scenario.log.of("state") if one["subject"].startswith("incident:")]) == 2
    assert len(scenario.log.of("withheld")) == 1


KICK = (Step(action="restart"),)


def kicks(scenario):
    return [one["because"] for one in scenario.log.of("state") if one["subject"].startswith("trigger:")]


def test_another_group_waits_until_the_incident_is_over_and_the_same_one_does_not(talk, on_event):
    slow = on_event(
        once_within=1.0,
        group_by=("user",),
        then=(
            Step(action="run", params={"argv": ["x", "{event.user}"]}, verify=talk.verify("1 == 1", stable_for=20.0)),
        ),
    )
    scenario = talk.with_rules(slow)
    for user in ("bob", "eve", "bob", "ann", "eve"):
        say(scenario, user=user)
        scenario.wait(1)
    for _ in range(200):
        scenario.wait(1)
    assert [one.params["argv"][1] for one in scenario.acted if one.action == "run"] == ["bob", "eve", "ann"]
    assert scenario.folded().started == scenario.core.desk.memory.started


def test_what_waited_too_long_behind_an_incident_is_stale_and_sealed_as_such(talk, on_event):
    long = on_event(when="program.up{target} == 0", group_by=("user",), then=KICK, more={"settle": 1000.0})
    scenario = talk.with_rules(long)
    talk.falls(scenario)
    say(scenario, user="bob")
    say(scenario, user="eve")
    for _ in range(130):
        scenario.wait(10)
        talk.up(scenario, 0)
    assert any("is stale" in because for because in kicks(scenario))
    assert scenario.folded().started == scenario.core.desk.memory.started == {}


def test_a_flood_of_groups_behind_an_incident_is_bounded(talk, on_event):
    scenario = talk.with_rules(
        on_event(when="program.up{target} == 0", group_by=("user",), then=KICK, more={"settle": 500.0})
    )
    talk.falls(scenario)
    for number in range(200):
        say(scenario, user=f"u{number}")
    (listener,) = scenario.core.hearing.rules._listeners.values()
    assert len(listener.waiting) == MOST_WAITING
