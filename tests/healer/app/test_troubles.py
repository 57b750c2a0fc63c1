"""What is wrong is read off the core: each thing once, under its own name, and nothing that nobody knows."""

import pytest

from healer.alerts.room import Room
from healer.app import troubles
from healer.core.core import Setup
from healer.core.watch import BALANCING, WARNING
from healer.drivers.interface import DriverStatus, LinkState
from healer.model.alert import Policy
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.mode import Mode
from healer.model.target import Target
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.rule import Position, Rule, RuleSet, Step
from healer.testing import Scenario

DB = Target(kind="http", name="db", organ="heart", startup_grace=0.0)
WEB = Target(kind="http", name="web", organ="lungs", startup_grace=0.0, requires=("http:db",))


def rule(when, **more):
    return Rule(
        id="r", position=Position(file="t.yaml", line=1, column=1), when=expression.parse(when, vocabulary=METRICS),
        when_source=when, then=more.pop("then", (Step(action="notify"),)), mode=Mode.OBSERVE, **more,
    )  # fmt: skip


def scene(*rules, targets=(DB, WEB)):
    return Scenario(
        Setup(
            node="here",
            boot="b",
            targets=targets,
            rules=RuleSet(rules=rules, hash="h", files=()),
            vitals=DEFAULT_VITALS,
        )
    )


def seen(scenario, **more):
    return troubles.of_core(scenario.core, scenario.now, **more)


def up(scenario, value, target="http:db"):
    scenario.see("http.ok", value, target=target)
    scenario.wait(1)


def falls(scenario, target="http:db"):
    up(scenario, 1, target)
    up(scenario, 0, target)


def test_what_was_never_seen_is_unknown_and_no_trouble():
    found = seen(scene())
    assert found.troubles == {}
    assert {"target:http:db", "target:http:web", "organ:heart"} <= found.unknown


def test_a_target_that_is_down_is_a_failure_and_critical_when_it_lasts():
    scenario = scene()
    falls(scenario)
    one = seen(scenario).troubles["target:http:db"]
    assert (one.about, one.severity, one.target, one.says) == ("failure", "warning", "http:db", "http:db is down")
    scenario.wait(troubles.LASTING)
    up(scenario, 0)
    assert seen(scenario).troubles["target:http:db"].severity == "critical"


def test_what_is_not_seen_any_more_is_neither_down_nor_up():
    scenario = scene()
    falls(scenario)
    up(scenario, None)
    found = seen(scenario)
    assert "target:http:db" not in found.troubles
    assert "target:http:db" in found.unknown
    assert found.troubles["blind:http:db"].about == "degradation"


def test_what_follows_from_a_parent_is_not_told():
    scenario = scene()
    falls(scenario)
    falls(scenario, "http:web")
    assert [one for one in seen(scenario).troubles if one.startswith("target:")] == ["target:http:db"]
    up(scenario, 1)
    assert [one for one in seen(scenario).troubles if one.startswith("target:")] == ["target:http:web"]


def test_a_fault_is_critical_and_says_why():
    scenario = scene()
    falls(scenario)
    scenario.core.states.fault("http:db", "five restarts did not help")
    one = seen(scenario).troubles["target:http:db"]
    assert (one.severity, one.says) == ("critical", "http:db is in fault: its remedies are exhausted")


@pytest.mark.parametrize("how", ["paused", "off"])
def test_what_nobody_looks_after_is_no_trouble(how):
    target = Target(kind="http", name="db", organ="heart", mode=Mode.OFF if how == "off" else Mode.AUTO)
    scenario = scene(targets=(target,))
    up(scenario, 1)
    if how == "paused":
        scenario.ask("pause", "http:db")
    up(scenario, 0)
    assert "target:http:db" not in seen(scenario).troubles


@pytest.mark.parametrize(
    ("when", "about"), [('disk.used{mount="/"} > 90%', "exhaustion"), ("cpu.used > 90%", "degradation")]
)
def test_a_rule_that_fires_is_what_its_condition_is_about(when, about):
    scenario = scene(rule(when, priority=9, name="too much"))
    metric = when.split("{", maxsplit=1)[0].split(" ", maxsplit=1)[0]
    marks = {"mount": "/"} if "mount" in when else {}
    for value in (0.1, 0.99, 0.99):
        scenario.see(metric, value, **marks)
        scenario.wait(1)
    one = seen(scenario).troubles["incident:r@host:"]
    assert (one.about, one.severity, one.says) == (about, "critical", "too much")


