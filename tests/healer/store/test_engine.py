"""How a store's file is opened, and what is said of one that is not ours, or not of this release."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.exc import OperationalError

from healer.errors import HealerError
from healer.store import engine, schema
from healer.store.engine import DamagedError, NewSchemaError, OldSchemaError


def made(path):
    with engine.writing(path).begin() as connection:
        engine.prepare(connection, path)
    return path


def test_a_new_file_gets_the_tables_of_this_release_and_is_taken_again(tmp_path):
    path = made(tmp_path / "s.db")
    with engine.writing(path).begin() as connection:
        engine.prepare(connection, path)
        assert engine.revision_of(connection, path) == schema.REVISION


def test_an_empty_file_has_no_revision(tmp_path):
    with engine.writing(tmp_path / "s.db").connect() as connection:
        assert engine.revision_of(connection, tmp_path) is None


@pytest.mark.parametrize("tables", ["create table x (a)", "create table series (a); create table sample (a)"])
def test_a_file_of_another_program_is_not_ours(tmp_path, tables):
    with closing(sqlite3.connect(tmp_path / "s.db")) as raw:
        raw.executescript(tables)
    with engine.writing(tmp_path / "s.db").connect() as connection, pytest.raises(DamagedError, match="not a store"):
        engine.prepare(connection, tmp_path / "s.db")


def test_a_file_without_one_of_its_tables_is_damaged(tmp_path):
    path = made(tmp_path / "s.db")
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("drop table incident")
    with engine.writing(path).connect() as connection, pytest.raises(DamagedError):
        engine.prepare(connection, path)


def test_older_and_newer_releases_are_told_apart_with_what_to_type(tmp_path):
    with pytest.raises(OldSchemaError) as old:
        engine.check(schema.PAST[0], tmp_path)
    assert "db upgrade" in old.value.hint
    with pytest.raises(NewSchemaError) as new:
        engine.check("9999", tmp_path)
    assert "db downgrade" in new.value.hint


def test_who_reads_cannot_write(tmp_path):
    path = made(tmp_path / "s.db")
    with engine.reading(path).connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.exec_driver_sql("delete from series")


def test_damage_and_passing_trouble_are_told_apart(tmp_path):
    (tmp_path / "s.db").write_bytes(b"not a database at all, not even nearly" * 40)
    with pytest.raises(DamagedError), engine.told(tmp_path / "s.db"):
        engine.reading(tmp_path / "s.db").connect().exec_driver_sql("select * from series")
    with pytest.raises(HealerError) as told, engine.told(tmp_path / "none.db"):
        engine.reading(tmp_path / "none" / "none.db").connect()
    assert not isinstance(told.value, DamagedError)
