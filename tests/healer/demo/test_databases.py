"""What PostgreSQL misses is said one by one."""

from healer.demo import databases
from healer.demo.databases import PostgresSystem


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(databases, "_tool", lambda _: "")
    assert "PostgreSQL is not installed" in PostgresSystem.missing()
    monkeypatch.setattr(databases, "_tool", lambda name: f"/bin/{name}")
    monkeypatch.setattr(databases.importlib.util, "find_spec", lambda _: None)
    assert "psycopg" in PostgresSystem.missing()
    monkeypatch.setattr(databases.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(databases.os, "geteuid", lambda: 0)
    monkeypatch.setattr(databases, "_account", lambda: None)
    assert PostgresSystem.missing() == "there is no account postgres to run it as"


def test_one_that_was_never_started_ends_quietly(tmp_path):
    PostgresSystem(tmp_path, "1").close()
