import functools
import json

import pytest


def test_seven_organs_harmony_and_its_deductions_are_on_one_screen(agent, healer):
    said = healer("status")
    assert said.code == 0
    assert "harmony 100 of 100" in said.out
    for organ in ("brain", "heart", "lungs", "stomach", "muscles", "immune", "nervous"):
        assert f"\n{organ} " in said.out
    assert "program:api" in said.out
    assert "log: block 3, 7 entries, head abababababababab; L2 verified 5.0 s ago (no witnesses)\n" in said.out


def test_the_same_facts_as_json(agent, healer):
    found = json.loads(healer("status", "--json").out)
    assert len(found["organs"]) == 7
    assert found["targets"][0]["id"] == "program:api"


def test_what_keeps_it_from_healing_is_said_first(agent, healer):
    agent.see("program.up", 0, "program:api")
    agent.force("safe_mode", "on", "too many sick")
    agent.force("kill_switch", "on")
    agent.ask("maintenance-add", "program:api", {"for": 600.0, "reason": "upgrade"})
    agent.core.desk.move("breaker:restart@program:api", "closed", "open", "5 failures")
    agent.log |= {"sealing": False, "because": "no room", "verified": False, "verified_summary": "not verified yet"}
    out = healer("status").out
    for word in ("kill switch is on", "safe mode: too many sick", "upgrade (10 min left)", "breaker of restart"):
        assert f"! {word}" in out or word in out
    assert "mode: " in out  # the gate that withholds the open incident
    assert "NOT verified: not verified yet" in out
    assert "SEALING FAILED: no room" in out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "(no witnesses); witnessed up to block 8 2.0 s ago\n"),
        ({"reached": False, "because": "b sleeps"}, "witnessed up to block 8 2.0 s ago; NOT witnessed now: b sleeps"),
        ({"age": None}, "witnessed up to block 8\n"),
        ({"height": None, "age": None, "reached": False}, "; NOT witnessed now: nobody can be asked"),
        ({"dated": {"age": 5.0, "because": ""}}, "dated 5.0 s ago"),
        ({"dated": {"age": None, "because": "no tsa"}}, "NOT dated: no tsa"),
        ({"contradictions": [{"witness": "b", "because": "it has 9"}]}, "CONTRADICTED by witness b: it has 9"),
    ],
)
def test_how_far_others_vouch_for_the_log_is_shown(agent, healer, change, says):
    agent.log["witnessed"] = {
        "height": 8, "age": 2.0, "reached": True, "because": "", "dated": None, "contradictions": [], **change,
    }  # fmt: skip
    assert says in healer("status").out


def test_a_log_without_a_block_and_anchors_that_fail_are_told_on_its_line(agent, healer):
    agent.log |= {"height": None, "entries": 0, "head": "", "level": "L4", "level_because": ""}
    agent.log["anchor_problems"] = ["no route to /mnt/anchor"]
    assert (
        "log: no block, 0 entries, head ; L4 verified 5.0 s ago; ANCHOR NOT WRITTEN: no route" in healer("status").out
    )


def test_what_is_unknown_is_shown_as_unknown(agent, healer):
    assert "brain    unknown" in healer("status").out


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda agent: None, 0, "OK"),
        (lambda agent: agent.force("safe_mode", "on", "x"), 1, "WARNING"),
        (lambda agent: agent.log.update(sealing=False, because="a|b"), 2, "CRITICAL"),
    ],
)
def test_monitoring_systems_get_one_line_with_figures_and_their_own_exit_codes(agent, healer, change, code, word):
    change(agent)
    said = healer("status", "--nagios")
    assert said.code == code
    assert said.out.startswith(f"HEALER {word} - harmony 100")
    assert said.out.count("\n") == 1
    text, _, figures = said.out.partition(" | ")
    assert figures.startswith("harmony=100.0;80:;60:;0;100 failed=0")
    assert "|" not in text


def with_harmony(agent, value):
    return type(agent).status(agent) | {"harmony": value}


def test_low_and_unknown_harmony_are_told_to_monitoring_systems(agent, healer):
    for value, code, word in ((70.0, 1, "WARNING"), (50.0, 2, "CRITICAL"), (None, 3, "UNKNOWN")):
        agent.status = functools.partial(with_harmony, agent, value)
        said = healer("status", "--nagios")
        assert said.code == code
        assert f"HEALER {word}" in said.out


def test_no_agent_is_critical_to_monitoring_systems(healer):
    said = healer("status", "--nagios")
    assert said.code == 2
    assert said.out.startswith("HEALER CRITICAL - no agent runs here")
