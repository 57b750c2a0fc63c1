import pytest

from healer.config import load_config
from healer.rules.load import load
from healer.rules.review import findings

SHOP = {"name": "shop", "command": ["true"], "organ": "heart"}
FRONT = {"kind": "http", "name": "front", "url": "http://127.0.0.1/", "organ": "heart"}
BACK = {"kind": "http", "name": "back", "url": "http://127.0.0.1:81/"}
PROVED = 'then: [{restart: {}, verify: {when: "program.up{target} == 1"}}]'
DOWN = 'target: "program:shop", when: "program.up{target} == 0"'
MEANT = 'did you mean http.ok{target="http:front"}?'


def found(tmp_path, rule, *targets):
    (tmp_path / "f.yaml").write_text(f"version: 1\nrules:\n  - {{id: r, {rule}}}\n")
    settings = load_config({"programs": [SHOP], "targets": list(targets or (FRONT,))}, environ={})
    return [f"{one.what} ({one.hint})" for one in findings(load([tmp_path / "f.yaml"]), settings)]


@pytest.mark.parametrize(
    ("asked", "what", "hint"),
    [
        ("http.ok{target} == 0", "http.ok is never seen of program:shop", MEANT),
        ('max_over(http.latency{target="program:shop"}, 5m) > 1s', "http.latency is never seen of program:shop", ""),
        ('http.ok{target="http:nope"} == 0', "http:nope is not declared", "did you mean http:front?"),
        ('tcp.ok{target="tcp:front"} == 0', "tcp:front is not declared", "declare it under targets:"),
        ("tcp.ok == 0", "tcp.ok is never seen: no target", "declare one under targets:"),
        ("tcp.ok{target} == 0", "tcp.ok is never seen of program:shop", "no tcp is declared"),
        ('target.state{target="program:shap"} == "fault"', "program:shap is not declared", "did you mean program:shop"),
        ('max(http.latency{target=~"http:x*"}) > 1s', "http.latency is never seen: no target", "http:front"),
    ],
)
def test_a_condition_about_nothing_is_found_wherever_it_stands(tmp_path, asked, what, hint):
    rules = (
        f"target: \"program:shop\", when: '{asked}', {PROVED}",
        f"{DOWN}, clear: '{asked}', {PROVED}",
        f"{DOWN}, then: [{{restart: {{}}, verify: {{when: '{asked}'}}}}]",
        f"{DOWN}, then: [{{notify: journal, only_if: '{asked}'}}]",
        f"{DOWN}, then: [{{if: '{asked}', then: [{{notify: journal}}]}}]",
        f"{DOWN}, then: [{{if: harmony < 5, then: [{{wait_for: {{when: '{asked}', timeout: 1m}}}}]}}]",
        f"target: \"program:shop\", when: {{all: [harmony < 5, {{not: '{asked}'}}]}}, {PROVED}",
    )
    for rule in rules:
        said = found(tmp_path, rule)
        assert len([line for line in said if what in line and hint in line]) == 1, (rule, said)


def test_one_selector_that_means_several_targets_is_found_and_an_aggregate_is_not(tmp_path):
    bare = f'target: "program:shop", when: "http.ok == 0", {PROVED}'
    said = found(tmp_path, bare, FRONT, BACK)
    assert any("http.ok is seen of several targets (http:front, http:back)" in line for line in said)
    assert found(tmp_path, bare) == []
    both = bare.replace("http.ok == 0", "min(http.ok) == 0 and http.ok == 0")
    assert any("http.ok is seen of several targets" in line for line in found(tmp_path, both, FRONT, BACK))
    for fine in ("min(http.ok) == 0", "max(avg_over(http.latency, 5m)) > 1s", "max(age(http.ok)) > 5m"):
        assert not [one for one in found(tmp_path, bare.replace("http.ok == 0", fine), FRONT, BACK) if "http" in one]


def test_rules_for_each_are_found_only_where_none_of_their_targets_has_it(tmp_path):
    each = "each: {CRITERIA}, when: 'http.ok{target} == 0', then: [{notify: journal}]"
    assert found(tmp_path, each.replace("CRITERIA", "kind: http")) == []
    assert found(tmp_path, each.replace("CRITERIA", "organ: heart")) == []
    assert found(tmp_path, each.replace("CRITERIA", "kind: program")) == [
        f"http.ok is never seen of program:shop ({MEANT})"
    ]
    assert found(tmp_path, each.replace("CRITERIA", "kind: process")) == [
        f"http.ok is never seen of a process ({MEANT})"
    ]


def test_what_is_there_is_not_found(tmp_path):
    for asked in ('http.ok{target="http:front"} == 0', "tcp.retransmit_ratio > 5%", 'target.state{target} == "fault"'):
        assert found(tmp_path, f"target: \"program:shop\", when: '{asked}', {PROVED}") == []
