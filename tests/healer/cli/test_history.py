import json

from healer.cli.history import labels
from healer.history import History
from healer.model.observation import Observation
from healer.model.unit import Unit


def test_samples_are_printed_and_none_is_said(agent, healer, tmp_path):
    agent.history = History(tmp_path / "state.db", linger=0.0)
    agent.history.start()
    seen = Observation(metric="cpu.used", value=0.5, unit=Unit.RATIO, at=agent.clock.now())
    agent.history.record([seen], now=agent.clock.now(), wall=agent.clock.wall())
    agent.history.flush()
    try:
        assert healer("history", "cpu.used").out.splitlines()[1].endswith("0.5")
        assert json.loads(healer("history", "cpu.used", "--json").out)["samples"][0]["value"] == 0.5
        assert "no sample of memory.used" in healer("history", "memory.used").err
        assert healer("history", "cpu.used", "--since", "tomorrow").code == 2
    finally:
        agent.history.close()


def test_an_agent_without_history_says_so(agent, healer):
    assert healer("history", "cpu.used").code == 2


def test_labels_are_shown_as_rules_write_them():
    assert labels({"target": "a:b", "x": "y"}) == 'target="a:b", x="y"'
