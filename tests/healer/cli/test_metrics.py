import json
from pathlib import Path

from healer.model.vocabulary import METRICS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def test_the_latest_values_are_listed_and_a_pattern_chooses(agent, healer):
    said = healer("metrics", "program.*")
    assert said.out.splitlines()[1].split()[:3] == ["program.up", 'target="program:api"', "1"]
    assert len(said.out.splitlines()) == 2
    assert json.loads(healer("metrics", "harmony", "--json").out)["metrics"][0]["value"] == 100.0


def test_without_an_agent_there_is_still_what_there_is(healer):
    said = healer("metrics")
    assert said.code == 0
    assert "values are left out" in said.err
    assert len(said.out.splitlines()) == len(METRICS) + 1
    assert len(json.loads(healer("metrics", "--list", "--json").out)["metrics"]) == len(METRICS)


def test_the_page_is_the_same(healer):
    assert healer("metrics", "--markdown").out == PAGE.read_text(encoding="utf-8")
