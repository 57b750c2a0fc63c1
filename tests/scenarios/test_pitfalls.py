"""Pitfalls seen in the field, a test each: what went wrong in other tools does not go wrong here."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from healer.config import load_config
from healer.core.report import phase
from healer.errors import ConfigError
from healer.gates import blast_radius
from healer.model.active import Active, is_active
from healer.model.decision import Outcome, Result
from healer.model.limit import Backoff, Brakes, Limit
from healer.model.target import Target
from healer.rules.load import load
from healer.rules.review import findings
from healer.rules.rule import Selector, Step
from tests.healer.core.conftest import API, Talk

ROOT = Path(__file__).resolve().parents[2]
DB = Target(kind="program", name="db", organ="heart", startup_grace=0.0)


@pytest.fixture
def talk():
    return Talk()


def restart(talk, **more):
    return (Step(action="restart", verify=talk.verify(**more)),)


def cured(talk, scenario, target="program:api"):
    """What a cure that helps looks like from outside."""
    scenario.wait(1)
    talk.up(scenario, 1, target)
    scenario.wait(1)


def checked(tmp_path, *rules, **config):
    (tmp_path / "f.yaml").write_text("version: 1\nrules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules))
    loaded = load([tmp_path / "f.yaml"])
    return [one.what for one in findings(loaded, load_config(config, environ={}))]


# Time and repetition -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [1, 5, 10])
def test_a_duration_means_the_same_however_often_one_looks(talk, period):
    """Monit counts cycles: whoever looks more often acts sooner."""
    scenario = talk.with_rules(talk.rule(for_=60.0))
    talk.up(scenario, 1)
    for _ in range(0, 120, period):
        scenario.wait(period)
        talk.up(scenario, 0)
        if scenario.acted:
            break
    assert 60 <= scenario.now - 1000 - period <= 60 + period


def test_after_an_action_only_what_is_seen_from_then_on_counts(talk):
    """Monit, measured: a guarded first restart, then one per cycle, nine in eighteen seconds."""
    slow = Target(kind="program", name="api", organ="heart", startup_grace=20.0)
    steps = restart(talk, within=30.0)
    scenario = talk.with_rules(talk.rule(for_=6.0, then=steps, cooldown=60.0), targets=(slow,))
    talk.up(scenario, 1)
    for _ in range(18):  # every two seconds, and it never comes back while it starts
        scenario.wait(1)
        talk.up(scenario, 0)
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_one_sick_target_does_not_use_up_what_another_may_have(talk):
    """One global rate limit hides which target is sick, and leaves nothing for the others."""
    rule = talk.rule(
        each=Selector(kind="program"), cooldown=0.0, limits=(Limit(max=2, per=3600.0),), backoff=Backoff(initial=0.0)
    )
    scenario = talk.with_rules(rule, targets=(API, DB))
    for _ in range(5):
        talk.falls(scenario)
        cured(talk, scenario)
    assert talk.actions(scenario) == [("restart", "program:api")] * 2
    talk.falls(scenario, "program:db")
    assert talk.actions(scenario)[-1] == ("restart", "program:db")


def test_guards_are_on_unless_somebody_writes_otherwise(tmp_path):
    """Cluster API's health checks allow all of a fleet at once, supervisord starts for ever."""
    (tmp_path / "f.yaml").write_text(
        'version: 1\nrules: [{id: a, target: "program:api", when: harmony < 5, then: [{restart: {}}]}]'
    )
    (rule,) = load([tmp_path / "f.yaml"]).rules
    assert rule.mode is None, "observe, unless the host says otherwise"
    assert rule.cooldown >= 60
    assert rule.limits
    assert all(limit.max <= 5 for limit in rule.limits)
    brakes = Brakes()
    assert brakes.actions_per_hour < 1000
    assert brakes.group_unavailable == 1


def test_a_counter_is_not_lost_by_a_crash_or_a_reload(talk):
    """systemd and StackStorm forget their counters on reload; a loop then has no end."""
    rule = talk.rule(cooldown=0.0, limits=(Limit(max=1, per=3600.0),))
    scenario = talk.with_rules(rule)
    talk.falls(scenario)
    cured(talk, scenario)
    again = talk.with_rules(rule, memory=scenario.folded(), at=scenario.now)
    talk.falls(again)
    again.wait(5)
    assert talk.actions(again) == []
    assert "limit" in {one.gate for one in again.withheld}


def test_a_backoff_grows_to_a_bound_and_begins_anew_after_health(talk):
    """systemd's never resets, Docker's grew without end."""
    backoff = Backoff(initial=4.0, factor=10.0, max=30.0, jitter=0.0, reset_after=600.0)
    rule = talk.rule(cooldown=0.0, limits=(), backoff=backoff, then=restart(talk))
    scenario = talk.with_rules(rule)
    pauses = []
    for _ in range(4):
        acted = len(talk.actions(scenario))
        talk.falls(scenario)
        began = scenario.now
        for _ in range(40):
            if len(talk.actions(scenario)) > acted:
                break
            scenario.wait(1)
            talk.up(scenario, 0)
        pauses.append(scenario.now - began)
        assert len(talk.actions(scenario)) == acted + 1, (pauses, scenario.withheld)
        cured(talk, scenario)
    assert pauses[0] < 2
    assert 20 < max(pauses) <= 32
    scenario.wait(700)
    talk.up(scenario, 1)
    talk.falls(scenario)
    scenario.wait(1)
    assert len(talk.actions(scenario)) == 5


