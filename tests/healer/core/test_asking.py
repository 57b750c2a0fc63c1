import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.core.windows import FOREVER
from healer.model.mode import Mode
from healer.model.request import VERBS
from healer.model.target import State, Target
from healer.rules.rule import Selector, Step, Trigger

WEB = Target(kind="http", name="web", organ="lungs", groups=("front",), mode=Mode.APPROVE)
SSHD = Target(kind="process", name="sshd", organ="immune")


@pytest.fixture
def scene(talk):
    scenario = talk.with_rules(talk.rule(), targets=(WEB, talk.api, SSHD))
    talk.up(scenario, 1)
    return scenario


def refused(answer):
    assert answer["answer"] == "refused"
    return answer["because"]


def accepted(answer):
    assert answer["answer"] == "accepted", answer["because"]
    return answer["because"]


# Whatever comes ------------------------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    [
        "action",
        "params",
        "for",
        "selector",
        "owner",
        "reason",
        "mode",
        "topic",
        "type",
        "data",
        "id",
        "target",
        "i_mean_it",
    ]
)


@settings(max_examples=300)
@given(st.data())
def test_no_request_in_any_form_ends_the_agent(talk_, data):
    scenario = talk_.with_rules(talk_.rule(), targets=(WEB, talk_.api, SSHD))
    for _ in range(4):
        verb = data.draw(st.sampled_from(VERBS) | st.text(max_size=5))
        subjects = st.sampled_from(
            ["agent", "program:api", "http:web", "r", "r@program:api", "rule:r", "organ:heart", ""]
        )
        args = data.draw(st.dictionaries(words, anything, max_size=4))
        answer = scenario.ask(verb, data.draw(subjects | st.text(max_size=5)), **args)
        assert answer["answer"] in {"accepted", "refused"}
        assert answer["answer"] == "accepted" or answer["because"]
    scenario.wait(2)


