import pytest

from healer.core.hearing import OURS, check_topic
from healer.errors import RefusedError
from healer.model.event import Happened
from healer.model.mode import Profile
from healer.rules.rule import Selector, Step, Trigger

TELL = (Step(action="notify"),)


@pytest.fixture
def on_event(talk):
    def make(topic="deploy.*", *, when="1 == 1", **more):
        trigger = Trigger(kind="event", topic=topic, filter=more.pop("filter", {}), own=more.pop("own", False))
        return talk.rule(when, trigger=trigger, then=more.pop("then", TELL), **more)

    return make


def test_an_event_starts_the_rule_that_waits_for_it_and_no_other(talk, on_event):
    scenario = talk.with_rules(on_event(id="mine"), on_event("backup.*", id="other"))
    answer = scenario.ask("event", topic="deploy.done", data={"version": "2"})
    assert (answer["answer"], answer["because"]) == ("accepted", "published deploy.done, 1 incidents opened")
    assert [one.rule for one in scenario.acted] == ["mine"]
    assert scenario.published[0] == ("deploy.done", {"version": "2"})


def test_an_event_starts_nothing_while_the_condition_does_not_hold(talk, on_event):
    scenario = talk.with_rules(on_event(when="program.up{target} == 0"))
    scenario.ask("event", topic="deploy.done")
    assert not scenario.acted
    talk.up(scenario, 1)
    scenario.wait(1)
    talk.up(scenario, 0)
    assert not scenario.acted, "its condition alone starts it not"
    scenario.ask("event", topic="deploy.done")
    assert len(scenario.acted) == 1


def test_a_rule_that_an_event_started_is_ready_for_the_next_one(talk, on_event):
    scenario = talk.with_rules(on_event(cooldown=60.0))
    for _ in range(3):
        scenario.ask("event", topic="deploy.done")
        scenario.wait(120)
    assert len(scenario.acted) == 3
    assert not scenario.core.desk.memory.incidents


def test_a_flood_of_events_wakes_a_person_once_per_cooldown(talk, on_event):
    scenario = talk.with_rules(on_event(cooldown=60.0))
    for _ in range(200):
        scenario.ask("event", topic="deploy.done")
        scenario.wait(1)
    assert len(scenario.acted) in {3, 4}


@pytest.mark.parametrize(
    ("given", "starts"),
    [
        ({"env": "prod", "n": 3, "share": 0.5, "ok": True}, True),
        ({"env": "prod", "n": 3, "share": 0.5, "ok": True, "more": [1]}, True),
        ({"env": "test", "n": 3, "share": 0.5, "ok": True}, False),
        ({"n": 3, "share": 0.5, "ok": True}, False),
        ({"env": "prod", "n": 3, "share": 0.5, "ok": 1}, False),
        ({"env": "prod", "n": True, "share": 0.5, "ok": True}, False),
    ],
)
def test_every_field_of_the_filter_has_to_be_there_with_that_value(talk, on_event, given, starts):
    scenario = talk.with_rules(on_event(filter={"env": "prod", "n": 3, "share": 0.5, "ok": True}))
    scenario.ask("event", topic="deploy.done", data=given)
    assert bool(scenario.acted) is starts


def test_of_many_targets_the_one_an_event_names_is_meant(talk, on_event):
    scenario = talk.with_rules(on_event(each=Selector(name="*")))
    scenario.ask("event", topic="deploy.done", data={"target": "http:web"})
    assert [one.target for one in scenario.acted] == ["http:web"]
    scenario.ask("event", topic="deploy.done")
    assert {one.target for one in scenario.acted} == {"http:web", "program:api"}


def test_what_the_agent_says_itself_is_heard_only_by_rules_that_ask_for_it(talk, on_event):
    ask, do_not = on_event("incident.firing", id="asks", own=True), on_event("incident.*", id="does-not")
    scenario = talk.with_rules(talk.rule(), ask, do_not)
    talk.falls(scenario)
    scenario.wait(1)
    talk.up(scenario, 1)
    scenario.wait(5)
    assert {one.rule for one in scenario.acted} == {"r", "asks"}


def test_a_word_the_agent_was_made_to_say_is_its_own(talk, on_event):
    scenario = talk.with_rules(on_event(id="asks", own=True), on_event(id="does-not"))
    told = {"topic": "deploy.done", "data": {"n": 1}}
    scenario.handle(Happened(topic="event", data=told, at=scenario.now, own=True))
    assert [one.rule for one in scenario.acted] == ["asks"]
    assert ("deploy.done", {"n": 1}) in scenario.published


