import os
import shutil
import signal
import sqlite3
import time

import pytest

from audit.errors import AuditError, Busy, Damaged, DiskFull, KeyRefused
from healer.errors import ConfigError, HealerError, RefusedError
from healer.history import History
from healer.model.event import Finished
from healer.record import recall
from tests.healer.app.conftest import HEALS, SLEEPER, until

START = [
    "rules", "state folder", "sealed log", "history", "memory", "drivers", "core", "hands", "loop", "senses",
    "calendar", "api",
]  # fmt: skip
STOP = [
    "stop api", "stop calendar", "drain effects", "stop senses", "stop programs", "last block", "stop loop",
]  # fmt: skip
BROKEN = HEALS.replace("program.up", "program.upp").replace("cooldown: 1s", "cooldown: soon")
PATIENT = HEALS.replace("cooldown: 1s", "cooldown: 1h")


def running(agent, name="p"):
    """The pid of a program that is seen to run."""
    return until(lambda: agent.status()["targets"][0]["generation"], what=f"{name} runs").partition(".")[0]


def cures(place):
    ids = {one["id"] for one in place.entries("intent") if one["rule"]}
    return [one for one in place.entries("verdict") if one["result"] == "verified" and one["id"] in ids]


def healed(place, times=1):
    return until(lambda: len(cures(place)) >= times, what="a cure")


def kill(agent):
    """Kill the program; returns the pid it had."""
    pid = int(running(agent))
    os.kill(pid, signal.SIGKILL)
    return pid


# Start and stop -------------------------------------------------------------------------------------------------


def test_the_steps_of_start_and_stop_are_taken_in_order_and_named(place):
    agent = place.agent()
    with agent:
        assert agent.steps == START
    assert agent.steps == START + STOP
    phases = [entry["phase"] for entry in place.entries("lifecycle")]
    assert phases == ["start", "ready", "drain", "stop"]
    assert agent.state.value == "stopped"


def test_the_first_block_is_sealed_within_two_seconds_of_a_very_first_start(fresh):
    began = time.time()
    with fresh.agent(programs=[]):
        first = fresh.entries()[0]
    assert first["ts"] / 1e6 - began < 2.0
    assert first["kind"] == "lifecycle"


def test_nothing_that_runs_keeps_the_agent_from_stopping_within_a_second(place):
    with place.agent() as agent:
        pid = int(running(agent))
        began = time.monotonic()
        agent.stop()
        assert time.monotonic() - began < 1.0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (place.state / "healer.sock").exists()


def test_what_ends_because_the_agent_stops_is_no_news(place):
    with place.agent() as agent:
        running(agent)
    assert not [one for one in place.entries("state") if one["subject"].startswith("incident:")]
    assert [one["action"] for one in place.entries("intent")] == ["start"]


def test_a_program_that_is_to_be_kept_is_taken_up_again(place):
    kept = [SLEEPER | {"on_stop": "keep"}]
    with place.agent(programs=kept) as agent:
        pid = running(agent)
    os.kill(int(pid), 0)
    with place.agent() as agent:
        assert running(agent) == pid
        assert place.entries("lifecycle")[-1]["phase"] == "ready"
    adopted = [one for one in place.entries("lifecycle") if one["phase"] == "adopted"]
    assert adopted[0]["data"] == {"programs": ["p"]}
    assert [one["action"] for one in place.entries("intent")] == ["start"]


def test_under_a_service_manager_programs_outlive_the_agent(place):
    with place.agent({"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": "/nowhere/at-all"}) as agent:
        pid = running(agent)
    os.kill(int(pid), 0)
    with place.agent() as agent:
        assert running(agent) == pid


def test_a_second_agent_on_the_folder_is_refused_and_touches_nothing(place):
    with place.agent() as first:
        running(first)
        time.sleep(0.3)  # what a start leaves to be written is written
        before = sorted(path.name for path in place.state.rglob("*"))
        head = first.status()["log"]["height"]
        with pytest.raises(Busy, match="another"), place.agent():
            pass
        assert sorted(path.name for path in place.state.rglob("*")) == before
        assert first.status()["log"]["height"] - head <= 1
        assert first.status()["safe_mode"] == ""


def test_a_start_that_fails_raises_what_it_failed_of_and_not_a_group(place):
    place.state.joinpath("healer.sock").write_text("no socket")
    agent = place.agent()
    with pytest.raises(HealerError, match="is no socket"), agent:
        pass
    assert agent.state.value == "fault"
    place.state.joinpath("healer.sock").unlink()
    with place.agent() as again:
        assert again.status()["state"] == "running"
    assert "crash-recovered" in [one["phase"] for one in place.entries("lifecycle")]


