import pytest

from healer.errors import HealerError, RefusedError
from tests.healer.app.conftest import until


def test_a_status_has_all_that_a_person_asks_first(place):
    with place.agent() as agent:
        until(lambda: agent.status()["harmony"] is not None, what="harmony")
        status = agent.status()
        figures = status["self"]
    assert status["version"]
    assert status["state"] == "running"
    assert [organ["name"] for organ in status["organs"]] == [
        "brain", "heart", "lungs", "stomach", "muscles", "immune", "nervous",
    ]  # fmt: skip
    assert status["log"]["sealing"]
    assert status["log"]["height"] >= 0
    assert status["listeners"] == [str(place.state / "healer.sock")]
    assert status["state_dir"] == str(place.state)
    assert status["degraded"] == []
    assert status["uptime"] > 0
    assert figures["self.log_size"] > 0
    assert figures["self.sensors_ok"] == 1.0
    assert figures["self.notify_failed"] == 0.0


def test_what_was_not_looked_at_yet_is_no_blind_sensor(place):
    with place.agent(programs=[]) as agent:
        shares = [agent.status()["self"]["self.sensors_ok"] for _ in range(50)]
    assert set(shares) == {1.0}


def test_a_log_that_cannot_be_measured_has_no_size(place):
    with place.agent(programs=[]) as agent:
        agent._agent.state_dir = place.folder / "gone"
        assert agent.status()["self"]["self.log_size"] is None
        agent._agent.state_dir = place.state


def test_metrics_are_told_in_the_text_format(place):
    with place.agent(programs=[]) as agent:
        text = until(lambda: agent._there(agent._agent.metrics_text).strip(), what="a metric")
    assert "healer_" in text


def test_an_unknown_request_is_refused_with_those_there_are(place):
    with place.agent(programs=[]) as agent, pytest.raises(RefusedError, match=r"one of: .*pause"):
        agent.ask("dance")


def test_a_switch_that_cannot_be_thrown_is_told_and_nothing_is_said_to_be_stopped(place):
    with place.agent(programs=[]) as agent:
        agent._agent.kill_switch.path = place.folder / "gone" / "switch"
        with pytest.raises(HealerError, match="cannot make"):
            agent.ask("stop-healing")
        agent._agent.kill_switch.path = place.state / "stop-healing"
    assert place.entries("request") == []


def test_a_rollback_that_cannot_be_accepted_is_refused(place, monkeypatch):
    from audit.errors import Poisoned

    def fails(**_):
        raise Poisoned("the disk is gone")

    with place.agent(programs=[]) as agent:
        writer = agent._agent.writer
        writer.rollback = "an old copy"
        monkeypatch.setattr(writer, "accept_rollback", fails)
        with pytest.raises(RefusedError, match="cannot be accepted: the disk is gone"):
            agent.ask("resume-healing")
        writer.rollback = ""


def test_a_history_that_fails_is_told_as_degraded(place):
    with place.agent(programs=[]) as agent:
        agent._agent._kept.trouble = "no room"
        assert agent.status()["degraded"] == ["history is not kept: no room"]
        agent._agent._kept.trouble = ""
