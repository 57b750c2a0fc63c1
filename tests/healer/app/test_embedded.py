import threading
import time

import pytest

from healer.app import embedded
from healer.errors import ConfigError, HealerError, RefusedError
from tests.healer.app.conftest import until


def test_everything_may_be_asked_from_another_thread(place):
    heard, done = [], threading.Event()
    with place.agent(programs=[]) as agent:
        end = agent.on(
            "user.*", lambda topic, data: (heard.append((topic, threading.current_thread().name)), done.set())
        )

        def ask():
            agent.ask("event", topic="user.hello", data={"a": 1})

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(10)
        assert done.wait(5)
        end()
        agent.ask("event", topic="user.again", data={})
        assert agent.status()["state"] == "running"
        assert "score" in agent.reflect()
        assert agent.rebalance()["answer"].startswith("balancing rules evaluated")
        assert agent.reload()["rules"] == 1
    assert heard == [("user.hello", "healer")]


def test_an_event_of_ones_own_answers_with_the_number_of_its_entry(place):
    with place.agent(programs=[]) as agent:
        numbers = [int(agent.log_event("user.login", {"name": name})) for name in ("a", "b")]
    sealed = {entry["seq"]: entry["data"]["name"] for entry in place.entries("event")}
    assert [sealed[number] for number in numbers] == ["a", "b"]


def test_an_event_that_is_refused_is_raised(place):
    with place.agent(programs=[]) as agent, pytest.raises(RefusedError):
        agent.log_event("not a type")


def test_errors_of_a_start_are_raised_where_it_was_started(place):
    place.rules("version: 2\n")
    agent = place.agent()
    with pytest.raises(ConfigError), agent:
        pass
    assert agent.state.value == "fault"


def test_an_error_inside_stops_the_agent_and_goes_on(place):
    agent = place.agent(programs=[])
    with pytest.raises(ZeroDivisionError), agent:
        raise ZeroDivisionError
    assert agent.state.value == "stopped"


def test_stopping_twice_is_stopping_once_and_a_stopped_agent_says_so(place):
    with place.agent(programs=[]) as agent:
        agent.stop()
        agent.stop()
        for call in (agent.status, agent.reflect, lambda: agent.ask("pause")):
            with pytest.raises(HealerError, match="does not run"):
                call()


def test_a_start_that_takes_too_long_is_told(place, monkeypatch):
    monkeypatch.setattr(embedded, "_START", 0.0)
    agent = place.agent(programs=[])
    with pytest.raises(HealerError, match="not ready within"):
        agent.__enter__()
    agent._running.stop()


def test_a_callback_that_raises_is_dropped_and_the_agent_goes_on(place):
    calls = []
    with place.agent(programs=[]) as agent:
        agent.on("user.*", lambda topic, data: calls.append(1 / 0))
        for _ in range(2):
            agent.ask("event", topic="user.x", data={})
        assert agent.status()["state"] == "running"
    assert calls == []


def test_a_callback_may_stop_the_agent_it_listens_to(place):
    agent = place.agent(programs=[])
    with agent as live:
        live.on("user.enough", lambda topic, data: live.stop())
        live.ask("event", topic="user.enough", data={})
        until(lambda: not live._thread.is_alive(), what="the end")
    assert agent.state.value == "stopped"


def test_heartbeats_are_sealed_at_their_interval(place):
    with place.agent(programs=[], audit={"heartbeat": "1s"}) as agent:
        until(lambda: len(place.entries("heartbeat")) >= 2, what="two heartbeats")
        assert agent.status()["self"]["self.heartbeat_age"] is not None
    first, second = place.entries("heartbeat")[:2]
    assert 0.8 < (second["mono"] - first["mono"]) / 1e6 < 2.5


def test_verification_can_be_asked_for(place):
    with place.agent(programs=[]) as agent:
        began = time.monotonic()
        found = agent.verify()
        assert found["verified"]
        assert found["height"] is not None
        assert time.monotonic() - began < 10
