import json

import pytest

from healer.core import report
from healer.model.event import Asked, Looked
from healer.model.mode import Mode
from healer.model.observation import Unknown, labels
from healer.model.request import Request
from healer.model.trigger import Trigger


def ask(fake, verb, subject="agent", **args):
    fake.handle(Asked(request=Request(id="q", verb=verb, subject=subject, who="uid:0", args=args, at=fake.clock.now())))


def by_id(rows, key="id"):
    return {row[key]: row for row in rows}


def test_a_status_is_plain_json_with_no_number_that_is_none(fake):
    fake.see("program.up", 0, "program:api")
    text = json.dumps(report.status(fake.core), allow_nan=False)
    assert json.loads(text)["counts"]["rules"] == 2


def test_a_target_that_fails_is_shown_failed_with_its_incident_and_why_nothing_is_done(fake):
    fake.see("program.up", 0, "program:api")
    found = report.status(fake.core, fake.clock.now() + 5)
    target = by_id(found["targets"])["program:api"]
    assert (target["state"], target["health"]) == ("stopped", "failed")
    assert target["since"] >= 5
    assert target["incidents"] == ["api-down@program:api"]
    assert found["counts"]["targets"] == {"failed": 1, "healthy": 1, "all": 2}
    incident = found["incidents"][0]
    assert (incident["phase"], incident["withheld"]) == ("firing", ["mode"])
    assert incident["because"].startswith("mode: ")


def test_a_target_nobody_can_see_is_unknown_and_says_why(fake):
    fake.clock.at += 1
    blind = Unknown(metric="http.ok", labels=labels(target="http:front"), because="timed out", at=fake.clock.now())
    fake.handle(Looked(sensor="http:front", at=fake.clock.now(), readings=(blind,)))
    target = by_id(report.targets(fake.core))["http:front"]
    assert (target["health"], target["because"], target["unresponsive"]) == ("unknown", "timed out", True)


def test_a_sensor_that_cannot_look_says_why_in_the_row_of_its_target(fake):
    fake.clock.at += 1
    fake.handle(Looked(sensor="http:front", at=fake.clock.now(), because="no way to the host"))
    target = by_id(report.targets(fake.core))["http:front"]
    assert (target["health"], target["because"]) == ("unknown", "no way to the host")


def test_what_was_never_seen_is_unknown_with_no_age():
    from healer.core.core import Core, Setup
    from healer.model.memory import Memory
    from healer.model.target import Target
    from healer.rules.rule import RuleSet

    setup = Setup(
        node="n", boot="b", targets=(Target(kind="tcp", name="x", organ="lungs"),),
        rules=RuleSet(rules=(), hash="", files=()),
    )  # fmt: skip
    found = report.status(Core(setup, Memory(), now=0.0, wall=0.0))
    assert (found["targets"][0]["health"], found["targets"][0]["age"]) == ("unknown", None)
    assert not found["targets"][0]["unresponsive"]
    assert found["harmony"] is None


def test_the_strictest_mode_is_the_one_shown(fake):
    assert report.status(fake.core)["mode"] == "auto"
    ask(fake, "pause")
    found = report.status(fake.core)
    assert (found["mode"], found["configured_mode"], found["lowered"]) == ("observe", "auto", {"agent": "observe"})


def test_brakes_are_shown(fake):
    ask(fake, "stop-healing")
    ask(fake, "maintenance-add", "program:api", **{"for": 60.0, "reason": "upgrade"})
    found = report.status(fake.core)
    assert found["kill_switch"] is True
    assert (found["maintenance"][0]["reason"], found["maintenance"][0]["left"]) == ("upgrade", 60.0)
    fake.force("safe_mode", "on", "too many")
    assert report.status(fake.core)["safe_mode"] == "too many"


def test_an_intent_under_way_and_an_open_breaker_are_shown(fake):
    fake.see("program.up", 0, "program:api")
    ask(fake, "act", "program:api", action="restart")
    found = report.intents(fake.core, fake.clock.now() + 2)
    assert [(one["action"], one["target"], one["phase"], one["age"]) for one in found] == [
        ("restart", "program:api", "acting", 2.0)
    ]
    fake.core.desk.move("breaker:restart@program:api", "closed", "open", "5 failures")
    assert report.breakers(fake.core)[0] == {
        "action": "restart", "target": "program:api", "failures": 0, "age": 0.0,
    }  # fmt: skip


