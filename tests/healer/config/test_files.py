from pathlib import Path

import pytest

from healer import shipped
from healer.config.files import rule_files
from healer.config.values import Rules
from healer.errors import ConfigError


def names(base, *patterns):
    return [path.name for path in rule_files(Rules(files=patterns, base=base))]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.yaml", "a.yaml", "c.yml", ".hidden.yaml", "a.yaml~", "d.yaml.rpmsave", "notes.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "e.yaml").mkdir()
    return tmp_path


def test_files_come_in_lexical_order_and_once(folder):
    assert names(folder, "*.yaml") == ["a.yaml", "b.yaml"]
    assert names(folder, "b.yaml", "*.yaml", str(folder / "*.y*ml")) == ["b.yaml", "a.yaml", "c.yml"]


def test_a_pattern_that_matches_nothing_is_not_the_wish_for_no_rules(folder):
    with pytest.raises(ConfigError, match="nothing matches"):
        names(folder, "rules.d/*.yaml", "none*.yaml")
    assert names(folder) == []


def test_a_file_named_outright_is_left_to_its_reader(folder):
    assert rule_files(Rules(files=("missing.yaml",), base=folder)) == (folder / "missing.yaml",)


def test_without_a_word_the_shipped_rules_are_meant():
    assert rule_files(Rules(base=Path("/nowhere"))) == tuple(sorted(shipped.path("rules").glob("*.yaml")))


def test_the_shipped_rules_can_stand_beside_ones_own(tmp_path):
    (tmp_path / "own.yaml").write_text("")
    found = rule_files(Rules(files=("shipped", "own.yaml"), base=tmp_path))
    assert found[-1] == tmp_path / "own.yaml"
    assert found[:-1] == rule_files(Rules(files=None))