@pytest.fixture(scope="module")
def talk_():
    """Of the module: hypothesis wants no fixture made anew for each function, and this one keeps nothing."""
    import importlib.util
    from pathlib import Path

    spec = importlib.util.spec_from_file_location("words_for_conversations", Path(__file__).with_name("conftest.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Talk()


@pytest.mark.parametrize("subject", [None, 7, ["program:api"], {"a": 1}])
def test_a_subject_that_is_no_text_is_refused(scene, subject):
    without = {"act", "event", "log-event", "maintenance-add", "maintenance-end", "rebalance", "reflect"}
    for verb in set(VERBS) - without - {"stop-healing", "resume-healing"}:
        refused(scene.ask(verb, subject))


def test_arguments_that_contain_themselves_are_refused(scene):
    loop = {}
    loop["loop"] = loop
    for verb, args in (("event", {"topic": "a.b", "data": loop}), ("act", {"action": "wait", "params": loop})):
        assert refused(scene.ask(verb, "agent", **args))
    assert scene.log.of("request")[-1]["args"]["subject"] == "agent"


def test_every_answer_is_sealed_and_told_with_who_asked_what(scene):
    scene.ask("set-mode", "agent", mode="observe", note=0.5)
    entry = scene.log.of("request")[0]
    assert (entry["who"], entry["verb"], entry["answer"]) == ("tester", "set-mode", "accepted")
    assert entry["args"] == {"subject": "agent", "mode": "observe", "note": "0.5"}


def test_every_verb_that_is_declared_is_answered_and_others_are_refused_with_the_list(scene):
    for verb in VERBS:
        assert "unknown request" not in scene.ask(verb, "program:api")["because"]
    assert "one of: ack, act" in refused(scene.ask("reboot"))


# Acting --------------------------------------------------------------------------------------------------------


def test_an_action_goes_ahead_and_is_gated_like_any_other(talk, scene):
    assert accepted(scene.ask("act", "program:api", action="restart")) == "restart of program:api goes ahead"
    assert talk.actions(scene) == [("restart", "program:api")]
    assert scene.acted[0].actor == "operator:tester"
    assert scene.acted[0].request == "r1"
    assert refused(scene.ask("act", "program:api", action="stop")).startswith("withheld by conflict")
    assert scene.withheld[-1].gate == "conflict"
    scene.ask("stop-healing")
    assert refused(scene.ask("act", "http:web", action="run", params={"argv": ["true"]})).startswith("withheld by")


@pytest.mark.parametrize(
    ("subject", "args", "why"),
    [
        ("program:api", {}, "no action ''"),
        ("program:api", {"action": "explode"}, "no action 'explode'"),
        ("program:api", {"action": ["restart"]}, "no action"),
        ("program:nobody", {"action": "restart"}, "no target 'program:nobody'"),
        ("agent", {"action": "restart"}, "no target 'agent'"),
        ("http:web", {"action": "restart"}, "restart does not apply to a http"),
        ("program:api", {"action": "signal"}, "signal needs signal"),
        ("program:api", {"action": "restart", "params": {"grace": math.nan}}, "grace is not what it takes"),
        ("http:web", {"action": "run", "params": {"argv": ["true"]}}, "withheld by approval"),
    ],
)
def test_what_cannot_be_done_is_refused_and_why(scene, subject, args, why):
    assert why in refused(scene.ask("act", subject, **args))
    assert not scene.acted


def test_what_needs_no_target_may_be_done_on_the_host(scene):
    accepted(scene.ask("act", "agent", action="run", params={"argv": ["true"], "timeout": 5}))
    assert (scene.acted[0].target, scene.acted[0].timeout) == ("host:", 5.0)
    assert scene.acted[0].params["argv"] == ["true"]
    assert "timeout" not in scene.acted[0].params


def test_vital_things_are_touched_only_when_it_is_meant(scene):
    scene.see("process.up", 1, target="process:sshd")
    assert "i_mean_it" in refused(scene.ask("act", "process:sshd", action="stop"))
    accepted(scene.ask("act", "process:sshd", action="stop", i_mean_it=True))


def test_what_a_person_does_on_the_host_trips_no_breaker(scene):
    for _ in range(7):
        accepted(scene.ask("act", "agent", action="run", params={"argv": ["true"]}))
        scene.wait(40)
    assert {entry["result"] for entry in scene.log.of("verdict")} == {"unverified"}
    assert not [one for one in scene.core.desk.memory.breakers.values() if one.open]


# Moves ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "action", "grace"), [("restart", "restart", None), ("soft-stop", "stop", None), ("hard-stop", "stop", 0.0)]
)
def test_commands_are_actions_on_a_target_that_runs(scene, verb, action, grace):
    accepted(scene.ask(verb, "program:api"))
    assert (scene.acted[0].action, scene.acted[0].params.get("grace")) == (action, grace)


@pytest.mark.parametrize("verb", ["run", "initialize"])
def test_what_is_stopped_is_started(talk, scene, verb):
    talk.up(scene, 0)
    accepted(scene.ask(verb, "program:api"))
    assert scene.acted[-1].action == "start"
    assert "cannot go from" in refused(scene.ask("soft-stop", "program:api"))


def test_a_command_a_kind_does_not_have_is_refused(scene):
    scene.see("http.ok", 1, target="http:web")
    assert "stop does not apply to a http" in refused(scene.ask("soft-stop", "http:web"))


def test_the_agent_itself_is_its_service_managers_to_stop(scene):
    for verb in ("restart", "soft-stop", "hard-stop", "run", "initialize"):
        assert "service manager" in refused(scene.ask(verb))


# Modes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "configured"), [("agent", "auto"), ("http:web", "approve"), ("organ:heart", "auto"), ("rule:r", "auto")]
)
def test_commands_only_lower_a_mode_and_resume_takes_it_back(scene, scope, configured):
    order = [mode.word for mode in sorted(Mode)]
    for word in order[order.index(configured) + 1 :]:
        assert f"above {configured}" in refused(scene.ask("set-mode", scope, mode=word))
    accepted(scene.ask("set-mode", scope, mode="suggest"))
    assert "above suggest" in refused(scene.ask("set-mode", scope, mode="approve"))
    accepted(scene.ask("set-mode", scope, mode="off"))
    accepted(scene.ask("resume", scope))
    assert scene.core.desk.memory.modes == {}
    assert "not paused" in refused(scene.ask("resume", scope))


@pytest.mark.parametrize("scope", ["organ:liver", "rule:nobody", "program:nobody", "", "organ:", "agents"])
def test_a_mode_of_nothing_is_refused(scene, scope):
    for verb, args in (("set-mode", {"mode": "off"}), ("pause", {}), ("resume", {})):
        assert "nothing called" in refused(scene.ask(verb, scope, **args))
    assert not scene.core.desk.memory.modes