def test_a_folder_that_cannot_be_made_is_one_sentence(fresh):
    fresh.state = fresh.folder / "file" / "s"
    fresh.folder.joinpath("file").write_text("")
    with pytest.raises(HealerError, match="cannot make the state folder"), fresh.agent():
        pass


def test_a_bug_in_the_core_ends_the_agent_loudly(place):
    agent = place.agent()
    live = agent.__enter__()
    live._there(lambda: agent.loop.put(Finished(outcome=None)))
    live._thread.join(5)
    with pytest.raises(AttributeError):
        live.stop()
    assert agent.state.value == "fault"


# Healing --------------------------------------------------------------------------------------------------------


def test_a_killed_program_is_healed_and_everything_about_it_sealed(place):
    with place.agent() as agent:
        pid = kill(agent)
        healed(place)
        assert int(running(agent)) != pid
        until(lambda: not agent.status()["incidents"], what="the end of the incident")
        (record,) = agent._await(agent._agent.history.incidents()) if flush(agent) else ()
    assert (record.incident, record.actions, record.verdict, record.organ) == (
        "p-down@program:p", 1, "verified", "heart",
    )  # fmt: skip
    assert record.closed is not None
    assert record.closed > record.opened
    kinds = [one["kind"] for one in place.entries("intent", "outcome", "verdict")]
    assert kinds == ["intent", "outcome", "verdict"] * 2  # its start and its cure


def flush(agent):
    return agent._agent._kept.flush()


WAYS = """\
version: 1
rules:
  - id: p-down
    target: program:p
    when: program.up{target} == 0
    mode: auto
    cooldown: 1s
    concurrency: {max: 1, key: repairs}
    on_fire: [{run: [/bin/echo, hook, "{target}"]}]
    on_recovered: [{publish: {topic: web.back}}]
    then:
      - if: program.up{target} == 1
        then: [{notify: {}}]
        else: [{restart: {}, only_if: "program.up{target} == 1"}]
      - start: {}
        targets: {kind: program, state: stopped, max_targets: 2}
        verify: {when: "program.up{target} == 1", within: 5s}
"""


def test_a_real_agent_branches_skips_chooses_and_calls_its_hooks(place):
    place.rules(WAYS)
    with place.agent() as agent:
        heard = []
        agent.on("web.back", lambda topic, data: heard.append(topic))
        pid = kill(agent)
        until(lambda: heard, what="the word that it is back")
        assert int(running(agent)) != pid
    sealed = place.entries("state", "intent", "outcome")
    said = [one["because"] for one in sealed if one.get("subject") == "incident:p-down@program:p"]
    assert "if program.up{target} == 1: false" in said
    assert "skipped: only if program.up{target} == 1, and that is false" in said
    assert "start of 1, one at a time: program:p" in said
    hook = next(one for one in sealed if one.get("corr") == "hook:on_fire:p-down@program:p")
    (ended,) = [one for one in sealed if one["kind"] == "outcome" and one["id"] == hook["id"]]
    assert (ended["result"], ended["output"].strip()) == ("done", "hook program:p")


def test_what_is_required_starts_first(place):
    programs = [
        SLEEPER | {"name": "child", "requires": ["program:p"]},
        SLEEPER | {"ready": {"file": str(place.folder / "ready"), "within": "10s"}},
    ]
    with place.agent(programs=programs):
        until(lambda: place.entries("intent"), what="the first start")
        time.sleep(2.5)  # time is the subject: the agent looks for programs to start every two seconds
        assert [one["target"] for one in place.entries("intent")] == ["program:p"]
        (place.folder / "ready").touch()
        until(lambda: len(place.entries("intent")) > 1, what="the start of the child")
    assert [one["target"] for one in place.entries("intent")] == ["program:p", "program:child"]


def test_a_start_that_a_brake_held_back_is_made_when_it_is_let_go(place):
    place.state.joinpath("stop-healing").touch()
    with place.agent() as agent:
        assert place.entries("withheld")[0]["gate"] == "kill_switch"
        time.sleep(2.2)  # time is the subject: asked once, not at every turn
        assert len(place.entries("request")) == 1
        agent.ask("resume-healing")
        running(agent)


# Rules ----------------------------------------------------------------------------------------------------------


