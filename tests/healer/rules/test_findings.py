import pytest

from healer.config import load_config
from healer.rules.load import load
from healer.rules.review import findings

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


def found(tmp_path, *rules, settings=CONFIG):
    text = "version: 1\nrules:\n" + "".join(f"  - {{id: r{n}, {rule}}}\n" for n, rule in enumerate(rules))
    (tmp_path / "f.yaml").write_text(text)
    return [f"{one.rule}: {one.what}" for one in findings(load([tmp_path / "f.yaml"]), settings)]


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
            'each: {kind: tcp}, when: "http.ok{target} == 0", then: [{restart: {}, verify: {when: "harmony > 5"}}]',
            "'restart' cannot touch a tcp",
        ),
        (
            'trigger: {event: "a.*", own: true}, when: harmony < 50, then: [{publish: a.b}]',
            "it wakes itself: it publishes 'a.b'",
        ),
        (
            'trigger: {all_within: {events: [x, "a.*"], within: 1m}, own: true}, when: 1 < 2, then: [{publish: a.b}]',
            "it wakes itself: it publishes 'a.b'",
        ),
    ],
)
def test_each_trap_is_found(tmp_path, rule, what):
    assert any(what in line for line in found(tmp_path, rule)), found(tmp_path, rule)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("when: harmony < 5, then: [{run: [/x], verify: {when: harmony > 5}, target: 'program:no'}]", "program:no is"),
        (f"{ONE}, when: {DOWN}, then: [{{if: harmony < 5, then: [{{restart: {{}}}}]}}]", "'restart' without verify"),
        (f"{ONE}, when: {DOWN}, on_fire: [{{notify: gone}}], then: [{{restart: {{}}, {PROVED}}}]", "no channel 'gone'"),
    ],
)  # fmt: skip
def test_nested_steps_are_looked_at_too(tmp_path, rule, what):
    assert any(what in line for line in found(tmp_path, rule)), found(tmp_path, rule)


@pytest.mark.parametrize(
    ("trouble", "well", "weak"),
    [
        ("program.memory{target} > 600MiB", "program.memory{target} < 700MiB", True),
        ("program.memory{target} > 600MiB", 'program.memory{target="program:api"} < 700MiB', True),
        ("program.memory{target} > 600MiB", "program.memory{target} < 700MiB and program.up{target} == 1", True),
        ("program.memory{target} > 600MiB", "program.memory{target} <= 600MiB", False),
        ("program.memory{target} > 600MiB", "program.memory{target} < 500MiB", False),
        ("program.memory{target} > 600MiB", "program.up{target} == 1", False),
        ("program.memory{target} > 600MiB or program.up{target} == 0", "program.up{target} == 1", False),
        ("program.up{target} == 1 and program.memory{target} > 600MiB", "program.up{target} == 1", True),
    ],
)
def test_a_verify_that_holds_in_the_middle_of_the_trouble_is_found(tmp_path, trouble, well, weak):
    rule = f"target: 'program:api', when: '{trouble}', then: [{{restart: {{}}, verify: {{when: '{well}'}}}}]"
    assert any("can be verified while its trouble lasts" in line for line in found(tmp_path, rule)) is weak


def test_a_disruptive_rule_tells_somebody_where_there_is_somebody_to_tell(tmp_path):
    told = "nobody is told when its cures have failed"
    hook = {"notify": {"oncall": {"kind": "webhook", "url": "http://127.0.0.1/"}}}
    settings = load_config({"programs": [{"name": "api", "command": ["true"]}], **hook}, environ={})
    said = found(tmp_path, FINE, settings=settings)
    assert [line for line in said if told in line] == [f"r0: {told}: that only goes to the journal"]
    loud = FINE + ", on_exhausted: {notify: oncall}"
    steps = FINE.replace("then: [", "then: [{notify: oncall}, ")
    quiet = f"{ONE}, when: {DOWN}, then: [{{notify: journal}}]"
    assert not [
        line for rule in (loud, steps, quiet) for line in found(tmp_path, rule, settings=settings) if told in line
    ]
    assert not [line for line in found(tmp_path, FINE) if told in line]


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
                "trigger: {event: a, own: true}, when: harmony < 50, then: [{publish: b}]",
                "trigger: {event: b, own: true}, when: harmony < 40, then: [{publish: a}]",
            ),
            "a loop: r0 publishes 'b', which wakes r1; r1 publishes 'a', which wakes it again",
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
            'trigger: {event: "x.*", own: true}, when: harmony < 50, then: [{publish: a.b}]',
            # What the agent itself says is heard by those only that ask for it.
            'trigger: {event: "q.*"}, when: harmony < 40, then: [{publish: q.b}]',
        )
        == []
    )
