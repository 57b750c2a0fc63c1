import json

from audit.clock import SystemClock
from audit.writer import Writer
from healer.model.observation import labels
from healer.store.kept import Sample
from healer.store.store import Store


def intent(number, **more):
    return {
        "v": 1, "mono": 1, "boot": "b", "node": "here", "ts": 1_700_000_000_000_000, "kind": "intent",
        "id": f"i-{number}", "corr": "r@program:api", "action": "restart", "target": "program:api", "generation": "g",
        "params": {}, "rule": "r", "rules_hash": "h", "step": 0, "attempt": 1, "actor": "rule:r", "because":
        "it is down", "evidence": [], "deadline_us": 1, "mode": "auto", "request": "", "priority": 4, **more,
    }  # fmt: skip


def seal(folder, *entries):
    with Writer.open(folder, node="here", clock=SystemClock()) as writer:
        return writer.submit(list(entries)).result()


def test_what_was_done_is_read_from_the_log_also_when_no_agent_runs(healer, tmp_path):
    leaf = seal(tmp_path, intent(1))[0].leaf
    common = {"v": 1, "mono": 2, "boot": "b", "node": "here", "ts": 2, "of": leaf, "id": "i-1", "took_us": 1500}
    seal(
        tmp_path,
        {**common, "kind": "outcome", "result": "done", "because": "ended", "generation": "g2"},
        {
            **common,
            "kind": "verdict",
            "result": "verified",
            "because": "seen",
            "harmony_before": 10,
            "harmony_after": 50,
        },
    )
    said = healer("healings")
    assert said.code == 0
    assert "no agent runs" in said.err
    row = said.out.splitlines()[1]
    for word in ("restart", "program:api", "verified", "2 ms", "+0.4", "it is down"):
        assert word in row
    assert json.loads(healer("healings", "--json", "--rule", "r").out)["healings"][0]["verdict"] == "verified"
    assert "nothing was done" in healer("healings", "--target", "http:*").err


def test_what_did_not_help_says_why_not(healer, tmp_path):
    leaf = seal(tmp_path, intent(1))[0].leaf
    common = {"v": 1, "mono": 2, "boot": "b", "node": "here", "ts": 2, "of": leaf, "id": "i-1", "took_us": 1500}
    seal(tmp_path, {**common, "kind": "outcome", "result": "stale", "because": "the world moved", "generation": ""})
    assert healer("healings").out.splitlines()[1].endswith("the world moved")


def test_with_an_agent_it_is_asked(agent, healer, tmp_path):
    seal(tmp_path, intent(1), intent(2, action="notify"))
    said = healer("healings")
    assert said.err == ""
    assert said.out.splitlines()[1].split()[-4:] == ["-", "it", "is", "down"]
    assert "open" in said.out
    assert len(healer("healings", "--all").out.splitlines()) == 3


def test_a_log_that_is_damaged_is_told(healer, tmp_path):
    (tmp_path / "audit.db").write_bytes(b"garbage" * 1000)
    said = healer("healings")
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err


def test_what_it_changed_is_told_before_and_after(healer, tmp_path):
    series = 'program.up{target="program:api"}'
    leaf = seal(tmp_path, intent(1, evidence=[{"series": series, "value": "0", "age_us": 5}]))[0].leaf
    common = {"v": 1, "mono": 2, "boot": "b", "node": "here", "of": leaf, "id": "i-1", "took_us": 1_500_000}
    ended = {"ts": 1_700_000_002_000_000, "because": "seen", "harmony_before": 6100, "harmony_after": 9800}
    seal(
        tmp_path,
        {**common, "ts": 1_700_000_001_000_000, "kind": "outcome", "result": "done", "because": "ended"},
        {**common, **ended, "kind": "verdict", "result": "verified"},
    )
    row = healer("healings", "--impact").out.splitlines()[1]
    assert "61 -> 98" in row
    assert row.endswith(f"{series} 0 -> ?")  # history was lost; what was sealed is told all the same
    store = Store(tmp_path / "state.db")
    store.record([Sample(metric="program.up", labels=labels(target="program:api"), at=1_700_000_001.5, value=1.0)])
    store.close()
    assert healer("healings", "--impact").out.splitlines()[1].endswith(f"{series} 0 -> 1")
    found = json.loads(healer("healings", "--json").out)["healings"][0]
    assert found["after"] == [{"series": series, "value": 1.0, "at": 1_700_000_001.5}]


def test_how_often_it_helped_is_told_by_rule_action_or_target(healer, agent, tmp_path):
    leaf = seal(tmp_path, intent(1))[0].leaf
    common = {"v": 1, "mono": 2, "boot": "b", "node": "here", "ts": 2, "of": leaf, "id": "i-1", "took_us": 1500}
    seal(
        tmp_path,
        {**common, "kind": "outcome", "result": "done", "because": "ended"},
        {**common, "kind": "verdict", "result": "unverified", "because": "not seen"},
    )
    said = healer("healings", "--by", "action")
    assert said.out.splitlines()[1].split() == ["restart", "1", "0", "0%", "1", "unverified"]
    assert json.loads(healer("healings", "--by", "rule", "--json").out)["summary"][0]["success"] == 0.0


def test_the_rates_are_told_without_an_agent_too(healer, tmp_path):
    seal(tmp_path, intent(1))
    assert "nothing was done" in healer("healings", "--by", "target").err