def test_a_rule_that_is_woken_by_its_own_words_does_not_hang_the_agent(talk, on_event):
    scenario = talk.with_rules(
        on_event("*", own=True, id="a", cooldown=0.0), on_event("*", own=True, id="b", cooldown=0.0)
    )
    scenario.ask("event", topic="deploy.done")
    scenario.wait(30)
    assert {one.rule for one in scenario.acted} == {"a", "b"}
    assert len(scenario.acted) < 100


def test_a_switched_off_rule_is_started_by_nothing(talk, on_event):
    scenario = talk.with_rules(on_event())
    scenario.ask("disable-rule", "r")
    scenario.ask("event", topic="deploy.done")
    assert not scenario.acted


@pytest.mark.parametrize(
    "topic", ["", ".", "a.", "a..b", "a b", "ä.b", "1.b", "*", "a\nb", "a" * 201, None, 7, ["a"], {"a": 1}]
)
def test_what_is_no_topic_is_refused_and_ends_nothing(talk, topic):
    scenario = talk.with_rules()
    assert scenario.ask("event", topic=topic)["answer"] == "refused"
    assert scenario.ask("log-event", type=topic)["answer"] == "refused"
    assert not scenario.log.of("event")


@pytest.mark.parametrize("first", sorted(OURS))
def test_nobody_else_says_what_only_the_agent_says(first):
    for topic in (first, f"{first}.anything", f"{first.upper()}.x"):
        with pytest.raises(RefusedError, match="only the agent"):
            check_topic(topic)


def test_a_log_event_is_sealed_told_and_heard(talk, on_event):
    scenario = talk.with_rules(on_event("user.*"))
    assert scenario.ask("log-event", type="user.login", data={"n": 0.5})["because"] == "sealed, 1 incidents opened"
    entry = scenario.log.of("event")[0]
    assert (entry["type"], entry["data"], entry["who"]) == ("user.login", {"n": "0.5"}, "tester")


def test_what_the_bus_carried_already_is_sealed_and_not_told_twice(talk):
    scenario = talk.with_rules()
    told = {"type": "user.login", "data": {"n": 1}, "who": "bus"}
    effects = scenario.handle(Happened(topic="seal", data=told, at=scenario.now, own=True))
    assert [effect.topic for effect in effects] == [""]
    assert scenario.log.of("event")[0]["data"] == {"n": 1}


def test_a_profile_entered_by_itself_is_left_again_but_maintenance_is_not(talk):
    scenario = talk.with_rules()
    scenario.happen("profile", profile="economy", because="starved")
    assert scenario.core.desk.profile is Profile.ECONOMY
    scenario.happen("profile", profile="", because="over")
    assert scenario.core.desk.profile is Profile.FULL
    assert [entry["mode"] for entry in scenario.log.of("mode")] == ["economy", "full"]
    resting = talk.with_rules(profile=Profile.MAINTENANCE)
    resting.happen("profile", profile="economy", because="starved")
    assert resting.core.desk.profile is Profile.MAINTENANCE
    assert not resting.log.of("mode")


def test_facts_about_the_agent_are_sealed(talk):
    scenario = talk.with_rules()
    scenario.happen("lifecycle", phase="start", version="1")
    scenario.happen("rules", hash="h2", count=0, files=[], accepted=True)
    scenario.happen("heartbeat", harmony=9900)
    scenario.happen("kill-switch", on=True)
    scenario.happen("kill-switch", on=True)
    scenario.happen("nobody-knows-this")
    assert scenario.log.kinds() == ["lifecycle", "rules", "heartbeat", "state"]
    assert scenario.core.desk.memory.rules_hash == "h2"


def test_an_alert_is_told_unless_the_kill_switch_silences_it(talk):
    scenario = talk.with_rules()
    scenario.happen("alert", message="the disk of the log is full")
    assert scenario.acted[0].params["message"] == "the disk of the log is full"
    scenario.happen("kill-switch", on=True)
    scenario.happen("alert", message="and now")
    assert len(scenario.acted) == 1
    assert ("alert.withheld", {"message": "and now"}) in scenario.published


def test_safe_mode_is_entered_once(talk):
    scenario = talk.with_rules()
    scenario.happen("safe-mode", because="the log took nothing")
    scenario.happen("safe-mode", because="again")
    assert [entry["because"] for entry in scenario.log.of("state")] == ["the log took nothing"]
    assert scenario.acted[0].action == "notify"
