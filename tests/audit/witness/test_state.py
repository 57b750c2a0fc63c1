"""What a witness remembers survives, and what it has lost it does not pretend to remember."""

import os
import sqlite3
from pathlib import Path

import pytest

from audit.errors import Busy, Damaged, Poisoned
from audit.witness.state import NOTHING, Held, State


def held(log, size=None) -> Held:
    head = log.head(size)
    return Held(size=head.size, root=head.root, note=log.note(size).octets())


def test_what_was_flushed_is_there_after_a_start_and_the_rest_is_not(tmp_path, log):
    state = State.open(tmp_path / "state")
    origin = log.signer.verifier.name
    assert state[origin] == NOTHING
    state.put(origin, held(log, 2))
    state.flush()
    state.put(origin, held(log, 3))
    assert state[origin].size == 3
    state.close()
    again = State.open(tmp_path / "state")
    assert again[origin] == held(log, 2)
    again.close()


def test_only_its_owner_may_look_and_only_one_may_use_it(tmp_path):
    state = State.open(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "witness.db").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Busy, match="another witness"):
        State.open(tmp_path / "state")
    state.close()
    State.open(tmp_path / "state").close()


def test_a_lost_database_is_not_made_again(tmp_path):
    State.open(tmp_path / "state").close()
    (tmp_path / "state" / "witness.db").unlink()
    with pytest.raises(Damaged, match="retire this witness's key"):
        State.open(tmp_path / "state")


def test_an_emptied_database_is_not_begun_again(tmp_path):
    State.open(tmp_path / "state").close()
    (tmp_path / "state" / "witness.db").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(Damaged, match=r"was emptied .*retire this witness's key"):
            State.open(tmp_path / "state")


def test_a_lock_that_is_no_file_is_refused(tmp_path):
    (tmp_path / "state").mkdir()
    os.mkfifo(tmp_path / "state" / "lock")
    with pytest.raises(Damaged, match="not a regular file"):
        State.open(tmp_path / "state")


def test_a_start_that_was_cut_short_before_anything_was_cosigned_is_gone_over_again(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "lock").touch()
    State.open(tmp_path / "state").close()


@pytest.mark.parametrize("octets", [b"not a database, and long enough to be looked at" * 20, b"SQLite format 3\x00"])
def test_garbage_is_damaged(tmp_path, octets):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "witness.db").write_bytes(octets)
    with pytest.raises(Damaged):
        State.open(tmp_path / "state")


def test_somebody_elses_database_is_left_alone(tmp_path):
    (tmp_path / "state").mkdir()
    with sqlite3.connect(tmp_path / "state" / "witness.db") as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(Damaged, match="not a witness's state"):
        State.open(tmp_path / "state")


@pytest.mark.parametrize(
    "edit",
    ["UPDATE head SET size = 2", "UPDATE head SET origin = 'x'", "UPDATE head SET note = x'00'", "DROP TABLE head"],
)
def test_a_state_that_contradicts_itself_is_damaged(tmp_path, log, edit):
    state = State.open(tmp_path / "state")
    state.put(log.signer.verifier.name, held(log))
    state.flush()
    state.close()
    database = sqlite3.connect(tmp_path / "state" / "witness.db")
    database.execute(edit)
    database.commit()
    database.close()
    with pytest.raises(Damaged):
        State.open(tmp_path / "state")


def test_after_a_failed_write_nothing_is_written_any_more(state, log):
    origin = log.signer.verifier.name
    state.put(origin, held(log, 1))
    state.flush()
    state._database.execute("PRAGMA max_page_count = 3")
    for at in range(200):
        state.put(f"{origin}{at}", held(log, 2))
    with pytest.raises(Poisoned, match="disk full"):
        state.flush()
    state._database.execute("PRAGMA max_page_count = 100000")
    with pytest.raises(Poisoned, match="earlier"):
        state.flush()


def test_the_lock_goes_with_the_state(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    State.open(tmp_path / "state").close()
    (tmp_path / "state" / "witness.db").write_bytes(b"x" * 4096)
    with pytest.raises(Damaged):
        State.open(tmp_path / "state")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
