import json
import xml.etree.ElementTree as ET

import pytest

RULES = """\
version: 1
rules:
  - id: api-down
    target: program:api
    when: program.up{target} == 0
    for: 10s
    then: [{notify: {message: down}}]
"""
TESTS = """\
version: 1
rule_files: ../r.yaml
interval: 5s
default_mode: auto
targets: [{kind: program, name: api}]
tests:
  - name: it fires
    series: [{series: 'program.up{target="program:api"}', values: '1x2 0x6'}]
    expect: {at: 40s, rule: api-down, target: "program:api", action: notify, times: TIMES}
  - name: it is left alone
    series: [{series: 'program.up{target="program:api"}', values: '1x2 stale _x3 1'}]
    expect: {at: 30s, rule: api-down, target: "program:api", none: true}
"""


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "r.yaml").write_text(RULES)
    path = tmp_path / "tests" / "t.yaml"
    path.write_text(TESTS.replace("TIMES", "1"))
    return path


def test_expectations_that_hold_are_0(suite, healer):
    said = healer("test", str(suite))
    assert (said.code, said.out) == (0, "")
    assert "2 tests with 2 expectations in 1 file: 0 failed" in said.err


def test_one_that_does_not_hold_is_1_and_says_where_and_what_was_found(suite, healer):
    suite.write_text(TESTS.replace("TIMES", "2"))
    said = healer("test", str(suite))
    assert said.code == 1
    assert "t.yaml:9:" in said.out
    assert "it fires: api-down on program:api at 40 s: found state" in said.out
    assert "decided notify" in said.out
    assert "expected action: notify, 2 times" in said.out
    found = json.loads(healer("test", str(suite), "--json").out)
    assert [one["ok"] for one in found["expectations"]] == [False, True]
    assert found["expectations"][0]["rows"][0]["expected"] == "notify, 2 times"
    assert found["coverage"] is None


def test_a_failure_shows_the_truth_tree_with_ages_and_every_gates_answer(suite, healer):
    suite.write_text(TESTS.replace("TIMES", "2"))
    said = healer("test", str(suite)).out.splitlines()
    assert any(text.strip().startswith('✓ program.up{target="program:api"} == 0: true') for text in said)
    assert any('program.up{target="program:api"}: 0, ' in text and text.endswith(" ago") for text in said)
    assert any(text.strip().startswith("✓ mode") for text in said)
    assert any(text.strip().startswith("✓ approval") for text in said)


def test_expected_and_found_stand_side_by_side(suite, healer):
    suite.write_text(TESTS.replace("TIMES", "2"))
    said = healer("test", str(suite), "--diff").out
    assert "≠ action: notify, 2 times  action: notify" in said


def test_the_story_of_a_test_has_its_seconds(suite, healer):
    said = healer("test", str(suite), "--debug", "--run", "fires")
    assert said.code == 0
    assert "it fires: as expected" in said.out
    assert "      25.0 s  decided notify of program:api for api-down, step 1" in said.out
    assert "left alone" not in said.out


def test_a_name_can_be_chosen_and_nothing_to_run_is_no_success(suite, healer):
    suite.write_text(TESTS.replace("TIMES", "2"))
    assert healer("test", str(suite), "--run", "left alone").code == 0
    assert healer("test", str(suite), "--run", "nothing").code == 2
    assert healer("test", str(suite), "--run", "(").code == 2


def test_what_no_test_covers_is_told(suite, healer):
    said = healer("test", str(suite), "--coverage")
    assert said.code == 1
    assert "api-down: no test withholds it" in said.out
    assert "coverage 80.0 %: 1 rules, 0 of them in every respect" in said.out
    assert healer("test", str(suite), "--coverage-threshold", "80").code == 0
    assert healer("test", str(suite), "--coverage-threshold", "80.1").code == 1
    assert healer("test", str(suite), "--coverage-threshold", "101").code == 2
    found = json.loads(healer("test", str(suite), "--coverage", "--json").out)
    assert found["coverage"]["share"] == 80.0


def test_ci_systems_get_their_report(suite, healer, tmp_path):
    suite.write_text(TESTS.replace("TIMES", "2").replace("it fires", 'it "fires" & <more>'))
    report = tmp_path / "junit.xml"
    healer("test", str(suite), "--junit", str(report))
    found = ET.parse(report).getroot()  # written by us
    assert found[0].get("failures") == "1"
    assert "<more>" in found[0][0].get("name", "")
    said = healer("test", str(suite), "--junit", str(tmp_path / "no" / "such" / "folder.xml"))
    assert said.code == 2
    assert "cannot write" in said.err


def test_files_that_cannot_be_used_are_2_with_every_mistake(suite, healer):
    suite.write_text(TESTS.replace("expect:", "expct:"))
    said = healer("test", str(suite))
    assert said.code == 2
    assert "t.yaml:" in said.err
    (suite.parent.parent / "r.yaml").write_text("version: 1\nrules: [{}]\n")
    assert healer("test", str(suite)).code == 2


def test_a_mistake_in_the_last_file_is_told_before_the_first_is_played(suite, healer, tmp_path):
    text = TESTS.replace("rule: api-down", "rule: api-dawn").replace("../r", "r").replace("TIMES", "1")
    (tmp_path / "u.yaml").write_text(text)
    said = healer("test", str(suite), str(tmp_path / "u.yaml"))
    assert (said.code, said.out) == (2, "")
    assert "did you mean 'api-down'?" in said.err


def test_without_files_the_tests_beside_the_configured_rules_are_run(suite, healer, tmp_path):
    config = tmp_path / "organism.yaml"
    config.write_text("version: 1\nrules: {files: [r.yaml]}\n")
    said = healer("test", "--config", str(config))
    assert (said.code, said.err.splitlines()[0]) == (0, f"configuration: {config}")
