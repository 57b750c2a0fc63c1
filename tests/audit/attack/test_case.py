"""A case is a copy: what is done to it is done to nothing else, and each auditor is shown what he has."""

import sqlite3

import pytest

from audit.attack.case import Case
from audit.attack.catalog import Auditor, Skipped
from audit.attack.world import World
from audit.clock import SystemClock
from audit.reader import Log
from audit.writer import Writer


def test_a_case_begins_as_the_log_and_what_is_done_to_it_stays_in_it(case, world, tmp_path):
    with Log.open(case.log) as log:
        assert list(log.rows()) == list(world.rows)
    case.write(case.rows[:3])
    other = Case(world=world, place=tmp_path / "other")
    with Log.open(case.log) as cut, Log.open(other.log) as whole:
        assert (cut.top(), whole.top()) == (2, world.top)


def test_each_auditor_is_shown_what_he_has_and_no_more(case):
    nothing, key, anchor, witness = (case.ask(who) for who in Auditor)
    assert (nothing.key, nothing.anchors, nothing.policy) == (None, (), None)
    assert (key.key, key.anchors, key.policy) == (case.key, (), None)
    assert (anchor.anchors, anchor.policy, anchor.min_level) == (case.anchors, None, "L2")
    assert (witness.anchors, witness.policy, witness.min_level) == ((), case.policy, "L3")


def test_what_auditors_keep_lies_where_the_log_does_not(case):
    for kept in (case.key, case.policy, *case.anchors, *case.checkpoints, case.keep("note", b"x")):
        assert not kept.is_relative_to(case.log.parent)


def test_an_attack_behind_a_write_ahead_file_leaves_the_file_itself_whole(case, world):
    case.behind_wal("DELETE FROM blocks WHERE height > 2")
    with Log.open(case.log) as log:
        assert log.top() == 2
    alone = case.place / "alone.db"
    alone.write_bytes(case.log.read_bytes())
    connection = sqlite3.connect(f"file:{alone}?immutable=1", uri=True)
    assert connection.execute("SELECT max(height) FROM blocks").fetchone() == (world.top,)
    connection.close()


def test_what_the_thief_does_not_have_skips_the_attack(case, monkeypatch):
    monkeypatch.setattr(case.world, "ring", {})
    monkeypatch.setattr(case.world, "secret", None)
    for missing in (lambda: case.thief, lambda: case.first, lambda: case.secret, case.future):
        with pytest.raises(Skipped):
            missing()


def test_what_only_whole_intents_show_is_left_out_where_entries_are_missing(case):
    case.need_every_body()
    case.archives = ()
    with pytest.raises(Skipped, match="--archive"):
        case.need_every_body()


def test_a_log_of_heartbeats_has_ordinary_blocks(key, tmp_path):
    with Writer.open(tmp_path / "s", node="n", signer=key, inline=True, reserve_bytes=0) as writer:
        for _ in range(9):
            writer.append({"kind": "heartbeat"})
    (tmp_path / "pub").write_bytes(key.public.pem)
    found = World.of(tmp_path / "s", tmp_path / "w", SystemClock(), tmp_path / "pub")
    case = Case(world=found, place=tmp_path / "case")
    assert case.below < found.anchored < case.above


def test_a_case_removes_itself(case):
    case.close()
    assert not case.place.exists()
