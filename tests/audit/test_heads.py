"""The log's own tree and its signed head."""

import os
import shutil
import sqlite3

import pytest

from audit import block, merkle, note
from audit.errors import KeyRefused
from audit.files import write_atomically
from audit.heads import Heads
from audit.note import Note
from audit.reader import Log
from audit.treehead import TreeHead
from audit.writer import Writer


def head_of(octets: bytes) -> TreeHead:
    return TreeHead.parse(Note.parse(octets).text)


def root_of(folder, size: int) -> bytes:
    with Log.open(folder) as log:
        return merkle.root([merkle.leaf_hash(row.hdr) for row in log.rows(0, size - 1)])


@pytest.fixture(scope="module")
def original(tmp_path_factory, key):
    """A folder with a log of 300 blocks: more than one tile."""
    folder = tmp_path_factory.mktemp("tree") / "s"
    with Writer.open(folder, node="n", signer=key, reserve_bytes=0) as writer:
        for _ in range(300):
            writer.append({"kind": "heartbeat"})
    return folder


@pytest.fixture
def state(original, tmp_path):
    return shutil.copytree(original, tmp_path / "s")


def reopen(folder) -> Heads:
    log = Log.open(folder)
    origin = block.parse_header(next(iter(log.rows())).hdr).origin
    return Heads.open(folder, origin, log)


def test_the_checkpoint_is_signed_by_the_log_and_names_the_root_over_all_headers(state):
    octets = (state / "checkpoint").read_bytes()
    key = note.Verifier.parse((state / "keys/note.pub").read_text().strip())
    opened = note.open_note(Note.parse(octets), [key])
    head = TreeHead.parse(opened.text)
    assert head.origin == key.name
    assert head.root == root_of(state, head.size)
    assert head.size == 300


def test_a_checkpoint_follows_within_a_second_without_being_asked_for(tmp_path, key, event, until):
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        writer.append(event())
        until((tmp_path / "s/checkpoint").exists, within_s=2.0)
        assert head_of(writer.heads.checkpoint()).size == 1


def test_the_tree_goes_on_where_it_was(state):
    again = reopen(state)
    assert again.size == 300
    assert head_of(again.checkpoint()).root == root_of(state, 300)
    merkle.verify_consistency(100, 300, root_of(state, 100), root_of(state, 300), again.consistency(100, 300))
    again.close()


@pytest.mark.parametrize("harm", ["drop", "garbage", "lies", "behind", "ahead"])
def test_a_tree_that_is_lost_damaged_or_false_is_made_anew(state, harm):
    path = state / "tree.db"
    if harm == "drop":
        path.unlink()
    elif harm == "garbage":
        path.write_bytes(os.urandom(9000))
    else:
        connection = sqlite3.connect(path, isolation_level=None)
        if harm == "lies":
            connection.execute("UPDATE tiles SET hashes = randomblob(8192) WHERE level = 0 AND n = 0")
        elif harm == "behind":
            connection.execute("DELETE FROM tiles WHERE n = 1")
        else:
            connection.execute("UPDATE tiles SET hashes = randomblob(8192) WHERE level = 0 AND n = 1")
        connection.close()
    again = reopen(state)
    assert head_of(again.checkpoint()).root == root_of(state, 300)
    again.close()


def test_a_note_key_of_another_log_is_refused_with_what_a_new_one_costs(state, tmp_path):
    other = note.Signer("other/log", note.ed25519.Secret.generate())
    write_atomically(state / "keys/note.key", f"{other.skey()}\n".encode(), mode=0o600)
    with pytest.raises(KeyRefused, match="another log") as caught:
        reopen(state)
    assert "witnesses" in caught.value.hint
    write_atomically(state / "keys/note.key", b"junk", mode=0o600)
    with pytest.raises(KeyRefused, match=r"note\.key"):
        reopen(state)


def test_what_cannot_be_written_is_said_and_stops_nothing(state):
    again = reopen(state)
    (state / "checkpoint").unlink()
    (state / "checkpoint").mkdir()
    again.sync()
    assert "checkpoint" in again.because
    (state / "checkpoint").rmdir()
    again.sync()
    assert again.because == ""
    again.close()


def test_in_one_thread_the_tree_is_made_when_it_is_asked_for(tmp_path, key, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, inline=True, reserve_bytes=0) as writer:
        writer.append(event())
        assert not (tmp_path / "s/tree.db").exists()
        assert head_of(writer.heads.checkpoint()).size == 1
        writer.append(event())
        assert head_of(writer.heads.checkpoint()).size == 2
    assert head_of((tmp_path / "s/checkpoint").read_bytes()).size == 2