@pytest.mark.parametrize("mode", ["", "full", None, 3, ["off"]])
def test_a_word_that_is_no_mode_is_refused(scene, mode):
    assert "one of: off, observe" in refused(scene.ask("set-mode", "agent", mode=mode))


def test_a_pause_does_not_raise_what_is_off(scene):
    scene.ask("set-mode", "agent", mode="off")
    accepted(scene.ask("pause"))
    assert scene.core.desk.memory.modes == {"agent": "off"}


@pytest.mark.parametrize("scope", ["agent", "program:api", "organ:heart", "rule:r"])
def test_a_pause_holds_back_what_it_covers_and_looking_goes_on(talk, scene, scope):
    accepted(scene.ask("pause", scope))
    scene.wait(1)
    talk.up(scene, 0)
    assert not scene.acted
    assert scene.withheld[0].gate == "mode"
    accepted(scene.ask("resume", scope))
    scene.wait(2)
    talk.up(scene, 0)
    scene.wait(2)
    assert talk.actions(scene) == [("restart", "program:api")]


def test_pausing_one_organ_leaves_the_others(talk, scene):
    scene.ask("pause", "organ:lungs")
    scene.wait(1)
    talk.up(scene, 0)
    assert len(talk.actions(scene)) == 1


# Acknowledging -------------------------------------------------------------------------------------------------


def exhausted(talk, *rules):
    scenario = talk.with_rules(*rules)
    scenario.world = talk.ends(lambda: scenario, "failed-permanent")
    talk.up(scenario, 1)
    scenario.wait(1)
    for _ in range(3):
        talk.up(scenario, 0)
        scenario.wait(2)
    return scenario


def test_ack_clears_the_fault_and_rearms(talk):
    scenario = exhausted(talk, talk.rule())
    assert scenario.core.state("program:api") is State.FAULT
    assert scenario.core.desk.memory.incidents["r@program:api"].phase == "given-up"
    assert accepted(scenario.ask("ack", "program:api")) == "1 incidents and 0 breakers re-armed"
    assert scenario.core.state("program:api") is State.STOPPED
    assert accepted(scenario.ask("ack", "program:api")) == "program:api had nothing to acknowledge"


@pytest.mark.parametrize("subject", ["one", "one@program:api"])
def test_ack_of_a_rule_rearms_that_rule_and_no_other(talk, subject):
    scenario = exhausted(talk, talk.rule(id="one"), talk.rule(id="two"))
    given_up = {key for key, one in scenario.core.desk.memory.incidents.items() if one.phase == "given-up"}
    assert given_up == {"one@program:api", "two@program:api"}
    accepted(scenario.ask("ack", subject))
    assert set(scenario.core.desk.memory.incidents) >= {"two@program:api"}
    assert scenario.core.desk.memory.incidents["two@program:api"].phase == "given-up"
    assert scenario.core.state("program:api") is State.FAULT, "the other one gave up as well"
    accepted(scenario.ask("ack", "two"))
    assert scenario.core.state("program:api") is not State.FAULT


def test_ack_of_nothing_is_refused(scene):
    for subject in ("nobody", "agent", "r", "rule:r"):
        assert "to acknowledge" in refused(scene.ask("ack", subject))


# Brakes --------------------------------------------------------------------------------------------------------


def test_the_kill_switch_and_safe_mode_end_together(scene):
    scene.ask("stop-healing")
    scene.happen("safe-mode", because="too many")
    accepted(scene.ask("resume-healing"))
    memory = scene.core.desk.memory
    assert (memory.kill_switch, memory.safe_mode) == (False, "")
    before = len(scene.log.of("state"))
    accepted(scene.ask("resume-healing"))
    assert len(scene.log.of("state")) == before, "nothing to end, nothing sealed"


# Maintenance ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [None, 0, -1, math.nan, math.inf, FOREVER + 1, "1h", True, [60], 10**400])
def test_a_window_that_does_not_expire_is_refused(scene, seconds):
    assert "must expire" in refused(scene.ask("maintenance-add", "program:api", **{"for": seconds}))


@pytest.mark.parametrize(
    ("subject", "selector"),
    [
        ("agent", None), ("agent", {}), ("agent", {"kind": "container"}), ("agent", {"target": "program:nobody"}),
        ("program:nobody", None), ("agent", {"all": False}), ("agent", {"all": "yes"}),
    ],
)  # fmt: skip
def test_a_window_over_nothing_is_refused(scene, subject, selector):
    assert "over nothing" in refused(scene.ask("maintenance-add", subject, selector=selector, **{"for": 60}))


