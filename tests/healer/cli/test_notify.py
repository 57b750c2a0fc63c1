"""A channel is proved at noon: what the server said is printed, and what was not taken is a failure."""

import json

import pytest

CHANNELS = [
    {"name": "journal", "kind": "journal", "alerts": False, "sent": 3, "failed": 0, "skipped": 0, "errors": 0,
     "skipping": False, "retry_in": 0.0, "because": "", "told": 5.0},
    {"name": "mail", "kind": "email", "alerts": True, "sent": 0, "failed": 5, "skipped": 2, "errors": 5,
     "skipping": True, "retry_in": 120.0, "because": "refused", "told": None},
]  # fmt: skip
ALERTS = [
    {"key": "target:file:x", "about": "failure", "severity": "warning", "says": "file:x is down", "age": 5.0,
     "told": ["mail"], "acked": "uid:0", "muted": False, "flapping": False},
    {"key": "organ:brain", "about": "degradation", "severity": "warning", "says": "brain is degraded", "age": 5.0,
     "told": [], "acked": "", "muted": True, "flapping": False},
    {"key": "a", "about": "sight", "severity": "warning", "says": "s", "age": 5.0, "told": [], "acked": "",
     "muted": False, "flapping": True},
]  # fmt: skip


@pytest.fixture
def told(agent, monkeypatch):
    """An agent with channels, and a way to say what becomes of a message."""
    status = agent.status
    monkeypatch.setattr(agent, "status", lambda: status() | {"channels": CHANNELS, "alerts": ALERTS})
    outcomes = {}

    def becomes(outcome, because):
        outcomes.update(outcome=outcome, because=because)

    def verdict(client, request, wait):
        assert wait > 0
        entry = next(one for one in agent.core.desk.memory.intents.values() if one.request == request)
        return {"outcome": outcomes["outcome"], "outcome_because": outcomes["because"], "id": entry.id}

    monkeypatch.setattr("healer.cli.notify.verdict", verdict)
    return becomes


def test_the_proof_is_printed(told, healer):
    told("done", "told mail: 250 queued as 7")
    said = healer("notify", "test", "mail", "--message", "hello", "--severity", "critical")
    assert (said.code, said.out) == (0, "told mail: 250 queued as 7\n")


@pytest.mark.parametrize("outcome", ["failed-transient", "skipped", "ambiguous", "stale"])
def test_what_was_not_taken_is_a_failure(told, healer, outcome):
    told(outcome, "refused")
    said = healer("notify", "test", "mail", "--json")
    assert said.code == 1
    assert json.loads(said.out) == {
        "channel": "mail",
        "delivered": False,
        "result": outcome,
        "because": "refused",
        "intent": "i-1",
    }
    assert healer("notify", "test", "mail").out == f"{outcome}: refused\n"


def test_a_channel_there_is_not_is_named_with_those_there_are(told, healer):
    said = healer("notify", "test", "mial")
    assert said.code == 2
    assert "there is no channel 'mial'" in said.err
    assert "journal, mail" in said.err


def test_under_the_kill_switch_nothing_is_sent(told, agent, healer):
    agent.force("kill_switch", "on")
    said = healer("notify", "test", "mail")
    assert said.code == 1
    assert "the kill switch is on: nothing is sent" in said.err


def test_channels_are_listed_with_what_is_wrong_with_them(told, healer):
    out = healer("notify", "list").out
    assert "mail" in out
    assert "skipped, again in 2 min: refused" in out
    assert json.loads(healer("notify", "list", "--json").out)["channels"] == CHANNELS
    assert "channel mail is skipped after 5 errors, one more try in 2 min: refused" in healer("status").out


def test_alerts_are_listed_with_who_was_told_and_who_knows(told, healer):
    out = healer("alerts").out
    for word in ("file:x is down", "known to uid:0", "muted by maintenance", "comes and goes"):
        assert word in out
    assert json.loads(healer("alerts", "--json").out)["alerts"] == ALERTS
