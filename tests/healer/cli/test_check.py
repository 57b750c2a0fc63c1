import json

import pytest

from healer.cli.check import is_config

RULES = """\
version: 1
rules:
  - id: api-down
    target: program:api
    mode: auto
    when: program.up{target} == 0
    cooldown: 10m
    limits: [{max: 3, per: 1h}]
    then:
      - restart: {}
        VERIFY
"""
VERIFIED = 'verify: {when: "program.up{target} == 1", within: 30s}'
CONFIG = """\
version: 1
mode: auto
programs: [{name: api, command: [sleep, "1"], organ: heart}]
rules: {files: [rules.yaml]}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "organism.yaml").write_text(CONFIG)
    (tmp_path / "rules.yaml").write_text(RULES.replace("VERIFY", VERIFIED))
    return tmp_path


def test_a_clean_set_is_0_and_shows_the_worst_it_can_do(folder, healer):
    said = healer("check", "--config", str(folder / "organism.yaml"))
    assert said.code == 0, said.out
    assert said.out.splitlines()[1].split()[:4] == ["program:api", "restart", "3/h", "72/day"]
    assert "1 rules in 1 files, 1 targets: 0 findings" in said.err
    assert healer("check", "--config", str(folder / "organism.yaml"), "--quiet").out == ""


def test_findings_are_1_with_their_place(folder, healer):
    (folder / "rules.yaml").write_text(RULES.replace("VERIFY", ""))
    said = healer("check", "--config", str(folder / "organism.yaml"))
    assert said.code == 1
    assert "rules.yaml:10:9: api-down: 'restart' without verify" in said.out
    found = json.loads(healer("check", str(folder / "organism.yaml"), "--json").out)
    assert found["findings"][0]["rule"] == "api-down"
    assert found["rates"][0]["per_hour"] == 3


def test_every_mistake_of_configuration_and_rules_is_told_at_once(folder, healer):
    (folder / "organism.yaml").write_text(CONFIG + "mod: auto\nlimits: {concurrent: none}\n")
    (folder / "rules.yaml").write_text("version: 1\nrules: [{id: x, whn: 1}]\n")
    said = healer("check", str(folder / "organism.yaml"), str(folder / "rules.yaml"))
    assert said.code == 2
    assert "organism.yaml:5:1" in said.out
    assert "organism.yaml:6:22" in said.out
    assert "rules.yaml:2:" in said.out
    assert "Traceback" not in said.err
    assert len(json.loads(healer("check", str(folder / "organism.yaml"), "--json").out)["problems"]) >= 2


def test_rules_alone_are_checked_against_the_configuration_there_is(folder, healer, monkeypatch):
    monkeypatch.setenv("HEALER_CONFIG", str(folder / "organism.yaml"))
    assert healer("check", str(folder / "rules.yaml")).code == 0


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"[" * 5000, b"\xff\xfe", b"a: &a [*a]", b"--- a\n--- b\n"])
def test_garbage_is_told_with_its_place_and_never_a_traceback(tmp_path, healer, content):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    said = healer("check", str(path))
    assert said.code == 2
    assert "bad.yaml" in said.out
    assert "Traceback" not in said.err


def test_files_that_are_none_are_told(tmp_path, healer):
    assert healer("check", str(tmp_path / "missing.yaml")).code == 2
    assert healer("check", str(tmp_path)).code == 2


def test_what_looks_like_a_configuration_is_one(folder, tmp_path):
    assert is_config(folder / "organism.yaml")
    assert not is_config(folder / "rules.yaml")
    other = tmp_path / "x.yaml"
    other.write_text("version: 1\nrules: {files: []}\n")
    assert is_config(other)
    assert not is_config(tmp_path / "missing.yaml")


def test_witnesses_that_cannot_be_asked_and_rules_that_wait_for_them_are_findings(folder, healer):
    path = folder / "organism.yaml"
    (folder / "rules.yaml").write_text(
        RULES.replace("VERIFY", VERIFIED).replace("    then:", "    witness: before\n    then:")
    )
    said = healer("check", "--config", str(path))
    assert (said.code, said.out.count("there are none")) == (1, 1)
    roots = f"timestamps: {{url: 'http://h/', roots: {folder}/gone}}"
    path.write_text(CONFIG + f"audit: {{policy: {folder}/gone, {roots}}}\n")
    said = healer("check", "--config", str(path))
    assert said.code == 1
    for words in ("audit.policy: ", "gone is missing", "audit.timestamps: ", "No such file", "there are none"):
        assert words in said.out
    (folder / "gone").write_text("quorum none\n")
    assert "asks for nobody" in healer("check", "--config", str(path)).out


def test_two_configurations_are_one_too_many(folder, healer):
    path = str(folder / "organism.yaml")
    assert healer("check", path, path).code == 2 or healer("check", path, path).code == 0


def test_a_target_that_nothing_looks_at_is_a_finding(tmp_path, healer):
    path = tmp_path / "organism.yaml"
    path.write_text("version: 1\nrules: {files: []}\ntargets:\n  - {kind: unit, name: nginx.service}\n")
    said = healer("check", str(path))
    assert said.code == 1
    assert "unit:nginx.service: nothing looks at targets of kind unit" in said.out
    path.write_text("version: 1\nrules: {files: []}\nprograms:\n  - {name: a, command: [sleep, '1']}\n")
    assert healer("check", str(path)).code == 0
