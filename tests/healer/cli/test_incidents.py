import json
import time

from healer.cli.incidents import when
from healer.history import History


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
    from healer.store.store import IncidentRecord

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
