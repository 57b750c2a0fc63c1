import pytest

from healer.config import load_config
from healer.rules.bounds import findings
from healer.rules.load import load

CONFIG = load_config(
    {
        "programs": [{"name": "api", "command": ["true"]}],
        "targets": [
            {"kind": "http", "name": "deep", "url": "http://127.0.0.1/", "labels": {"check": "readiness"}},
            {"kind": "unit", "name": "nginx.service"},
        ],
    },
    environ={},
)
PROVED = 'verify: {when: "program.up{target} == 1"}'
ONE = "each: {kind: program}"
DOWN = '"program.up{target} == 0"'


def found(tmp_path, *rules):
    text = "version: 1\nrules:\n" + "".join(f"  - {{id: r{n}, {rule}}}\n" for n, rule in enumerate(rules))
    (tmp_path / "f.yaml").write_text(text)
    return [f"{one.rule}: {one.what}" for one in findings(load([tmp_path / "f.yaml"]), CONFIG)]


FINE = f"{ONE}, when: {DOWN}, then: [{{restart: {{}}, {PROVED}}}]"


def test_a_fine_rule_has_no_findings(tmp_path):
    assert found(tmp_path, FINE) == []


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (f"{ONE}, when: {DOWN}, then: [{{restart: {{}}}}]", "'restart' without verify"),
        (f"{ONE}, when: {DOWN}, cooldown: 0s, then: [{{restart: {{}}, {PROVED}}}]", "'restart' without a cooldown"),
        (f"{ONE}, when: harmony < 5, then: [{{notify: journal}}]", "never mentions {target}"),
        ("when: harmony > 100, then: [{notify: journal}]", "the condition is never true"),
        ("when: harmony >= 0, then: [{notify: journal}]", "the condition is always true"),
        ("when: harmony < 5, clear: harmony > 100, then: [{notify: journal}]", "clear is never true"),
        ("when: harmony < 5, clear: harmony < 5, then: [{notify: journal}]", "clear is the same as when"),
        ("when: harmony < 5, then: [{notify: nobody}]", "there is no channel 'nobody'"),
        ("when: harmony < 5, then: [{notify: journal}], on_exhausted: {notify: x}", "there is no channel 'x'"),
        ('target: "http:gone", when: "http.ok{target} == 0", then: [{notify: journal}]', "http:gone is not declared"),
        (f"{ONE}, when: {DOWN}, then: [{{restart: {{}}, verify: {{when: {DOWN}}}}}]", "by the very trouble"),
        (
            f'{ONE}, when: "program.uptime{{target}} < 5m", then: [{{restart: {{}}, {PROVED}}}]',
            "its own cure makes it true",
        ),
        (
            """target: "unit:nginx.service", when: 'http.ok{target="http:deep"} == 0', then: [{restart: {}}]""",
            "rests on a readiness check (http:deep)",
        ),
        (
            'each: {kind: unit}, when: "http.ok{target} == 0", then: [{restart: {}, verify: {when: "harmony > 5"}}]',
            "'restart' cannot touch a unit",
        ),
        (
            'trigger: {event: "a.*"}, when: harmony < 50, then: [{publish: a.b}]',
            "publishes 'a.b', which wakes r0",
        ),
        (
            'trigger: {all_within: {events: [x, "a.*"], within: 1m}}, when: harmony < 50, then: [{publish: a.b}]',
            "publishes 'a.b', which wakes r0",
        ),
    ],
)
def test_each_trap_is_found(tmp_path, rule, what):
    assert any(what in line for line in found(tmp_path, rule)), found(tmp_path, rule)


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ((FINE, FINE), "r1: says the same as r0"),
        ((FINE, f"{ONE}, when: {DOWN}, then: [{{notify: journal}}]"), "r1: fires exactly when r0 does"),
        (
            (FINE, f'{ONE}, when: "program.memory{{target}} > 1GiB", then: [{{stop: {{}}, {PROVED}}}]'),
            "r1: overlaps with r0 on program:api: stop against restart",
        ),
        (
            (FINE, f'{ONE}, priority: 9, when: "program.memory{{target}} > 1GiB", then: [{{stop: {{}}, {PROVED}}}]'),
            "r1: what it stops, r0 starts again",
        ),
        (
            (
                "trigger: {event: a}, when: harmony < 50, then: [{publish: b}]",
                "trigger: {event: b}, when: harmony < 40, then: [{publish: a}]",
            ),
            "which wakes r1, which wakes it again",
        ),
    ],
)
def test_rules_that_fight_are_found(tmp_path, rules, what):
    assert any(what in line for line in found(tmp_path, *rules)), found(tmp_path, *rules)


@pytest.mark.parametrize("trigger", ["manual", "{schedule: '0 3 * * *'}", "{event: a}"])
def test_what_something_else_starts_need_not_ask_anything_and_other_events_are_other_rules(tmp_path, trigger):
    always = "when: harmony >= 0, then: [{notify: journal}]"
    assert found(tmp_path, f"trigger: {trigger}, {always}", f"trigger: {{event: other}}, {always}") == []
    assert any(
        "never true" in line for line in found(tmp_path, f"trigger: {trigger}, when: harmony > 100, then: [wait: 1s]")
    )


def test_rules_that_are_switched_off_are_left_alone(tmp_path):
    assert found(tmp_path, f"enabled: false, {ONE}, when: harmony > 100, then: [{{restart: {{}}}}]") == []


def test_other_selections_other_priorities_and_single_echoes_are_no_fights(tmp_path):
    assert (
        found(
            tmp_path,
            FINE,
            'each: {kind: container}, when: "container.up{target} == 0", '
            'then: [{stop: {}, verify: {when: "container.up{target} == 1"}}]',
            'trigger: {event: "x.*"}, when: harmony < 50, then: [{publish: a.b}]',
        )
        == []
    )
