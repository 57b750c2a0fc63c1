"""``healer replay`` as people call it."""

import json

import pytest

from healer.model.observation import Series, labels
from healer.store.kept import Sample
from healer.store.store import open_store

START = 1_790_000_000
CONFIG = {
    "version": 1,
    "rules": {"files": ["r.yaml"]},
    "programs": [{"name": "api", "organ": "heart", "command": ["sleep", "9"]}],
}
RULE = """\
version: 1
rules:
  - id: api-down
    why: it should run
    target: program:api
    when: program.up{{target}} == 0
    cooldown: {cooldown}
    then: [{{restart: {{}}, verify: {{when: "program.up{{target}} == 1", within: 1m}}}}]
"""
UP = Series("program.up", labels(target="program:api"))
FLAGS = [0.0 if number % 12 in (5, 6) else 1.0 for number in range(120)]


@pytest.fixture
def home(tmp_path):
    (tmp_path / "o.yaml").write_text(json.dumps(CONFIG))
    (tmp_path / "r.yaml").write_text(RULE.format(cooldown="1s"))
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "r.yaml").write_text(RULE.format(cooldown="10m"))
    rows = "".join(f"{START + 10 * number},{flag}\n" for number, flag in enumerate(FLAGS))
    header = 'time,"program.up{target=""program:api""}"\n'
    (tmp_path / "m.csv").write_text(header + rows)
    return tmp_path


@pytest.fixture
def replay(healer, home):
    return lambda *args: healer("--config", str(home / "o.yaml"), "replay", *map(str, args))


def test_what_the_rules_would_have_done_over_a_file(replay, home):
    said = replay("--source", home / "m.csv", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    (rule,) = found["rules"]
    assert rule["fired"] == 10
    assert rule["would"]["restart"] + rule["withheld"].get("limit", 0) >= 5
    assert found["series"] == 1


def test_people_see_a_table_and_what_nobody_can_know(replay, home):
    said = replay("--source", home / "m.csv", "--events")
    assert "api-down" in said.out
    assert "would restart: verified" in said.out
    assert "Nothing of this was done" in said.err


def test_two_sets_are_compared(replay, home):
    said = replay("--source", home / "m.csv", "--diff", home / "new")
    assert said.code == 0, said.err
    assert "fewer restart" in said.out
    same = replay("--source", home / "m.csv", "--diff", home / "r.yaml")
    assert "no difference" in same.out


def test_rules_that_only_observe_do_nothing_as_written(replay, home):
    found = json.loads(replay("--source", home / "m.csv", "--as-written", "--json").out)
    assert found["rules"][0]["would"] == {}
    assert found["rules"][0]["withheld"] == {"mode": 10}


def test_the_agents_own_history_is_replayed(replay, home, monkeypatch):
    store, _ = open_store(home / "state.db")
    store.record(
        [Sample(metric=UP.metric, labels=UP.labels, at=START + 10.0 * n, value=flag) for n, flag in enumerate(FLAGS)]
    )
    store.close()
    found = json.loads(replay("--from", f"@{START}", "--to", f"@{START + 1200}", "--json").out)
    assert found["rules"][0]["fired"] == 10
    part = json.loads(replay("--from", f"@{START}", "--to", f"@{START + 300}", "--json").out)
    assert 0 < part["rules"][0]["fired"] < 10


def test_without_a_history_it_says_what_to_type(replay):
    said = replay()
    assert said.code == 2
    assert "there is no history" in said.err


def test_a_time_nothing_was_recorded_in_is_told(replay, home):
    said = replay("--source", home / "m.csv", "--from", "2001-01-01", "--to", "2001-01-02")
    assert said.code == 2
    assert "nothing was recorded" in said.err


def test_rules_that_do_not_load_are_told_with_their_place(replay, home):
    (home / "new" / "r.yaml").write_text("version: 1\nrules:\n  - id: x\n    when: cpu.used >\n")
    said = replay("--source", home / "m.csv", "--diff", home / "new")
    assert said.code == 2
    assert "r.yaml:" in said.err


def test_a_file_is_replayed_whole_whatever_its_clock_says(replay, home):
    later = (home / "m.csv").read_text().replace(str(START)[:3], "399")
    (home / "later.csv").write_text(later)
    found = json.loads(replay("--source", home / "later.csv", "--json").out)
    assert found["rules"][0]["fired"] == 10


def test_a_file_without_a_series_of_ours_says_what_it_left_out(replay, home):
    (home / "other.csv").write_text("time,node_load1\n1790000000,1\n1790000010,1\n")
    said = replay("--source", home / "other.csv", "--events")
    assert "left out: node_load1" in said.out