def test_an_organ_that_is_not_well_is_told_unless_its_targets_are():
    scenario = scene()
    falls(scenario)
    scenario.wait(5)
    found = seen(scenario).troubles
    assert "target:http:db" in found
    assert "organ:heart" not in found
    for _ in range(3):
        scenario.see("memory.available_share", 0.01)
        scenario.see("disk.used", 0.99, mount="/")
        scenario.wait(3)
    one = seen(scenario).troubles["organ:stomach"]
    assert one.about == "exhaustion"
    assert one.settle > 0


def test_brakes_are_told_and_the_switch_past_the_log():
    scenario = scene()
    scenario.core.too_many("three of three failed")
    scenario.core.kill_switch(on=True, because="the file")
    found = seen(scenario).troubles
    assert found["brakes:safe-mode"].says == "safe mode: nothing is healed: three of three failed"
    assert found["brakes:safe-mode"].severity == "critical"
    assert found["brakes:kill-switch"].unsealed


@pytest.mark.parametrize(("state", "severity"), [(WARNING, "warning"), (BALANCING, "critical")])
def test_low_harmony_is_told_by_its_thresholds(state, severity):
    assert seen(scene(), harmony=state).troubles["harmony"].severity == severity


def test_all_of_a_kind_out_of_sight_is_one_trouble():
    many = tuple(Target(kind="http", name=f"t{number}", organ="heart") for number in range(50))
    scenario = scene(targets=many)
    for target in many:
        up(scenario, 1, target.id)
    for target in many:
        scenario.blind(target.id, "no route")
    scenario.wait(troubles.SETTLE + 1)
    found = {key: one for key, one in seen(scenario).troubles.items() if key.startswith(("sight", "blind", "target"))}
    assert list(found) == ["sight:http"]
    assert found["sight:http"].says == "all 50 of kind http are out of sight: no route"


def test_one_sensor_that_cannot_look_is_named():
    scenario = scene()
    up(scenario, 1)
    up(scenario, 1, "http:web")
    scenario.blind("http:db", "no route")
    scenario.wait(troubles.SETTLE + 1)
    found = seen(scenario).troubles
    assert found["sight:http:db"].says == "sensor http:db cannot look: no route"
    assert "blind:http:db" not in found


def test_a_lost_connection_is_told_when_it_lasts():
    lost = DriverStatus(name="docker", state=LinkState.LOST, since=10.0, because="refused")
    idle = DriverStatus(name="redis:x", state=LinkState.IDLE, since=0.0, because="refused")
    assert [one.says for one in troubles.of_drivers([lost, idle], 50.0)] == ["driver docker has no connection: refused"]
    assert list(troubles.of_drivers([lost], 20.0)) == []


SEALING = {"sealing": True, "full": False, "because": ""}


@pytest.mark.parametrize(
    ("log", "tampered", "stale", "told"),
    [
        (SEALING, "", "", []),
        (SEALING | {"sealing": False, "because": "disk I/O error"}, "", "", [("log:sealing", "critical", True)]),
        (SEALING | {"sealing": False, "full": True}, "", "", [("log:sealing", "critical", True)]),
        (SEALING, "block 7 was changed", "", [("log:verified", "critical", False)]),
        (SEALING, "", "the last time 900 s ago", [("log:verified", "warning", False)]),
        (
            SEALING | {"witnessed": {"contradictions": [{"witness": "w1", "because": "a fork"}]}},
            "",
            "",
            [("log:witness:w1", "critical", False)],
        ),
    ],
)
def test_the_log_is_told_of_when_it_does_not_hold(log, tampered, stale, told):
    found = troubles.of_log(log, tampered=tampered, stale=stale)
    assert [(one.key, one.severity, one.unsealed) for one in found] == told


