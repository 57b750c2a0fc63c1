"""Evidence is kept under its own hash, bounded, and holds no environment."""

import hashlib
import json
import os

import pytest

from healer.actions import capture
from healer.actions.capture import Capture
from healer.clock import SystemClock
from healer.errors import ActionError


async def test_a_living_program_leaves_output_facts_and_a_hash(programs, order, tmp_path):
    generation = await programs.start("api", intent="canary-intent")
    done = await Capture(programs, SystemClock(), tmp_path).act(order(generation=generation))
    path = tmp_path / done.facts["file"]
    content = path.read_bytes()
    told = json.loads(content)
    assert hashlib.sha256(content).hexdigest() == done.facts["sha256"] == path.stem
    assert told["program"]["generation"] == generation
    assert "sleep" in told["process"]["status"]
    assert set(told["process"]["fds"]) == {"0", "1", "2"}
    assert "cpu" in told["host"]["pressure"]
    assert "HEALER_HOME" not in content.decode()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_a_dead_one_leaves_what_the_agent_remembers(programs, order, tmp_path):
    done = await Capture(programs, SystemClock(), tmp_path).act(order())
    told = json.loads((tmp_path / done.facts["file"]).read_bytes())
    assert told["program"]["pid"] is None
    assert told["process"] == {}


async def test_evidence_is_never_larger_than_asked_for(programs, order, tmp_path):
    generation = await programs.start("api")
    done = await Capture(programs, SystemClock(), tmp_path).act(order({"max_size": 2000}, generation=generation))
    assert done.facts["size"] <= 2000
    assert json.loads((tmp_path / done.facts["file"]).read_bytes())["left_out"] == ["host", "process"]


def test_the_oldest_evidence_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr(capture, "_TOTAL", 25)
    names = []
    for age in range(4):
        names.append(capture.keep(tmp_path / "e", bytes([65 + age]) * 10))
        os.utime(tmp_path / "e" / names[-1], (age, age))
    assert {path.name for path in (tmp_path / "e").iterdir()} == set(names[2:])


def test_a_link_in_the_place_of_the_new_file_is_not_followed(tmp_path):
    folder = tmp_path / "e"
    folder.mkdir()
    (tmp_path / "victim").write_text("mine")
    (folder / f".{hashlib.sha256(b'x').hexdigest()}.json.new").symlink_to(tmp_path / "victim")
    with pytest.raises(ActionError, match="cannot keep"):
        capture.keep(folder, b"x")
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_dry_run_is_a_sentence(order, tmp_path):
    action = Capture(None, SystemClock(), tmp_path)
    assert action.would(order()) == "would keep evidence of program:api"
