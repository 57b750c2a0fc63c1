import pytest

from healer.errors import ConfigError
from healer.model.mode import Mode
from healer.rules.load import load as load_rules
from healer.rules.suite import check, load_suite

GOOD = """\
version: 1
rule_files: [../web.yaml, ../db.yaml]
interval: 5s
targets:
  - {kind: program, name: api, groups: [web], labels: {tier: x}}
tests:
  - name: it fires
    series:
      - {series: 'program.up{target="program:api"}', values: '1x2 0x3'}
    at: 20s
    expect:
      - {rule: died, target: "program:api", action: restart, times: 1}
      - {at: 5s, rule: died, target: "program:api", none: true}
  - name: it is withheld
    interval: 10s
    default_mode: auto
    maintenance: true
    outcome: failed
    targets: [{kind: container, name: c}]
    series:
      - {series: 'container.state{target="container:c"}', values: 'running "exited"x3'}
    expect: {at: 1m, rule: died, withheld: maintenance, because: under}
"""
RULE = """\
version: 1
rules:
  - {id: died, target: "program:api", when: "program.up{target} == 0", then: [{restart: {}}]}
"""
AT = "    at: 20s\n"


def load(tmp_path, text):
    (tmp_path / "tests").mkdir(exist_ok=True)
    for name in ("web.yaml", "db.yaml"):
        (tmp_path / name).write_text(RULE)
    (tmp_path / "tests" / "t.yaml").write_text(text)
    return load_suite(tmp_path / "tests" / "t.yaml")


def test_a_file_of_tests_is_read(tmp_path):
    suite = load(tmp_path, GOOD)
    assert [path.resolve() for path in suite.rule_files] == [tmp_path / "web.yaml", tmp_path / "db.yaml"]
    first, second = suite.cases
    assert (first.interval, first.default_mode, first.targets[0].id) == (5.0, Mode.OBSERVE, "program:api")
    assert first.targets[0].labels == (("tier", "x"),)
    assert [(one.at, one.action, one.times, one.none) for one in first.expect] == [
        (20.0, "restart", 1, False),
        (5.0, "", None, True),
    ]
    assert (second.interval, second.default_mode, second.targets[0].id) == (10.0, Mode.AUTO, "container:c")
    assert (second.maintenance, second.outcome, second.expect[0].withheld) == (True, "failed", "maintenance")
    assert second.lines[0].values == ("running", *["exited"] * 4)
    assert second.position.line == 14


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("1x2 0x3", "1x2 O", ":9:67: 'O' is not a value"),
        ("program.up{", "program.upp{", ":9:19: unknown metric 'program.upp'"),
        ('{target="program:api"}\'', "'", "without its label target"),
        ('"exited"x3', "exitd", ":21:68: container.state is never 'exitd' (did you mean 'exited'?)"),
        ("action: restart", "action: restat", "did you mean 'restart'?"),
        ("withheld: maintenance", "withheld: maintenence", "did you mean 'maintenance'?"),
        ("withheld: maintenance, because: under", "none: false", "nothing is expected (write one of state, truth,"),
        ("none: true", "none: true, action: restart", "none: true beside action (one of them cannot be: remove it)"),
        ("withheld: maintenance", "state: firing", ":22:58: because without withheld"),
        ('rule: died, target: "program:api", none', 'rule: died, target: "program:apy", none', "mean 'program:api'?"),
        ("container:c", "container:x", ":21:18: no target 'container:x' here (did you mean 'container:c'?)"),
        ('{target="program:api"}', '{target="file:z"}', "(declare it: targets: of the file, or of this test)"),
        ("none: true", "none: true, times: 2", "times without action"),
        ("{at: 1m, rule", "{rule", "no moment"),
        ("interval: 5s", "interval: 5", "5 has no unit"),
        ("rule_files: [../web.yaml, ../db.yaml]", "rule_files: []", "empty list"),
        ("version: 1", "version: 3", "version 3 is not known"),
        ("    at: 20s\n", "    att: 20s\n", "did you mean 'at'?"),
        ("values: '1x2 0x3'", "valus: '1'", "'values' is missing"),
        (AT, "    start: 2026-03-29\n", "is a date to some YAML readers"),
        (AT, "    start: '2026-03-29T25:00'\n", 'is no moment (write "2026-03-29 01:30"'),
        (AT, "    start: '2026-03-29 01:00+02:00'\n", "a moment with a zone of its own"),
        (AT, "    start: '0001-01-01'\n", "the year 1 is out of bounds"),
        (AT, "    tz: Europe/Warsawa\n", "did you mean 'Europe/Warsaw'?"),
        (AT, "    happens: {at: 5s}\n", ":10:14: expected one of event, ask, jump, restart; found none"),
        (AT, "    happens: {at: 5s, ask: pause, jump: +1h}\n", "found ask and jump"),
        (AT, "    happens: {at: 5s, ask: pause, data: {}}\n", ":10:41: data goes with event (remove it"),
        (AT, "    happens: {at: 5s, pause: agent}\n", ":10:23: 'pause' is what people ask for (write ask: pause,"),
        (AT, "    happens: {at: 5s, event: 'a b'}\n", "'a b' is not a topic (dotted words, such as user.login)"),
        (
            AT,
            AT + "    happens: {at: 21s, restart: 1s}\n",
            "at 21 s the test is over (the last expectation is at 20 s)",
        ),
        ("../db.yaml", "../dc.yaml", "/dc.yaml (did you mean 'db.yaml'?)"),
        ("../db.yaml", "../../nowhere.yaml", "nowhere.yaml (the path starts at the folder of this file)"),
        ("values: '1x2 0x3'", "values: [1, 0]", "expected all values in one text, such as '1x2 0x8', found a list"),
        (
            "    series:\n      - {series",
            "    series:\n      {series",
            "expected a list, found a mapping (write - before",
        ),
        (AT, "    happens: {at: 5s, ask: paus}\n", "did you mean 'pause'?"),
        (AT, "    happens: {at: 5s, jump: 1}\n", ":10:29: expected a duration with a sign, such as +1h"),
        (AT, "    happens: {at: 5s, jump: +1x}\n", "'1x' is not a duration"),
        (AT, "    actions: {action: restart, outcome: fail}\n", "did you mean 'failed'?"),
        (AT, "    actions: {action: restart, series: [{series: 'cpu.used', values: x}]}\n", "'x' is not a value"),
    ],
)
def test_mistakes_are_told_at_their_place(tmp_path, old, new, says):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert any(says in line for line in error.value.problems), error.value.problems


