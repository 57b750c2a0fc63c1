import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("coverage_floors.py")


@pytest.fixture
def floors():
    spec = importlib.util.spec_from_file_location("coverage_floors", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["coverage_floors"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["coverage_floors"]


def file(lines, branches):
    counted = dict(zip(("num_statements", "covered_lines"), lines, strict=True))
    return {"summary": counted | dict(zip(("num_branches", "covered_branches"), branches, strict=True))}


def answer(floors, monkeypatch, files):
    said = subprocess.CompletedProcess([], 0, stdout=json.dumps({"files": files}))
    monkeypatch.setattr(floors.subprocess, "run", lambda *_, **__: said)
    return floors.main()


def test_a_room_where_mistakes_do_harm_has_the_higher_floor(floors):
    assert floors.room_of("healer/gates/limit.py") == ("healer/gates", 95.0)
    assert floors.room_of("healer/core.py") == ("healer/core", 95.0)
    assert floors.room_of("healer/runtime/dispatch.py") == ("healer/runtime/dispatch", 95.0)
    assert floors.room_of("audit/verifier.py") == ("audit", 95.0)
    assert floors.room_of("healer/runtime/loop.py") == ("the rest", 85.0)


def test_branches_nobody_took_count_even_when_every_line_was_reached(floors, monkeypatch, capsys):
    assert answer(floors, monkeypatch, {"audit/verifier.py": file((100, 100), (100, 94))}) == 1
    assert "BELOW" in capsys.readouterr().out


def test_one_good_file_cannot_hide_a_bad_room(floors, monkeypatch):
    files = {"healer/cli/run.py": file((100, 100), (0, 0)), "healer/core/body.py": file((10, 9), (2, 2))}
    assert answer(floors, monkeypatch, files) == 1


def test_at_the_floor_is_enough(floors, monkeypatch):
    assert answer(floors, monkeypatch, {"audit/verifier.py": file((100, 95), (100, 95))}) == 0


def test_nothing_measured_is_not_full_coverage(floors, monkeypatch):
    assert answer(floors, monkeypatch, {}) == 1
