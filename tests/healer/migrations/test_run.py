"""Upgrades: run once, a proved copy before, and whatever dies in between leaves a file that opens."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from healer.errors import HealerError
from healer.history import History
from healer.migrations.run import downgrade, revision, upgrade, wanted
from healer.model.observation import Observation
from healer.model.unit import Unit
from healer.store import backup, schema
from healer.store.engine import NewSchemaError, OldSchemaError
from healer.store.kept import Keep, Sample
from healer.store.store import Store

FIRST = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE snapshot (id INTEGER NOT NULL PRIMARY KEY, height INTEGER NOT NULL, header VARCHAR(64) NOT NULL,
    taken FLOAT NOT NULL, body TEXT NOT NULL, digest VARCHAR(64) NOT NULL);
CREATE TABLE series (id INTEGER NOT NULL PRIMARY KEY, metric TEXT NOT NULL, labels TEXT NOT NULL);
CREATE UNIQUE INDEX series_name ON series (metric, labels);
CREATE TABLE sample (series_id INTEGER NOT NULL REFERENCES series (id), at FLOAT NOT NULL, value FLOAT, word TEXT,
    PRIMARY KEY (series_id, at)) WITHOUT ROWID;
CREATE INDEX sample_at ON sample (at);
CREATE TABLE incident (incident TEXT NOT NULL, opened FLOAT NOT NULL, rule TEXT NOT NULL, target TEXT NOT NULL,
    organ TEXT NOT NULL, phase TEXT NOT NULL, closed FLOAT, actions INTEGER NOT NULL, verdict TEXT NOT NULL,
    because TEXT NOT NULL, PRIMARY KEY (incident, opened));
CREATE INDEX incident_opened ON incident (opened);
INSERT INTO series VALUES (1, 'cpu.used', '{}'), (2, 'organ.health', '{"organ":"heart"}');
INSERT INTO sample VALUES (2, 1700000000.0, NULL, 'failed');
INSERT INTO incident VALUES ('r@t', 5.0, 'r', 't', 'heart', 'firing', NULL, 2, 'verified', 'it is down');
"""
"""A state.db as healer 0.1 made it."""
ROWS = [(1, 1.7e9 + 10 * place, place / 4, None) for place in range(2000)]
NOW = 1.7e9


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.executescript(FIRST)
        raw.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", ROWS)
    raw.close()
    return path


def all_there(path):
    store = Store(path)
    assert [(one.at, one.value) for one in store.samples("cpu.used", 0.0)] == [(at, value) for _, at, value, _ in ROWS]
    assert [one.value for one in store.samples("organ.health", 0.0)] == ["failed"]
    assert [(one.incident, one.actions, one.closed) for one in store.incidents()] == [("r@t", 2, None)]
    store.close()


def test_an_old_file_is_upgraded_with_all_it_holds_and_once(path):
    with pytest.raises(OldSchemaError):
        Store(path)
    moved = upgrade(path, now=NOW)
    assert (moved.before, moved.after, moved.copy.rows["sample"]) == ("0001", "0002", 2001)
    all_there(path)
    again = upgrade(path, now=NOW)
    assert (again.before, again.copy) == ("0002", None)
    assert len(backup.copies(path.parent / backup.FOLDER)) == 1


def test_what_was_upgraded_is_what_is_made_anew(path, tmp_path):
    upgrade(path, now=NOW)
    Store(tmp_path / "new.db").close()
    for one in (path, tmp_path / "new.db"):
        engine = create_engine(f"sqlite:///{one}")
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        engine.dispose()
    assert indexes(path) == indexes(tmp_path / "new.db")


def indexes(path):
    with sqlite3.connect(path) as raw:
        found = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name").fetchall()
    raw.close()
    return {(name, " ".join((sql or "").split())) for name, sql in found}


def test_the_way_back_and_forth_keeps_everything(path):
    upgrade(path, now=NOW)
    store = Store(path)
    list(store.upkeep(1.7e9 + 10 * 86400.0, Keep()))  # chunks, which 0.1 does not know
    store.close()
    assert downgrade(path, "0.1.7", now=NOW).after == "0001"
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
        assert raw.execute("SELECT * FROM sample WHERE series_id = 1").fetchall() == ROWS
        assert raw.execute("SELECT name FROM sqlite_master WHERE name LIKE 'chunk%'").fetchall() == []
    raw.close()
    assert downgrade(path, "0001", now=NOW).copy is None
    upgrade(path, now=NOW)
    all_there(path)


