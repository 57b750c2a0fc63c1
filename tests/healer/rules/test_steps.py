import pytest

from healer.core.core import Setup
from healer.model.target import Target
from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules.conditions import Condition
from healer.rules.load import load
from healer.rules.rule import CONTROL, Approve
from healer.rules.steps import _SHAPES, Steps, definitions
from healer.testing import Scenario
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.secret import Secret
from healer.yamldoc.shape import Bad, ListOf

STEPS = Steps(VERBS, Condition(METRICS))


def read(text):
    return document.text(text, STEPS, Problems(), name="f")


def told(text):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, STEPS, problems, name="f")
    return [str(one) for one in problems.found]


def test_a_step_is_a_verb_and_how_it_is_proved():
    step = read("{restart: {grace: 3s}, timeout: 1m, verify: {when: harmony > 5, within: 20s, stable_for: 5s}}")
    assert (step.action, step.params, step.timeout) == ("restart", {"grace": 3.0}, 60.0)
    assert (step.verify.source, step.verify.within, step.verify.stable_for) == ("harmony > 5", 20.0, 5.0)
    assert str(step.position) == "f:1:2"
    assert read("{restart: {}}").timeout == 30.0


def test_a_verb_may_be_written_short():
    assert read("{wait: 5s}").params == {"for": 5.0}
    assert read("{signal: HUP}").params == {"signal": "HUP"}
    assert read("{run: [/bin/true, x]}").params["argv"] == ("/bin/true", "x")
    assert read("{notify: oncall}").params["channel"] == "oncall"


def test_an_approval_and_another_target_are_kept():
    step = read("{restart: {}, approve: {ttl: 5m, on_timeout: deny}, target: program:api}")
    assert step.approve == Approve(ttl=300.0, on_timeout="deny")
    assert step.target == "program:api"


def test_data_and_secrets_are_passed_on():
    call = read("{call: {url: 'http://x/', headers: {A: {credential: t}}, json: {a: [1]}}}")
    assert call.params["headers"] == {"A": Secret(credential="t")}
    assert call.params["json"] == {"a": [1]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5", "expected a step"),
        ("{}", "a step without a verb"),
        ("{timeout: 5s}", "a step without a verb"),
        ("{restat: {}}", "did you mean 'restart'?"),
        ("{teleport: {group: web}}", "verbs are: restart, start"),
        ("{restart: {}, timout: 5s}", "did you mean 'timeout'?"),
        ("{restart: {}, stop: {}}", "two verbs in one step"),
        ("{restart: }", "write restart: {}"),
        ("{start: now}", "expected a mapping, found 'now'"),
        ("{start: on}", "true or false to some"),
        ("{restart: {grase: 3s}}", "did you mean 'grace'?"),
        ("{restart: 3}", "3 has no unit"),
        ("{signal: {}}", "'signal' is missing"),
        ("{signal: HUPP}", "did you mean 'HUP'?"),
        ("{run: ls -l}", "expected a list"),
        ("{run: {argv: [ls, 5]}}", 'quote it: "5"'),
        ("{restart: {}, verify: {within: 3s}}", "'when' is missing"),
        ("{restart: {}, verify: {when: harmony > 5, stable_for: 2d}}", "longer than a day"),
        ("{restart: {}, target: api}", "kind:name"),
        ("{restart: {}, approve: {on_timeout: allow}}", "one of: deny"),
    ],
)
def test_mistakes_are_told(text, says):
    assert any(says in line for line in told(text)), told(text)


def test_mistakes_in_verb_and_in_common_keys_are_told_together():
    assert len(told("{restat: {}, timeout: 5, verify: {when: harmny > 5, within: 3}}")) == 4


def test_every_shape_a_verb_declares_is_known_here():
    shapes = {param.shape for verb in VERBS.values() for param in verb.params.values()}
    assert shapes <= {*_SHAPES, "word"}


def test_the_schema_has_a_branch_for_every_verb():
    forms = STEPS.definition()["oneOf"]
    assert [next(iter(form["required"])) for form in forms] == [*VERBS, *CONTROL]
    assert STEPS.schema() == {"$ref": "#/$defs/step"}
    assert set(definitions(VERBS, METRICS)) == {"step", "rollback_step", "hook_step"}


def test_a_step_that_asks_for_a_yes_is_withheld_until_there_is_one(tmp_path):
    (tmp_path / "f.yaml").write_text(
        """\
version: 1
rules:
  - id: died
    each: {kind: program}
    when: program.up{target} == 0
    mode: auto
    then:
      - restart: {}
        approve: {ttl: 5m}
"""
    )
    target = Target(kind="program", name="api", organ="heart")
    talk = Scenario(Setup(node="n", boot="b", rules=load([tmp_path / "f.yaml"]), targets=(target,)))
    talk.see("program.up", 1.0, target="program:api")
    talk.wait(1)
    talk.see("program.up", 0.0, target="program:api", conclusive=True)
    talk.wait(5)
    assert [one.action for one in talk.acted] == ["notify"], "people are asked, and nothing else is done"
    assert [one.gate for one in talk.withheld] == ["approval"]


def test_what_would_break_when_it_runs_is_refused_and_told_right():
    assert told("{run: [sleep 1000]}")[0].endswith('(write [sleep, "1000"])')
    assert told("{run: /usr/local/bin/clean --all}")[0].endswith("(write [/usr/local/bin/clean, --all])")


def test_a_lone_verb_is_told_what_it_needs():
    assert told("restart")[0].endswith("(write restart: {})")
    problems = Problems()
    with pytest.raises(Bad):
        document.text("restart", ListOf(STEPS), problems, name="f")
    assert str(problems.found[0]).endswith("(write - restart: {})")


def test_a_lone_condition_is_told_how_it_proves():
    assert told("{restart: {}, verify: harmony > 5}")[0].endswith('(write {when: "harmony > 5", within: 30s})')
