import pytest

from healer.app import once
from healer.errors import ConfigError

WOULD = """\
version: 1
rules:
  - id: missing
    why: it should be there
    target: file:f
    when: file.exists{target} == 0
    then: [{notify: {channel: journal, message: gone}}]
    mode: %s
  - id: later
    why: it should be there
    target: file:f
    when: file.exists{target} == 0
    for: 1h
    then: [{notify: {channel: journal, message: gone}}]
    mode: auto
"""


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(once, "APART", 0.05)


def target(place):
    return {"kind": "file", "name": "f", "organ": "stomach", "path": str(place.folder / "gone")}


async def test_what_would_be_done_is_told_and_nothing_is_touched(fresh):
    fresh.rules(WOULD % "auto")
    found = await fresh.agent(programs=[], targets=[target(fresh)]).once()
    rows = {row["rule"]: row for row in found["would"]}
    assert rows["missing"]["action"] == "notify"
    assert rows["missing"]["target"] == "file:f"
    assert "must hold for 3600 s" in rows["later"]["because"]
    assert len(found["organs"]) == 7
    assert found["harmony"] is not None
    assert found["sensors"]["file:f"] == "ok"
    assert not fresh.state.exists()


async def test_what_a_gate_would_hold_back_says_so(fresh):
    fresh.rules(WOULD % "observe")
    found = await fresh.agent(programs=[], targets=[target(fresh)]).once()
    rows = {row["rule"]: row for row in found["would"]}
    assert "but mode says no" in rows["missing"]["because"]


async def test_what_an_agent_on_this_folder_remembers_counts(place):
    place.rules(WOULD % "auto")
    with place.agent(programs=[]) as agent:
        agent.ask("pause")
    found = await place.agent(programs=[], targets=[target(place)]).once()
    rows = {row["rule"]: row for row in found["would"]}
    assert "but mode says no" in rows["missing"]["because"]


async def test_a_sensor_that_cannot_look_is_told_and_nothing_follows_from_it(fresh):
    fresh.rules(WOULD.replace("file.exists{target}", "http.ok{target}").replace("file:f", "http:h") % "auto")
    http = {"kind": "http", "name": "h", "organ": "lungs", "url": "http://127.0.0.1:9/", "timeout": "100ms"}
    found = await fresh.agent(programs=[], targets=[http]).once()
    assert found["targets"][0]["health"] in {"failed", "unknown"}


async def test_programs_are_left_to_the_agent_that_runs_them(place):
    found = await place.agent().once()
    assert found["targets"][0]["health"] == "unknown"
    assert found["would"] == []


async def test_rules_that_do_not_load_are_told(fresh):
    fresh.rules("version: 2\n")
    with pytest.raises(ConfigError, match="mistakes"):
        await fresh.agent(programs=[]).once()
