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
    assert "1 rule in 1 file, 1 target: 0 findings" in said.err
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


def test_mistakes_of_the_rules_are_told_while_their_configuration_has_some(folder, healer):
    (folder / "organism.yaml").write_text(CONFIG + "mod: auto\n")
    (folder / "rules.yaml").write_text("version: 1\nrules: [{id: x, whn: 1}]\n")
    said = healer("check", str(folder / "organism.yaml"))
    assert said.code == 2
    assert "organism.yaml:5:1" in said.out
    assert "rules.yaml:2:" in said.out


def test_a_folder_means_the_configuration_in_it(folder, healer, tmp_path):
    said = healer("check", str(folder))
    assert said.code == 0
    assert f"configuration: {folder / 'organism.yaml'}\n" in said.err
    (tmp_path / "empty").mkdir()
    said = healer("check", str(tmp_path / "empty"))
    assert (said.code, "empty/organism.yaml" in said.out) == (2, True)


def test_where_there_is_no_configuration_it_says_what_it_checked_instead(tmp_path, healer, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("healer.config.load.SYSTEM", tmp_path / "etc" / "organism.yaml")
    assert f"no organism.yaml here or in {tmp_path}/etc: checked the shipped rules" in healer("check", "--json").err
    (tmp_path / "r.yaml").write_text("version: 1\nrules: []\n")
    assert "checked against the shipped one" in healer("check", "r.yaml").err
    assert "the tests of the shipped rules are run" in healer("test", "--run", "nothing").err


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


def test_a_plugin_that_was_left_out_is_a_finding(tmp_path, healer):
    plugin = tmp_path / "lamp.py"
    plugin.write_text("raise ValueError('half written')")
    plugin.chmod(0o644)
    path = tmp_path / "organism.yaml"
    path.write_text(f"version: 1\nrules: {{files: []}}\nplugins: [{plugin}]\n")
    said = healer("check", str(path))
    assert said.code == 1
    assert f"{plugin} is left out: ValueError: half written" in said.out
    path.write_text("version: 1\nrules: {files: []}\n")
    assert healer("check", str(path)).code == 0


def test_more_than_the_operators_ceiling_is_refused_by_rule_and_place(folder, healer):
    config = str(folder / "organism.yaml")
    for fine in ("3/h", "restart=72/d", "stop=0/h"):
        assert healer("check", config, "--max-rate", fine).code == 0
    said = healer("check", config, "--max-rate", "2/h", "--max-rate", "restart=9/d")
    assert said.code == 1
    lines = [line for line in said.out.splitlines() if "could restart" in line]
    assert "rules.yaml:3:5: api-down: could restart program:api 3 times an hour: more than 2/h" in lines[0]
    assert "could restart program:api 72 times a day: more than restart=9/d" in lines[1]
    assert "2 above a ceiling" in said.err
    assert len(json.loads(healer("check", config, "--max-rate", "2/h", "--json").out)["exceeded"]) == 1


@pytest.mark.parametrize("rate", ["5", "5/m", "/h", "-1/h", "restart=", "9999999/h", "5/h/h"])
def test_what_is_no_rate_is_told(folder, healer, rate):
    said = healer("check", str(folder / "organism.yaml"), "--max-rate", rate)
    assert said.code == 2
    assert "is not a rate" in said.err


def test_a_ceiling_in_the_configuration_counts_too(folder, healer):
    path = folder / "organism.yaml"
    path.write_text(CONFIG + "limits: {max_rate: [2/h, stop=1/d]}\n")
    assert healer("check", str(path)).code == 1
    path.write_text(CONFIG + "limits: {max_rate: 3/h}\n")
    assert healer("check", str(path)).code == 0
    path.write_text(CONFIG + "limits: {max_rate: 3/x}\n")
    said = healer("check", str(path))
    assert (said.code, "organism.yaml:5:20: '3/x' is not a rate" in said.out) == (2, True)


def test_bounds_are_derived_line_by_line(folder, healer):
    said = healer("check", str(folder / "organism.yaml"), "--explain-bounds")
    lines = [line.split() for line in said.out.splitlines()]
    assert said.out.startswith("program:api: restart at most 3 an hour, 72 a day\n")
    assert ["api-down", "3/h", "72/day", "limits:", "3", "per", "1h"] in lines
    assert any(line[:3] == ["together", "3/h", "72/day"] and line[-4:] == ["<-", "h", "and", "day"] for line in lines)
    assert lines[-1][:3] == ["host", "60/h", "1440/day"]
    told = json.loads(healer("check", str(folder / "organism.yaml"), "--explain-bounds", "--json").out)
    assert told["rates"][0]["because"][-1] == {
        "of": "host", "because": "actions_per_hour: 60", "per_hour": 60, "per_day": 1440,
    }  # fmt: skip


def test_findings_stand_file_by_file_and_targets_that_are_alike_in_one_line(folder, healer):
    text = RULES.replace("VERIFY", "").replace("target: program:api", "each: {kind: program}")
    (folder / "rules.yaml").write_text(text)
    (folder / "more.yaml").write_text(text.replace("api-down", "other"))
    (folder / "organism.yaml").write_text(
        CONFIG.replace("[{name: api,", '[{name: "a1", command: [sleep, "1"]}, {name: api,').replace(
            "[rules.yaml]", "['*s.yaml', more.yaml]"
        )
    )
    said = healer("check", str(folder / "organism.yaml"))
    blocks = said.out.split("\n\n")
    assert len(blocks) == 2
    assert all("rules.yaml" in line for line in blocks[0].splitlines())
    assert "program:a1 and 1 more  restart  3/h" in said.out