def test_rules_are_listed_most_urgent_first_with_their_state_and_switch(fake):
    ask(fake, "disable-rule", "api-down")
    rules = report.rules(fake.core)
    assert [rule["id"] for rule in rules] == ["api-down", "front-slow"]
    assert (rules[0]["enabled"], rules[0]["targets"][0]["state"]) == (False, "disabled")
    assert rules[1]["targets"][0]["state"] == "unknown"  # nobody measured a latency
    assert rules[0]["last_run"] is None


def test_a_rule_on_the_calendar_says_when_it_starts_next_and_status_which_comes_first(talk):
    def nightly(name, hour):
        return talk.rule("1 == 1", id=name, trigger=Trigger(kind="schedule", cron=f"30 {hour} * * *", tz="UTC"))

    core = talk.with_rules(nightly("late", 23), nightly("early", 1), talk.rule(id="auto")).core
    shown = by_id(report.rules(core))
    assert shown["auto"]["next_start"] is None
    assert shown["late"]["starts_on"] == "schedule 30 23 * * * (UTC)"
    first = min(("late", "early"), key=lambda name: shown[name]["next_start"])
    assert report.status(core)["scheduled"] == {"rule": first, "in": shown[first]["next_start"]}
    assert 0 < shown[first]["next_start"] <= 86400
    core.desk.move(f"rule:{first}", "enabled", "disabled", "by a person")
    assert by_id(report.rules(core))[first]["next_start"] is None
    assert report.status(core)["scheduled"]["rule"] != first


def test_a_rule_that_waits_says_for_how_long(fake):
    fake.see("program.up", 0, "program:api")
    bound = report.rules_of(fake.core, "program:api")[0]
    assert bound["state"] == "firing"
    assert 0 < bound["next_allowed"] <= 1.0


def test_metrics_show_values_and_what_is_unknown_with_its_reason(fake):
    fake.clock.at += 1
    blind = Unknown(metric="http.ok", labels=labels(target="http:front"), because="timed out", at=fake.clock.now())
    fake.handle(Looked(sensor="http:front", at=fake.clock.now(), readings=(blind,)))
    found = by_id(report.metrics(fake.core), "metric")
    assert (found["program.up"]["value"], found["program.up"]["unit"]) == (1.0, "flag")
    assert (found["http.ok"]["value"], found["http.ok"]["because"]) == (None, "timed out")
    assert found["harmony"]["value"] == 100.0


def test_prometheus_text_has_one_type_line_per_metric_and_escapes_labels(fake):
    text = report.metrics_text(fake.core)
    assert text.count("# TYPE healer_program_up gauge") == 1
    assert 'healer_program_up{target="program:api"} 1' in text
    assert "target_state" not in text  # words are no numbers
    assert text.endswith("\n")
    assert report._escaped('a"b\\c\nd') == 'a\\"b\\\\c\\nd'


def test_a_target_that_is_failed_says_what_its_probe_said(fake):
    fake.see("http.message", "503 Service Unavailable", "http:front")
    assert by_id(report.targets(fake.core))["http:front"]["because"] == ""
    fake.see("http.ok", 0, "http:front")
    assert by_id(report.targets(fake.core))["http:front"]["because"] == "503 Service Unavailable"


@pytest.mark.parametrize(("code", "told"), [(3, "exit code 3"), (-9, "ended by signal 9")])
def test_a_program_that_ended_says_how(fake, code, told):
    fake.see("program.exit_code", code, "program:api")
    fake.see("program.up", 0, "program:api")
    assert by_id(report.targets(fake.core))["program:api"]["because"] == told


def test_the_mode_that_really_holds_is_told_with_what_sets_it(talk):
    scene = talk.with_rules(talk.rule(mode=Mode.APPROVE), talk.rule(id="urgent", priority=10))
    scene.happen("profile", profile="economy", because="starved")
    found = by_id(report.rules(scene.core))
    assert found["r"]["mode"] == "approve"
    assert found["r"]["holds"] == [{"mode": "observe", "because": "profile economy: critical rules only"}]
    assert [one["mode"] for one in found["urgent"]["holds"]] == ["auto"]
