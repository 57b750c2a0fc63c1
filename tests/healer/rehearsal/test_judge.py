import pytest

TWO = """\
version: 1
rules:
  - id: down
    each: {kind: program}
    when: program.up{target} == 0
    then: [{restart: {}}]
"""


@pytest.mark.parametrize(
    ("expect", "because"),
    [
        ("state: firing", "state acting; decided restart; withheld by nothing"),
        ("truth: false", "state acting; decided restart; withheld by nothing; truth true"),
        ("step: 2", "state acting; decided restart; withheld by nothing; step 1"),
        ("action: notify", "state acting; decided restart; withheld by nothing"),
        ("{action: restart, times: 2}", "state acting; decided restart; withheld by nothing"),
        ("withheld: cooldown", "state acting; decided restart; withheld by nothing"),
        ("none: true", "state acting; decided restart; withheld by nothing"),
        ("verdict: verified", "state acting; decided restart; withheld by nothing"),
    ],
)
def test_what_is_not_so_is_told_with_what_is(play, expect, because):
    keys = expect.strip("{}")
    (one,) = play(f"""
        actions: {{action: restart, takes: 19s}}
        expect: {{at: 30s, rule: down, target: program:api, {keys}}}
    """).checked
    assert one.because == because
    assert not one.ok
    assert one.explanation[0]["rule"] == "down"
    assert one.explanation[0]["tree"]["source"] == 'program.up{target="program:api"} == 0'
    assert {gate["gate"] for gate in one.explanation[0]["gates"]} >= {"mode", "cooldown", "approval"}


def test_a_topic_that_nobody_heard_is_told_with_those_heard(play):
    (one,) = play("expect: {at: 30s, rule: down, target: program:api, published: user.login}").checked
    assert "published" in one.because
    assert "incident.firing" in one.because


def test_what_holds_has_no_reason_and_no_explanation(play):
    (one,) = play("expect: {at: 5s, rule: down, target: program:api, none: true, truth: false}").checked
    assert (one.ok, one.because, one.explanation) == (True, "", ())
    assert [row.ok for row in one.rows] == [True, True]


def test_the_reason_of_a_gate_is_part_of_what_is_expected(found):
    keys = "maintenance: true\nexpect: {{at: 40s, rule: down, target: program:api, withheld: maintenance, because: {}}}"
    assert found(keys.format("maint")) == [""]
    (because,) = found(keys.format("on holiday"))
    assert "withheld by maintenance" in because


def test_a_rule_that_is_about_other_targets_is_said_to_be(found):
    def said(expect, rules=TWO):
        targets = "targets: [{kind: program, name: api}, {kind: program, name: two}, {kind: file, name: f}]"
        return found(f"{targets}\nexpect: {{at: 5s, rule: down, {expect}}}", rules=rules)[0]

    assert said("none: true") == "down is bound to 2 targets here: name one with target:"
    assert said("target: file:f, none: true") == ""
    assert said("target: file:f, state: firing") == "down is not bound to file:f here, but to program:api, program:two"
    because = said("action: restart", TWO.replace("program}", "unit}"))
    assert because.startswith("down is not bound to a target here, nor to any other")


def test_what_was_withheld_after_it_was_done_once_was_not_only_withheld(found):
    keys = "outcome: failed\nexpect: {{at: 32s, rule: down, target: program:api, {} withheld: backoff}}"
    assert found(keys.format("action: restart,")) == [""]
    (because,) = found(keys.format(""))
    assert because.startswith("state firing; decided restart, restart; withheld by backoff")
