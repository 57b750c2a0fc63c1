import json
import re

from healer.cli.explain import lines, tree


def test_the_truth_the_gates_and_what_is_missing_are_shown(agent, healer):
    agent.see("program.up", 0, "program:api")
    said = healer("explain", "api-down", "program:api")
    assert said.code == 0
    assert "api-down on program:api: firing (r.yaml:1:1)" in said.out
    assert '✓ program.up{target="program:api"} == 0: true' in said.out
    assert "✗ mode: mode is observe" in said.out
    assert "✓ kill_switch" in said.out
    assert "remedy: [restart]" in said.out
    assert "missing: withheld by mode" in said.out
    assert "smallest change that would have made it act:\n    - mode: mode is observe" in said.out


def test_the_same_facts_as_json(agent, healer):
    found = json.loads(healer("explain", "api-down", "--json").out)
    assert found["explanations"][0]["truth"] == "false"


def test_a_rule_there_is_not_is_invalid_input(agent, healer):
    said = healer("explain", "nothing")
    assert (said.code, said.out) == (2, "")
    assert "healer rules list" in said.err


def test_a_tree_is_indented_with_ages_and_reasons():
    leaf = {"source": "b", "truth": None, "value": "unknown", "age": 3.0, "because": "timed out", "children": []}
    root = {"source": "a", "truth": "unknown", "value": "", "age": None, "because": "", "children": [leaf]}
    assert list(tree(root)) == ["? a: unknown", "  · b: unknown, 3.0 s ago (timed out)"]


def test_every_target_of_a_rule_is_explained(healer, agent, make_rule):
    said = healer("explain", "front-slow")
    assert "no such series" in said.out


def test_a_gate_that_opens_by_itself_is_told_with_its_hour():
    (text,) = [line for line in lines(EXPLAINED) if "cooldown" in line]
    assert re.fullmatch(r"    - cooldown: wait \(ends \d\d:\d\d:\d\d\)", text)


EXPLAINED = {
    "rule": "r", "target": "t", "phase": "firing", "file": "f", "why": "", "for": 0, "then": [], "step": 0, "gates": [],
    "tree": {"source": "a", "truth": "true", "value": "", "age": None, "because": "", "children": []},
    "missing": "x", "flip": {"to": "act", "changes": [{"what": "cooldown: wait", "ends": 1_790_000_000.0}]},
}  # fmt: skip