def test_rules_that_do_not_load_and_nothing_accepted_refuse_with_every_mistake_and_touch_nothing(fresh):
    fresh.rules(BROKEN)
    with pytest.raises(ConfigError) as refused, fresh.agent():
        pass
    assert len(refused.value.problems) == 3
    assert not fresh.state.exists()


def test_rules_that_do_not_load_fall_back_to_the_last_accepted_ones_loudly(place):
    with place.agent():
        pass
    good = place.entries("rules")[0]
    place.rules(BROKEN)
    with place.agent() as agent:
        assert "the last accepted set" in agent.status()["degraded"][0]
        kill(agent)
        healed(place)
    sealed = place.entries("rules")[-1]
    assert (sealed["accepted"], sealed["hash"]) == (False, good["hash"])
    assert "r.yaml:7:15" in sealed["because"]


def test_accepted_copies_that_somebody_changed_are_not_fallen_back_to(place):
    with place.agent():
        pass
    (copy,) = (place.state / "accepted-rules").glob("*/*")
    copy.write_text(HEALS.replace("restart: {}", "run: {argv: [rm, -rf, /]}"))
    place.rules(BROKEN)
    with pytest.raises(ConfigError, match="not the accepted one"), place.agent():
        pass


def test_a_reload_that_does_not_load_keeps_the_old_rules_and_seals_that_it_does(place):
    with place.agent() as agent:
        old = agent.status()["counts"]["rules"]
        place.rules(BROKEN)
        with pytest.raises(ConfigError) as refused:
            agent.reload()
        assert len(refused.value.problems) == 3
        kill(agent)
        healed(place)
        assert agent.status()["counts"]["rules"] == old
    assert [one["accepted"] for one in place.entries("rules")] == [True, False]


def test_a_reload_swaps_rules_and_targets_and_keeps_cooldowns(place):
    place.rules(PATIENT)
    config = place.config()
    from healer.app import Agent

    source = place.folder / "organism.yaml"
    source.write_text(_yaml(config))
    with Agent(source, state_dir=place.state, environ={"PATH": "/usr/bin:/bin"}) as agent:
        kill(agent)
        healed(place)
        until(lambda: not agent.status()["incidents"])
        target = {"kind": "file", "name": "f", "organ": "stomach", "path": str(place.folder)}
        source.write_text(
            _yaml(config | {"targets": [target], "harmony": {"warn": 99, "balance": 98, "recovered": 99}})
        )
        answer = agent.reload()
        assert answer["targets"] == 2
        assert [one["id"] for one in agent.status()["targets"]] == ["program:p", "file:f"]
        until(lambda: agent.status()["targets"][1]["health"] == "healthy", what="a look at the new target")
        assert agent._agent.duties.watch.warn == 99
        kill(agent)
        until(lambda: place.entries("withheld"), what="the cooldown")
    assert place.entries("withheld")[-1]["gate"] == "cooldown"


def _yaml(config):
    import json

    return "version: 1\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())


def test_a_reload_keeps_what_was_waited_for_already(place):
    place.rules(
        HEALS.replace("cooldown: 1s", "for: 30s").replace("program.up{target} == 0", "program.uptime{target} >= 0s")
    )
    with place.agent() as agent:
        instance = until(lambda: [one for one in agent._agent.core.instances.values() if one.true_since is not None])[0]
        time.sleep(0.5)  # time is the subject
        before = instance.confirmed_so_far(agent._agent.clock.now())
        agent.reload()
        (after,) = agent._agent.core.instances.values()
        assert after is not instance
        assert after.confirmed >= before - 0.2 >= 0.3


def test_an_effect_that_goes_on_during_a_reload_ends_as_it_would_have(place):
    place.rules(HEALS.replace("restart: {}", 'run: {argv: [sleep, "2"]}'))
    with place.agent() as agent:
        kill(agent)
        until(lambda: [one for one in place.entries("intent") if one["action"] == "run"], what="the effect")
        agent.reload()
        assert agent.status()["intents"]
        ended = until(lambda: [one for one in place.entries("outcome")[1:] if one["result"] == "done"], what="its end")
    assert ended[0]["took_us"] >= 1_900_000


def test_a_reload_says_what_it_cannot_change(place):
    agent = place.agent()
    with agent as live:
        agent._source = agent._source | {"node": "elsewhere"}
        assert live.reload()["not_before_a_start"] == ["node takes effect at the next start"]
        assert live.status()["degraded"] == ["node takes effect at the next start"]