@pytest.mark.parametrize("selector", [{"nmae": "x"}, {"kind": "program", "label": "x"}, "program:api", ["a"], 5])
def test_a_selector_nobody_understands_is_refused(scene, selector):
    refused(scene.ask("maintenance-add", selector=selector, **{"for": 60}))
    assert not scene.core.desk.memory.maintenance


def test_a_window_ends_by_itself_and_by_hand_and_once(scene):
    key = accepted(scene.ask("maintenance-add", "program:api", owner="ann", reason="why", **{"for": 60}))
    window = scene.core.desk.memory.maintenance[key]
    assert (window.owner, window.reason, window.selector) == ("ann", "why", {"target": "program:api"})
    accepted(scene.ask("maintenance-end", id=key))
    assert "no maintenance" in refused(scene.ask("maintenance-end", id=key))
    other = accepted(scene.ask("maintenance-add", selector={"all": True}, **{"for": 60}))
    scene.wait(62)
    assert other not in scene.core.desk.memory.maintenance
    assert [(one["op"], one["reason"]) for one in scene.log.of("maintenance")][-1] == ("end", "its time is over")


# Rules ---------------------------------------------------------------------------------------------------------


def test_a_switched_off_rule_does_nothing_until_it_is_on_again(talk, scene):
    accepted(scene.ask("disable-rule", "r"))
    scene.wait(1)
    talk.up(scene, 0)
    scene.wait(2)
    assert not scene.acted
    assert "was not triggered" in refused(scene.ask("trigger", "r"))
    accepted(scene.ask("enable-rule", "r"))
    talk.up(scene, 1)
    scene.wait(1)
    talk.up(scene, 0)
    assert len(talk.actions(scene)) == 1
    assert "no rule" in refused(scene.ask("disable-rule", "nobody"))


def test_switching_a_rule_off_ends_its_incident_before_it_acts(talk):
    scenario = talk.with_rules(talk.rule(settle=30.0))
    talk.falls(scenario)
    assert scenario.core.desk.memory.incidents
    scenario.ask("disable-rule", "r")
    assert not scenario.core.desk.memory.incidents
    scenario.wait(40)
    assert not scenario.acted


def test_a_manual_rule_acts_only_when_it_is_triggered(talk):
    manual = talk.rule(trigger=Trigger(kind="manual"))
    scenario = talk.with_rules(manual)
    assert "was not triggered" in refused(scenario.ask("trigger", "r"))
    talk.falls(scenario)
    scenario.wait(5)
    assert not scenario.acted
    talk.up(scenario, 0)
    assert accepted(scenario.ask("trigger", "r")) == "triggered for program:api"
    assert talk.actions(scenario) == [("restart", "program:api")]
    assert "was not triggered" in refused(scenario.ask("trigger", "r"))


def test_a_trigger_may_name_one_of_many_targets(talk):
    both = talk.rule("1 == 1", each=Selector(name="*"), then=(Step(action="notify"),), trigger=Trigger(kind="manual"))
    scenario = talk.with_rules(both)
    accepted(scenario.ask("trigger", "r", target="http:web"))
    assert [one.target for one in scenario.acted] == ["http:web"]
    refused(scenario.ask("trigger", "r", target="http:nobody"))
    refused(scenario.ask("trigger", "r", target=["http:web"]))
    assert "no rule" in refused(scenario.ask("trigger", "nobody"))


def test_balancing_rules_are_judged_when_asked(talk):
    scenario = talk.with_rules(talk.rule(tags=("balancing",), trigger=Trigger(kind="manual")))
    assert accepted(scenario.ask("rebalance")).endswith("0 incidents opened")
    talk.falls(scenario)
    assert accepted(scenario.ask("rebalance")).endswith("1 incidents opened")
    assert accepted(scenario.ask("reflect")) == "reflecting"


def test_what_only_alerts_know_can_be_acknowledged(talk):
    scenario = talk.with_rules()
    assert scenario.ask("ack", "organ:brain")["answer"] == "refused"
    known = scenario.ask("ack", "organ:brain", alert=True)
    assert (known["answer"], known["because"]) == ("accepted", "organ:brain is known: nobody is reminded")
