"""The auditor says what the verifier said, of a real log: that it holds, and that two forgeries do not."""

import sqlite3

import pytest

from audit.writer import Writer
from healer.demo import auditor
from healer.errors import HealerError


def entry(kind, number, **fields):
    return {"v": 1, "kind": kind, "ts": number, "mono": number, "boot": "b", "node": "n", **fields}


def intent(number):
    said = dict.fromkeys(("corr", "action", "target", "generation", "rule", "rules_hash", "actor", "mode"), "x")
    counts = {"step": 0, "attempt": 1, "deadline_us": 1}
    return entry("intent", number, id=f"i-{number}", because="it died", evidence=[], params={}, **said, **counts)


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    writer = Writer.open(folder, node="n")
    for number in range(6):
        writer.submit([entry("heartbeat", number)]).result()
    writer.submit([intent(7)]).result()
    writer.close()
    return folder


@pytest.fixture
def kept(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


def test_the_log_is_proven_and_both_forgeries_are_caught(state, kept):
    found = auditor.audited(state, kept)
    assert (found.entries, found.verified) == (7, True)
    assert (found.tampered_copy_detected, found.cut_copy_detected) == (True, True)
    assert found.summary.startswith("proven")
    assert "body" in found.tampered
    assert "cut" in found.cut


def test_the_original_is_left_as_it_was(state, kept):
    before = (state / "audit.db").read_bytes()
    auditor.audited(state, kept)
    assert (state / "audit.db").read_bytes() == before


def test_a_forgery_that_changes_nothing_is_not_said_to_be_caught(state, kept, monkeypatch):
    monkeypatch.setattr(auditor, "flip_a_byte", lambda connection: None)
    monkeypatch.setattr(auditor, "cut_the_end", lambda connection: None)
    found = auditor.audited(state, kept)
    assert (found.tampered_copy_detected, found.cut_copy_detected) == (False, False)


def test_a_log_that_does_not_hold_is_not_said_to_be_proven(state, kept):
    with sqlite3.connect(state / "audit.db") as connection:
        connection.execute("DROP TRIGGER blocks_no_update")
        connection.execute("UPDATE blocks SET sig = zeroblob(384) WHERE height = 2")
    connection.close()
    assert not auditor.audited(state, kept).verified


def test_only_one_letter_of_the_intents_reason_is_changed(state):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE blocks (height, body)")
    with sqlite3.connect(state / "audit.db") as log:
        connection.executemany("INSERT INTO blocks VALUES (?, ?)", log.execute("SELECT height, body FROM blocks"))
        bodies = dict(log.execute("SELECT height, body FROM blocks"))
    log.close()
    auditor.flip_a_byte(connection)
    changed = {h: body for h, body in connection.execute("SELECT height, body FROM blocks") if body != bodies[h]}
    connection.close()
    assert changed == {6: bodies[6].replace(b"it died", b"It died")}


def test_a_verifier_that_says_nothing_is_told(state, kept, monkeypatch):
    monkeypatch.setattr(auditor.sys, "executable", "/bin/true")
    with pytest.raises(HealerError, match="could not be run"):
        auditor.verify(state / "audit.db", kept)