# Memory ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_and_the_entries_after_it_fold_to_what_the_whole_log_does(place):
    with place.agent() as agent:
        kill(agent)
        healed(place)
        agent._there(agent._agent._snapshot)
        kill(agent)
        healed(place, times=2)
    history = History(place.state / "state.db")
    history.start()
    found = history.latest_snapshot()
    history.close()
    after, folded = recall(place.state, (found.height, found.header, found.body["memory"]))
    whole, every = recall(place.state, None)
    whole.frame.began = after.frame.began  # when a run began to fold, not what it folded
    assert after == whole
    assert folded == 0 < every  # the last snapshot is made at the stop
    assert whole.streaks["p-down@program:p"].actions == 2


def test_counters_and_cooldowns_survive_the_loss_of_the_store(place):
    place.rules(PATIENT)
    with place.agent() as agent:
        kill(agent)
        healed(place)
    for path in place.state.glob("state.db*"):
        path.write_bytes(b"garbage" * 1000)
    with place.agent() as agent:
        assert "was set aside" in agent.status()["degraded"][0]
        kill(agent)
        until(lambda: place.entries("withheld"), what="the cooldown of the run before")
    assert place.entries("withheld")[-1]["gate"] == "cooldown"


# Brakes ---------------------------------------------------------------------------------------------------------


def test_a_kill_switch_thrown_by_hand_is_seen_sealed_and_respected(place):
    with place.agent() as agent:
        running(agent)
        place.state.joinpath("stop-healing").touch()
        until(lambda: agent.status()["kill_switch"], what="the switch")
        kill(agent)
        until(lambda: place.entries("withheld"), what="the gate's word")
    assert [one["to"] for one in place.entries("state") if one["subject"] == "kill_switch"] == ["on"]
    assert place.entries("withheld")[-1]["gate"] == "kill_switch"
    assert [one["action"] for one in place.entries("intent")] == ["start"]


def test_stop_and_resume_by_request_make_and_take_the_file(place):
    with place.agent() as agent:
        agent.ask("stop-healing")
        assert place.state.joinpath("stop-healing").exists()
        agent.ask("resume-healing")
        assert not place.state.joinpath("stop-healing").exists()
        assert not agent.status()["kill_switch"]


def test_requests_are_refused_by_name(place):
    with place.agent() as agent:
        with pytest.raises(RefusedError, match="no target 'unit:nope'"):
            agent.ask("act", "unit:nope", action="restart")
        with pytest.raises(RefusedError, match="there is no request"):
            agent.ask("explode")


# The log --------------------------------------------------------------------------------------------------------


def test_a_damaged_log_is_refused_and_left_as_it_is(place):
    with place.agent():
        pass
    _flip(place.state / "audit.db", "height = (SELECT max(height) FROM blocks)")
    octets = (place.state / "audit.db").read_bytes()
    with pytest.raises(Damaged, match="does not verify"), place.agent():
        pass
    assert (place.state / "audit.db").read_bytes() == octets


def _flip(path, which):
    with sqlite3.connect(path) as database:
        database.execute("DROP TRIGGER blocks_no_update")
        (body,) = database.execute(f"SELECT body FROM blocks WHERE {which}").fetchone()
        changed = body.replace(b'"v":1', b'"v":2', 1)
        assert changed != body
        database.execute(f"UPDATE blocks SET body = ? WHERE {which}", (changed,))
    database.close()


def test_a_missing_key_is_refused_and_none_is_made(place):
    with place.agent():
        pass
    (place.state / "keys" / "seal.pem").unlink()
    with pytest.raises((KeyRefused, AuditError), match="key"), place.agent():
        pass
    assert not (place.state / "keys" / "seal.pem").exists()


def test_an_agent_on_a_log_that_was_rolled_back_looks_and_answers_and_does_nothing_until_somebody_accepts_it(place):
    anchor = place.folder / "elsewhere"
    more = {"audit": {"anchor": [str(anchor)]}}
    with place.agent(**more):
        pass
    shutil.copy(place.state / "audit.db", place.folder / "old.db")
    with place.agent(**more):
        pass
    shutil.copy(place.folder / "old.db", place.state / "audit.db")
    for rest in ("audit.db-wal", "audit.db-shm"):
        (place.state / rest).unlink(missing_ok=True)
    with place.agent(**more) as agent:
        status = agent.status()
        assert not status["log"]["sealing"]
        assert status["safe_mode"]
        time.sleep(1.2)  # time is the subject: long enough for a start, were one allowed
        assert agent.status()["harmony"] is not None
        assert agent.status()["targets"][0]["generation"] == ""
        agent.ask("resume-healing")
        running(agent)
        assert agent.status()["log"]["sealing"]
        assert agent.status()["safe_mode"] == ""
    (gap,) = place.entries("gap")
    assert gap["data"]["who"] == "python"
    assert place.entries("lifecycle")[-1]["phase"] == "stop"


