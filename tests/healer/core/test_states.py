import pytest

from healer.model.target import State


@pytest.fixture
def scene(talk):
    return talk.with_rules()


def moves(scenario, target="program:api"):
    return [(one["from"], one["to"]) for one in scenario.log.of("state") if one["subject"] == f"target:{target}"]


def test_a_target_nobody_looked_at_is_unknown(scene):
    assert scene.core.state("program:api") is State.UNKNOWN


def test_what_the_looks_show_is_sealed_once_per_change(talk, scene):
    for value in (1, 1, 0, 0, None, 1):
        talk.up(scene, value)
        scene.wait(1)
    assert moves(scene) == [
        ("unknown", "running"), ("running", "stopped"), ("stopped", "unknown"), ("unknown", "running"),
    ]  # fmt: skip


def test_a_program_tells_its_own_state(talk, scene):
    talk.up(scene, 0)
    scene.see("program.state", "starting", target="program:api")
    assert scene.core.state("program:api") is State.STARTING
    scene.see("program.state", "running", target="program:api")
    assert moves(scene)[-1] == ("starting", "running")


@pytest.mark.parametrize("word", ["", "nonsense", "RUNNING", "paused\n"])
def test_a_word_that_is_no_state_is_unknown_and_ends_nothing(talk, scene, word):
    talk.up(scene, 1)
    scene.see("program.state", word, target="program:api")
    assert scene.core.state("program:api") in {State.UNKNOWN, State.RUNNING}


def test_what_would_be_no_legal_move_is_not_made(talk, scene):
    talk.up(scene, 1)
    scene.see("program.state", "running", target="program:api")
    scene.see("program.state", "initialized", target="program:api")
    assert scene.core.state("program:api") is State.RUNNING


def test_a_pause_and_a_resume_are_moves_like_any_other(talk, scene):
    talk.up(scene, 1)
    scene.ask("pause", "program:api")
    assert scene.core.state("program:api") is State.PAUSED
    talk.up(scene, 0)
    assert scene.core.state("program:api") is State.PAUSED, "what is paused is not followed"
    assert scene.ask("pause", "program:api")["because"].startswith("program:api cannot go from paused to pausing")
    scene.ask("resume", "program:api")
    assert moves(scene)[-3:] == [("paused", "resuming"), ("resuming", "unknown"), ("unknown", "stopped")]


def test_resumed_while_it_runs_it_runs(talk, scene):
    talk.up(scene, 1)
    scene.ask("pause", "program:api")
    scene.ask("resume", "program:api")
    assert moves(scene)[-2:] == [("paused", "resuming"), ("resuming", "running")]


def test_every_move_that_is_sealed_is_legal(talk, scene):
    from healer.model.target import MOVES

    for step in (1, "pause", 0, "resume", 1, None, "pause", "resume", 1, "pause", 1, "resume", 0, "pause"):
        if isinstance(step, str):
            scene.ask(step, "program:api")
        else:
            talk.up(scene, step)
        scene.wait(1)
    for old, new in moves(scene):
        assert State(new) in MOVES[State(old)] or (old, new) == ("running", "paused")


def test_a_fault_is_entered_once_and_left_by_acknowledgement_only(talk, scene):
    talk.up(scene, 1)
    scene.core.states.fault("program:api", "its remedies are exhausted")
    scene.core.states.fault("program:api", "again")
    talk.up(scene, 0)
    talk.up(scene, 1)
    assert scene.core.state("program:api") is State.FAULT
    scene.ask("ack", "program:api")
    assert scene.core.state("program:api") is State.RUNNING


def test_the_host_itself_has_no_fault(scene):
    scene.core.states.fault("host:", "no")
    assert not scene.log.of("state")


def test_rules_can_read_the_state(talk):
    scenario = talk.with_rules(talk.rule('target.state{target} == "fault"', then=()))
    talk.up(scenario, 1)
    scenario.wait(1)
    scenario.core.states.fault("program:api", "b")
    talk.up(scenario, 0)
    scenario.wait(1)
    talk.up(scenario, 1)
    assert scenario.core.instances["r@program:api"].truth.value == "true"
