"""The world: what auditors keep of a log, and what a thief of the machine finds."""

import pytest

from audit import block
from audit.attack import world as worlds
from audit.attack.world import World
from audit.clock import SystemClock
from audit.errors import KeyRefused, Unreadable
from audit.note import Note
from audit.policy import parse
from audit.signature import PublicKey
from audit.writer import Writer


def test_the_policy_is_one_and_its_witnesses_cosigned_the_newest_checkpoint(world):
    policy = parse((world.outside / "policy").read_bytes())
    note = Note.parse((world.outside / "checkpoint").read_bytes())
    assert len(policy.witnesses) == 3
    assert not policy.asks_for_nobody
    assert note.text.split("\n")[:2] == [world.head.origin, str(len(world.rows))]
    assert len(note.signatures) == 3


def test_the_key_in_force_is_followed_through_changes_of_keys(world):
    rotated = next(row.height for row in world.rows if block.parse_header(row.hdr).why == "rotate")
    assert world.key_at(rotated) == world.pinned
    assert PublicKey.from_pem(world.key_at(rotated + 1)).fingerprint == world.head.keys[0]


def test_a_log_that_is_running_gives_the_thief_no_secret_of_the_ratchet(tmp_path, key, event):
    state = tmp_path / "s"
    with Writer.open(state, node="n", signer=key, inline=True, reserve_bytes=0) as writer:
        for number in range(6):
            writer.append(event(number))
        (tmp_path / "pub").write_bytes(key.public.pem)
        found = World.of(state, tmp_path / "w", SystemClock(), tmp_path / "pub")
    assert (found.secret, found.key, found.whole) == (None, None, True)
    assert len(found.rows) == 6


def test_a_log_without_blocks_or_key_makes_no_world(tmp_path, honest):
    with pytest.raises(KeyRefused, match="no public key to pin"):
        World.of(honest.db, tmp_path / "a", SystemClock())
    with pytest.raises(Unreadable):
        World.of(tmp_path, tmp_path / "b", SystemClock())
    honest.edit("DELETE FROM blocks WHERE height > 2")
    with pytest.raises(Unreadable, match="too short"):
        World.of(honest.db, tmp_path / "c", SystemClock(), honest.key)


def test_a_beginning_reaches_as_far_as_the_orders_to_prune_it_rests_on(world, monkeypatch, case):
    pruned = max(row.height for row in world.rows if not row.body)
    ordered = next(row.height for row in world.rows if block.parse_header(row.hdr).why == "prune")
    monkeypatch.setattr(worlds, "MAX_BLOCKS", pruned)
    found = World.of(case.log, case.place / "w", world.clock, case.key)
    assert (len(found.rows), found.whole) == (ordered + 1, False)