def test_a_log_that_takes_nothing_any_more_stops_the_acting_and_not_the_looking(place):
    with place.agent() as agent:
        running(agent)
        agent._agent.writer._committer.conflict("two writers with one anchor")
        pid = kill(agent)
        until(lambda: agent.status()["safe_mode"], what="safe mode")
        status = agent.status()
        assert not status["log"]["sealing"]
        assert "two writers" in status["log"]["because"]
        time.sleep(0.5)  # time is the subject: long enough for a restart
        assert until(lambda: agent.status()["targets"][0]["health"]) == "failed"
        with pytest.raises(RefusedError, match="nothing can be sealed"):
            agent.ask("resume-healing")
    assert [one["action"] for one in place.entries("intent")] == ["start"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_full_disk_stops_the_acting_and_sealing_comes_back_with_room(place):
    with place.agent() as agent:
        running(agent)
        store, writer = agent._agent.writer._store, agent._agent.writer
        real, left = store.append, [0]

        def append(row, signature):
            if left[0] >= 0 and not writer.full:
                raise DiskFull("no space left on the device")
            real(row, signature)

        store.append = append
        kill(agent)
        until(lambda: agent.status()["safe_mode"], what="safe mode")
        assert "disk is full" in agent.status()["safe_mode"]
        left[0] = -1
        until(lambda: agent.status()["log"]["sealing"], patience=15, what="sealing")
        before = len(place.entries("intent"))
        agent.ask("resume-healing")
        # By the rule, or by the agent that brings up what is declared: whichever comes first.
        until(lambda: len(place.entries("intent")) > before, what="the healing")


def test_tampering_far_back_is_found_at_the_first_check_and_stops_the_healing(place):
    with place.agent() as agent:
        for number in range(40):
            agent.log_event("user.noise", {"number": number})
    _flip(place.state / "audit.db", "height = 3")
    with place.agent() as agent:
        until(lambda: agent.status()["safe_mode"], what="the check")
        status = agent.status()
        assert "does not verify" in status["safe_mode"]
        assert not status["log"]["verified"]
        assert status["self"]["self.log_verified"] == 0.0


def test_an_untouched_log_is_said_to_be_verified_only_once_it_was(place):
    with place.agent() as agent:
        assert not agent.status()["log"]["verified"] or agent.status()["log"]["verified_age"] is not None
        assert agent.verify()["verified"]
        status = agent.status()["log"]
        assert status["verified"]
        agent._agent.duties.checked = _aged(agent._agent.duties.checked)
        assert not agent.status()["log"]["verified"]


def _aged(checked):
    import dataclasses

    return dataclasses.replace(checked, at=checked.at - 1e6)


# Events ---------------------------------------------------------------------------------------------------------


def test_an_event_of_ones_own_is_sealed_and_its_number_returned(place):
    with place.agent() as agent:
        number = int(agent.log_event("user.login", {"userId": 7, "load": 0.5, "name": "\udcff", "deep": [[{}]]}))
    entry = next(one for one in place.entries("event") if one["seq"] == number)
    assert entry["type"] == "user.login"
    assert "userId" in str(entry["data"])


def test_topics_the_configuration_wants_are_sealed_and_others_are_not(place):
    with place.agent(audit={"events": ["service.*"]}) as agent:
        agent.ask("event", topic="service.deployed", data={"version": "1.2"})
        agent.ask("event", topic="user.login", data={})
        agent._await(agent._agent.record.flush())
    assert [(one["type"], one["data"]) for one in place.entries("event")] == [("service.deployed", {"version": "1.2"})]


@pytest.mark.parametrize("data", [[1, 2], "text", 5])
def test_data_that_make_no_sense_are_refused_and_the_agent_lives(place, data):
    with place.agent(programs=[]) as agent:
        with pytest.raises(RefusedError):
            agent.ask("event", topic="user.x", data=data)
        assert agent.status()["state"] == "running"


def test_secrets_are_neither_sealed_nor_told_nor_shown(place):
    secret = place.folder / "token"
    secret.write_text("hunter22-hunter22\n")
    secret.chmod(0o600)
    notify = {"hook": {"kind": "webhook", "url": "http://127.0.0.1:9/", "headers": {"x": {"file": str(secret)}}}}
    heard = []
    with place.agent(notify=notify) as agent:
        agent.on("user.*", lambda topic, data: heard.append(data))
        agent.log_event("user.said", {"text": "my token is hunter22-hunter22", "password": "short"})
        agent.ask("maintenance-add", "program:p", **{"for": 60, "reason": "try hunter22-hunter22"})
        shown = str(agent.status())
    assert "hunter22-hunter22" not in str(place.entries())
    assert "hunter22-hunter22" not in str(heard)
    assert "hunter22-hunter22" not in shown
    (entry,) = place.entries("event")
    assert entry["data"] == {"text": "my token is [redacted]", "password": "[redacted]"}


# Profiles -------------------------------------------------------------------------------------------------------


def test_under_maintenance_it_looks_and_records_and_does_nothing(place):
    kept = [SLEEPER | {"on_stop": "keep"}]
    with place.agent(programs=kept) as agent:
        pid = int(running(agent))
    with place.agent(profile="maintenance") as agent:
        running(agent)
        os.kill(pid, signal.SIGKILL)
        until(lambda: place.entries("withheld"), what="the gate's word")
        assert agent.status()["targets"][0]["health"] == "failed"
        flush(agent)
        assert agent._await(agent._agent.history.samples("program.up", 0.0))
    assert place.entries("withheld")[-1]["because"].startswith("mode is observe (profile maintenance)")
    assert [one["action"] for one in place.entries("intent")] == ["start"]


@pytest.mark.parametrize(("priority", "acts"), [("high", False), ("critical", True)])
def test_under_economy_only_critical_rules_act_and_looks_are_fewer(place, priority, acts):
    place.rules(HEALS.replace("why:", f"priority: {priority}\n    why:"))
    with place.agent(profile="economy") as agent:
        assert agent._agent.poll._due._factor == 4.0
        kill(agent)
        if acts:
            healed(place)
        else:
            until(lambda: place.entries("withheld"), what="the gate's word")
            assert "economy" in place.entries("withheld")[-1]["because"]


def test_the_core_profile_heals_and_keeps_no_history_and_does_not_reflect(place):
    with place.agent(profile="core") as agent:
        kill(agent)
        healed(place)
        assert agent._agent.history is None
        assert "own reflection" not in agent._agent.chores.calendar.names()
        flush(agent)
        assert agent._await(agent._agent._kept.samples("program.up", 0.0)) == []
        assert agent._await(agent._agent._kept.incidents()) == []


def test_a_full_profile_reflects_by_itself(place):
    heard = []
    with place.agent(reflect={"every": "1s"}) as agent:
        agent.on("agent.reflected", lambda topic, data: heard.append(data))
        until(lambda: heard, what="a reflection")
        flush(agent)
        assert agent._await(agent._agent.history.samples("program.up", 0.0))


# Harmony --------------------------------------------------------------------------------------------------------

BALANCES = """\
version: 1
rules:
  - id: balance
    why: a cure for the whole
    target: program:p
    tags: [balancing]
    trigger: manual
    when: program.up{target} == 1
    then: [{notify: {channel: journal, message: balancing}}]
    mode: auto
"""


def test_rebalancing_opens_the_balancing_rules_and_only_when_asked(place):
    place.rules(BALANCES)
    with place.agent() as agent:
        running(agent)
        until(lambda: agent._agent.core.instances["balance@program:p"].truth.value == "true", what="the condition")
        assert not [one for one in place.entries("intent") if one["rule"] == "balance"]
        answer = agent.rebalance()
        assert answer["answer"] == "balancing rules evaluated, 1 incidents opened"
        until(lambda: [one for one in place.entries("intent") if one["rule"] == "balance"], what="the remedy")


def test_low_harmony_warns_and_balances_by_itself(place):
    place.rules(BALANCES)
    heard = []
    bad = {"weight": 9, "value": 'program.up{target="program:p"}', "healthy": 2, "critical": 1.5}
    config = {
        "harmony": {"every": "1s", "warn": 99, "balance": 98, "recovered": 99},
        "organs": {"heart": {"weight": 20, "vitals": {"worry": bad}}},
    }
    with place.agent(**config) as agent:
        agent.on("harmony.*", lambda topic, data: heard.append(topic))
        until(lambda: [one for one in place.entries("intent") if one["rule"] == "balance"], what="the remedy")
    assert heard == ["harmony.warning", "harmony.balancing"]
