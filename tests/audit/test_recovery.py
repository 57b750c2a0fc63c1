"""What a writer sees before it goes on."""

import json

import pytest

from audit import checkpoint, recovery
from audit.checkpoint import Anchor
from audit.errors import Damaged
from audit.reader import Log


def tail_of(built, key):
    with Log.open(built.folder) as log:
        return recovery.tail(log, key.public)


def test_the_tail_knows_the_head_and_the_open_intents(honest, key):
    end = tail_of(honest, key)
    assert end.header.height == 9
    assert [waiting.id for waiting in end.waiting.values()] == ["left-open"]


def test_an_empty_log_has_no_tail(honest, key):
    honest.edit("DELETE FROM blocks")
    assert tail_of(honest, key) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE blocks SET body = CAST(x'01' || substr(body, 2) AS BLOB) WHERE height = 9",
        "UPDATE blocks SET sig = zeroblob(384) WHERE height = 8",
        "UPDATE blocks SET sig = zeroblob(384), rsig = x'' WHERE height = 9",
        "UPDATE blocks SET sig = CAST(x'01' || substr(sig, 2) AS BLOB) WHERE height = 9",
        "UPDATE blocks SET hdr = x'7b7d' WHERE height = 9",
        "UPDATE blocks SET n = 7 WHERE height = 9",
        "DELETE FROM blocks WHERE height = 5",
        "DELETE FROM blocks WHERE height = 0",
        "UPDATE blocks SET height = 12 WHERE height = 9",
    ],
)
def test_a_tail_that_does_not_verify_is_refused(honest, key, statement):
    honest.edit(statement)
    with pytest.raises(Damaged, match="does not verify") as caught:
        tail_of(honest, key)
    assert "audit verify" in caught.value.hint


def test_a_log_of_another_key_is_refused(honest, other_key):
    with pytest.raises(Damaged, match="not signed by the sealing key"):
        tail_of(honest, other_key)


def test_a_row_of_wrong_types_is_refused(forge, key):
    forge.seal([forge.event(0)])
    built = forge.write("CREATE TABLE blocks (height INTEGER PRIMARY KEY, first, n, hdr, sig, rsig, body)")
    built.edit("UPDATE blocks SET sig = 5")
    with pytest.raises(Damaged, match="wrong type"):
        tail_of(built, key)


def test_a_head_that_miscounts_open_intents_is_refused(forge, key):
    forge.seal([forge.event(0)], open=3)
    with pytest.raises(Damaged, match="counts 3 open intents, the log holds 0"):
        tail_of(forge.write(), key)


def test_open_intents_are_found_however_far_back(forge, key, intent):
    forge.seal([forge.entry(0, intent("old"))], open=1)
    for number in range(1, 60):
        forge.seal([forge.event(number)], open=1)
    assert [one.id for one in tail_of(forge.write(), key).waiting.values()] == ["old"]


def standing(built, key, *paths, origin=None):
    with Log.open(built.folder) as log:
        end = recovery.tail(log, key.public)
        return recovery.compare(log, end, paths, origin or end.header.origin)


def test_a_log_equal_to_its_anchor_is_neither_behind_nor_ahead(honest, key):
    stands = standing(honest, key, honest.folder / "anchor", honest.anchor)
    assert (stands.rollback, stands.caught_up, stands.notes) == ("", False, ())


def test_a_log_ahead_of_its_anchor_is_caught_up(honest, key):
    anchor = checkpoint.read(honest.folder / "anchor")
    with Log.open(honest.folder) as log:
        row = log.row(5)
    old = recovery.block.parse_header(row.hdr)
    (honest.folder / "anchor").write_bytes(checkpoint.of_header(old, recovery.block.hash_of(row.hdr)).encode())
    stands = standing(honest, key, honest.folder / "anchor", honest.anchor)
    assert (stands.rollback, stands.caught_up) == ("", True)
    assert anchor.height == 9


def test_a_log_behind_any_anchor_is_rolled_back(honest, key):
    honest.edit("DELETE FROM blocks WHERE height > 7")
    (honest.folder / "anchor").unlink()
    stands = standing(honest, key, honest.folder / "anchor", honest.anchor)
    assert "remembers block 9, the log ends at block 7" in stands.rollback


def test_another_block_at_the_anchored_height_is_a_rollback(honest, key):
    fields = json.loads(honest.anchor.read_bytes())
    honest.anchor.write_bytes(Anchor(**{**fields, "head": "0" * 64}).encode())
    assert "not the one" in standing(honest, key, honest.folder / "anchor", honest.anchor).rollback


def test_an_anchor_of_another_log_is_refused(honest, key):
    with pytest.raises(Damaged, match="belongs to another log"):
        standing(honest, key, honest.folder / "anchor", origin="other/1")


def test_a_missing_own_anchor_is_noted(honest, key):
    (honest.folder / "anchor").unlink()
    stands = standing(honest, key, honest.folder / "anchor")
    assert stands.caught_up
    assert "missing" in stands.notes[0]


def test_a_damaged_anchor_is_a_rollback_and_one_out_of_reach_a_note(honest, key, tmp_path):
    (honest.folder / "anchor").write_bytes(b"junk")
    assert "damaged" in standing(honest, key, honest.folder / "anchor").rollback
    stands = standing(honest, key, honest.anchor, tmp_path)
    assert stands.rollback == ""
    assert "not a regular file" in stands.notes[0]


def test_an_emptied_log_is_a_rollback(honest, key):
    honest.edit("DELETE FROM blocks")
    with Log.open(honest.folder) as log:
        stands = recovery.compare(log, None, (honest.anchor,), checkpoint.read(honest.anchor).origin)
    assert "is empty" in stands.rollback
