import csv
import io
import json
import time

import pytest

from healer.cli.history import labels
from healer.history import History
from healer.model.observation import Observation
from healer.model.observation import labels as labels_of
from healer.model.unit import Unit
from healer.store.kept import Keep, Sample
from healer.store.store import Store


def test_samples_are_printed_and_none_is_said(agent, healer, tmp_path):
    agent.history = History(tmp_path / "state.db", linger=0.0)
    agent.history.start()
    seen = Observation(metric="cpu.used", value=0.5, unit=Unit.RATIO, at=agent.clock.now())
    agent.history.record([seen], now=agent.clock.now(), wall=agent.clock.wall())
    agent.history.flush()
    try:
        assert healer("history", "cpu.used").out.splitlines()[1].endswith("0.5")
        assert json.loads(healer("history", "cpu.used", "--json").out)["samples"][0]["value"] == 0.5
        assert "no sample of memory.used" in healer("history", "memory.used").err
        assert healer("history", "cpu.used", "--since", "tomorrow").code == 2
    finally:
        agent.history.close()


def test_an_agent_without_history_says_so(agent, healer):
    assert healer("history", "cpu.used").code == 2


def test_labels_are_shown_as_rules_write_them():
    assert labels({"target": "a:b", "x": "y"}) == 'target="a:b", x="y"'


@pytest.fixture
def kept(tmp_path):
    """A day of one metric with two series, of a word, and of a label that means harm; no agent runs."""
    begin = float(int(time.time()) // 3600 * 3600 - 86400)
    store = Store(tmp_path / "state.db")
    store.record(
        Sample(metric="disk.used", labels=labels_of(mount=mount), at=begin + at, value=at / 1000)
        for at in range(0, 86400, 60)
        for mount in ("/", "/var")
    )
    store.record([Sample(metric="unit.state", labels=labels_of(name='=1,"x"\n'), at=begin, value="=cmd()")])
    list(store.upkeep(begin + 86400.0, Keep()))
    store.close()
    return begin


def test_without_an_agent_its_store_is_read(healer, kept):
    said = healer("history", "disk.used", "--since", "2d", "--json")
    found = json.loads(said.out)
    assert (said.code, found["step"], len(found["lines"])) == (0, 900.0, 2)
    assert sum(one["count"] for one in found["lines"][0]["buckets"]) == 1440
    said = healer("history", "disk.used", "--since", "2d", "--step", "6h", "--label", "mount=/var")
    assert said.out.splitlines()[0].split() == ["WHEN", "LABELS", "MIN", "MEAN", "MAX", "LAST", "COUNT"]
    assert 'mount="/var"' in said.out
    assert 'mount="/"' not in said.out


def test_moments_bound_what_is_told(healer, kept):
    words = ("history", "disk.used", "--step", "raw", "--json", "--from", f"@{kept:.0f}")
    found = json.loads(healer(*words, "--to", f"@{kept + 600:.0f}").out)
    assert [one["at"] - kept for one in found["samples"][::2]] == [60.0 * place for place in range(11)]
    assert healer(*words, "--to", f"@{kept - 600:.0f}").code == 2
    assert healer(*words, "--to", "whenever").code == 2


def test_pages_make_one_answer_and_the_rest_is_told(healer, kept, monkeypatch):
    monkeypatch.setattr("healer.store.asked.MOST", 100)
    words = ("history", "disk.used", "--step", "raw", "--since", "2d", "--json")
    found = json.loads(healer(*words, "--limit", "100000").out)
    assert len(found["samples"]) == 2880
    assert len({(one["at"], one["labels"]["mount"]) for one in found["samples"]}) == 2880
    said = healer(*words, "--limit", "250")
    assert len(json.loads(said.out)["samples"]) in {250, 251, 252}  # a moment is told whole
    assert "there is more" in said.err


def test_csv_is_in_utc_and_holds_no_formula(healer, kept):
    said = healer("history", "unit.state", "--since", "2d", "--csv", "--step", "raw")
    (head, row) = csv.reader(io.StringIO(said.out))
    assert head == ["at", "labels", "value"]
    assert row[0].endswith("Z")
    assert row[2] == "'=cmd()"
    said = healer("history", "disk.used", "--since", "2d", "--csv", "--step", "1h")
    assert said.out.splitlines()[0] == "at,labels,min,mean,max,last,count"
    assert len(said.out.splitlines()) == 49


@pytest.mark.parametrize(
    "words", [("--since", "1y"), ("--step", "often"), ("--label", "mount"), ("--limit", "0"), ("--from", "1e99")]
)
def test_words_that_mean_nothing_are_refused(healer, kept, words):
    said = healer("history", "disk.used", *words)
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err


def test_too_fine_a_step_is_refused_with_what_to_do(healer, kept):
    said = healer("history", "disk.used", "--since", "2d", "--step", "1s")
    assert (said.code, "a longer step" in said.err) == (2, True)


def test_with_an_agent_the_same_is_told(agent, healer, tmp_path):
    agent.history = History(tmp_path / "state.db", linger=0.0, resolution=0.0)
    agent.history.start()
    for at in range(0, 1000, 10):
        seen = Observation(metric="cpu.used", value=at / 1000, unit=Unit.RATIO, at=agent.clock.now() - at)
        agent.history.record([seen], now=agent.clock.now(), wall=agent.clock.wall())
    agent.history.flush()
    try:
        found = json.loads(healer("history", "cpu.used", "--step", "5m", "--json").out)
        assert sum(one["count"] for one in found["lines"][0]["buckets"]) == 100
        assert (
            json.loads(healer("history", "cpu.used", "--label", "a=b", "--label", "c=d", "--json").out)["samples"] == []
        )
        assert healer("history", "cpu.used", "--since", "365d", "--step", "1s").code == 2
    finally:
        agent.history.close()


def test_a_series_may_be_named_as_rules_name_it(healer, kept):
    words = ("--since", "2d", "--step", "6h")
    said = healer("history", 'disk.used{mount="/var"}', *words)
    assert said.code == 0
    assert said.out == healer("history", "disk.used", "--label", "mount=/var", *words).out
    for odd in ("disk.used{mount", "disk.used{mount=~'/*'}", "unit.state{target}", "max(disk.used{mount='/'})"):
        assert healer("history", odd, *words).code == 2


def test_a_metric_that_nobody_knows_is_told_the_nearest(healer, kept):
    assert "did you mean program.up?" in healer("history", "program.upp").err
    assert "did you mean" not in healer("history", "program.up").err