def test_a_release_means_the_tables_it_had():
    assert wanted("0.1.0") == wanted("0.1.99") == "0001"
    assert wanted("0.2.0") == wanted("2.0.10") == wanted("0.10.0") == "0002"
    assert wanted("0002") == "0002"
    for text in ("0.0.9", "yesterday", "0099"):
        with pytest.raises(HealerError):
            wanted(text)


def test_a_newer_file_is_refused_and_left_alone(path):
    upgrade(path, now=NOW)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0777'")
    raw.close()
    before = path.read_bytes()
    for work in (lambda: upgrade(path, now=NOW), lambda: downgrade(path, "0001", now=NOW), lambda: revision(path)):
        with pytest.raises(NewSchemaError, match="newer healer") as raised:
            work()
        assert "downgrade" in raised.value.hint
    history = History(path, linger=0.0)
    history.start()
    assert "newer healer" in history.trouble
    assert history.close()
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.aside-*"))


def test_without_a_copy_nothing_is_upgraded(path):
    (path.parent / backup.FOLDER).touch()
    with pytest.raises(HealerError, match="cannot copy"):
        upgrade(path, now=NOW)
    assert revision(path) == "0001"


DIES = """
import os, sys
from pathlib import Path
from healer.migrations import run
from alembic import op
die = lambda *_, **__: os.kill(os.getpid(), 9)
if sys.argv[2] == "before":
    run._move = die
else:
    op.drop_table = die  # the last thing that the step does
run.upgrade(Path(sys.argv[1]), now=1.7e9)
"""


@pytest.mark.parametrize("moment", ["before", "within"])
def test_a_kill_between_copy_and_upgrade_or_within_leaves_the_old_file_whole(path, moment):
    done = subprocess.run([sys.executable, "-c", DIES, str(path), moment], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert revision(path) == "0001"
    (copy,) = backup.copies(path.parent / backup.FOLDER)
    assert backup.prove(copy).rows["sample"] == 2001
    upgrade(path, now=NOW)
    all_there(path)


def test_the_agent_upgrades_by_itself_and_never_imports_alembic(path):
    code = (
        "import sys; from pathlib import Path; from healer.history import History\n"
        f"history = History(Path({str(path)!r})); history.start()\n"
        "assert history.trouble == '', history.trouble\n"
        "assert history.close()\n"
        "import healer.app.agent, healer.api.serve\n"
        "heavy = ('alembic', 'mako', 'sqlalchemy.orm', 'sqlalchemy.dialects.postgresql')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    all_there(path)


async def test_what_was_there_is_read_beside_what_comes(path):
    history = History(path, linger=0.0)
    history.start()
    history.record([Observation(metric="cpu.used", value=0.5, unit=Unit.RATIO, at=1.0)], now=1.0, wall=2e9)
    assert history.flush()
    assert len(await history.samples("cpu.used", 0.0)) == 2001
    assert history.set_aside == []
    assert history.close()


def test_an_upgrade_that_fails_costs_history_and_not_the_agent_and_is_not_tried_all_the_time(path, monkeypatch):
    tried, run = [], subprocess.run
    monkeypatch.setattr("healer.history.subprocess.run", lambda *args, **more: tried.append(args) or run(*args, **more))
    (path.parent / backup.FOLDER).touch()
    history = History(path, linger=0.0)
    history.start()
    assert "cannot copy" in history.trouble
    for at in (1.0, 100.0):
        history.record([Observation(metric="cpu.used", value=0.5, unit=Unit.RATIO, at=at)], now=at, wall=2e9)
        assert history.flush()
    assert (history.lost, history.written) == (2, 0)
    assert history.close()
    assert revision(path) == "0001"
    assert len(tried) == 1


def test_an_old_file_that_is_damaged_is_set_aside(path):
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA journal_mode=DELETE")
    raw.close()
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(os.urandom(4 * 4096))
    history = History(path, linger=0.0)
    history.start()
    assert len(history.set_aside) == 1
    assert path.with_name("state.db.aside-1").exists()
    assert history.close()


def test_samples_of_the_upgraded_file_are_packed_like_others(path):
    upgrade(path, now=NOW)
    store = Store(path)
    store.record([Sample(metric="cpu.used", at=1.7e9 + 86400.0, value=1.0)])
    list(store.upkeep(1.7e9 + 2 * 86400.0, Keep()))
    store.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM sample").fetchone() == (0,)
    raw.close()
