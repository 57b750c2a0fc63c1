import pytest

from healer.errors import ConfigError
from healer.gates.order import ORDER
from healer.model.mode import Mode
from healer.rules.suite import GATES, load_suite, shape

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
    targets: []
    series:
      - {series: 'container.state{target="container:c"}', values: 'running "exited"x3'}
    expect: {at: 1m, rule: died, withheld: maintenance}
"""


def load(tmp_path, text):
    (tmp_path / "tests").mkdir(exist_ok=True)
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
    assert (second.interval, second.default_mode, second.targets) == (10.0, Mode.AUTO, ())
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
        ("withheld: maintenance", "none: false", "expected one of state, action, withheld, none; found 0"),
        ("none: true", "none: true, state: firing", "found 2"),
        ("none: true", "none: true, times: 2", "times without action"),
        ("{at: 1m, rule", "{rule", "no moment"),
        ("interval: 5s", "interval: 5", "5 has no unit"),
        ("rule_files: [../web.yaml, ../db.yaml]", "rule_files: []", "empty list"),
        ("version: 1", "version: 3", "version 3 is not known"),
        ("    at: 20s\n", "    att: 20s\n", "did you mean 'at'?"),
        ("values: '1x2 0x3'", "valus: '1'", "'values' is missing"),
    ],
)
def test_mistakes_are_told_at_their_place(tmp_path, old, new, says):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert any(says in line for line in error.value.problems), error.value.problems


def test_a_missing_file_of_tests_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError) as error:
        load_suite(tmp_path / "none.yaml")
    assert len(error.value.problems) == 1


def test_the_gates_are_those_that_are_asked():
    assert tuple(name for name, _ in ORDER) == GATES


def test_the_shape_has_a_schema():
    assert shape().schema()["required"] == ["version", "rule_files", "tests"]
