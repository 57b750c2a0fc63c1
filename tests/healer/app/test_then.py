"""How things stood at a moment that is past."""

import json

import pytest

from audit.writer import Writer
from healer.app.then import explained
from healer.config import load_config
from healer.errors import HealerError
from healer.model.observation import labels
from healer.record import recall
from healer.store.kept import Sample
from healer.store.store import open_store

START = 1_790_000_000.0
RULE = """\
version: 1
rules:
  - id: api-down
    why: it should run
    target: program:api
    when: program.up{target} == 0
    cooldown: 5m
    mode: auto
    then: [{restart: {}, verify: {when: "program.up{target} == 1", within: 1m}}]
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "r.yaml").write_text(RULE)
    config = {
        "version": 1,
        "rules": {"files": ["r.yaml"]},
        "programs": [{"name": "api", "organ": "heart", "command": ["x"]}],
    }
    (tmp_path / "o.yaml").write_text(json.dumps(config))
    state = tmp_path / "s"
    state.mkdir()
    store, _ = open_store(state / "state.db")
    flags = [1.0] * 30 + [0.0] * 3 + [1.0] * 60
    store.record(
        Sample(metric="program.up", labels=labels(target="program:api"), at=START + 10 * number, value=flag)
        for number, flag in enumerate(flags)
    )
    store.close()
    Writer.open(state, node="n").close()
    return load_config(tmp_path / "o.yaml", environ={}), state


def test_values_and_ages_are_those_that_were_kept(home):
    (bad,) = explained(*home, "api-down", "", START + 315)
    assert bad["truth"] == "true"
    assert bad["tree"]["children"][0]["value"] == "0"
    assert bad["tree"]["children"][0]["age"] == pytest.approx(5.0)
    (good,) = explained(*home, "api-down", "program:api", START + 415)
    assert good["truth"] == "false"
    assert good["flip"]["changes"][0]["what"].startswith("program.up")


def test_the_gates_answer_by_what_was_sealed_until_then(home, monkeypatch):
    seen = []

    def remembered(folder, snapshot, archives, *, until):
        memory, count = recall(folder, snapshot, archives, until=until)
        seen.append(until)
        memory.kill_switch = until > START + 400
        return memory, count

    monkeypatch.setattr("healer.app.then.recall", remembered)
    early, late = (explained(*home, "api-down", "", at)[0] for at in (START + 315, START + 415))
    closed = [[gate["gate"] for gate in one["gates"] if not gate["ok"]] for one in (early, late)]
    assert "kill_switch" not in closed[0]
    assert "kill_switch" in closed[1]
    assert seen == [START + 315, START + 415]


def test_a_time_before_all_history_is_told(home):
    with pytest.raises(HealerError, match="knows nothing of then"):
        explained(*home, "api-down", "", START + 1_000_000)


def test_a_rule_there_is_not_has_no_explanation(home):
    assert explained(*home, "none", "", START + 415) == []
