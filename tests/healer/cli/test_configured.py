import os

import pytest

from healer import shipped
from healer.cli import configured


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("healer.config.load.SYSTEM", tmp_path / "etc" / "organism.yaml")


def test_where_nobody_wrote_a_configuration_that_is_said_with_what_is_done_instead(tmp_path, monkeypatch):
    said = configured.said(None, instead="checked the shipped rules")
    assert said == f"no organism.yaml here or in {tmp_path / 'etc'}: checked the shipped rules"
    monkeypatch.setenv("HEALER_CONFIG", "elsewhere.yaml")
    assert configured.said(None, instead="") == "configuration: elsewhere.yaml"
    monkeypatch.delenv("HEALER_CONFIG")
    (tmp_path / "organism.yaml").touch()
    assert configured.said(None, instead="") == "configuration: organism.yaml"
    assert configured.said(shipped.path("organism.yaml"), instead="").startswith("configuration: ")


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("rules: {files: [a.yaml, b/*.yaml]}\nmod: auto\n", ("a.yaml", "b/*.yaml")),
        ("rules: {files: a.yaml, default_mode: bogus}\n", ("a.yaml",)),
        ("rules: {files: {a: 1}}\n", None),
        ("rules: {}\n", None),
        ("rules: [1]\n", None),
        ("[1]\n", None),
        ("rules: {files: [a.yaml\n", None),
        ("", None),
    ],
)
def test_rule_files_are_known_as_far_as_a_broken_configuration_says_them(tmp_path, text, files):
    (tmp_path / "o.yaml").write_text(text)
    rules = configured.named(tmp_path / "o.yaml")
    assert (rules and rules.files) == files
    assert rules is None or rules.base == tmp_path
    assert configured.named(tmp_path / "missing.yaml") is None


def test_variables_change_which_files_are_meant(tmp_path, monkeypatch):
    (tmp_path / "o.yaml").write_text("mod: auto\nrules: {files: [a.yaml]}\n")
    monkeypatch.setitem(os.environ, "HEALER_RULES__FILES", "[b.yaml]")
    rules = configured.named(tmp_path / "o.yaml")
    assert rules is not None
    assert rules.files == ("b.yaml",)
