"""The demonstration has everything in it that can happen to a log."""

from audit import block


def test_the_demonstration_crashed_changed_keys_and_was_pruned(world):
    reasons = [block.parse_header(row.hdr).why for row in world.rows]
    assert {"commit", "restart", "rotate", "prune"} <= set(reasons)
    assert any(not row.body for row in world.rows)
    assert len(world.archives) == 1
    assert len(world.ring) == 2
    assert world.head.open == 1


def test_the_anchor_is_older_than_some_of_the_log_and_above_the_break(world):
    assert reasons_above(world) == {"commit"}
    assert 0 < world.anchored < world.top
    assert world.secret is not None
    assert world.secret.public.hex() == world.head.next


def reasons_above(world):
    return {block.parse_header(row.hdr).why for row in world.rows[world.anchored + 1 :]}
