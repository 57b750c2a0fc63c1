"""The verifier's own memory."""

from pathlib import Path

from audit.checkpoint import Anchor
from audit.memory import Memory

HEAD = Anchor(origin="web/1", height=3, count=9, head="a" * 64, key="b" * 64, sealed=5)


def test_a_head_is_remembered_per_log(tmp_path):
    memory = Memory(tmp_path / "deep" / "memory")
    assert memory.recall("web/1") is None
    memory.remember(HEAD)
    assert memory.recall("web/1") == HEAD
    assert memory.recall("web/2") is None
    assert memory.path("../../etc/passwd").parent == memory.folder


def test_it_lives_in_the_users_state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Memory.default().folder == tmp_path / "healer-audit"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Memory.default().folder == tmp_path / ".local" / "state" / "healer-audit"
    assert isinstance(Memory.default().folder, Path)
