"""The stage waits for what the log says, and says why it waited in vain."""

import os
import signal
import subprocess

import pytest

from audit.writer import Writer
from healer.demo.stage import Stage
from healer.demo.victims import VICTIMS
from healer.errors import HealerError

DIES, _, LEAKS = VICTIMS


class Agent:
    """A double of a running agent that sees one target, and does nothing."""

    def __init__(self, pid=0, health="healthy"):
        self.generation, self.health = f"{pid}.1" if pid else "", health
        self.incidents = []
        self.asked = []

    def status(self):
        target = {"id": DIES.target, "generation": self.generation, "health": self.health}
        leaks = target | {"id": LEAKS.target}
        return {
            "targets": [target, leaks],
            "incidents": self.incidents,
            "intents": [],
            "log": {"height": 0},
        }

    def on(self, topic, callback):
        return lambda: None

    def ask(self, verb, subject="agent", **args):
        self.asked.append((verb, subject))
        return {"because": "m-1"}


@pytest.fixture
def state(tmp_path):
    writer = Writer.open(tmp_path, node="n")
    said = {"v": 1, "kind": "heartbeat", "ts": 1, "mono": 1, "boot": "b", "node": "n"}
    writer.submit([said]).result()
    writer.close()
    return tmp_path


@pytest.fixture
def sleeper():
    child = subprocess.Popen(["sleep", "60"])
    yield child
    child.kill()
    child.wait()


def stage(agent, state):
    return Stage(agent, state, patience=0.2)


def test_an_agent_that_sees_everything_well_is_ready(state):
    stage(Agent(), state).ready()


def test_what_is_ill_is_named_when_it_does_not_come_up(state):
    with pytest.raises(HealerError, match="did not all come up") as told:
        stage(Agent(health="unknown"), state).ready()
    assert told.value.hint == "program:dies is unknown; program:leaks is unknown"


def test_an_open_incident_is_not_ready_and_its_reason_is_told(state):
    agent = Agent()
    agent.incidents = [{"id": "r@program:dies", "because": "saturation: io pressure is 100%"}]
    with pytest.raises(HealerError) as told:
        stage(agent, state).ready()
    assert told.value.hint == "r@program:dies: saturation: io pressure is 100%"


def test_a_victim_that_nobody_heals_is_not_said_to_be_healed(state, sleeper):
    with pytest.raises(HealerError, match="program:dies was killed, and not healed within"):
        stage(Agent(sleeper.pid), state).heal(DIES)
    assert sleeper.wait() == -signal.SIGKILL


def test_a_victim_that_does_not_hear_its_blow_yet_is_not_struck(state, sleeper):
    with pytest.raises(HealerError, match="cannot be broken"):
        stage(Agent(sleeper.pid), state).heal(LEAKS)
    assert sleeper.poll() is None, "SIGUSR1 would have killed it, and nothing would have leaked"


def test_a_victim_that_does_not_run_cannot_be_broken(state):
    with pytest.raises(HealerError, match="does not run"):
        stage(Agent(), state).heal(DIES)


def test_nothing_withheld_is_not_said_to_be_withheld(state, sleeper):
    agent = Agent(sleeper.pid)
    with pytest.raises(HealerError, match="nothing was withheld"):
        stage(agent, state).withheld_in_maintenance(DIES)
    assert agent.asked == [("maintenance-add", DIES.target)]
    with pytest.raises(HealerError, match="did not want anything"):
        stage(agent, state).withheld_on_trial()


def test_a_log_that_cannot_be_read_is_told(state, sleeper):
    play = stage(Agent(sleeper.pid), state)
    os.truncate(state / "audit.db", 4096)
    with pytest.raises(HealerError, match="the log cannot be read"):
        play.withheld_on_trial()