def test_what_happens_and_what_comes_of_actions_is_read(tmp_path):
    text = GOOD.replace(
        AT,
        """\
    at: 20s
    start: "2026-10-25 02:30"
    tz: Europe/Warsaw
    mode: approve
    happens:
      - {at: 1s, event: user.login, data: {n: 1}, own: true}
      - {at: 2s, ask: pause, subject: program:api, args: {a: 1}, refused: true}
      - {at: 3s, jump: -1h}
      - {at: 4s, restart: 10s}
    actions:
      - {action: restart, outcome: ambiguous, takes: 3s}
      - {action: restart, target: program:api, series: [{series: 'program.up{target="program:api"}', values: '1'}]}
""",
    ).replace("action: restart, times: 1}", "truth: false, step: 2, verdict: verified, published: 'a.*', times: 0}")
    case = load(tmp_path, text).cases[0]
    assert (case.start, case.tz, case.mode) == (1792888200.0, "Europe/Warsaw", Mode.APPROVE)
    event, ask, jump, restart = case.happens
    assert (event.event, event.data, event.own) == ("user.login", {"n": 1}, True)
    assert (ask.ask, ask.subject, ask.args, ask.refused) == ("pause", "program:api", {"a": 1}, True)
    assert (jump.jump, restart.restart) == (-3600.0, 10.0)
    assert [(one.outcome, one.takes, len(one.lines)) for one in case.cures] == [("ambiguous", 3.0, 0), ("done", 0.0, 1)]
    one = case.expect[0]
    assert (one.truth, one.step, one.verdict, one.published, one.times) == ("false", 2, "verified", "a.*", 0)


def test_a_rule_that_is_not_there_is_a_mistake_at_its_place(tmp_path):
    suite = load(tmp_path, GOOD.replace("rule: died", "rule: dyed", 1))
    with pytest.raises(ConfigError) as error:
        check(suite, load_rules([tmp_path / "web.yaml"]))
    assert [line.partition("/tests/")[2] for line in error.value.problems] == [
        "t.yaml:12:9: no rule 'dyed' in rule_files (did you mean 'died'?)"
    ]


def test_a_file_of_rules_is_said_to_be_one(tmp_path):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, RULE)
    (only,) = error.value.problems
    assert ":2:1: this is a file of rules, not of tests (healer check reads it; tests name rule_files)" in only
    with pytest.raises(ConfigError, match="this is a file of configuration, not of tests"):
        load(tmp_path, "version: 1\nrules: {files: []}\n")


def test_a_missing_file_of_tests_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError) as error:
        load_suite(tmp_path / "none.yaml")
    assert len(error.value.problems) == 1
