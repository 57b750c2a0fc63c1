"""The door by which everybody comes in."""

import importlib.metadata
import runpy
import sys

import pytest

from audit import cli


def test_the_installed_command_and_the_package_are_one():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="healer-audit")
    assert script.load() is cli.main


def test_python_m_audit_comes_in_by_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["audit", "verify", str(tmp_path / "none"), "--no-memory"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("audit", run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().out.startswith("NOT PROVEN: there is no log")
