import fcntl
import json
import os
import sqlite3

import pytest

from healer.store.kept import Sample
from healer.store.store import Store


@pytest.fixture
def state(tmp_path):
    """A store with a little history in the state folder of the commands."""
    store = Store(tmp_path / "state.db")
    store.record([Sample(metric="x.y", at=1.7e9 + at, value=1.0) for at in range(50)])
    store.close()
    return tmp_path / "state.db"


def count(path):
    store = Store(path)
    try:
        return len(store.samples("x.y", 0.0))
    finally:
        store.close()


def test_status_says_what_is_there(healer, state):
    said = healer("db", "status")
    assert said.code == 0
    assert "revision 0002" in said.out
    assert "history of 1 series" in said.out
    assert json.loads(healer("db", "status", "--json").out)["samples"][1] == 1.7e9 + 49


def test_a_copy_is_made_told_and_put_back(healer, state, tmp_path):
    said = healer("db", "backup", str(tmp_path / "mine.db"))
    assert (said.code, "proved" in said.out) == (0, True)
    assert healer("db", "backup", str(tmp_path / "mine.db")).code == 2  # never over another one
    state.write_bytes(b"garbage" * 1000)
    said = healer("db", "restore", str(tmp_path / "mine.db"), "--json")
    assert said.code == 0
    assert json.loads(said.out)["kept"].endswith("aside-1")
    assert count(state) == 50
    said = healer("db", "restore", str(tmp_path / "mine.db"))
    assert "what was there before: " in said.out
    made = json.loads(healer("db", "backup", "--json").out)
    assert made["rows"]["sample"] == 50
    assert made["path"] in healer("db", "status").out


def test_back_and_forth(healer, state):
    assert "nothing to do" in healer("db", "upgrade").out
    assert "0002 -> 0001" in healer("db", "downgrade", "0.1.0").out
    said = healer("db", "status")
    assert (said.code, "healer db upgrade" in said.err) == (1, True)
    assert json.loads(healer("db", "upgrade", "--json").out)["before"] == "0001"
    assert count(state) == 50
    assert healer("db", "downgrade", "0.0.1").code == 2


def test_a_newer_file_is_told_and_not_touched(healer, state):
    with sqlite3.connect(state) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0099'")
    raw.close()
    said = healer("db", "upgrade")
    assert (said.code, "newer healer" in said.err) == (2, True)
    assert healer("db", "status").code == 1


def test_nothing_is_replaced_under_a_running_agent_but_copied(healer, state, tmp_path):
    lock = os.open(tmp_path / "audit.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert healer("db", "backup", str(tmp_path / "mine.db")).code == 0
        for words in (["upgrade"], ["downgrade", "0001"], ["restore", str(tmp_path / "mine.db")]):
            said = healer("db", *words)
            assert (said.code, "an agent runs" in said.err) == (2, True)
    finally:
        os.close(lock)


def test_without_a_store_that_is_said(healer, tmp_path):
    for words in (["status"], ["upgrade"], ["backup"], ["restore", str(tmp_path / "no.db")]):
        said = healer("db", *words)
        assert said.code == 2
        assert "Traceback" not in said.err