# Paths that act ------------------------------------------------------------------------------------------------


def test_a_request_passes_the_gates_a_rule_would(talk):
    """In eye, PM2 and pwnagotchi a command went past the guard that held the rule."""
    scenario = talk.with_rules(talk.rule())
    talk.up(scenario, 1)
    scenario.ask("maintenance-add", "program:api", **{"for": 60.0, "reason": "upgrade"})
    answer = scenario.ask("act", "program:api", action="restart")
    assert (answer["answer"], "maintenance" in answer["because"]) == ("refused", True)
    assert talk.actions(scenario) == []


def test_what_was_withheld_is_not_done_afterwards(talk):
    """Zabbix runs the steps that fell inside a maintenance when it ends."""
    scenario = talk.with_rules(talk.rule(cooldown=0.0))
    scenario.ask("maintenance-add", "program:api", **{"for": 60.0, "reason": "upgrade"})
    talk.falls(scenario)
    scenario.wait(30)
    talk.up(scenario, 1)
    scenario.wait(60)
    talk.up(scenario, 1)
    scenario.wait(5)
    assert talk.actions(scenario) == []


def test_an_open_breaker_lets_proofs_and_tellings_through(talk):
    """A breaker that also stopped recovery kept what was cured from being seen."""
    scenario = talk.with_rules(
        talk.rule(cooldown=0.0, limits=(), backoff=Backoff(initial=0.0), then=restart(talk)),
        brakes=Brakes(breaker_opens_after=1),
    )
    talk.falls(scenario)
    scenario.wait(30)
    assert any(entry.get("subject", "").startswith("breaker:") for entry in scenario.log.of("state"))
    assert [one.action for one in scenario.acted][-1] == "notify", "given up loudly"
    cured(talk, scenario)
    scenario.wait(5)
    assert "r@program:api" not in scenario.core.desk.memory.incidents or phase(
        scenario.core, scenario.core.instances["r@program:api"]
    ) in {"given-up", "clearing"}


# Truth ---------------------------------------------------------------------------------------------------------


def test_missing_data_neither_fires_nor_clears(talk):
    """Prometheus resolves the alert when the series is gone."""
    scenario = talk.with_rules(talk.rule(then=(Step(action="notify"),)))
    talk.falls(scenario)
    talk.up(scenario, None)
    scenario.wait(120)
    assert "r@program:api" in scenario.core.desk.memory.incidents


def test_a_label_that_no_series_has_is_a_mistake_and_not_the_empty_one(talk):
    """In Alertmanager a missing label equals an empty one: inhibition then hits everything."""
    with pytest.raises(Exception, match="label"):
        talk.parsed('disk.used{mout="/"} > 90%')


def test_a_restart_that_rests_on_a_readiness_check_is_found(tmp_path):
    """A health check that asks the database restarts every web server when the database is down."""
    deep = {"kind": "http", "name": "deep", "url": "http://127.0.0.1/", "labels": {"check": "readiness"}}
    said = checked(
        tmp_path,
        """id: a, target: "program:api", when: 'http.ok{target="http:deep"} == 0', then: [{restart: {}}]""",
        targets=[deep],
        programs=[{"name": "api", "command": ["true"]}],
    )
    assert any("readiness check (http:deep)" in one for one in said)


def test_a_busy_host_is_not_restarted_busier_and_the_agent_keeps_its_share(talk):
    """Health checks time out under load, and the healer adds the load of cold starts."""
    slow = talk.with_rules(talk.rule("program.cpu{target} > 90%"))
    talk.up(slow, 1)
    for _ in range(3):
        slow.wait(1)
        slow.see("cpu.psi.some10", 0.95)
        slow.see("program.cpu", 0.99, target="program:api")
    assert talk.actions(slow) == []
    assert "saturation" in {one.gate for one in slow.withheld}
    unit = (ROOT / "systemd" / "healer.service").read_text()
    assert re.search(r"^WatchdogSec=", unit, re.MULTILINE)
    assert re.search(r"^(CPUWeight|Nice|OOMScoreAdjust)=", unit, re.MULTILINE)


def test_a_forecast_right_after_boot_is_unknown(talk):
    """Disk-full alarms at boot, from two samples and a straight line."""
    scenario = talk.with_rules(talk.rule('eta(disk.used{mount="/"}, 95%) < 4h', then=(Step(action="notify"),)))
    for used in (0.50, 0.60, 0.70):
        scenario.see("disk.used", used, mount="/")
        scenario.wait(10)
    assert [one for one in scenario.acted if one.rule == "r"] == []