def test_the_agent_and_its_channels_tell_of_themselves():
    assert [one.key for one in troubles.of_agent(["rules fell back"])] == ["agent"]
    assert list(troubles.of_agent([])) == []
    rows = [{"name": "mail", "skipping": True, "errors": 5, "because": "refused"}, {"name": "ok", "skipping": False}]
    (one,) = troubles.of_channels(rows)
    assert (one.key, one.about) == ("channel:mail", "sight")


def test_maintenance_mutes_what_it_covers():
    scenario = scene()
    falls(scenario)
    trouble = seen(scenario).troubles["target:http:db"]
    assert not troubles.muted(scenario.core, trouble)
    scenario.ask("maintenance-add", "http:db", **{"for": 60.0, "reason": "upgrade"})
    assert troubles.muted(scenario.core, trouble)
    harmony = seen(scenario, harmony=WARNING).troubles["harmony"]
    assert not troubles.muted(scenario.core, harmony)
    scenario.wait(61)
    assert not troubles.muted(scenario.core, trouble)


def test_what_is_held_back_is_told_once():
    scenario = scene()
    up(scenario, 1)
    desk = scenario.core.desk
    desk.move("flapping:http:db", "steady", "flapping", "x", target="http:db")
    desk.move("oscillation:http:db", "calm", "held", "x", target="http:db", rule="a b a b")
    desk.move("breaker:restart@http:db", "closed", "open", "x", target="http:db")
    found = seen(scenario).troubles
    assert found["flapping:http:db"].about == "degradation"
    assert found["oscillation:http:db"].says == "http:db: cures of a and b took turns, and are held"
    assert found["breaker:restart@http:db"].severity == "critical"
    scenario.core.states.fault("http:db", "x")
    assert "breaker:restart@http:db" not in seen(scenario).troubles


def test_a_program_that_was_not_started_yet_has_not_failed():
    api = Target(kind="program", name="api", organ="heart")
    scenario = scene(targets=(api,))
    scenario.see("program.up", 0, target=api.id)
    scenario.wait(1)
    scenario.see("program.up", 0, target=api.id)
    assert f"target:{api.id}" not in seen(scenario).troubles


def test_hundreds_of_targets_that_fail_within_a_minute_are_one_message_from_the_core_on():
    many = tuple(Target(kind="http", name=f"t{number}", organ="heart") for number in range(300))
    scenario, room = scene(targets=many), Room({"oncall": Policy(), "pager": Policy(least="critical")})
    for target in many:
        scenario.see("http.ok", 1, target=target.id)
    scenario.wait(2)
    told = []
    for batch in range(50):
        for target in many[batch * 6 : batch * 6 + 6]:
            scenario.see("http.ok", 0, target=target.id)
        for _ in range(5):
            scenario.wait(0.2)
        _look(scenario, room, told)
    for _ in range(40):
        scenario.wait(2)
        _look(scenario, room, told)
    assert [one.channel for one in told] == ["pager", "oncall"]
    assert told[0].message.says.startswith("safe mode: nothing is healed: ")
    assert told[1].message.says.startswith("301 troubles: brakes:safe-mode, http:t0, ")
    # What the core says by itself, to the journal, are not hundreds either.
    assert [one.params["channel"] for one in scenario.acted] == [""]


def _look(scenario, room, told):
    found = seen(scenario)
    for flight in room.step(found.troubles, scenario.now, unknown=found.unknown):
        room.delivered(flight.message.id, scenario.now)
        told.append(flight)


def test_what_waits_for_a_yes_is_told_until_somebody_answers():
    scenario = scene()
    desk = scenario.core.desk
    more = {"corr": "r@http:db", "rule": "r", "target": "http:db", "action": "restart", "step": 0}
    until = {"until_us": desk.wall_us + 600_000_000, "deadline_us": round((desk.now + 600) * 1e6)}
    desk.note("approval", id="a-1", decision="asked", who="rule:r", because="it is down", **more, **until)
    assert seen(scenario).troubles["approval:a-1"].says == (
        "restart of http:db waits for a yes (healer approve a-1): it is down"
    )
    desk.note("approval", id="a-1", decision="denied", who="uid:0", because="", **more, **until)
    assert "approval:a-1" not in seen(scenario).troubles
