import json
from datetime import UTC, datetime

import pytest


def test_a_window_is_opened_listed_and_ended(agent, healer):
    said = healer("maintenance", "add", "program:api", "--for", "1h30m", "--reason", "upgrade")
    assert said.code == 0
    window = said.out.strip()
    listed = healer("maintenance", "list").out
    assert window in listed
    assert "target=program:api" in listed
    assert "90 min" in listed
    assert json.loads(healer("maintenance", "list", "--json").out)["maintenance"][0]["left"] == 5400.0
    assert healer("maintenance", "end", window).code == 0
    assert "there is no window" in healer("maintenance", "list").err
    assert healer("maintenance", "end", window).code == 1


def test_options_select_and_nothing_selects_nothing(agent, healer):
    found = json.loads(healer("maintenance", "add", "--kind", "http", "--for", "5m", "--reason", "x", "--json").out)
    assert found["selector"] == {"kind": "http"}
    everything = json.loads(healer("maintenance", "add", "--all", "--for", "5m", "--reason", "x", "--json").out)
    assert everything["selector"] == {"all": True}
    said = healer("maintenance", "add", "--for", "5m", "--reason", "x")
    assert said.code == 2
    assert "say over what" in said.err


def test_a_window_must_expire_and_have_a_reason(agent, healer):
    for args in (
        ("--reason", "x"), ("--for", "5m"), ("--for", "5", "--reason", "x"), ("--for", "soon", "--reason", "x"),
    ):  # fmt: skip
        assert healer("maintenance", "add", "program:api", *args).code == 2
    assert healer("maintenance", "add", "program:api", "--for", "30d", "--reason", "x").code == 1
    assert not agent.core.desk.memory.maintenance


def test_a_window_to_come_again_and_again_waits_for_its_hours(agent, healer):
    said = healer(
        "maintenance", "add", "--all", "--except", "http:*", "--for", "20d", "--hours", "22:00-06:00",
        "--days", "sat-sun", "--tz", "Europe/Warsaw", "--owner", "ann", "--reason", "backups", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert json.loads(said.out)["selector"] == {"all": True, "except": ["http:*"]}
    (window,) = agent.core.desk.memory.maintenance.values()
    assert window.recurrence == {"days": [5, 6], "hours": [[1320, 360]], "tz": "Europe/Warsaw"}
    assert window.owner == "ann"
    (shown,) = json.loads(healer("maintenance", "list", "--json").out)["maintenance"]
    assert shown["repeat"] == window.recurrence
    assert "22:00-06:00 sat, sun Europe/Warsaw" in healer("maintenance", "list").out


def test_a_window_may_begin_later_and_end_at_a_moment(agent, healer):
    begins = agent.clock.wall() + 3600
    moment = datetime.fromtimestamp(begins, tz=UTC).isoformat
    end = datetime.fromtimestamp(begins + 600, tz=UTC).isoformat()
    said = healer("maintenance", "add", "program:api", "--from", moment(), "--until", end, "--reason", "x")
    assert said.code == 0, said.err
    assert "from 2" in healer("maintenance", "list").out
    assert "maintenance" not in healer("status").out
    (window,) = agent.core.desk.memory.maintenance.values()
    assert round((window.until_us - window.from_us) / 1e6) == 600


@pytest.mark.parametrize(
    "args",
    [
        ("--from", "tomorrow", "--for", "1h"), ("--for", "1h", "--until", "2030-01-01"),
        ("--label", "x", "--for", "1h"), ("--label", "a=1", "--label", "a=2", "--for", "1h"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_a_usage_error(agent, healer, args):
    assert healer("maintenance", "add", "program:api", "--reason", "x", *args).code == 2
    assert not agent.core.desk.memory.maintenance


def test_an_early_end_has_its_reason(agent, healer):
    window = healer("maintenance", "add", "program:api", "--for", "1h", "--reason", "x").out.strip()
    assert healer("maintenance", "end", window, "--because", "done").code == 0
    assert [one.data["reason"] for one in agent.bus.ring if one.topic == "maintenance.ended"] == ["done"]


def test_a_target_there_is_not_is_told_the_nearest(agent, healer):
    said = healer("maintenance", "add", "program:apii", "--for", "5m", "--reason", "x")
    assert said.code == 1
    assert "there is no target 'program:apii'" in said.err
    assert "did you mean 'program:api'?" in said.err


def test_a_time_without_a_unit_is_told_the_units(agent, healer):
    said = healer("maintenance", "add", "program:api", "--for", "2", "--reason", "x")
    assert "'2' is not a duration" in said.err
    assert "units are" in said.err