def test_hours_over_midnight_and_the_change_of_clocks():
    """Alertmanager cannot say 22:00-06:00; others fire twice, or never, when the clocks change."""
    night = Active(hours=((22 * 60, 6 * 60),), days=(4,), tz="Europe/Warsaw")
    friday, saturday = datetime(2026, 11, 20, 21, 30, tzinfo=UTC), datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
    assert is_active(night, friday.timestamp())
    assert is_active(night, saturday.timestamp()), "the night belongs to the day it began"
    assert not is_active(night, datetime(2026, 11, 20, 2, 0, tzinfo=UTC).timestamp())


# Whom it touches -----------------------------------------------------------------------------------------------


def test_a_selection_of_nothing_does_nothing_and_one_of_everything_must_be_written(talk, tmp_path):
    """An empty selector that means all has emptied fleets."""
    scenario = talk.with_rules(talk.rule("program.up{target} == 0", each=Selector(kind="program", name="nobody")))
    talk.falls(scenario)
    assert talk.actions(scenario) == []
    (tmp_path / "f.yaml").write_text(
        "version: 1\nrules: [{id: a, each: {}, when: harmony < 5, then: [{notify: journal}]}]"
    )
    with pytest.raises(ConfigError, match="every target"):
        load([tmp_path / "f.yaml"])


def test_a_percentage_of_a_small_fleet_is_rounded_down(talk):
    """50 % of two rounded up is both."""
    del talk

    class Asked:
        brakes = Brakes(group_unavailable=10, group_unavailable_percent=0.4)

    assert blast_radius.budget(Asked, "web", 4) == 1
    assert blast_radius.budget(Asked, "web", 10) == 4


def test_a_restart_that_restarted_nothing_is_no_success(talk):
    """bosh said restarted, and the process was the old one."""
    scenario = talk.with_rules(talk.rule("program.cpu{target} > 90%", then=restart(talk)))
    scenario.world = lambda decision: Outcome(
        id=decision.id, result=Result.DONE, because="ok", at=scenario.now, took=0.0, generation=decision.generation
    )
    scenario.see("program.generation", "7.1", target="program:api")
    talk.up(scenario, 1)
    for _ in range(2):
        scenario.see("program.cpu", 0.99, target="program:api")
        scenario.wait(1)
    talk.up(scenario, 1)
    assert [entry["result"] for entry in scenario.log.of("verdict")][:1] == ["unverified"]


def test_two_rules_that_would_cure_one_target_differently_are_found(tmp_path):
    """Two owners of one machine: undefined behaviour, says their manual."""
    proof = 'verify: {when: "program.up{target} == 1"}'
    said = checked(
        tmp_path,
        f'id: a, target: "program:api", when: "program.up{{target}} == 0", then: [{{restart: {{}}, {proof}}}]',
        'id: b, target: "program:api", when: "program.cpu{target} > 90%", then: [{stop: {}}]',
        programs=[{"name": "api", "command": ["true"]}],
    )
    assert any("overlap" in one or "starts again" in one for one in said)


# The log -------------------------------------------------------------------------------------------------------


def test_the_intent_is_in_the_log_before_the_effect_and_the_outcome_after(talk):
    """An audit row written after the effect is lost with the crash that the effect caused."""
    scenario, seen = talk.with_rules(talk.rule()), []

    def world(decision):
        seen.append(scenario.log.kinds()[-1])
        return scenario.succeed(decision)

    scenario.world = world
    talk.falls(scenario)
    assert seen[0] == "intent"
    assert "outcome" in scenario.log.kinds()[scenario.log.kinds().index("intent") :]


@pytest.mark.parametrize("key", ["enabled", "skip", "off"])
def test_the_log_cannot_be_switched_off(key):
    """--skip-audit-events exists elsewhere."""
    with pytest.raises(ConfigError, match=f"unknown key '{key}'"):
        load_config({"audit": {key: True}}, environ={})


def test_a_chain_without_a_key_or_an_anchor_is_no_proof(tmp_path):
    """Whoever can write the file can write the whole chain anew, or cut its tail."""
    import subprocess
    import sys

    from audit.writer import Writer

    Writer.open(tmp_path / "s", node="n").close()
    log = tmp_path / "copy.db"
    log.write_bytes((tmp_path / "s" / "audit.db").read_bytes())
    argv = [sys.executable, "-m", "audit", "verify", str(log), "--no-memory"]
    assert subprocess.run(argv, capture_output=True, check=False, cwd=ROOT, timeout=60).returncode == 2


def test_a_language_without_its_version_is_refused(tmp_path):
    """What a dependency means changed between three releases of Icinga."""
    for text in ("rules: []", "version: 2\nrules: []"):
        (tmp_path / "f.yaml").write_text(text)
        with pytest.raises(ConfigError, match="version"):
            load([tmp_path / "f.yaml"])
