import json
import time

from healer.cli.incidents import when
from healer.history import History
from healer.store.kept import IncidentRecord
from healer.store.store import Store


def test_open_incidents_are_listed_with_the_gate_that_withholds(agent, healer):
    agent.see("program.up", 0, "program:api")
    said = healer("incidents")
    assert "api-down" in said.out
    assert "firing" in said.out
    assert "mode: " in said.out
    assert json.loads(healer("incidents", "--json").out)["incidents"][0]["withheld"] == ["mode"]


def test_none_open_is_said_beside_the_data(agent, healer):
    said = healer("incidents")
    assert (said.code, said.out, said.err) == (0, "", "no incident is open\n")


def test_past_ones_come_from_the_store(agent, healer, tmp_path):
    agent.history = History(tmp_path / "state.db", linger=0.0)
    agent.history.start()
    agent.history.save_incident(
        IncidentRecord(
            incident="r@a:b", opened=agent.clock.wall(), rule="r", target="a:b", phase="inactive", verdict="verified"
        )
    )
    agent.history.flush()
    try:
        said = healer("incidents", "--since", "1d")
        assert "verified" in said.out
        assert healer("incidents", "--since", "yesterday").code == 2
    finally:
        agent.history.close()


def test_moments_are_told_in_the_readers_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Etc/GMT-2")
    time.tzset()
    try:
        assert when(0.0) == "1970-01-01 02:00:00"
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_an_agent_that_does_not_run_left_what_it_kept(healer, tmp_path):
    assert healer("incidents").code == 2  # there is nothing of it
    store = Store(tmp_path / "state.db")
    now = time.time()
    over = {"opened": now - 3000, "closed": now - 2400, "phase": "inactive", "verdict": "verified", "actions": 1}
    store.save_incident(IncidentRecord(incident="r@a:b", rule="r", target="a:b", **over))
    store.save_incident(IncidentRecord(incident="r@a:c", rule="r", target="a:c", opened=now - 99, phase="firing"))
    store.close()
    said = healer("incidents", "--since", "1d")
    assert (said.code, "no agent runs" in said.err) == (0, True)
    assert said.out.splitlines()[1].split()[2:5] == ["r", "a:c", "firing"]
    assert "10 min" in said.out.splitlines()[2]
    assert len(json.loads(healer("incidents", "--since", "5m", "--json").out)["past"]) == 1
    assert healer("incidents", "--since", "yesterday").code == 2
